#include "common/async.h"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <exception>

#include "common/log.h"

namespace oppetid {

BlockingPool::BlockingPool(std::string name, size_t threads) : pool_(threads) {
  for (size_t i = 0; i < threads; ++i) {
    asio::post(pool_, [name] { pthread_setname_np(pthread_self(), name.substr(0, 15).c_str()); });
  }
}

BlockingPool::~BlockingPool() { pool_.join(); }

void BlockingPool::Post(std::function<void()> work) { asio::post(pool_, std::move(work)); }

void Spawn(const asio::any_io_executor& executor, asio::awaitable<void> work, std::string what) {
  asio::co_spawn(executor, std::move(work), [what = std::move(what)](std::exception_ptr error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      LogWarning(what, {{"error", e.what()}});
    }
  });
}

}  // namespace oppetid
