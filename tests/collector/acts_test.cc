#include "collector/acts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/hub_fixture.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Acts over a hub whose commits end when the test says so.
class ActsTest : public HubFixture {
 protected:
  ActsTest() : acts_(*hub_, clock_) {
    acts_.AddView([this](const Act& act) {
      told_.push_back(std::to_string(act.number) + " " + act.kind + " by " + act.who);
    });
  }
  void Record(const std::string& kind, std::vector<std::string>* answers) {
    acts_.Record(
        {"root", "Kari"},
        [kind](uint64_t number, Instant) {
          return Acts::Draft{kind, "{\"n\":" + std::to_string(number) + "}"};
        },
        [answers](const absl::StatusOr<Act>& act) {
          answers->push_back(act.ok() ? act->body : std::string(act.status().message()));
        });
  }

  Acts acts_;
  std::vector<std::string> told_;
};

TEST_F(ActsTest, TellsAnActOnceItIsDurable) {
  std::vector<std::string> answers;
  Record("first", &answers);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_THAT(answers, IsEmpty());
  writer_.Complete();
  EXPECT_THAT(told_, ElementsAre("1 first by root"));
  EXPECT_THAT(answers, ElementsAre("{\"n\":1}"));
  EXPECT_EQ(acts_.head().number, 1U);
}

TEST_F(ActsTest, StoresOneAtATimeAndEachContinuesTheChain) {
  std::vector<std::string> answers;
  Record("first", &answers);
  Record("second", &answers);
  writer_.Complete();
  EXPECT_THAT(answers, ElementsAre("{\"n\":1}"));
  writer_.Complete();
  EXPECT_THAT(answers, ElementsAre("{\"n\":1}", "{\"n\":2}"));
  EXPECT_THAT(told_, ElementsAre("1 first by root", "2 second by root"));
}

TEST_F(ActsTest, AFailedCommitLeavesNoTrace) {
  std::vector<std::string> answers;
  Record("first", &answers);
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  EXPECT_THAT(answers, ElementsAre("disk full"));
  EXPECT_THAT(told_, IsEmpty());
  Record("again", &answers);
  writer_.Complete();
  EXPECT_THAT(answers, ElementsAre("disk full", "{\"n\":1}"));
}

TEST_F(ActsTest, ARefusedWishIsNotStoredAndTheNextHasItsTurn) {
  std::vector<std::string> answers;
  acts_.Record(
      {"root", ""},
      [](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
        return absl::NotFoundError("no such host");
      },
      [&](const absl::StatusOr<Act>& act) {
        answers.push_back(std::string(act.status().message()));
      });
  EXPECT_THAT(answers, ElementsAre("no such host"));
  Record("first", &answers);
  writer_.Complete();
  EXPECT_THAT(told_, ElementsAre("1 first by root"));
}

TEST_F(ActsTest, InstantsNeverGoBack) {
  std::vector<std::string> answers;
  std::vector<Instant> instants;
  acts_.AddView([&](const Act& act) { instants.push_back(act.at); });
  Record("first", &answers);
  writer_.Complete();
  clock_.SetWall(clock_.Now() - Millis(3'600'000));
  Record("second", &answers);
  writer_.Complete();
  ASSERT_EQ(instants.size(), 2U);
  EXPECT_EQ(instants[1], instants[0]);
}

TEST_F(ActsTest, FactsAndActsTakeTurns) {
  std::vector<std::string> answers;
  const Stream stream = Connect(1);
  writer_.Drain();
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(0, 10)}));
  Record("first", &answers);
  hub_->OnFrame(stream.id, FactsFrame(1, 2, {RunFact(10, 20)}));
  writer_.Complete();
  ASSERT_TRUE(writer_.busy());
  EXPECT_EQ(writer_.batch().acts.size(), 1U) << "before the facts that came meanwhile";
  writer_.Complete();
  writer_.Complete();
  EXPECT_EQ(stream.link->Acks().back(), 2U);
  EXPECT_THAT(answers, ElementsAre("{\"n\":1}"));
}

}  // namespace
}  // namespace oppetid::collector
