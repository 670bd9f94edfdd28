#include "collector/tickets/source_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kMappings[] = R"(
      municipality: {from: Kommune, map: {"Vik kommune": vik}}
      kind: {map: {"*": incident}}
      priority: {from: Pri, map: {"80-100": P1, "*": P3}}
      status: {map: {open: open, stalled: waiting_customer}}
)";

std::string Rt(const std::string& more = "") {
  return std::string(
             "sources:\n    - name: rt\n      type: request_tracker\n"
             "      url: https://rt.example/REST/2.0\n      token_file: /etc/rt.token\n") +
         kMappings + more;
}

std::string Csv(const std::string& more = "") {
  return R"(sources:
    - name: desk
      type: file_drop
      directory: /var/drop
      columns: {id: Nr, created: Opprettet}
      municipality: {from: Kommune, map: {"Vik kommune": vik}}
      kind: {map: {"*": incident}}
      priority: {map: {"*": P3}}
      status: {from: Status, map: {Ny: new}}
)" + more;
}

struct Result {
  std::vector<TicketSourceConfig> sources;
  std::vector<std::string> faults;
};

Result Parse(const std::string& text) {
  Faults faults("c.yaml");
  const Yaml yaml = ParseYaml(text, faults);
  Result result;
  result.sources = ReadTicketSources(yaml, faults);
  result.faults = faults.lines();
  return result;
}

TEST(TicketSources, AreNoneUnlessConfigured) {
  Faults faults("c.yaml");
  EXPECT_THAT(ReadTicketSources(Yaml(), faults), IsEmpty());
  EXPECT_TRUE(faults.empty());
}

TEST(TicketSources, ReadsBothTypes) {
  const Result rt = Parse(Rt("      since: 2026-01-01\n      satisfaction: CSAT\n"));
  EXPECT_THAT(rt.faults, IsEmpty());
  ASSERT_EQ(rt.sources.size(), 1U);
  EXPECT_EQ(rt.sources[0].every, Millis(300'000));
  EXPECT_EQ(FormatInstant(rt.sources[0].since), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(rt.sources[0].mapping.municipality.Find("Vik kommune"), "vik");
  EXPECT_EQ(rt.sources[0].mapping.satisfaction_from, "CSAT");
  EXPECT_TRUE(rt.sources[0].mapping.responded_by_reply);
  const Result csv = Parse(Csv());
  EXPECT_THAT(csv.faults, IsEmpty());
  EXPECT_EQ(csv.sources[0].every, Millis(60'000));
  EXPECT_FALSE(csv.sources[0].mapping.responded_by_reply) << "no column says when";
  BlockingPool pool("test", 1);
  EXPECT_TRUE(csv.sources[0].make(pool).ok());
  EXPECT_TRUE(rt.sources[0].make(pool).ok());
}

TEST(TicketSources, GivesAnotherMappingAnotherFingerprint) {
  const std::string one = Parse(Rt()).sources[0].fingerprint;
  EXPECT_EQ(Parse(Rt()).sources[0].fingerprint, one);
  EXPECT_NE(Parse(Rt("      satisfaction: CSAT\n")).sources[0].fingerprint, one);
}

TEST(TicketSources, SaysEveryFaultWithItsPlace) {
  EXPECT_THAT(Parse("sources:\n  - {name: Push, type: rt}\n").faults,
              ElementsAre("c.yaml:2:12: `name`: 1 to 30 of a-z, 0-9, - and ., not push",
                          testing::HasSubstr("c.yaml:2:24: `type`")));
  const auto faults = Parse(R"(sources:
  - name: rt
    type: request_tracker
    url: http://rt.example/REST/2.0
    token_file: /etc/rt.token
    municipality: {from: Kommune, map: {Vik: Vik}}
    kind: {from: Type}
    priority: {map: {"80": P7}}
    status: {from: Status, map: {open: opened}}
    service: {map: {x: "a b"}}
)")
                          .faults;
  EXPECT_THAT(
      faults,
      ElementsAre(
          "c.yaml:6:46: `Vik`: expected 1 to 63 of a-z, 0-9, - and .",
          "c.yaml:8:28: `P7`: not one of P1 P2 P3 P4 P5",
          "c.yaml:9:40: `opened`: not one of new open waiting_customer waiting_supplier resolved "
          "closed",
          "c.yaml:10:24: `a b`: expected 1 to 100 of letters, digits and _.:-",
          "c.yaml:4:10: `url`: expected https://host/…/REST/2.0; http:// only to a loopback "
          "address",
          "c.yaml:9:13: `status`: has no `from` here; it is the ticket's own status",
          "c.yaml:7:11: `kind` is missing; expected {from: …, map: {their word: our word}}",
          "c.yaml:10:14: `service`: `from` is missing; or map \"*\" alone, for all"));
  EXPECT_THAT(Parse(Csv("      delimiter: \";;\"\n      encoding: utf-16\n      instants: \"%x\"\n"
                        "      timezone: Mars\n      subject: Emne\n"))
                  .faults,
              testing::SizeIs(5));
}

TEST(TicketSources, RefusesNamesThatCouldGiveTwoTicketsOneId) {
  std::string two = Rt();
  std::string other = Rt().substr(std::string("sources:\n").size());
  other.replace(other.find("name: rt"), 8, "name: rt-old");
  const Result result = Parse(two + other);
  ASSERT_EQ(result.faults.size(), 1U);
  EXPECT_THAT(result.faults[0], testing::HasSubstr("could give two tickets one id"));
}

}  // namespace
}  // namespace oppetid::collector
