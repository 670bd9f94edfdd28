#include "agent/sensors/ups.h"

#include "agent/sensors/nut_lines.h"
#include "tests/support/levels_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class UpsTest : public LevelsFixture {
 protected:
  UpsLevels Levels(const std::string& yaml) { return Read(ReadUpsLevels, yaml); }

  Answer Judge(const UpsReading& ups, Steady::duration after = {}) {
    return AnswerOf(judge_, ups, after);
  }

  static UpsReading OnBattery(double runtime_s = 2000) {
    UpsReading ups;
    ups.on_battery = true;
    ups.runtime_seconds = runtime_s;
    return ups;
  }

  UpsJudge judge_{Levels("{}"), ""};
};

TEST_F(UpsTest, AFlickerIsNothingAMinuteAWarningFiveCritical) {
  EXPECT_EQ(Judge(OnBattery()).state, State::kOk);
  EXPECT_EQ(Judge(OnBattery(), seconds(14)).state, State::kOk);
  const Answer warning = Judge(OnBattery(), seconds(1));
  EXPECT_EQ(warning.state, State::kWarning);
  EXPECT_EQ(warning.text, "on battery for 15 s, 33 min left");
  EXPECT_EQ(Judge(OnBattery(), minutes(5)).state, State::kCritical);
  EXPECT_EQ(Judge({}, seconds(1)).state, State::kOk);
  EXPECT_EQ(Judge(OnBattery(), minutes(9)).state, State::kOk) << "counted anew";
}

TEST_F(UpsTest, LittleTimeLeftIsCriticalAtOnce) {
  EXPECT_EQ(Judge(OnBattery(599)).state, State::kCritical);
  UpsReading low = OnBattery();
  low.low_battery = true;
  EXPECT_EQ(Judge(low).state, State::kCritical);
}

TEST_F(UpsTest, ADeviceThatCountsItselfIsBelieved) {
  UpsReading ups = OnBattery();
  ups.on_battery_seconds = 301;
  EXPECT_EQ(Judge(ups).state, State::kCritical);
}

TEST_F(UpsTest, ACalibrationIsNoPowerCut) {
  UpsReading ups = OnBattery(500);
  ups.calibrating = true;
  EXPECT_EQ(Judge(ups).state, State::kWarning);
  EXPECT_EQ(Judge(ups, hours(1)).state, State::kWarning);
  ups.low_battery = true;  // which is where a calibration ends
  const Answer low = Judge(ups);
  EXPECT_EQ(low.state, State::kWarning);
  EXPECT_THAT(low.text, HasSubstr("the battery is low"));
  // Some stay on mains for the UPS's own count.
  ups.on_battery = false;
  ups.runtime_seconds = 200;
  EXPECT_EQ(Judge(ups).state, State::kWarning);
  ups.calibrating = false;
  EXPECT_EQ(Judge(ups).state, State::kCritical);
}

TEST_F(UpsTest, EveryFlagHasItsState) {
  const auto with = [&](bool UpsReading::*flag) {
    UpsReading ups;
    ups.*flag = true;
    return Judge(ups).state;
  };
  EXPECT_EQ(with(&UpsReading::replace_battery), State::kWarning);
  EXPECT_EQ(with(&UpsReading::bypass), State::kWarning);
  EXPECT_EQ(with(&UpsReading::alarm), State::kWarning);
  EXPECT_EQ(with(&UpsReading::overload), State::kCritical);
  EXPECT_EQ(with(&UpsReading::off), State::kCritical);
  EXPECT_EQ(with(&UpsReading::forced_shutdown), State::kCritical);
}

TEST_F(UpsTest, OnMainsTheBatteryMustBeAbleToCarryOn) {
  UpsReading ups;
  ups.runtime_seconds = 899;
  ups.load_percent = 34;
  ups.charge_percent = 100;
  EXPECT_EQ(Judge(ups).state, State::kWarning);
  ups.runtime_seconds = 299;
  EXPECT_EQ(Judge(ups).state, State::kCritical);
  ups.runtime_seconds = 2700;
  const Answer well = Judge(ups);
  EXPECT_EQ(well.state, State::kOk);
  EXPECT_EQ(well.text, "on mains, the battery would last 45 min, charge 100 %, load 34 %");
  ups.load_percent = 80;
  EXPECT_EQ(Judge(ups).state, State::kWarning);
  ups.load_percent = 112;
  EXPECT_EQ(Judge(ups).state, State::kCritical);
}

TEST_F(UpsTest, AChargeThatDoesNotComeBackIsAWarning) {
  UpsReading ups;
  ups.charge_percent = 60;
  EXPECT_EQ(Judge(ups).state, State::kOk);
  EXPECT_EQ(Judge(ups, hours(11)).state, State::kOk);
  const Answer answer = Judge(ups, hours(1));
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_EQ(answer.text, "charge 60 % after 720 min on mains");
  ups.charge_percent = 95;
  EXPECT_EQ(Judge(ups).state, State::kOk);
}

TEST_F(UpsTest, WhatIsNotSaidIsAbsent) {
  const Answer answer = Judge({});
  std::vector<std::string> families;
  for (const Sample& sample : answer.samples) families.push_back(sample.family);
  EXPECT_THAT(families, ElementsAre("ups_on_battery", "ups_low_battery", "ups_replace_battery"));
}

TEST_F(UpsTest, WhatNoUpsCanBeIsAbsent) {
  for (const double load : {4294967295.0, 65535.0, 1e308, -1.0}) {
    UpsReading ups;
    ups.load_percent = load;
    ups.charge_percent = load;
    ups.temperature_celsius = load < 0 ? -999 : load;
    const Answer answer = Judge(ups);
    EXPECT_EQ(answer.state, State::kOk) << answer.text;
    EXPECT_EQ(answer.text, "on mains");
    EXPECT_EQ(answer.samples.size(), 3u);
  }
  UpsReading ups;
  ups.load_percent = 130;
  EXPECT_EQ(Judge(ups).state, State::kCritical);
}

TEST_F(UpsTest, LevelsAreRead) {
  for (const char* odd : {"{on_battery: {warning: 10m}}", "{on_battery: {critical: 15s}}",
                          "{load: {warning: 100 %}}"}) {
    Levels(odd);
    EXPECT_THAT(faults_, ElementsAre(HasSubstr("`critical` must be above `warning`"))) << odd;
  }
  Levels("{runtime: {warning: 5m}}");
  EXPECT_THAT(faults_, ElementsAre(HasSubstr("must be above `critical`")));
  EXPECT_EQ(Levels("{on_battery: {runtime: 2m}}").runtime_critical_s, 120);
}

TEST(NutLines, AreReadAsTheyAreQuoted) {
  const NutAnswer answer = ParseNutAnswer(
      "BEGIN LIST VAR u\nVAR u ups.status \"OL  CHRG RB\"\r\nVAR u device.model \"A \\\"B\\\" "
      "\\\\\"\nVAR u broken \"x\nVAR u battery.charge \"41\"\nVAR u ups.load \"nan\"\nEND LIST VAR "
      "u\nVAR u late \"1\"\n");
  EXPECT_TRUE(answer.complete);
  ASSERT_EQ(answer.variables.size(), 4u);
  EXPECT_EQ(answer.variables[1].second, "A \"B\" \\");
  const auto ups = UpsOfNut(answer);
  ASSERT_TRUE(ups);
  EXPECT_FALSE(ups->on_battery);
  EXPECT_TRUE(ups->replace_battery);
  EXPECT_EQ(ups->charge_percent, 41);
  EXPECT_EQ(ups->load_percent, std::nullopt);
}

TEST(NutLines, AreIncompleteUntilTheyEnd) {
  EXPECT_FALSE(ParseNutAnswer("BEGIN LIST VAR u\nVAR u ups.status \"OL\"\nEND LIST").complete);
  const NutAnswer stale = ParseNutAnswer("ERR DATA-STALE\n");
  EXPECT_TRUE(stale.complete);
  EXPECT_EQ(stale.error, "DATA-STALE");
  EXPECT_FALSE(UpsOfNut(ParseNutAnswer("VAR u ups.status \"WAIT\"\nEND LIST VAR u\n")));
}

}  // namespace
}  // namespace oppetid::agent
