#include "agent/newest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace oppetid::agent {
namespace {

using testing::ElementsAre;

Instant At(int64_t seconds) { return FromUnixMillis(seconds * 1'000); }

Answer AnswerOf(const std::vector<std::string>& names, double value = 1) {
  Answer answer;
  for (const std::string& name : names)
    answer.samples.push_back({name, {{"b", "2"}, {"a", "1"}}, value});
  return answer;
}

v1::Snapshot Fill(Newest& newest) {
  v1::Snapshot snapshot;
  newest.Fill(&snapshot);
  return snapshot;
}

// Reads snapshots as a collector would, and fails the test where it would refuse.
class Reader {
 public:
  void Read(const v1::Snapshot& snapshot, size_t max_series) {
    if (snapshot.reset_definitions()) names_.clear();
    for (const auto& definition : snapshot.definitions()) {
      EXPECT_TRUE(
          names_.emplace(definition.id(), std::pair(definition.check(), definition.name())).second)
          << "defined twice: " << definition.id();
      EXPECT_GE(definition.id(), 1u);
    }
    EXPECT_LE(names_.size(), max_series);
    for (const auto& set : snapshot.samples()) {
      ASSERT_EQ(set.series_size(), set.values_size());
      auto& values = values_[set.check()];
      values.clear();
      for (int i = 0; i < set.series_size(); ++i) {
        const auto found = names_.find(set.series(i));
        ASSERT_NE(found, names_.end()) << "used before its definition";
        EXPECT_EQ(found->second.first, set.check());
        values[found->second.second] = set.values(i);
      }
    }
  }
  const std::map<std::string, double>& values(uint32_t check) { return values_[check]; }

 private:
  std::map<uint32_t, std::pair<uint32_t, std::string>> names_;
  std::map<uint32_t, std::map<std::string, double>> values_;
};

TEST(NewestTest, ASeriesIsDefinedOnceBeforeItsUse) {
  Newest newest(2);
  newest.StartStream(100);
  newest.Set(1, AnswerOf({"x", "y"}, 5), At(10));
  const v1::Snapshot first = Fill(newest);
  ASSERT_EQ(first.definitions_size(), 2);
  EXPECT_EQ(first.definitions(0).name(), "x");
  EXPECT_EQ(first.definitions(0).check(), 1u);
  EXPECT_FALSE(first.definitions(0).carried());
  EXPECT_THAT(first.definitions(0).labels(), ElementsAre("a", "1", "b", "2")) << "sorted";
  ASSERT_EQ(first.samples_size(), 1);
  EXPECT_EQ(first.samples(0).check(), 1u);
  EXPECT_EQ(first.samples(0).at_ms(), 10'000);
  EXPECT_THAT(first.samples(0).values(), ElementsAre(5, 5));

  newest.Set(1, AnswerOf({"y", "z"}, 6), At(20));
  const v1::Snapshot second = Fill(newest);
  ASSERT_EQ(second.definitions_size(), 1) << "y is known";
  EXPECT_EQ(second.definitions(0).name(), "z");
  EXPECT_EQ(second.samples(0).series(0), first.samples(0).series(1));
}

TEST(NewestTest, TheOrderOfLabelsMakesNoOtherSeries) {
  Newest newest(1);
  newest.StartStream(100);
  newest.Set(0, {State::kOk, "", {{"x", {{"a", "1"}, {"b", "2"}}, 1}}, {}}, At(1));
  Fill(newest);
  newest.Set(0, {State::kOk, "", {{"x", {{"b", "2"}, {"a", "1"}}, 1}}, {}}, At(2));
  EXPECT_EQ(Fill(newest).definitions_size(), 0);
}

TEST(NewestTest, CheckLabelsAndOriginTellSeriesApart) {
  Newest newest(12);
  newest.StartStream(100);
  Answer answer = AnswerOf({"x"});
  answer.samples.push_back({"x", {{"a", "1"}}, 2});
  answer.carried.push_back({"x", {{"a", "1"}}, 3});
  for (const size_t check : {1, 11}) newest.Set(check, Answer(answer), At(1));
  const v1::Snapshot snapshot = Fill(newest);
  ASSERT_EQ(snapshot.definitions_size(), 6);
  EXPECT_TRUE(snapshot.definitions(2).carried());
  std::set<uint32_t> ids;
  for (const auto& definition : snapshot.definitions()) ids.insert(definition.id());
  EXPECT_EQ(ids.size(), 6u);
}

TEST(NewestTest, OnlyNewSetsAreSentAndAnEmptyOneEndsItsSeries) {
  Newest newest(2);
  newest.StartStream(100);
  EXPECT_EQ(Fill(newest).samples_size(), 0) << "no check has been asked yet";
  newest.Set(0, AnswerOf({"x"}), At(1));
  newest.Set(1, AnswerOf({"x"}), At(1));
  EXPECT_EQ(Fill(newest).samples_size(), 2);
  EXPECT_EQ(Fill(newest).samples_size(), 0);
  newest.Set(1, {}, At(2));
  const v1::Snapshot snapshot = Fill(newest);
  ASSERT_EQ(snapshot.samples_size(), 1);
  EXPECT_EQ(snapshot.samples(0).check(), 1u);
  EXPECT_EQ(snapshot.samples(0).series_size(), 0);
}

TEST(NewestTest, ANewStreamGetsEverythingAgain) {
  Newest newest(2);
  newest.StartStream(100);
  newest.Set(0, AnswerOf({"x"}, 7), At(1));
  const v1::Snapshot before = Fill(newest);
  newest.StartStream(100);
  const v1::Snapshot after = Fill(newest);
  EXPECT_FALSE(after.reset_definitions()) << "a new stream has no definitions to forget";
  EXPECT_EQ(after.SerializeAsString(), before.SerializeAsString());
}

TEST(NewestTest, WhatIsBeyondTheLimitIsLeftOutAndCounted) {
  Newest newest(2);
  newest.StartStream(3);
  newest.Set(0, AnswerOf({"a", "b"}), At(1));
  newest.Set(1, AnswerOf({"c", "d", "e"}), At(1));
  Reader reader;
  reader.Read(Fill(newest), 3);
  EXPECT_EQ(newest.left_out(), 2u);
  EXPECT_EQ(reader.values(0).size(), 2u);
  EXPECT_EQ(reader.values(1).size(), 1u);
  // Nothing is out of use: starting over would not help, and is not done at each Fill.
  newest.Set(1, AnswerOf({"c", "d", "e"}, 2), At(2));
  const v1::Snapshot again = Fill(newest);
  EXPECT_FALSE(again.reset_definitions());
  reader.Read(again, 3);
  EXPECT_EQ(reader.values(1).at("c"), 2);
  newest.Set(1, AnswerOf({"c"}), At(3));
  Fill(newest);
  EXPECT_EQ(newest.left_out(), 0u);
}

TEST(NewestTest, SeriesOutOfUseMakeRoomForNewOnes) {
  Newest newest(2);
  newest.StartStream(4);
  newest.Set(0, AnswerOf({"steady"}, 9), At(1));
  Reader reader;
  for (int turn = 0; turn < 50; ++turn) {
    const std::string n = std::to_string(turn);
    newest.Set(1, AnswerOf({"x" + n, "y" + n}, turn), At(turn + 2));
    reader.Read(Fill(newest), 4);
    ASSERT_EQ(newest.left_out(), 0u) << turn;
    EXPECT_THAT(reader.values(0), ElementsAre(testing::Pair("steady", 9)));
    EXPECT_THAT(reader.values(1),
                ElementsAre(testing::Pair("x" + n, turn), testing::Pair("y" + n, turn)));
  }
}

}  // namespace
}  // namespace oppetid::agent
