#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/config.h"
#include "collector/endpoint.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> FaultsOf(const std::string& text) {
  Faults faults("collector.yaml");
  ReadCollectorConfig(text, faults);
  return faults.lines();
}

TEST(ParseEndpoint, TakesAddressesAndNoNames) {
  EXPECT_EQ(ParseEndpoint("127.0.0.1:9861")->port(), 9861);
  EXPECT_TRUE(ParseEndpoint("[::1]:0")->address().is_v6());
  for (const char* bad : {"", ":1", "1", "::1:2", "[127.0.0.1]:2", "localhost:2",
                          "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "[::1]2"}) {
    EXPECT_FALSE(ParseEndpoint(bad)) << bad;
  }
}

TEST(CollectorConfig, HasSafeDefaults) {
  Faults faults("collector.yaml");
  const CollectorConfig config = ReadCollectorConfig("state: /var/lib/oppetid\n", faults);
  EXPECT_THAT(faults.lines(), IsEmpty());
  EXPECT_EQ(config.state, "/var/lib/oppetid");
  EXPECT_EQ(config.grpc, "127.0.0.1:9861");
  EXPECT_EQ(config.http, "127.0.0.1:9860");
  EXPECT_FALSE(config.anonymous);
  EXPECT_EQ(config.trust_domain, "oppetid.local");
  EXPECT_EQ(config.ca, "/var/lib/oppetid/ca.pem");
  EXPECT_EQ(config.certificate, "/var/lib/oppetid/server.pem");
  EXPECT_EQ(config.key, "/var/lib/oppetid/server.key");
  EXPECT_EQ(config.admin_group, "oppetid-admin");
}

TEST(CollectorConfig, ReadsEveryKey) {
  Faults faults("collector.yaml");
  const CollectorConfig config = ReadCollectorConfig(
      "state: /s\ngrpc: 0.0.0.0:1\nhttp: {listen: '[::1]:2', anonymous: true}\n"
      "trust_domain: vik.example\nadmin_group: it\n"
      "tls: {ca: /a, certificate: /b, key: /c}\n",
      faults);
  EXPECT_THAT(faults.lines(), IsEmpty());
  EXPECT_EQ(config.grpc, "0.0.0.0:1");
  EXPECT_EQ(config.http, "[::1]:2");
  EXPECT_TRUE(config.anonymous);
  EXPECT_EQ(config.trust_domain, "vik.example");
  EXPECT_EQ(config.admin_group, "it");
  EXPECT_EQ(config.ca, "/a");
  EXPECT_EQ(config.certificate, "/b");
  EXPECT_EQ(config.key, "/c");
}

TEST(CollectorConfig, TellsEveryFaultAtOnce) {
  EXPECT_THAT(FaultsOf("grpc: everywhere\nhttp:\n  listen: 0.0.0.0:9860\n  anonymus: true\n"
                       "trust_domain: Not A Domain\n"),
              testing::UnorderedElementsAre(
                  HasSubstr("`state`"), HasSubstr("collector.yaml:1:7: `grpc`: expected ip:port"),
                  HasSubstr("beyond loopback TLS is needed"),
                  HasSubstr("unknown key `anonymus` (did you mean `anonymous`?)"),
                  HasSubstr("`trust_domain`")));
}

TEST(CollectorConfig, ListensElsewhereWithTlsOnly) {
  EXPECT_THAT(FaultsOf("state: /s\nhttp: {listen: '0.0.0.0:9860', certificate: /c, key: /k}\n"),
              testing::IsEmpty());
  EXPECT_THAT(FaultsOf("state: /s\nhttp: {listen: '0.0.0.0:9860', certificate: /c}\n"),
              testing::ElementsAre(HasSubstr("belong together")));
}

TEST(CollectorConfig, TakesOnlyIpAndPort) {
  for (const char* address : {"localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                              "127.0.0.1:-1", "127.0.0.1:1 ", ":1", ""}) {
    EXPECT_THAT(FaultsOf("state: /s\ngrpc: '" + std::string(address) + "'\n"),
                ElementsAre(HasSubstr("`grpc`: expected ip:port")))
        << address;
    EXPECT_THAT(FaultsOf("state: /s\nhttp: {listen: '" + std::string(address) + "'}\n"),
                ElementsAre(HasSubstr("`listen`: expected ip:port")))
        << address;
  }
}

TEST(CollectorConfig, RefusesWhatIsNoMapping) {
  EXPECT_THAT(FaultsOf("- a\n"), testing::Not(IsEmpty()));
  EXPECT_THAT(FaultsOf(""), testing::Not(IsEmpty()));
  EXPECT_THAT(FaultsOf("state: [\n"), testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace oppetid::collector
