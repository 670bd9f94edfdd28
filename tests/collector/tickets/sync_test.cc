#include "collector/tickets/sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oppetid::collector {
namespace {

constexpr Millis kMinute{60'000};
constexpr Instant kStart = FromUnixMillis(1'800'000'000'000);  // 2027-01-15T08:00:00Z

// A source's sync with hands on its clocks.
class SyncTest : public testing::Test {
 protected:
  void Start(std::vector<SourceCursor> stored = {}, const std::string& mapping = "m1") {
    sync_.emplace(SourceSync::Settings{"rt", mapping, 5 * kMinute, kStart - 1'000 * kMinute},
                  stored);
  }
  std::optional<TicketQuestion> Next() { return sync_->Next(now_, steady_); }
  void Pass(Millis time) {
    now_ += time;
    steady_ += time;
  }
  // Answers what was asked; the cursor that would be stored.
  SourceCursor Answer(Instant changed, bool more = false, const std::string& token = "") {
    const auto cursor = sync_->OnAnswer({changed, token, more});
    EXPECT_TRUE(cursor);
    sync_->Stored(true, steady_);
    return cursor.value_or(SourceCursor{});
  }

  Instant now_ = kStart;
  Steady steady_{};
  std::optional<SourceSync> sync_;
};

TEST_F(SyncTest, ReadsFromTheBeginningThenWithAnOverlap) {
  Start();
  EXPECT_EQ(sync_->up(), std::nullopt);
  auto question = Next();
  ASSERT_TRUE(question);
  EXPECT_EQ(question->changed_since, kStart - 1'000 * kMinute);
  EXPECT_FALSE(question->goes_on);
  EXPECT_FALSE(Next()) << "one question at a time";
  const SourceCursor cursor = Answer(kStart - 20 * kMinute);
  EXPECT_EQ(cursor.changed, kStart - 20 * kMinute);
  EXPECT_EQ(cursor.succeeded, kStart);
  EXPECT_EQ(cursor.mapping, "m1");
  EXPECT_EQ(sync_->up(), true);
  EXPECT_EQ(sync_->read_until(), kStart);
  sync_->SetOpenTickets({});
  EXPECT_FALSE(Next());
  Pass(5 * kMinute);
  question = Next();
  ASSERT_TRUE(question);
  EXPECT_EQ(question->changed_since, kStart - 30 * kMinute);
  EXPECT_EQ(Answer(kStart - 25 * kMinute).changed, kStart - 20 * kMinute) << "never back";
}

TEST_F(SyncTest, GoesOnAtOnceWhileThereIsMoreUpToABound) {
  Start();
  Instant at = kStart - 900 * kMinute;
  for (int page = 0; page < SourceSync::kPagesPerRound; ++page) {
    const auto question = Next();
    ASSERT_TRUE(question) << page;
    EXPECT_EQ(question->goes_on, page > 0);
    if (page > 0) {
      EXPECT_EQ(question->changed_since, at) << "no overlap within a round";
    }
    at += kMinute;
    EXPECT_EQ(Answer(at, /*more=*/true).succeeded, Instant()) << "not read to the end";
  }
  EXPECT_FALSE(Next());
  EXPECT_EQ(sync_->read_until(), at);
  Pass(5 * kMinute);
  const auto question = Next();
  ASSERT_TRUE(question);
  EXPECT_TRUE(question->goes_on);
  EXPECT_EQ(question->changed_since, at);
}

TEST_F(SyncTest, FailsASourceThatGetsNoFurther) {
  Start();
  Next();
  Answer(kStart - 50 * kMinute, /*more=*/true, "p2");
  const auto question = Next();
  EXPECT_EQ(question->token, "p2");
  Answer(kStart - 50 * kMinute, /*more=*/true, "p3");  // a page further
  Next();
  EXPECT_EQ(sync_->OnAnswer({kStart - 50 * kMinute, "p3", true}), std::nullopt);
  sync_->Failed(steady_);
  EXPECT_EQ(sync_->up(), false);
}

TEST_F(SyncTest, WaitsLongerAfterEachFailure) {
  Start();
  Millis waited{0};
  std::vector<int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    waited = Millis(0);
    while (!Next()) {
      Pass(Millis(1'000));
      waited += Millis(1'000);
    }
    waits.push_back(waited / Millis(1'000));
    sync_->Failed(steady_);
    EXPECT_EQ(sync_->up(), false);
    EXPECT_EQ(sync_->read_until(), kStart - 1'000 * kMinute);
  }
  EXPECT_THAT(waits, testing::ElementsAre(0, 30, 60, 120, 240, 480, 900, 900));
  Pass(SourceSync::kLongestWait);
  Next();
  Answer(kStart);
  EXPECT_EQ(sync_->up(), true);
}

TEST_F(SyncTest, AsksAgainForWhatCouldNotBeStored) {
  Start();
  const auto first = Next();
  EXPECT_TRUE(sync_->OnAnswer({kStart, "", false}));
  sync_->Stored(false, steady_);
  Pass(SourceSync::kFirstWait);
  const auto again = Next();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->changed_since, first->changed_since);
}

TEST_F(SyncTest, GoesOnAfterARestartAndAnewAfterAnotherMapping) {
  const SourceCursor stored{"rt", "m1", kStart - 60 * kMinute, "t", kStart, kStart};
  SourceCursor other = stored;
  other.source = "file";
  other.changed = kStart;
  Start({other, stored});
  EXPECT_EQ(sync_->read_until(), kStart - 60 * kMinute);
  const auto question = Next();
  EXPECT_EQ(question->changed_since, kStart - 70 * kMinute);
  EXPECT_EQ(question->token, "t");
  Start({stored}, "m2");
  const auto anew = Next();
  EXPECT_EQ(anew->changed_since, kStart - 1'000 * kMinute);
  EXPECT_EQ(anew->token, "");
  EXPECT_EQ(sync_->cursor().succeeded, kStart) << "it was read, if with other words";
}

TEST_F(SyncTest, ScansOpenTicketsOnceANight) {
  Start();
  EXPECT_FALSE(sync_->WantsOpenTickets(now_)) << "nothing has been read yet";
  Next();
  Answer(kStart);
  EXPECT_TRUE(sync_->WantsOpenTickets(now_));
  std::vector<std::string> ids;
  for (int i = 0; i < 70; ++i) ids.push_back(std::to_string(i));
  sync_->SetOpenTickets(ids);
  EXPECT_FALSE(sync_->WantsOpenTickets(now_));
  EXPECT_FALSE(Next()) << "in its turn";
  Pass(5 * kMinute);
  auto question = Next();
  ASSERT_TRUE(question);
  EXPECT_EQ(question->ids.size(), 50U);
  EXPECT_EQ(Answer({}).rescanned, Instant());
  question = Next();
  ASSERT_TRUE(question);
  EXPECT_EQ(question->ids, std::vector(ids.begin() + 50, ids.end()));
  const SourceCursor cursor = Answer({});
  EXPECT_EQ(cursor.rescanned, now_);
  EXPECT_EQ(cursor.changed, kStart) << "a scan does not move the cursor";
  question = Next();
  ASSERT_TRUE(question);
  EXPECT_TRUE(question->ids.empty()) << "then what changed";
  Answer(kStart);
  EXPECT_FALSE(sync_->WantsOpenTickets(now_));
  Pass(12 * 60 * kMinute);
  EXPECT_FALSE(sync_->WantsOpenTickets(now_));
  Pass(7 * 60 * kMinute);  // past two in the night
  EXPECT_TRUE(sync_->WantsOpenTickets(now_));
}

TEST_F(SyncTest, LetsScanAndRoundsTakeTurns) {
  Start();
  Next();
  Answer(kStart);
  sync_->SetOpenTickets(std::vector<std::string>(5'000, "1"));
  Pass(5 * kMinute);
  for (int i = 0; i < SourceSync::kPagesPerRound; ++i) {
    ASSERT_FALSE(Next()->ids.empty()) << i;
    Answer({});
  }
  EXPECT_TRUE(Next()->ids.empty());
  Answer(kStart);
  EXPECT_FALSE(Next());
  Pass(5 * kMinute);
  EXPECT_FALSE(Next()->ids.empty());
}

}  // namespace
}  // namespace oppetid::collector
