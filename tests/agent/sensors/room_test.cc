#include "agent/sensors/room.h"

#include "tests/support/levels_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class RoomTest : public LevelsFixture {
 protected:
  RoomLevels Levels(const std::string& yaml) { return Read(ReadRoomLevels, yaml); }

  Answer Judge(RoomJudge& judge, std::vector<Reading> readings, Steady::duration after = {}) {
    return AnswerOf(judge, std::move(readings), after);
  }

  Answer Temperature(RoomJudge& judge, double celsius, Steady::duration after = minutes(20)) {
    return Judge(judge, {{ReadingKind::kTemperature, "inlet", celsius}}, after);
  }

  State At(ReadingKind kind, double value) {
    RoomJudge judge(Levels("{}"), "");
    return Judge(judge, {{kind, "x", value}}).state;
  }
};

TEST_F(RoomTest, DefaultsAreThoseOfServerRooms) {
  EXPECT_EQ(At(ReadingKind::kTemperature, 27.0), State::kOk);
  EXPECT_EQ(At(ReadingKind::kTemperature, 27.1), State::kWarning);
  EXPECT_EQ(At(ReadingKind::kTemperature, 32.1), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kTemperature, 15.0), State::kOk);
  EXPECT_EQ(At(ReadingKind::kTemperature, 14.9), State::kWarning);
  EXPECT_EQ(At(ReadingKind::kTemperature, 9.9), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kHumidity, 0.60), State::kOk);
  EXPECT_EQ(At(ReadingKind::kHumidity, 0.61), State::kWarning);
  EXPECT_EQ(At(ReadingKind::kHumidity, 0.81), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kHumidity, 0.19), State::kWarning);
  EXPECT_EQ(At(ReadingKind::kHumidity, 0.09), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kLeak, 1), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kLeak, 0), State::kOk);
  EXPECT_EQ(At(ReadingKind::kSmoke, 1), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kCurrent, 500), State::kOk) << "no breaker is known";
}

TEST_F(RoomTest, ALevelIsLeftOnlyADegreeInside) {
  RoomJudge judge(Levels("{}"), "rom-1");
  EXPECT_EQ(Temperature(judge, 27.2).state, State::kWarning);
  EXPECT_EQ(Temperature(judge, 26.5).state, State::kWarning);
  EXPECT_EQ(Temperature(judge, 26.0).state, State::kOk);
  EXPECT_EQ(Temperature(judge, 26.5).state, State::kOk) << "on the way up the level itself counts";
  EXPECT_EQ(Temperature(judge, 32.4).state, State::kCritical);
  EXPECT_EQ(Temperature(judge, 31.5).state, State::kCritical);
  EXPECT_EQ(Temperature(judge, 30.9).state, State::kWarning);
  EXPECT_EQ(Temperature(judge, 15.5).state, State::kWarning);
  EXPECT_EQ(Temperature(judge, 16.0).state, State::kOk);
}

TEST_F(RoomTest, AFastRiseIsAWarningBeforeTheLevelIs) {
  RoomJudge judge(Levels("{}"), "");
  EXPECT_EQ(Temperature(judge, 20).state, State::kOk);
  EXPECT_EQ(Temperature(judge, 23, minutes(5)).state, State::kOk);
  EXPECT_EQ(Temperature(judge, 25, minutes(5)).state, State::kOk) << "5 degrees are not more";
  const Answer rise = Temperature(judge, 25.5, minutes(4));
  EXPECT_EQ(rise.state, State::kWarning);
  EXPECT_EQ(rise.text,
            "inlet rose 5.5 \xC2\xB0"
            "C in 15 min");
  EXPECT_EQ(Temperature(judge, 25.5, minutes(10)).state, State::kOk) << "it has stopped rising";
}

TEST_F(RoomTest, RememberingIsBounded) {
  RoomJudge judge(Levels("{}"), "");
  // Asked every second for an hour, it still sees the whole quarter of an hour and no more.
  for (int second = 0; second < 3600; ++second) {
    const double celsius = 18 + second / 450.0;  // 2 degrees in 15 minutes
    ASSERT_EQ(Temperature(judge, celsius, seconds(1)).state, State::kOk) << second;
  }
  std::vector<Reading> many(300, Reading{ReadingKind::kPower, "outlet", 1.0});
  const Answer answer = Judge(judge, many);
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("more than 256 readings"));
  EXPECT_EQ(answer.samples.size(), kMaxReadings);
  EXPECT_THAT(answer.samples[1].labels, ElementsAre(testing::Pair("sensor", "outlet (2)")));
  // A device whose names change all the time.
  for (int i = 0; i < 1000; ++i) {
    Judge(judge, {{ReadingKind::kPower, "outlet " + std::to_string(i), 1.0}});
  }
  EXPECT_THAT(Judge(judge, {{ReadingKind::kPower, "outlet", 1.0}}).text, HasSubstr("and 251 more"));
}

TEST_F(RoomTest, ADoorMayBeOpenForAWhile) {
  RoomJudge judge(Levels("{door: {warning: 10m, critical: 1h}}"), "");
  const std::vector<Reading> open{{ReadingKind::kDoor, "front", 1.0}};
  const std::vector<Reading> shut{{ReadingKind::kDoor, "front", 0.0}};
  EXPECT_EQ(Judge(judge, open).state, State::kOk);
  EXPECT_EQ(Judge(judge, open, minutes(9)).state, State::kOk);
  const Answer late = Judge(judge, open, minutes(2));
  EXPECT_EQ(late.state, State::kWarning);
  EXPECT_EQ(late.text, "front open for 11 min");
  EXPECT_EQ(Judge(judge, open, minutes(50)).state, State::kCritical);
  EXPECT_EQ(Judge(judge, shut, minutes(1)).text, "front shut");
  EXPECT_EQ(Judge(judge, open, minutes(1)).state, State::kOk) << "counted anew";
}

TEST_F(RoomTest, WhatGivesNoValueIsUnknownAndAbsent) {
  RoomJudge judge(Levels("{}"), "rom-1");
  const Answer answer = Judge(
      judge, {{ReadingKind::kTemperature, "a", std::nullopt}, {ReadingKind::kHumidity, "b", 0.4}});
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_EQ(answer.text, "a gives no value");
  ASSERT_EQ(answer.samples.size(), 1u);
  EXPECT_EQ(answer.samples[0].family, "room_humidity_ratio");
  EXPECT_THAT(answer.samples[0].labels,
              ElementsAre(testing::Pair("room", "rom-1"), testing::Pair("sensor", "b")));
}

TEST_F(RoomTest, WhatNoRoomCanBeIsABrokenProbe) {
  // What probes say that are cut off or cannot measure.
  for (const double celsius : {-999.9, -512.0, -127.0, 3276.7, 32767.0}) {
    RoomJudge judge(Levels("{}"), "");
    const Answer answer = Temperature(judge, celsius);
    EXPECT_EQ(answer.state, State::kUnknown) << celsius;
    EXPECT_EQ(answer.text, "inlet gives no value");
    EXPECT_TRUE(answer.samples.empty());
    EXPECT_EQ(Temperature(judge, 22, minutes(1)).state, State::kOk) << "nothing has risen";
  }
  for (const double share : {-0.01, 2.55, -9.999}) {
    EXPECT_EQ(At(ReadingKind::kHumidity, share), State::kUnknown) << share;
  }
  EXPECT_EQ(At(ReadingKind::kHumidity, 1.02), State::kCritical) << "wet air, and a probe in it";
  EXPECT_EQ(At(ReadingKind::kTemperature, -30), State::kCritical);
  EXPECT_EQ(At(ReadingKind::kTemperature, 150), State::kCritical) << "it burns";
}

TEST_F(RoomTest, ALongNameDoesNotHideWhatIsWrong) {
  const std::string name(kMaxReadingName, 'x');
  RoomJudge judge(Levels("{}"), "");
  const Answer hot = Judge(judge, {{ReadingKind::kTemperature, name, 33.0}});
  EXPECT_EQ(hot.text, name +
                          " 33.0 \xC2\xB0"
                          "C");
  const Answer gone = Judge(judge, {});
  EXPECT_EQ(gone.text, name + " is no longer there");
}

TEST_F(RoomTest, WhatIsNoLongerThereIsUnknown) {
  RoomJudge judge(Levels("{}"), "rom-1");
  const Reading probe{ReadingKind::kTemperature, "inlet", 20.0};
  const Reading leak{ReadingKind::kLeak, "floor", 0.0};
  EXPECT_EQ(Judge(judge, {probe, leak}).text,
            "inlet 20.0 \xC2\xB0"
            "C, no water: floor");
  for (int i = 0; i < 3; ++i) {
    const Answer without = Judge(judge, {probe}, minutes(20));
    EXPECT_EQ(without.state, State::kUnknown) << "nobody looks for water";
    EXPECT_EQ(without.text, "floor is no longer there");
    EXPECT_EQ(without.samples.size(), 1u);
  }
  EXPECT_EQ(Judge(judge, {probe, leak}).state, State::kOk);
  // It is remembered meanwhile.
  EXPECT_EQ(Judge(judge, {leak}, minutes(1)).state, State::kUnknown);
  const Answer warmer =
      Judge(judge, {{ReadingKind::kTemperature, "inlet", 26.0}, leak}, minutes(1));
  EXPECT_THAT(warmer.text, HasSubstr("inlet rose 6.0"));
}

TEST_F(RoomTest, ABreakerGivesTheLevelsOfACurrent) {
  RoomJudge judge(Levels("{breaker: 16}"), "");
  const auto at = [&](double amperes) {
    return Judge(judge, {{ReadingKind::kCurrent, "pdu", amperes}}).state;
  };
  EXPECT_EQ(at(12.8), State::kOk);
  EXPECT_EQ(at(12.9), State::kWarning);
  EXPECT_EQ(at(14.5), State::kCritical);
}

TEST_F(RoomTest, FaultsSayWhatIsAllowed) {
  Levels("{temperature: {warning: 33}}");
  EXPECT_THAT(faults_, ElementsAre(HasSubstr("low_critical < low_warning < warning < critical")));
  Levels("{humidity: {warning: 90 %}, smoke: silent, door: {warn: 1m}, breaker: 0}");
  EXPECT_EQ(faults_.size(), 4u);
  Levels("{door: {critical: 10m}}");
  EXPECT_THAT(faults_, ElementsAre(HasSubstr("`critical` must be above `warning`")));
}

TEST_F(RoomTest, ContactsAreKnownByTheirNames) {
  EXPECT_EQ(KindOfContact("Water leak 2"), ReadingKind::kLeak);
  EXPECT_EQ(KindOfContact("Bakd\xC3\xB8r"), ReadingKind::kDoor);
  EXPECT_EQ(KindOfContact("SMOKE"), ReadingKind::kSmoke);
  EXPECT_EQ(KindOfContact("Fan tray"), std::nullopt);
}

}  // namespace
}  // namespace oppetid::agent
