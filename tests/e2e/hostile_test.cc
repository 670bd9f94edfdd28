// Everything a hostile agent, or a stranger, can send to a real collector's port. Each is refused,
// counted and logged; beside all of it a well-behaved agent keeps getting its acks within a second.
#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <random>

#include "common/limits.h"
#include "tests/e2e/hostile_fixture.h"

namespace oppetid {
namespace {

using load::Payload;

constexpr int kSilent = 10'000;
// Descriptors that a test needs for other things.
constexpr rlim_t kSpareDescriptors = 500;

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
      const Ending ending = CallAnyMethod(*collector_, method, certificate);
      if (method == "/oppetid.v1.Enrolment/Enrol") {
        // Reached, and refused for its content: this collector has no CA key.
        EXPECT_THAT(ending.text, testing::HasSubstr("does not enrol"));
      } else {
        EXPECT_TRUE(ending.unauthenticated) << ending.text;
      }
    }
  }
  ExpectRefusal("unknown_method", [&] {
    EXPECT_TRUE(CallAnyMethod(*collector_, methods[0], Mallory()).unimplemented);
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
