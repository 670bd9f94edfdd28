#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "agent/config.h"
#include "common/file.h"
#include "common/limits.h"

namespace oppetid::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class AgentConfigTest : public testing::Test {
 protected:
  AgentConfig Read(const std::string& text) {
    Faults faults("agent.yaml");
    AgentConfig config = ReadAgentConfig(text, faults, world_);
    faults_ = faults.lines();
    return config;
  }
  // The faults of a configuration that is fine but for the check `check`.
  const std::vector<std::string>& FaultsOfCheck(const std::string& check) {
    Read("collector: [\"c:1\"]\nstate: /s\nchecks:\n  - " + check + "\n");
    return faults_;
  }

  boost::asio::io_context io_{1};
  BlockingPool pool_{"test-pool", 1};
  SystemClock clock_;
  World world_{io_.get_executor(), pool_, clock_, ""};
  std::vector<std::string> faults_;
};

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

const char kMinimal[] =
    "collector: [\"collector.example:9861\"]\n"
    "state: /var/lib/oppetid-agent\n"
    "checks:\n"
    "  - {name: ssh, sensor: tcp, target: \"127.0.0.1:22\"}\n";

TEST_F(AgentConfigTest, TheExampleOfEverySensorIsAccepted) {
  const AgentConfig config = Read(R"yaml(
collector: [collector.example:9861]
state: /var/lib/oppetid-agent
interval: 15s
retain: 14d
spool_limit: 256MB
checks:
  - {name: host, sensor: host, every: 15s, filesystems: {warning: 85 %, critical: 95 %}}
  - {name: portal, sensor: http, url: "https://127.0.0.1:8443/", status: [200], body: "Velkommen", every: 15s, deadline: 5s, confirm: 3}
  - {name: ssh, sensor: tcp, target: "127.0.0.1:22"}
  - {name: gw-vennesla, sensor: ping, target: 198.51.100.7}
  - {name: names, sensor: dns, server: 127.0.0.1, query: example.org, type: A, expect: [192.0.2.1]}
  - {name: cert, sensor: certificate, target: "127.0.0.1:8443", server_name: portal.example, warning: 30d, critical: 7d}
  - {name: cron, sensor: process, match: "^cron$", at_least: 1}
  - {name: load, sensor: exec, command: [/bin/true, -w, "4", -c, "8"]}
  - {name: node, sensor: scrape, url: "http://127.0.0.1:9100/metrics", keep: ["^node_"], limit: 5000}
)yaml");
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_THAT(config.collectors, ElementsAre("collector.example:9861"));
  EXPECT_EQ(config.interval, Millis(15'000));
  EXPECT_EQ(config.spool.retain, Millis(14LL * 86'400'000));
  EXPECT_EQ(config.spool.limit_bytes, 256'000'000);
  ASSERT_THAT(config.checks, SizeIs(9));
  ASSERT_THAT(config.sensors, SizeIs(9));
  for (const auto& sensor : config.sensors) EXPECT_NE(sensor, nullptr);
  EXPECT_EQ(config.checks[1].name, "portal");
  EXPECT_EQ(config.checks[1].sensor, "http");
}

TEST_F(AgentConfigTest, TheFileOfTheLocalRunIsAccepted) {
  const auto shipped = ReadFile(std::string(OPPETID_SOURCE_DIR) + "/deploy/agent.local.yaml");
  ASSERT_TRUE(shipped.ok()) << shipped.status();
  std::string text = Replace(*shipped, "@STATE@", "/tmp/state");
  text = Replace(text, "@GRPC@", "127.0.0.1:9861");
  text = Replace(text, "@HTTP@", "127.0.0.1:9860");
  // The plugin is a package of the run's, not of the tests'.
  text = Replace(text, "/usr/lib/nagios/plugins/check_load", "/bin/true");
  EXPECT_THAT(text, testing::Not(HasSubstr("@")));
  const AgentConfig config = Read(text);
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_EQ(config.ca, "/tmp/state/agent/ca.pem");
  EXPECT_EQ(config.certificate, "/tmp/state/agent/agent.pem");
}

TEST_F(AgentConfigTest, WhatIsNotSaidHasADefault) {
  const AgentConfig config = Read(kMinimal);
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_EQ(config.interval, Millis(15'000));
  EXPECT_EQ(config.spool.retain, Millis(14LL * 86'400'000));
  EXPECT_EQ(config.spool.limit_bytes, 256'000'000);
  EXPECT_EQ(config.ca, "/var/lib/oppetid-agent/ca.pem");
  EXPECT_EQ(config.certificate, "/var/lib/oppetid-agent/agent.pem");
  EXPECT_EQ(config.key, "/var/lib/oppetid-agent/agent.key");
  ASSERT_THAT(config.checks, SizeIs(1));
  EXPECT_EQ(config.checks[0].every, Millis(15'000));
  EXPECT_EQ(config.checks[0].deadline, Millis(5'000));
  EXPECT_EQ(config.checks[0].confirm, 3);
  EXPECT_EQ(config.checks[0].valid_for, Millis(3 * 15'000 + 3 * (5'000 + 1'000)));
}

TEST_F(AgentConfigTest, ValidForFollowsFromTheOthersUnlessSaid) {
  const std::string head = "collector: [\"c:1\"]\nstate: /s\nchecks:\n";
  const AgentConfig config = Read(head +
                                  "  - {name: a, sensor: tcp, target: \"h:1\", every: 1m, "
                                  "deadline: 10s, confirm: 2}\n"
                                  "  - {name: b, sensor: tcp, target: \"h:1\", confirm: 0}\n"
                                  "  - {name: c, sensor: tcp, target: \"h:1\", valid_for: 2d}\n"
                                  "  - {name: d, sensor: tcp, target: \"h:1\", every: 31d}\n");
  EXPECT_THAT(faults_, IsEmpty());
  ASSERT_THAT(config.checks, SizeIs(4));
  EXPECT_EQ(config.checks[0].valid_for, Millis(3 * 60'000 + 2 * 11'000));
  EXPECT_EQ(config.checks[1].valid_for, Millis(3 * 15'000));
  EXPECT_EQ(config.checks[2].valid_for, Millis(2 * 86'400'000));
  EXPECT_LE(config.checks[3].valid_for, limits::kMaxValidFor);
}

TEST_F(AgentConfigTest, WhoTakesTurnsMayHaveToWaitForAllTheOthers) {
  const AgentConfig config = Read(
      "collector: [\"c:1\"]\nstate: /s\nchecks:\n"
      "  - {name: a, sensor: files, job: a, files: /a/x, max_age: 1d, every: 1m, deadline: 10s}\n"
      "  - {name: b, sensor: tcp, target: \"h:1\"}\n"
      "  - {name: c, sensor: files, job: c, files: /c/x, max_age: 1d, every: 2m, deadline: 30s}\n"
      "  - {name: d, sensor: files, job: d, files: /d/x, max_age: 1d, every: 1m, valid_for: "
      "5m}\n");
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_THAT(config.takes_turns, testing::ElementsAre(true, false, true, true));
  // The others' deadlines, 5 s each until they have let go, and three periods.
  EXPECT_EQ(config.checks[0].valid_for, Millis(180'000 + (30'000 + 5'000) + (5'000 + 5'000)));
  EXPECT_EQ(config.checks[1].valid_for, Millis(3 * 15'000 + 3 * 6'000));
  EXPECT_EQ(config.checks[2].valid_for, Millis(360'000 + (10'000 + 5'000) + (5'000 + 5'000)));
  EXPECT_EQ(config.checks[3].valid_for, Millis(300'000));
}

TEST_F(AgentConfigTest, TlsFilesMayStandElsewhere) {
  const AgentConfig config =
      Read(std::string(kMinimal) + "tls: {ca: /e/ca.pem, certificate: /e/a.pem, key: /e/a.key}\n");
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_EQ(config.ca, "/e/ca.pem");
  EXPECT_EQ(config.certificate, "/e/a.pem");
  EXPECT_EQ(config.key, "/e/a.key");
}

TEST_F(AgentConfigTest, AllFaultsAreToldAtOnceWithTheirPlaces) {
  Read(
      "collector: [nonsense]\n"
      "interval: 5\n"
      "retain: 1h\n"
      "spool_limit: 3\n"
      "tls: {cert: x}\n"
      "checks:\n"
      "  - {name: ssh, sensor: tcp, target: \"h:1\", every: 1ms}\n"
      "  - {name: ssh, sensor: tcp, target: \"h:1\"}\n"
      "  - {name: b, sensor: htp}\n"
      "what: ever\n");
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:1:12: `collector`")));
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:1:1: `state`")));
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:2:11: `interval`")));
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:3:9: `retain`")));
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:4:14: `spool_limit`")));
  EXPECT_THAT(faults_, Contains(testing::AllOf(StartsWith("agent.yaml:5:"), HasSubstr("cert"))));
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:7:52: `every`")));
  EXPECT_THAT(faults_, Contains(StartsWith("agent.yaml:8:12: a check `ssh` stands above")));
  EXPECT_THAT(faults_, Contains(testing::AllOf(StartsWith("agent.yaml:9:23: `sensor`"),
                                               HasSubstr("is not one of"), HasSubstr("http"))));
  EXPECT_THAT(faults_, Contains(testing::AllOf(StartsWith("agent.yaml:10:"), HasSubstr("what"))));
  EXPECT_THAT(faults_, SizeIs(10));
}

TEST_F(AgentConfigTest, EachFaultOfACheckIsTold) {
  const std::pair<const char*, const char*> cases[] = {
      {"{sensor: tcp, target: \"h:1\"}", "name"},
      {"{name: a}", "sensor"},
      {"{name: \"a b\", sensor: tcp, target: \"h:1\"}", "`name`: 1 to 100"},
      {"{name: /a, sensor: tcp, target: \"h:1\"}", "`name`: 1 to 100"},
      {"{name: a, sensor: tcp}", "target"},
      {"{name: a, sensor: tcp, target: \"h:1\", every: 32d}", "`every`"},
      {"{name: a, sensor: tcp, target: \"h:1\", every: soon}", "`every`"},
      {"{name: a, sensor: tcp, target: \"h:1\", deadline: 2h}", "`deadline`"},
      {"{name: a, sensor: tcp, target: \"h:1\", confirm: 21}", "`confirm`"},
      {"{name: a, sensor: tcp, target: \"h:1\", confirm: -1}", "`confirm`"},
      {"{name: a, sensor: tcp, target: \"h:1\", every: 1m, valid_for: 59s}", "`valid_for`"},
      {"{name: a, sensor: tcp, target: \"h:1\", valid_for: 401d}", "`valid_for`"},
      {"{name: a, sensor: tcp, target: \"h:1\", dealine: 1s}", "deadline"},
  };
  for (const auto& [check, said] : cases) {
    SCOPED_TRACE(check);
    ASSERT_THAT(FaultsOfCheck(check), SizeIs(1));
    EXPECT_THAT(faults_[0], StartsWith("agent.yaml:4:"));
    EXPECT_THAT(faults_[0], HasSubstr(said));
  }
}

TEST_F(AgentConfigTest, AFileThatIsNoConfigurationIsToldOnce) {
  for (const char* text : {"{", "- 1\n", "\"text\"", "a: *b\n"}) {
    SCOPED_TRACE(text);
    Read(text);
    EXPECT_FALSE(faults_.empty());
    for (const std::string& line : faults_) EXPECT_THAT(line, StartsWith("agent.yaml:"));
  }
  Read("");
  EXPECT_FALSE(faults_.empty());
}

TEST_F(AgentConfigTest, TheNumberOfChecksIsBounded) {
  std::string text = "collector: [\"c:1\"]\nstate: /s\nchecks:\n";
  for (size_t i = 0; i <= limits::kChecks; ++i) {
    text += "  - {name: a" + std::to_string(i) + ", sensor: tcp, target: \"h:1\"}\n";
  }
  Read(text);
  EXPECT_THAT(faults_, ElementsAre(HasSubstr("`checks`: at most 2000")));
}

}  // namespace
}  // namespace oppetid::agent
