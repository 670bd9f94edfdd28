#include "common/async.h"

#include <pthread.h>

namespace oppetid {

BlockingPool::BlockingPool(std::string name, size_t threads) : pool_(threads) {
  for (size_t i = 0; i < threads; ++i) {
    asio::post(pool_, [name] { pthread_setname_np(pthread_self(), name.substr(0, 15).c_str()); });
  }
}

BlockingPool::~BlockingPool() { pool_.join(); }

void BlockingPool::Post(std::function<void()> work) { asio::post(pool_, std::move(work)); }

}  // namespace oppetid
