#include <filesystem>
#include <fstream>

#include "agent/sensors/hwmon_files.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class HwmonTest : public SensorFixture {
 protected:
  HwmonTest() { world_.root = directory_.path(); }

  // A file of the chip hwmonN.
  void Put(int chip, const std::string& file, const std::string& content) {
    const std::string path = directory_.path() + "/sys/class/hwmon/hwmon" + std::to_string(chip);
    std::filesystem::create_directories(path);
    std::ofstream(path + "/" + file) << content << "\n";
  }

  void PutProcessor(int chip, int milli_celsius) {
    Put(chip, "name", "coretemp");
    Put(chip, "temp1_input", std::to_string(milli_celsius));
    Put(chip, "temp1_label", "Package id 0");
    Put(chip, "temp1_max", "84000");
    Put(chip, "temp1_crit", "100000");
  }

  TempDir directory_;
};

TEST_F(HwmonTest, MeasuresByTheChipsOwnLimits) {
  PutProcessor(0, 61000);
  Put(1, "name", "nct6779");
  Put(1, "fan1_input", "1205");
  Put(1, "fan1_min", "300");
  Put(1, "in0_input", "1208");
  Put(1, "power1_input", "212000000");
  Put(1, "curr1_input", "920");
  const Answer answer = Ask("{sensor: hwmon}");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(answer.text, "5 sensors within their limits");
  EXPECT_EQ(Value(answer, "hardware_temperature_celsius", {{"sensor", "coretemp Package id 0"}}),
            61.0);
  EXPECT_EQ(Value(answer, "hardware_fan_rpm", {{"sensor", "nct6779 fan1"}}), 1205.0);
  EXPECT_EQ(Value(answer, "hardware_voltage_volts", {{"sensor", "nct6779 in0"}}), 1.208);
  EXPECT_EQ(Value(answer, "hardware_power_watts", {{"sensor", "nct6779 power1"}}), 212.0);
  EXPECT_EQ(Value(answer, "hardware_current_amperes", {{"sensor", "nct6779 curr1"}}), 0.92);

  PutProcessor(0, 84000);
  EXPECT_EQ(Ask("{sensor: hwmon}").state, State::kWarning);
  PutProcessor(0, 101000);
  Put(1, "fan1_input", "0");
  const Answer hot = Ask("{sensor: hwmon}");
  EXPECT_EQ(hot.state, State::kCritical);
  EXPECT_THAT(hot.text, HasSubstr("coretemp Package id 0 101 \xC2\xB0"
                                  "C beyond its own critical"));
  EXPECT_THAT(hot.text, HasSubstr("nct6779 fan1 0 rpm beyond its own limit"));
  EXPECT_EQ(Ask("{sensor: hwmon, ignore: [coretemp, fan]}").state, State::kOk);
}

TEST_F(HwmonTest, TwoProcessorsAreTwoSeries) {
  PutProcessor(0, 50000);
  PutProcessor(1, 55000);
  const Answer answer = Ask("{sensor: hwmon}");
  EXPECT_EQ(Value(answer, "hardware_temperature_celsius", {{"sensor", "coretemp Package id 0"}}),
            50.0);
  EXPECT_EQ(
      Value(answer, "hardware_temperature_celsius", {{"sensor", "coretemp Package id 0 (2)"}}),
      55.0);
}

TEST_F(HwmonTest, AProbeOfTheAirIsTheRooms) {
  Put(0, "name", "sht3x");
  Put(0, "temp1_input", "28500");
  Put(0, "humidity1_input", "41000");
  const Answer answer = Ask("{sensor: hwmon, room: rom-1}");
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_EQ(
      Value(answer, "room_temperature_celsius", {{"room", "rom-1"}, {"sensor", "sht3x temp1"}}),
      28.5);
  EXPECT_EQ(
      Value(answer, "room_humidity_ratio", {{"room", "rom-1"}, {"sensor", "sht3x humidity1"}}),
      0.41);
}

TEST_F(HwmonTest, WhatCannotBeReadIsUnknownAndAbsent) {
  EXPECT_EQ(Ask("{sensor: hwmon}").text, "no sensors found");
  EXPECT_EQ(Ask("{sensor: hwmon}").state, State::kUnknown);
  Put(0, "name", "drivetemp");
  Put(0, "temp1_input", "");
  Put(0, "temp2_input", "31000");
  Put(0, "temp2_fault", "1");
  const Answer answer = Ask("{sensor: hwmon}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("drivetemp temp1 gives no value"));
  EXPECT_THAT(answer.samples, IsEmpty());
}

TEST(HwmonFiles, OddFilesAreNoSensors) {
  EXPECT_THAT(ReadingsOfChip("x", {{"temp_input", "1"}, {"tempx_input", "1"}, {"in1_max", "1"}}),
              IsEmpty());
  const auto no_limit = ReadingsOfChip("x", {{"temp1_input", "90000"}, {"temp1_crit", "65261850"}});
  ASSERT_EQ(no_limit.size(), 1u);
  EXPECT_EQ(no_limit[0].state, State::kOk);
}

}  // namespace
}  // namespace oppetid::agent
