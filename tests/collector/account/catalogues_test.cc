// Catalogues on their way into force, and which of them computes a period.
#include "collector/account/catalogues.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/pretended_ledger.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kFirst =
    "municipalities: [{id: m}, {id: n}]\n"
    "services:\n"
    "  - {id: email, municipalities: [m], target: 99 %, up_when: mail01/smtp}\n"
    "  - {id: line, municipalities: [m], target: 99 %, up_when: \"room/gw-{municipality}\"}\n";

class CataloguesTest : public testing::Test {
 protected:
  void Apply(const std::string& yaml, const std::string& at) {
    const auto draft = DraftCatalogue(yaml, "c.yaml", "", agreements_, {});
    ASSERT_TRUE(draft.ok()) << draft.status();
    Append(acts_, ParseInstant(at).value(), acts::kCatalogueApplied, draft->body);
    agreements_.Tell(acts_.back());
  }
  // The act number of the version that computes it, or why there is none.
  std::string Of(const std::string& period, const std::string& as_known_at = "") {
    const auto version = CatalogueOfPeriod(
        agreements_, period, as_known_at.empty() ? AsKnownAt() : ParseInstant(as_known_at));
    return version.ok() ? absl::StrCat((*version)->decided.number)
                        : std::string(version.status().message());
  }

  std::vector<Act> acts_;
  Agreements agreements_;
};

TEST_F(CataloguesTest, ABrokenOneIsRefusedWithItsFaultsAndTheOldStays) {
  Apply(kFirst, "2026-07-01T00:00:00Z");
  const auto broken = DraftCatalogue(
      "municipalities: [{id: m}]\nservices: [{id: s, municipalities: [x], target: 101 %}]\n",
      "new.yaml", "", agreements_, {});
  EXPECT_TRUE(absl::IsInvalidArgument(broken.status()));
  EXPECT_THAT(std::string(broken.status().message()),
              AllOf(HasSubstr("new.yaml:2:"), HasSubstr("municipality `x`"), HasSubstr("`101 %`"),
                    HasSubstr("`up_when` is missing")));
  EXPECT_EQ(agreements_.catalogue()->services.size(), 2U);
}

TEST_F(CataloguesTest, TheSameTextChangesNothing) {
  Apply(kFirst, "2026-07-01T00:00:00Z");
  const auto again = DraftCatalogue(kFirst, "c.yaml", "", agreements_, {});
  ASSERT_TRUE(again.ok());
  EXPECT_THAT(again->body, IsEmpty());
  const auto comment = DraftCatalogue("# why\n" + kFirst, "c.yaml", "", agreements_, {});
  EXPECT_NE(comment->body, "");
  EXPECT_THAT(comment->changes, IsEmpty());
}

TEST_F(CataloguesTest, SaysWhatChangesByName) {
  std::string after = kFirst;
  after.replace(after.find("99 %"), 4, "99.9 %");
  after.insert(after.find("  - {id: line"),
               "  - {id: web, municipalities: [n], target: 90 %, "
               "up_when: {any: [w1/http, w2/http]}}\n");
  after.replace(after.find("[{id: m}, {id: n}]"), 18, "[{id: n}]");
  EXPECT_THAT(CatalogueChanges(kFirst, after),
              ElementsAre("- municipalities[m].id: m", "~ services[email].target: 99 % -> 99.9 %",
                          "+ services[web].id: web", "+ services[web].municipalities: [n]",
                          "+ services[web].target: 90 %",
                          "+ services[web].up_when.any: [w1/http, w2/http]"));
  EXPECT_THAT(CatalogueChanges(kFirst, kFirst), IsEmpty());
  EXPECT_EQ(CatalogueChanges("", kFirst).size(), 10U);
}

TEST_F(CataloguesTest, ChecksThatNoAgentHasAreAWarningWithTheNearestName) {
  const auto draft =
      DraftCatalogue(kFirst, "c.yaml", "", agreements_, {"mail01/smpt", "room/gw-m"});
  ASSERT_TRUE(draft.ok());
  EXPECT_THAT(draft->warnings,
              ElementsAre("no agent has the check `mail01/smtp` of service `email` (did you mean "
                          "`mail01/smpt`?); it counts as unknown"));
}

TEST_F(CataloguesTest, TheVersionInForceAtThePeriodsLastInstantComputesIt) {
  EXPECT_THAT(Of("2026-Q3"), HasSubstr("there is no catalogue yet"));
  Apply(kFirst, "2026-07-15T00:00:00Z");                     // 1
  Apply("# second\n" + kFirst, "2026-09-30T21:59:59.999Z");  // 2: the last instant of the quarter
  Apply("# third\n" + kFirst, "2026-09-30T22:00:00Z");       // 3: the first of the next
  EXPECT_EQ(Of("2026-07"), "1");
  EXPECT_EQ(Of("2026-Q3"), "2");
  EXPECT_EQ(Of("2026-Q4"), "3");
  EXPECT_EQ(Of("2026-Q4", "2026-08-01T00:00:00Z"), "1");
  EXPECT_THAT(Of("2026-Q2"),
              AllOf(HasSubstr("no catalogue was in force at 2026-06-30T21:59:59.999Z"),
                    HasSubstr("the first was applied at 2026-07-15"), HasSubstr("--catalogue")));
  EXPECT_THAT(Of("2026-Q9"), HasSubstr("is not a period"));
  EXPECT_EQ(agreements_.InForce(ParseInstant("2026-09-30T22:00:00Z").value())->decided.number, 3U);
  EXPECT_THAT(VersionsAsJson(agreements_),
              AllOf(HasSubstr(R"({"number":1,"at":"2026-07-15T00:00:00.000Z","who":"drift1")"),
                    HasSubstr(R"("lines":5)")));
}

}  // namespace
}  // namespace oppetid::collector
