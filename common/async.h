// Coroutines and blocking work, in the two forms this project uses.
//
// g++ 12 has three coroutine traps; all code here keeps clear of them and so must yours: no
// capturing lambda coroutines, no capturing lambda inside a co_await expression (name it first),
// parameters by value. `co_spawn` is called only here and in the composition roots.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"

namespace oppetid {

namespace asio = boost::asio;

// A named pool of threads for calls that block (name look-ups, statvfs, SQLite).
// Threading: Post from any thread. The destructor waits for what is running.
class BlockingPool {
 public:
  // `name` is what `top -H` shows, at most 15 characters.
  BlockingPool(std::string name, size_t threads);
  ~BlockingPool();
  void Post(std::function<void()> work);

 private:
  asio::thread_pool pool_;
};

// Runs `work` on the pool and resumes the awaiting coroutine on its own executor with the result.
// `work` must not throw. If the coroutine is abandoned, the result is dropped.
template <typename T>
asio::awaitable<T> OnPool(BlockingPool& pool, std::function<T()> work) {
  auto executor = co_await asio::this_coro::executor;
  struct Shared {
    explicit Shared(const asio::any_io_executor& e)
        : timer(e, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;  // never expires; cancelled when the result is there
    std::optional<T> result;
  };
  auto shared = std::make_shared<Shared>(executor);
  std::function<void()> job = [shared, executor, work = std::move(work)] {
    auto result = std::make_shared<T>(work());
    asio::post(executor, [shared, result] {
      shared->result = std::move(*result);
      shared->timer.cancel();
    });
  };
  pool.Post(std::move(job));
  while (!shared->result) {
    boost::system::error_code ignored;
    co_await shared->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return std::move(*shared->result);
}

// Starts a coroutine on its own. An exception that leaves it is logged under `what` and ends there:
// this is the edge at which library exceptions of sessions stop.
void Spawn(const asio::any_io_executor& executor, asio::awaitable<void> work, std::string what);

}  // namespace oppetid
