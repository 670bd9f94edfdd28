// What attacks a real collector in the hostile tests, and who must not notice: a well-behaved
// agent, clients that send what they are told, bare sockets, and the fixture that watches over all.
//
// Without gRPC's headers: the programs' edges to it are in hostile_fixture.cc.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "tests/bench/load_payload.h"
#include "tests/support/collector_process.h"

namespace oppetid {
namespace load {
class Stream;
}  // namespace load

inline constexpr Millis kAckWithin{1'000};
inline constexpr double kMemoryLimit = 512e6;
inline constexpr auto kPatience = std::chrono::seconds(60);

// An agent that does everything right, all the time, on a thread of its own: a Snapshot and a fact
// every 50 ms, and the time of each ack.
class GoodAgent {
 public:
  explicit GoodAgent(const CollectorProcess& collector);
  ~GoodAgent();

  int acks() const { return acks_; }
  Millis slowest() const { return Millis(slowest_ms_); }
  // What happened to its stream; empty when it lives.
  std::string lost() const { return lost_ ? "its stream ended" : ""; }

 private:
  static constexpr Millis kPause{50};

  void OnFrame(const v1::CollectorFrame& frame);
  void SendFact();
  void OnClosed();

  SystemClock clock_;
  boost::asio::io_context io_{1};
  // What comes next comes from gRPC's threads.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  boost::asio::steady_timer timer_{io_};
  load::Payload payload_;
  std::shared_ptr<load::Stream> stream_;
  Steady sent_;
  bool ending_ = false;
  std::atomic<int> acks_ = 0;
  std::atomic<int64_t> slowest_ms_ = 0;
  std::atomic<bool> lost_ = false;
  std::thread thread_;
};

// A client that sends what it is told, and waits for what comes of it.
class Client {
 public:
  Client(const CollectorProcess& collector, const std::optional<TestCertificate>& certificate);
  ~Client();

  void Send(const v1::AgentFrame& frame);
  void SendBytes(const std::string& bytes);
  // Why the stream ended; empty when it did not.
  std::string AwaitEnd();
  // The next frame of the collector; one without a kind when none comes.
  v1::CollectorFrame Await();

 private:
  void Run(const std::function<bool()>& until);

  boost::asio::io_context io_{1};
  // What comes next comes from gRPC's threads.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::shared_ptr<load::Stream> stream_;
  std::vector<v1::CollectorFrame> frames_;
  size_t taken_ = 0;
  std::optional<std::string> ended_;
};

class Socket {
 public:
  explicit Socket(const CollectorProcess& collector);
  Socket(Socket&& other) noexcept;
  ~Socket();
  bool connected() const { return connected_; }
  void Send(std::string_view text) const;
  // Whether the collector closes it in time.
  bool AwaitClose(std::chrono::seconds within = kPatience) const;

 private:
  int fd_;
  bool connected_;
};

// How a call ended.
struct Ending {
  bool unauthenticated = false, unimplemented = false;
  std::string text;
};
// Calls a method with one empty message.
Ending CallAnyMethod(const CollectorProcess& collector, const std::string& method,
                     const std::optional<TestCertificate>& certificate);

class HostileTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto collector = CollectorProcess::Start();
    ASSERT_TRUE(collector.ok()) << collector.status().message();
    collector_ = std::move(*collector).release();
    good_ = new GoodAgent(*collector_);
  }
  static void TearDownTestSuite() {
    delete std::exchange(good_, nullptr);
    delete std::exchange(collector_, nullptr);
  }

  void SetUp() override {
    ASSERT_NE(collector_, nullptr);
    acks_before_ = good_->acks();
  }
  // Whatever a test did: the collector lives, and the good agent has noticed nothing.
  void TearDown() override {
    if (collector_ == nullptr) return;
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (good_->acks() <= acks_before_ && std::chrono::steady_clock::now() < end) {
      EXPECT_NE(HttpGet(collector_->http(), "/healthz"), "") << collector_->process().LastLines();
    }
    EXPECT_GT(good_->acks(), acks_before_);
    EXPECT_LT(good_->slowest(), kAckWithin);
    EXPECT_EQ(good_->lost(), "");
    const double memory = collector_->Metric("process_resident_memory_bytes");
    EXPECT_GT(memory, 0);
    EXPECT_LT(memory, kMemoryLimit);
  }

  static double Refused(const std::string& reason) {
    return collector_->Metric("oppetid_collector_rejected_total{reason=\"" + reason + "\"}");
  }
  // Runs `attack` and expects `count` more refusals for `reason`, and a line of log.
  static void ExpectRefusal(const std::string& reason, const std::function<void()>& attack,
                            double count = 1) {
    SCOPED_TRACE(reason);
    const double before = Refused(reason);
    attack();
    EXPECT_EQ(Refused(reason), before + count);
    EXPECT_NE(collector_->process().AwaitLine("reason=" + reason, Millis(5'000)), "")
        << collector_->process().LastLines();
  }

  static TestCertificate Mallory() { return AgentCertificate(collector_->ca(), "evil", "mallory"); }
  static load::Payload EvilPayload(uint64_t seed = 1) {
    return load::Payload(load::Shape{6, 2, Millis(1'000)}, 0, seed * 1'000 + 17);
  }
  // Hello has been said and answered.
  static void Greet(Client& client, const load::Payload& payload) {
    client.Send(payload.Hello(SystemClock().Now()));
    ASSERT_TRUE(client.Await().has_welcome());
  }
  // A stream that goes well until this one message, which ends it.
  static void ExpectEnd(const std::string& reason, const std::string& bytes) {
    ExpectRefusal(reason, [&] {
      Client client(*collector_, Mallory());
      Greet(client, EvilPayload());
      client.SendBytes(bytes);
      EXPECT_THAT(client.AwaitEnd(), testing::HasSubstr(reason));
    });
  }
  // A Snapshot that is refused in part: the stream goes on, and a fact after it gets its ack.
  static void ExpectPartRefused(const std::string& reason, double count,
                                const std::function<void(v1::Snapshot*)>& spoil) {
    ExpectRefusal(
        reason,
        [&] {
          Client client(*collector_, Mallory());
          load::Payload payload = EvilPayload(++seed_);
          Greet(client, payload);
          v1::AgentFrame frame = payload.Definitions(SystemClock().Now());
          spoil(frame.mutable_snapshot());
          client.Send(frame);
          client.Send(payload.Change(SystemClock().Now()));
          EXPECT_TRUE(client.Await().has_ack());
        },
        count);
  }

  static inline CollectorProcess* collector_ = nullptr;
  static inline GoodAgent* good_ = nullptr;
  static inline uint64_t seed_ = 100;
  int acks_before_ = 0;
};

}  // namespace oppetid
