#include "collector/ledger/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oppetid::collector {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(Packing, UnpacksRunsAsTheyWere) {
  const std::vector<StoredOpenRun> runs = {
      {"disk", State::kCritical, FromUnixMillis(1), FromUnixMillis(2), Millis(3), "full\tof tabs"},
      {"a.b_c:d-e", State::kUnknown, FromUnixMillis(INT64_MAX), FromUnixMillis(5), Millis(6), ""},
  };
  const std::vector<StoredOpenRun> back = UnpackRuns(PackRuns(runs));
  ASSERT_THAT(back, SizeIs(runs.size()));
  for (size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(back[i].check, runs[i].check);
    EXPECT_EQ(back[i].state, runs[i].state);
    EXPECT_EQ(back[i].since, runs[i].since);
    EXPECT_EQ(back[i].last, runs[i].last);
    EXPECT_EQ(back[i].valid_for, runs[i].valid_for);
    EXPECT_EQ(back[i].text, runs[i].text);
  }
}

TEST(Packing, KeepsLossesBesideTheRuns) {
  const std::vector<StoredOpenRun> runs = {
      {"disk", State::kOk, FromUnixMillis(1), FromUnixMillis(2), Millis(3), "!"}};
  const std::vector<StoredOpenRun> losses = {
      {"dns", State::kWarning, FromUnixMillis(4), FromUnixMillis(5), Millis(6), ""}};
  const std::string packed = PackRuns(runs) + PackLosses(losses);
  ASSERT_THAT(UnpackRuns(packed), SizeIs(1));
  EXPECT_EQ(UnpackRuns(packed)[0].check, "disk");
  ASSERT_THAT(UnpackLosses(packed), SizeIs(1));
  EXPECT_EQ(UnpackLosses(packed)[0].check, "dns");
  EXPECT_EQ(UnpackLosses(packed)[0].last, FromUnixMillis(5));
}

TEST(Packing, PassesByDamagedLines) {
  EXPECT_THAT(UnpackRuns(""), IsEmpty());
  EXPECT_THAT(UnpackRuns("\n\n"), IsEmpty());
  EXPECT_THAT(UnpackRuns("disk\tfine\t1\t2\t3\tx\n"), IsEmpty()) << "no such state";
  EXPECT_THAT(UnpackRuns("disk\tok\t1\t2x\t3\tx\n"), IsEmpty()) << "no number";
  EXPECT_THAT(UnpackRuns("disk\tok\t1\t2\n"), IsEmpty()) << "cut off";
  EXPECT_THAT(UnpackRuns("\tok\t1\t2\t3\tx\n"), IsEmpty()) << "no name";
  EXPECT_THAT(UnpackRuns("disk\tok\t99999999999999999999\t2\t3\tx\n"), IsEmpty()) << "too large";
  EXPECT_THAT(UnpackLosses("!\n!disk\tok\t1\t2\n!\tok\t1\t2\t3\tx\n"), IsEmpty());
  EXPECT_THAT(UnpackRuns("bad\ndisk\tok\t1\t2\t3\tx"), SizeIs(1));
}

TEST(Packing, UnpacksWatermarksAsTheyWere) {
  const std::map<uint64_t, uint64_t> marks = {{0, 0}, {7, 9}, {UINT64_MAX, UINT64_MAX}};
  EXPECT_EQ(UnpackWatermarks(PackWatermarks(marks)), marks);
  EXPECT_THAT(UnpackWatermarks("1\n-2\t3\n4\t5 \n\n6"), IsEmpty());
}

}  // namespace
}  // namespace oppetid::collector
