// Against the real smartctl where it needs no disk, and against a stand-in that prints what
// smartctl prints for disks that a test machine does not have. tests/e2e/machine has disks.
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "agent/sensors/smart_json.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kData = OPPETID_SOURCE_DIR "/tests/testdata/room/";

std::string Sample(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(kData + name).rdbuf();
  return text.str();
}

TEST(SmartJson, DisksAreRead) {
  const SmartReport ata = ParseSmartReport(Sample("smart_ata.json"));
  EXPECT_EQ(ata.error, "");
  EXPECT_EQ(ata.healthy, true);
  EXPECT_EQ(ata.temperature_celsius, 36);
  EXPECT_EQ(ata.reallocated, 0);
  EXPECT_EQ(ata.pending, 0);
  EXPECT_EQ(ata.uncorrectable, 0);
  EXPECT_EQ(ata.power_on_hours, 37787);
  EXPECT_EQ(ata.wear_percent, std::nullopt);
  const SmartReport failing = ParseSmartReport(Sample("smart_ata_failing.json"));
  EXPECT_EQ(failing.healthy, false);
  EXPECT_EQ(failing.reallocated, 1975);
  EXPECT_THAT(failing.complaints,
              ElementsAre("Reallocated_Sector_Ct has failed", "a self-test has failed"));
  EXPECT_TRUE(ParseSmartReport(Sample("smart_standby.json")).asleep);
  EXPECT_EQ(ParseSmartReport(Sample("smart_virtual.json")).error,
            "/dev/vda: Unable to detect device type");
  EXPECT_THAT(ParseSmartReport("nonsense").error, HasSubstr("no JSON"));
}

TEST(SmartJson, SasDisksAreRead) {
  const SmartReport old = ParseSmartReport(Sample("smart_sas.json"));
  EXPECT_EQ(old.healthy, true);
  EXPECT_EQ(old.reallocated, 260);
  EXPECT_EQ(old.uncorrectable, 536) << "read and written";
  EXPECT_EQ(old.power_on_hours, 102880);
  EXPECT_EQ(old.temperature_celsius, 33);
  const SmartReport behind_raid = ParseSmartReport(Sample("smart_megaraid.json"));
  EXPECT_EQ(behind_raid.healthy, true);
  EXPECT_EQ(behind_raid.uncorrectable, 0);
  EXPECT_EQ(behind_raid.temperature_celsius, 32);
}

TEST(SmartJson, ARaidVolumeIsNoHealthyDiskOfZeroDegrees) {
  const SmartReport report = ParseSmartReport(Sample("smart_raid_volume.json"));
  EXPECT_EQ(report.error, "the disk tells nothing of its health");
  EXPECT_EQ(report.temperature_celsius, std::nullopt);
  const SmartReport cold = ParseSmartReport(
      R"({"smartctl": {"exit_status": 0}, "temperature": {"current": 0, "drive_trip": 65}})");
  EXPECT_EQ(cold.temperature_celsius, 0);
}

std::optional<int64_t> WearOf(const std::string& id, const std::string& name,
                              const std::string& value) {
  return ParseSmartReport(R"({"smartctl": {"exit_status": 0}, "ata_smart_attributes": {"table": [)"
                          R"({"id": )" +
                          id + R"(, "name": ")" + name + R"(", "value": )" + value + "}]}}")
      .wear_percent;
}

TEST(SmartJson, WearIsReadFromWhatTellsOfIt) {
  EXPECT_EQ(ParseSmartReport(Sample("smart_nvme.json")).wear_percent, 93);
  EXPECT_EQ(ParseSmartReport(Sample("smart_samsung.json")).wear_percent, 10);
  const std::string kingston = Sample("smart_sandforce.json");
  EXPECT_EQ(ParseSmartReport(kingston).wear_percent, 5);
  // As a version before 7.5 gives it. Its attribute 177 is at 0, and is no wear.
  std::string older = kingston;
  older.replace(older.find("endurance_used"), 14, "nothing_of_the");
  EXPECT_EQ(ParseSmartReport(older).wear_percent, 5);
  EXPECT_EQ(ParseSmartReport(older).uncorrectable, 0);
  EXPECT_EQ(ParseSmartReport(older).power_on_hours, 35825);
  EXPECT_EQ(WearOf("202", "Percent_Lifetime_Remain", "81"), 19);
  EXPECT_EQ(WearOf("169", "Remaining_Lifetime_Perc", "0"), 100);
  EXPECT_EQ(WearOf("233", "Media_Wearout_Indicator", "99"), 1);
  EXPECT_EQ(WearOf("230", "Media_Wearout_Indicator", "1"), std::nullopt);
  EXPECT_EQ(WearOf("233", "NAND_GB_Written_TLC", "100"), std::nullopt);
  EXPECT_EQ(WearOf("202", "Exception_Mode_Status", "100"), std::nullopt);
  EXPECT_EQ(WearOf("231", "", "95"), std::nullopt);
}

TEST(SmartJson, TheStandardsOwnWearIsPreferred) {
  const std::string row = R"({"offset": 8, "value": 4, "flags": {"valid": )";
  const auto with = [&](const std::string& valid) {
    return ParseSmartReport(
               R"({"smartctl": {"exit_status": 0}, "ata_smart_attributes": {"table": [{"id": 177,)"
               R"("name": "Wear_Leveling_Count", "value": 90}]}, "ata_device_statistics": {"pages")"
               R"(: [{"number": 7, "table": [)" +
               row + valid + "}}]}]}}")
        .wear_percent;
  };
  EXPECT_EQ(with("true"), 4);
  EXPECT_EQ(with("false"), 10);
}

std::optional<int64_t> Reallocated(const std::string& raw) {
  return ParseSmartReport(
             R"({"smartctl": {"exit_status": 0}, "ata_smart_attributes": {"table": [{"id": 5, )"
             R"("raw": )" +
             raw + "}]}}")
      .reallocated;
}

TEST(SmartJson, CountsAreFoundInPackedValues) {
  EXPECT_EQ(Reallocated("{\"value\": 8589934594, \"string\": \"2 (2 0)\"}"), 2);
  EXPECT_EQ(Reallocated("{\"value\": 196610, \"string\": \"2 (3)\"}"), 2);
  EXPECT_EQ(Reallocated("{\"value\": 7}"), 7);
  EXPECT_EQ(Reallocated("{\"value\": 7, \"string\": \"0x000007\"}"), 7);
}

TEST(SmartJson, AnNvmeDiskWithErrorsIsRead) {
  const SmartReport nvme = ParseSmartReport(Sample("smart_nvme_errors.json"));
  EXPECT_EQ(nvme.healthy, true);
  EXPECT_EQ(nvme.uncorrectable, 7);
  EXPECT_EQ(nvme.wear_percent, 3);
  EXPECT_EQ(nvme.reallocated, std::nullopt);
}

// Captured from QEMU's disks (tests/testdata/room/README.md).
TEST(SmartJson, WhatSmartctlPrintsOfEmulatedDisksIsRead) {
  const auto devices = ParseSmartScan(Sample("smart_qemu_scan.json"));
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].path + devices[0].type, "/dev/sda");
  EXPECT_EQ(devices[1].path + " " + devices[1].type, "/dev/nvme0 nvme");
  const SmartReport ata = ParseSmartReport(Sample("smart_qemu_ata.json"));
  EXPECT_EQ(ata.error, "");
  EXPECT_EQ(ata.healthy, true);
  EXPECT_EQ(ata.temperature_celsius, 31);
  EXPECT_EQ(ata.reallocated, 0);
  EXPECT_EQ(ata.power_on_hours, 1);
  const SmartReport nvme = ParseSmartReport(Sample("smart_qemu_nvme.json"));
  EXPECT_EQ(nvme.healthy, true);
  EXPECT_EQ(nvme.temperature_celsius, 50);
  EXPECT_EQ(nvme.wear_percent, 0);
  EXPECT_EQ(nvme.uncorrectable, 0);
  EXPECT_THAT(nvme.complaints, testing::IsEmpty());
}

TEST(SmartJson, AnNvmeDiskSaysWhatIsWrong) {
  const SmartReport failing = ParseSmartReport(Sample("smart_qemu_nvme_failing.json"));
  EXPECT_EQ(failing.healthy, false);
  EXPECT_THAT(failing.complaints, ElementsAre("it is no longer reliable"));
  const SmartReport hot = ParseSmartReport(Sample("smart_qemu_nvme_hot.json"));
  EXPECT_EQ(hot.healthy, true) << "smartctl says that it failed, for its temperature alone";
  EXPECT_THAT(hot.complaints, ElementsAre("it is too hot or too cold"));
}

TEST(SmartJson, ADiskThatMayNotBeAskedIsNotAsleep) {
  EXPECT_EQ(ParseSmartReport(Sample("smart_denied.json")).error, "cannot open: Permission denied");
  const SmartReport powerless = ParseSmartReport(Sample("smart_no_rawio.json"));
  EXPECT_FALSE(powerless.asleep);
  EXPECT_EQ(powerless.error, "takes no command; smart.conf has CAP_SYS_RAWIO");
}

TEST(SmartJson, OnlyPlainDevicesAreTakenFromAScan) {
  const auto devices = ParseSmartScan(Sample("smart_scan.json"));
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].path, "/dev/sda");
  EXPECT_EQ(devices[0].type, "") << "smartctl looks whether it is SATA";
  EXPECT_EQ(devices[1].path, "/dev/bus/0");
  EXPECT_EQ(devices[1].type, "megaraid,3");
  EXPECT_TRUE(ParseSmartScan("[]").empty());
}

class SmartTest : public SensorFixture {
 protected:
  // Prints smart_NAME.json for the disk /dev/NAME, and a scan that finds these.
  SmartTest() {
    ::chmod(directory_.path().c_str(), 0700);
    const std::string path = directory_.path() + "/smartctl";
    std::ofstream(path) << "#!/bin/sh\nfor last; do :; done\n"
                           "[ \"$last\" = --scan ] && exec cat " +
                               directory_.path() +
                               "/scan\n"
                               "exec cat " +
                               kData + "smart_${last#/dev/}.json\n";
    ::chmod(path.c_str(), 0755);
  }

  void Scan(const std::string& devices) {
    std::ofstream(directory_.path() + "/scan") << "{\"devices\": [" << devices << "]}";
  }
  std::string Config(const std::string& more) const {
    return "{sensor: smart, command: " + directory_.path() + "/smartctl" + more + "}";
  }

  TempDir directory_;
};

TEST_F(SmartTest, HealthyDisksAreMeasured) {
  Scan(R"({"name": "/dev/ata", "type": "sat"}, {"name": "/dev/standby", "type": "sat"})");
  auto sensor = Make(Config(""));
  for (int i = 0; i < 2; ++i) {
    const Answer answer = Ask(*sensor);
    EXPECT_EQ(answer.state, State::kOk) << answer.text;
    EXPECT_EQ(answer.text, "1 disk healthy, 1 asleep");
    const Labels ata{{"device", "ata"}};
    EXPECT_EQ(Value(answer, "hardware_disk_healthy", ata), 1.0);
    EXPECT_EQ(Value(answer, "hardware_disk_temperature_celsius", ata), 36.0);
    EXPECT_EQ(Value(answer, "hardware_disk_power_on_seconds_total", ata), 37787 * 3600.0);
    EXPECT_EQ(Value(answer, "hardware_disk_healthy", {{"device", "standby"}}), std::nullopt);
  }
}

TEST_F(SmartTest, ADiskThatFallsAsleepIsAsItWas) {
  const std::string disk = directory_.path() + "/state";
  std::ofstream(directory_.path() + "/smartctl") << "#!/bin/sh\nexec cat " << disk << "\n";
  const auto becomes = [&](const std::string& name) {
    std::filesystem::copy_file(kData + name, disk,
                               std::filesystem::copy_options::overwrite_existing);
  };
  auto sensor = Make(Config(", devices: [/dev/sda]"));
  becomes("smart_standby.json");
  const Answer unseen = Ask(*sensor);
  EXPECT_EQ(unseen.state, State::kOk);
  EXPECT_EQ(unseen.text, "0 disks healthy, 1 asleep");
  becomes("smart_ata_failing.json");
  const Answer failing = Ask(*sensor);
  EXPECT_EQ(failing.state, State::kCritical);
  becomes("smart_standby.json");
  const Answer asleep = Ask(*sensor);
  EXPECT_EQ(asleep.state, State::kCritical) << "sleep mends nothing";
  EXPECT_EQ(asleep.text, failing.text);
  EXPECT_TRUE(asleep.samples.empty()) << "nothing was measured";
  becomes("smart_ata.json");
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  becomes("smart_standby.json");
  EXPECT_EQ(Ask(*sensor).text, "0 disks healthy, 1 asleep");
}

TEST_F(SmartTest, ADiskThatFallsOffItsBusIsUnknown) {
  std::ofstream(directory_.path() + "/smartctl")
      << "#!/bin/sh\nfor last; do :; done\n[ \"$last\" = --scan ] && last=/dev/scan\nexec cat " +
             directory_.path() + "/${last#/dev/}\n";
  const auto becomes = [&](const std::string& disk, const std::string& sample) {
    std::ofstream(directory_.path() + "/" + disk) << Sample(sample);
  };
  becomes("sda", "smart_ata.json");
  becomes("sdb", "smart_samsung.json");
  becomes("sdc", "smart_virtual.json");  // a stick
  const std::string sda = R"({"name": "/dev/sda", "type": "sat"})";
  const std::string sdb = R"({"name": "/dev/sdb", "type": "sat"})";
  Scan(sda + "," + sdb + R"(, {"name": "/dev/sdc", "type": "scsi"})");
  auto sensor = Make(Config(""));
  EXPECT_EQ(Ask(*sensor).text, "sdc: /dev/vda: Unable to detect device type");
  Scan(sda + "," + sdb);
  EXPECT_EQ(Ask(*sensor).text, "2 disks healthy") << "the stick never told of itself";
  becomes("sdb", "smart_virtual.json");
  EXPECT_EQ(Ask(*sensor).state, State::kUnknown);
  Scan(sda);
  const Answer gone = Ask(*sensor);
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_EQ(gone.text, "sdb is no longer there");
  becomes("sdb", "smart_samsung.json");
  Scan(sda + "," + sdb);
  EXPECT_EQ(Ask(*sensor).text, "2 disks healthy");
}

TEST_F(SmartTest, ADiskWithoutAVerdictOfItsOwnIsUnknown) {
  std::ofstream(directory_.path() + "/smartctl")
      << "#!/bin/sh\necho '{\"smartctl\": {\"exit_status\": 4}, \"temperature\": {\"current\": "
         "31}}'\n";
  const Answer answer = Ask(Config(", devices: [/dev/sda]"));
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_EQ(answer.text, "sda: the disk tells nothing of its health");
  EXPECT_EQ(Value(answer, "hardware_disk_temperature_celsius", {{"device", "sda"}}), 31.0);
}

TEST_F(SmartTest, AFailingDiskIsCritical) {
  const Answer answer = Ask(Config(", devices: [/dev/ata_failing, /dev/ata]"));
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("ata_failing is failing"));
  EXPECT_THAT(answer.text, HasSubstr("1975 sectors replaced"));
  EXPECT_EQ(Value(answer, "hardware_disk_pending_sectors", {{"device", "ata_failing"}}), 8.0);
}

TEST_F(SmartTest, AWornDiskIsAWarningAtItsLevel) {
  const Answer worn = Ask(Config(", devices: [/dev/nvme]"));
  EXPECT_EQ(worn.state, State::kWarning);
  EXPECT_EQ(worn.text, "nvme: 93 % of its life used");
  EXPECT_EQ(Value(worn, "hardware_disk_wear_ratio", {{"device", "nvme"}}), 0.93);
  EXPECT_EQ(Ask(Config(", devices: [/dev/nvme], wear: {warning: 95}")).state, State::kOk);
  const Answer warm = Ask(Config(", devices: [/dev/ata], temperature: {warning: 30}"));
  EXPECT_EQ(warm.text, "ata: 36 degrees C");
}

TEST_F(SmartTest, WhatCannotBeReadIsUnknown) {
  const Answer virtual_disk = Ask(Config(", devices: [/dev/virtual]"));
  EXPECT_EQ(virtual_disk.state, State::kUnknown);
  EXPECT_TRUE(virtual_disk.samples.empty());
  Scan("");
  EXPECT_THAT(Ask(Config("")).text, HasSubstr("finds no disks"));
  EXPECT_EQ(Ask("{sensor: smart, command: /nonexistent/smartctl}").state, State::kUnknown);
}

TEST_F(SmartTest, TheRealSmartctlSaysWhenThereIsNoDisk) {
  const Answer answer = Ask("{sensor: smart, devices: [/dev/null]}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, testing::StartsWith("null: "));
  EXPECT_TRUE(answer.samples.empty());
}

TEST_F(SmartTest, FaultsSayWhatIsAllowed) {
  EXPECT_THAT(FaultsOf("{sensor: smart, devices: [sda]}").front(), HasSubstr("/dev/sda"));
  EXPECT_THAT(FaultsOf("{sensor: smart, command: smartctl}").front(), HasSubstr("absolute path"));
  EXPECT_THAT(FaultsOf("{sensor: smart, temperature: {warning: 70}}").front(),
              HasSubstr("must be above `warning`"));
}

}  // namespace
}  // namespace oppetid::agent
