// A real HTTP server on a thread of its own, on TCP port 0 and a Unix socket.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "collector/web/http_server.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace oppetid::collector {

class HttpFixture : public testing::Test {
 protected:
  ~HttpFixture() override { Stop(); }

  // With `tls`, TCP speaks it; see SetTls.
  void Start(HttpHandler handler, const TestCertificate* tls = nullptr) {
    server_ = std::make_unique<HttpServer>(io_.get_executor(), pool_, std::move(handler));
    if (tls != nullptr) {
      const absl::Status set = server_->SetTls(tls->certificate, tls->key);
      ASSERT_TRUE(set.ok()) << set;
    }
    const absl::Status tcp = server_->ListenTcp("127.0.0.1:0");
    ASSERT_TRUE(tcp.ok()) << tcp;
    const absl::Status admin = server_->ListenUnix(socket(), 0660, "no-such-group");
    ASSERT_TRUE(admin.ok()) << admin;
    thread_ = std::thread([this] { io_.run(); });
  }
  // Runs `work` where the handler runs, and waits for it.
  void OnLoop(std::function<void()> work) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  // Ends the loop; what it held is released while everything it uses is still there.
  void Stop() {
    if (!thread_.joinable()) return;
    OnLoop([this] { server_->Close(); });
    io_.stop();
    thread_.join();
  }
  uint16_t port() const { return server_->port(); }
  std::string socket() const { return directory_.path() + "/admin.sock"; }

  TempDir directory_;
  BlockingPool pool_{"http-test", 2};
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace oppetid::collector
