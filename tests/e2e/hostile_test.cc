// Everything a hostile agent, or a stranger, can send to a real collector's port. Each is refused,
// counted and logged; beside all of it a well-behaved agent keeps getting its acks within a second.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <optional>
#include <thread>

#include "common/clock.h"
#include "common/limits.h"
#include "tests/bench/load_payload.h"
#include "tests/bench/load_stream.h"
#include "tests/support/collector_process.h"

namespace oppetid {
namespace {

using load::Payload;
using load::Shape;
using load::Stream;

constexpr Millis kAckWithin{1'000};
constexpr double kMemoryLimit = 512e6;
constexpr auto kPatience = std::chrono::seconds(20);
constexpr int kSilent = 10'000;
// Descriptors that a test needs for other things.
constexpr rlim_t kSpareDescriptors = 500;

grpc::SslCredentialsOptions Tls(const CollectorProcess& collector,
                                const std::optional<TestCertificate>& certificate) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = collector.ca().certificate();
  if (certificate) {
    tls.pem_cert_chain = certificate->certificate;
    tls.pem_private_key = certificate->key;
  }
  return tls;
}

// An agent that does everything right, all the time, on a thread of its own: a Snapshot and a fact
// every 50 ms, and the time of each ack.
class GoodAgent {
 public:
  explicit GoodAgent(const CollectorProcess& collector)
      : payload_(Shape{20, 3, Millis(1'000)}, 0, 7) {
    const auto tls = Tls(collector, AgentCertificate(collector.ca(), "good", "well-behaved"));
    boost::asio::post(io_, [this, tls, address = collector.grpc()] {
      stream_ = Stream::Open(io_.get_executor(), address, tls,
                             {[this](const v1::CollectorFrame& frame) { OnFrame(frame); },
                              [this](const std::string& why) { OnClosed(why); }});
      stream_->Send(payload_.Hello(clock_.Now()));
    });
    thread_ = std::thread([this] { io_.run(); });
  }
  ~GoodAgent() {
    boost::asio::post(io_, [this] {
      ending_ = true;
      timer_.cancel();
      if (stream_ == nullptr) {
        work_.reset();
      } else {
        stream_->Cancel();
      }
    });
    thread_.join();
  }

  int acks() const { return acks_; }
  Millis slowest() const { return Millis(slowest_ms_); }
  // What happened to its stream; empty when it lives.
  std::string lost() const { return lost_ ? "its stream ended" : ""; }

 private:
  static constexpr Millis kPause{50};

  void OnFrame(const v1::CollectorFrame& frame) {
    if (frame.has_welcome()) {
      stream_->Send(payload_.Definitions(clock_.Now()));
      SendFact();
    }
    if (!frame.has_ack()) return;
    const auto took = std::chrono::duration_cast<Millis>(clock_.SteadyNow() - sent_);
    slowest_ms_ = std::max<int64_t>(slowest_ms_, took.count());
    ++acks_;
    timer_.expires_after(kPause);
    timer_.async_wait([this](boost::system::error_code error) {
      if (error || stream_ == nullptr) return;
      stream_->Send(payload_.Next(clock_.Now()));
      SendFact();
    });
  }
  void SendFact() {
    sent_ = clock_.SteadyNow();
    stream_->Send(payload_.Change(clock_.Now()));
  }
  void OnClosed(const std::string&) {
    stream_.reset();
    lost_ = !ending_;
    if (ending_) work_.reset();
  }

  SystemClock clock_;
  boost::asio::io_context io_{1};
  // What comes next comes from gRPC's threads.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  boost::asio::steady_timer timer_{io_};
  Payload payload_;
  std::shared_ptr<Stream> stream_;
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
  Client(const CollectorProcess& collector, const std::optional<TestCertificate>& certificate) {
    stream_ = Stream::Open(io_.get_executor(), collector.grpc(), Tls(collector, certificate),
                           {[this](const v1::CollectorFrame& frame) { frames_.push_back(frame); },
                            [this](const std::string& why) {
                              ended_ = why;
                              stream_.reset();
                            }});
  }
  ~Client() {
    if (stream_ != nullptr) stream_->Cancel();
    AwaitEnd();
  }

  void Send(const v1::AgentFrame& frame) {
    if (stream_ != nullptr) stream_->Send(frame);
  }
  void SendBytes(const std::string& bytes) {
    if (stream_ != nullptr) stream_->SendBytes(bytes);
  }
  // Why the stream ended; empty when it did not.
  std::string AwaitEnd() {
    Run([this] { return ended_.has_value(); });
    return ended_.value_or("");
  }
  // The next frame of the collector; one without a kind when none comes.
  v1::CollectorFrame Await() {
    Run([this] { return ended_ || frames_.size() > taken_; });
    return frames_.size() > taken_ ? frames_[taken_++] : v1::CollectorFrame();
  }

 private:
  void Run(const std::function<bool()>& until) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!until() && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
  }

  boost::asio::io_context io_{1};
  // What comes next comes from gRPC's threads.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::shared_ptr<Stream> stream_;
  std::vector<v1::CollectorFrame> frames_;
  size_t taken_ = 0;
  std::optional<std::string> ended_;
};

class Socket {
 public:
  explicit Socket(const CollectorProcess& collector) {
    const std::string& address = collector.grpc();
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected_ = fd_ >= 0 && ::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
  }
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool connected() const { return connected_; }
  void Send(std::string_view text) const { ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Whether the collector closes it in time.
  bool AwaitClose(std::chrono::seconds within = kPatience) const {
    pollfd wait{fd_, POLLIN, 0};
    char byte;
    return ::poll(&wait, 1, static_cast<int>(Millis(within).count())) == 1 &&
           ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
  bool connected_;
};

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
  static Payload EvilPayload(uint64_t seed = 1) {
    return Payload(Shape{6, 2, Millis(1'000)}, 0, seed * 1'000 + 17);
  }
  // Hello has been said and answered.
  static void Greet(Client& client, const Payload& payload) {
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
          Payload payload = EvilPayload(++seed_);
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

TEST_F(HostileTest, TruncatedFrameEndsTheStream) {
  Payload payload = EvilPayload();
  const std::string whole = payload.Definitions(SystemClock().Now()).SerializeAsString();
  ExpectEnd("garbage", whole.substr(0, whole.size() / 2));
}

TEST_F(HostileTest, RandomBytesEndTheStream) {
  std::minstd_rand random(4);
  std::string bytes(10'000, '\0');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random() >> 8); });
  ExpectEnd("garbage", bytes);
}

TEST_F(HostileTest, FrameAboveTheLimitEndsTheStream) {
  ExpectEnd("oversized", std::string(limits::kFrameBytes + 1, 'x'));
}

TEST_F(HostileTest, FrameFarAboveTheLimitIsCutOff) {
  Client client(*collector_, Mallory());
  Greet(client, EvilPayload());
  client.SendBytes(std::string(16 * limits::kFrameBytes, 'x'));
  EXPECT_NE(client.AwaitEnd(), "");
}

TEST_F(HostileTest, FramesInTheWrongOrderEndTheStream) {
  Payload payload = EvilPayload();
  const Instant now = SystemClock().Now();
  ExpectRefusal("hello_missing", [&] {
    Client client(*collector_, Mallory());
    client.Send(payload.Next(now));
    EXPECT_THAT(client.AwaitEnd(), testing::HasSubstr("hello_missing"));
  });
  ExpectEnd("hello_twice", payload.Hello(now).SerializeAsString());
  v1::AgentFrame facts = payload.Change(now);
  facts.mutable_facts()->set_first_sequence(5);
  ExpectEnd("out_of_order", facts.SerializeAsString());
  facts.mutable_facts()->set_first_sequence(UINT64_MAX);
  ExpectEnd("sequence", facts.SerializeAsString());
  facts.mutable_facts()->set_epoch(12345);
  facts.mutable_facts()->set_first_sequence(1);
  ExpectEnd("unknown_epoch", facts.SerializeAsString());
  facts.mutable_facts()->clear_facts();
  ExpectEnd("facts_count", facts.SerializeAsString());
}

TEST_F(HostileTest, SeriesThatWasNeverDefinedIsRefused) {
  ExpectPartRefused("undefined_series", 1, [](v1::Snapshot* snapshot) {
    snapshot->mutable_samples(0)->set_series(0, 999'999);
  });
  ExpectPartRefused("series_id", 1, [](v1::Snapshot* snapshot) {
    v1::SeriesDefinition* definition = snapshot->add_definitions();
    definition->set_id(UINT32_MAX);
    definition->set_name("evil_total");
    definition->set_carried(true);
  });
}

TEST_F(HostileTest, ValuesThatAreNotFiniteAreLeftOut) {
  using Limits = std::numeric_limits<double>;
  ExpectPartRefused("not_finite_or_twice", 3, [](v1::Snapshot* snapshot) {
    snapshot->mutable_samples(0)->set_values(0, Limits::quiet_NaN());
    snapshot->mutable_samples(0)->set_values(1, Limits::infinity());
    snapshot->mutable_samples(0)->set_values(2, -Limits::infinity());
  });
}

// Adds a definition, foreign unless its name is ours.
v1::SeriesDefinition* Add(v1::Snapshot* snapshot, const std::string& name) {
  v1::SeriesDefinition* definition = snapshot->add_definitions();
  definition->set_id(500);
  definition->set_name(name);
  definition->set_carried(true);
  return definition;
}

TEST_F(HostileTest, LabelsAndNamesThatWouldSpoilTheScrapeAreRefused) {
  ExpectPartRefused("label_too_long", 1, [](v1::Snapshot* snapshot) {
    v1::SeriesDefinition* definition = Add(snapshot, "evil_total");
    definition->add_labels("size");
    definition->add_labels(std::string(1'000'000, 'x'));
  });
  for (const char* name : {"", "0evil", "evil total", "evil{}", "evil\n# TYPE"}) {
    ExpectPartRefused("metric_name", 1, [name](v1::Snapshot* snapshot) { Add(snapshot, name); });
  }
  ExpectPartRefused("reserved_name", 1,
                    [](v1::Snapshot* snapshot) { Add(snapshot, "oppetid_check_up"); });
  ExpectPartRefused("label_name", 1, [](v1::Snapshot* snapshot) {
    v1::SeriesDefinition* definition = Add(snapshot, "evil_total");
    definition->add_labels("a b");
    definition->add_labels("x");
  });
  ExpectPartRefused("too_many_labels", 1, [](v1::Snapshot* snapshot) {
    v1::SeriesDefinition* definition = Add(snapshot, "evil_total");
    for (int i = 0; i < 200; ++i) definition->add_labels("a");
  });
  // The label that says whose series it is cannot be taken from somebody else.
  ExpectPartRefused("our_label", 1, [](v1::Snapshot* snapshot) {
    v1::SeriesDefinition* definition = Add(snapshot, "evil_total");
    definition->add_labels("municipality");
    definition->add_labels("good");
  });
}

TEST_F(HostileTest, TextThatIsNoUtf8EndsTheStream) {
  // By hand, since a well-made message cannot hold it: a Snapshot with a definition named \xFF.
  const std::string name("\x12\x01\xFF", 3);
  const std::string definition = std::string("\x12\x03", 2) + name;
  ExpectEnd("garbage", std::string("\x12\x05", 2) + definition);
}

TEST_F(HostileTest, FactFromNextYearIsRefusedAndAcked) {
  ExpectRefusal("from_the_future", [&] {
    Client client(*collector_, Mallory());
    Payload payload = EvilPayload(++seed_);
    Greet(client, payload);
    client.Send(payload.Definitions(SystemClock().Now()));
    v1::AgentFrame frame = payload.Change(SystemClock().Now());
    constexpr int64_t kYearMs = 365LL * 86'400'000;
    v1::ClosedRun* run = frame.mutable_facts()->mutable_facts(0)->mutable_run();
    run->set_since_ms(run->since_ms() + kYearMs);
    run->set_last_ms(run->last_ms() + kYearMs);
    client.Send(frame);
    const v1::CollectorFrame ack = client.Await();
    ASSERT_TRUE(ack.has_ack());
    EXPECT_EQ(ack.ack().refused(), 1U);
  });
}

TEST_F(HostileTest, TwoAgentsWithOneIdentityCannotFightForever) {
  ExpectRefusal("duplicate_identity", [&] {
    std::vector<std::unique_ptr<Client>> clients;
    const TestCertificate twin = AgentCertificate(collector_->ca(), "evil", "twin");
    for (uint64_t i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<Client>(*collector_, twin));
      Greet(*clients.back(), EvilPayload(200 + i));
      // The newer one takes over.
      if (i == 0) continue;
      EXPECT_THAT(clients[i - 1]->AwaitEnd(), testing::HasSubstr("took over"));
    }
    Client one_too_many(*collector_, twin);
    one_too_many.Send(EvilPayload(300).Hello(SystemClock().Now()));
    EXPECT_THAT(one_too_many.AwaitEnd(), testing::HasSubstr("duplicate_identity"));
  });
}

TEST_F(HostileTest, CertificatesThatAreNotOursAreRefused) {
  const auto refused = [&](const std::optional<TestCertificate>& certificate) {
    ExpectRefusal("certificate", [&] {
      Client client(*collector_, certificate);
      EXPECT_NE(client.AwaitEnd(), "");
      EXPECT_FALSE(client.Await().has_welcome());
    });
  };
  refused(std::nullopt);
  refused(AgentCertificate(TestCa("Another CA"), "good", "well-behaved"));
  CertificateWish wish;
  wish.names = {"URI:spiffe://oppetid.local/municipality/good/host/well-behaved"};
  wish.until = std::chrono::hours(-1);
  refused(collector_->ca().Issue(wish));  // expired
  wish.until = std::chrono::hours(1);
  wish.names = {"URI:spiffe://another.domain/municipality/good/host/well-behaved"};
  refused(collector_->ca().Issue(wish));
  wish.names = {"DNS:well-behaved"};
  refused(collector_->ca().Issue(wish));
}

// Calls a method with one empty message, and gives how it ended.
grpc::Status CallAnyMethod(const CollectorProcess& collector, const std::string& method,
                           const std::optional<TestCertificate>& certificate) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(grpc::CreateCustomChannel(
      collector.grpc(), grpc::SslCredentials(Tls(collector, certificate)), arguments));
  grpc::ClientContext context;
  const auto within = static_cast<int64_t>(kPatience.count());
  context.set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(within, GPR_TIMESPAN)));
  grpc::CompletionQueue queue;
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer answer;
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::Status status;
  call->Finish(&answer, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  return status;
}

// Whatever is added to the contract is refused to strangers until it is named here and there.
TEST_F(HostileTest, EveryMethodButEnrolWantsAValidCertificate) {
  std::vector<std::string> methods = {"/oppetid.v1.Telemetry/NoSuchMethod",
                                      "/oppetid.v1.Enrolment/NoSuchMethod",
                                      "/grpc.health.v1.Health/Check", "/x", "/"};
  const google::protobuf::FileDescriptor& contract = *v1::AgentFrame::descriptor()->file();
  int known = 0;
  for (int i = 0; i < contract.service_count(); ++i) {
    const auto* service = contract.service(i);
    for (int j = 0; j < service->method_count(); ++j, ++known) {
      methods.push_back("/" + service->full_name() + "/" + service->method(j)->name());
    }
  }
  ASSERT_GE(known, 2);
  CertificateWish self_made;
  self_made.names = {"URI:spiffe://oppetid.local/municipality/good/host/well-behaved"};
  for (const std::string& method : methods) {
    SCOPED_TRACE(method);
    for (const std::optional<TestCertificate>& certificate :
         {std::optional<TestCertificate>(), std::optional(SelfSigned(self_made)),
          std::optional(AgentCertificate(TestCa("Another CA"), "good", "well-behaved"))}) {
      const grpc::Status status = CallAnyMethod(*collector_, method, certificate);
      if (method == "/oppetid.v1.Enrolment/Enrol") {
        // Reached, and refused for its content: this collector has no CA key.
        EXPECT_THAT(status.error_message(), testing::HasSubstr("does not enrol"));
      } else {
        EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
      }
    }
  }
  ExpectRefusal("unknown_method", [&] {
    EXPECT_EQ(CallAnyMethod(*collector_, methods[0], Mallory()).error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
  });
}

TEST_F(HostileTest, HttpOnTheGrpcPortIsRefused) {
  ExpectRefusal("not_tls", [&] {
    const Socket socket(*collector_);
    ASSERT_TRUE(socket.connected());
    socket.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(socket.AwaitClose());
  });
}

TEST_F(HostileTest, TenThousandSilentConnectionsDisturbNobody) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_GT(limit.rlim_cur, 2 * kSpareDescriptors);
  const int count = static_cast<int>(std::min<rlim_t>(kSilent, limit.rlim_cur - kSpareDescriptors));
  if (count < kSilent) {
    std::printf("the limit of open files allows only %d connections\n", count);
  }
  const double silent_before = Refused("silent_connection");
  const double many_before = Refused("too_many_silent");
  std::vector<Socket> sockets;
  for (int i = 0; i < count; ++i) {
    sockets.emplace_back(*collector_);
    ASSERT_TRUE(sockets.back().connected()) << "connection " << i;
  }
  // Where a collector may not hold all of them, the oldest have gone; the rest go in ten seconds.
  EXPECT_TRUE(sockets.back().AwaitClose());
  EXPECT_TRUE(sockets.front().AwaitClose());
  const double refused =
      Refused("silent_connection") - silent_before + Refused("too_many_silent") - many_before;
  EXPECT_EQ(refused, count);
  EXPECT_NE(collector_->process().AwaitLine("reason=silent_connection", Millis(5'000)), "");
  // A newcomer is served.
  Client client(*collector_, AgentCertificate(collector_->ca(), "good", "newcomer"));
  Greet(client, EvilPayload(400));
}

// The beginning of a TLS handshake, and then nothing: what costs a server most.
TEST_F(HostileTest, ThousandsOfHandshakesThatStopDisturbNobody) {
  constexpr int kStopped = 3'000;
  const double before = Refused("handshake_timeout") + Refused("too_many_handshakes");
  std::vector<Socket> sockets;
  for (int i = 0; i < kStopped; ++i) {
    sockets.emplace_back(*collector_);
    ASSERT_TRUE(sockets.back().connected()) << "connection " << i;
    // A record of 512 bytes is announced.
    sockets.back().Send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  }
  // A newcomer is served amid them.
  Client client(*collector_, AgentCertificate(collector_->ca(), "good", "newcomer"));
  Greet(client, EvilPayload(500));
  for (const Socket& socket : sockets) EXPECT_TRUE(socket.AwaitClose());
  EXPECT_EQ(Refused("handshake_timeout") + Refused("too_many_handshakes") - before, kStopped);
  EXPECT_NE(collector_->process().AwaitLine("reason=handshake_timeout", Millis(5'000)), "");
}

TEST_F(HostileTest, TheScrapeStaysOneThatPrometheusCanRead) {
  const std::string page = HttpGet(collector_->http(), "/metrics");
  EXPECT_THAT(page, testing::HasSubstr("host=\"well-behaved\""));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("evil_total")));
  const std::string carried = HttpGet(collector_->http(), "/metrics/carried");
  EXPECT_THAT(carried, testing::Not(testing::HasSubstr("municipality=\"good\"")));
}

}  // namespace
}  // namespace oppetid
