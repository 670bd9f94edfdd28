// Against a real BMC simulator (ipmi_sim) over the network, through the real ipmitool. In band:
// tests/e2e/machine.
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "agent/sensors/ipmi_lines.h"
#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::udp;
using testing::HasSubstr;

// A threshold sensor of the simulated BMC: upper non-critical, critical, non-recoverable limits.
struct Simulated {
  int number, type, unit;
  std::string name;
  int value, noncritical, critical, nonrecoverable;
};

// A full sensor record, byte by byte (IPMI 2.0, table 43-1).
std::string Record(const Simulated& sensor) {
  const auto length = static_cast<int>(sensor.name.size());
  // clang-format off
  std::vector<int> bytes = {
      0, 0, 0x51, 1, 43 + length, 0x20, 0, sensor.number, 0x37, 1, 0x67, 0x68, sensor.type, 1,
      0x80, 0x0a, 0x80, 0x7a, 0x38, 0x38, 0, sensor.unit, 0, 0, 1, 0, 0, 0, 0, 0, 7, 22, 30, 15,
      255, 0, sensor.nonrecoverable, sensor.critical, sensor.noncritical, 0, 5, 10, 1, 1, 0, 0, 0,
      0xC0 | length};
  // clang-format on
  for (const char c : sensor.name) bytes.push_back(c);
  std::string line = "main_sdr_add 0x20";
  for (const int byte : bytes) line += " " + std::to_string(byte);
  return line + "\n";
}

std::string Commands(const Simulated& sensor) {
  const std::string id = std::to_string(sensor.number);
  const std::string events = " 000111111000000 000111111000000 000000000000000 000000000000000\n";
  return "sensor_add 0x20 0 " + id + " " + std::to_string(sensor.type) + " 1\n" +
         "sensor_set_threshold 0x20 0 " + id + " settable 111000 " +
         std::to_string(sensor.nonrecoverable) + " " + std::to_string(sensor.critical) + " " +
         std::to_string(sensor.noncritical) + " 0 0 0\n" +
         // After the limits: they are looked at when a value comes.
         "sensor_set_value 0x20 0 " + id + " " + std::to_string(sensor.value) + " 0\n" +
         "sensor_set_event_support 0x20 0 " + id + " enable scanning per-state" + events +
         Record(sensor);
}

class IpmiTest : public SensorFixture {
 protected:
  IpmiTest() : port_(FreePort<udp>()) {
    std::filesystem::create_directory(directory_.path() + "/state");
    const std::string methods = "none md2 md5 straight";
    std::string lan = "name \"rom\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 " +
                      std::to_string(port_) + "\n    priv_limit admin\n";
    for (const char* level : {"callback", "user", "operator", "admin"}) {
      lan += "    allowed_auths_" + std::string(level) + " " + methods + "\n";
    }
    lan +=
        "    guid a123456789abcdefa123456789abcdef\n  endlan\n"
        "  user 2 true \"overvak\" \"test\" user 10 " +
        methods + "\n";
    Write("lan.conf", lan, 0600);
    Write("password", "test", 0600);
    Start(23, 120);
  }

  void Write(const std::string& name, const std::string& content, mode_t mode) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
  }

  void Start(int inlet, int fan) {
    Write("rom.emu",
          "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n"
          "sel_enable 0x20 1000 0x0a\n" +
              Commands({0, 1, 1, "Inlet Temp", inlet, 27, 32, 40}) +
              Commands({1, 4, 18, "Fan 1", fan, 250, 252, 254}) + "mc_enable 0x20\n",
          0600);
    const std::string& path = directory_.path();
    auto child = ChildProcess::Start({"/usr/bin/ipmi_sim", "-c", path + "/lan.conf", "-f",
                                      path + "/rom.emu", "-s", path + "/state", "-n"});
    ASSERT_TRUE(child.ok());
    bmc_ = std::move(*child);
    auto sensor = Make(Config());
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (Ask(*sensor).samples.empty() && std::chrono::steady_clock::now() < end) {
    }
  }

  std::string Config(const std::string& more = "") const {
    return "{sensor: ipmi, target: 127.0.0.1, port: " + std::to_string(port_) +
           ", user: overvak, cipher: 3, password_file: " + directory_.path() + "/password" + more +
           "}";
  }

  TempDir directory_;
  uint16_t port_;
  std::unique_ptr<ChildProcess> bmc_;
};

TEST_F(IpmiTest, AsksABmcAndFollowsItsLimits) {
  const Answer cool = Ask(Config(", room: rom-1"));
  EXPECT_EQ(cool.state, State::kOk) << cool.text;
  EXPECT_EQ(Value(cool, "room_temperature_celsius", {{"room", "rom-1"}, {"sensor", "Inlet Temp"}}),
            23.0);
  EXPECT_EQ(Value(cool, "hardware_fan_rpm", {{"sensor", "Fan 1"}}), 120.0);
  bmc_->Stop();
  Start(41, 120);
  const Answer hot = Ask(Config());
  EXPECT_EQ(hot.state, State::kCritical);
  EXPECT_THAT(hot.text, HasSubstr("Inlet Temp 41 \xC2\xB0"
                                  "C beyond its own critical limit"));
}

TEST_F(IpmiTest, ABmcThatRefusesOrIsSilentIsUnknown) {
  Write("password", "wrong", 0600);
  const Answer refused = Ask(Config());
  EXPECT_EQ(refused.state, State::kUnknown);
  EXPECT_THAT(refused.text, HasSubstr("Unable to establish IPMI"));
  Write("password", "test", 0644);
  EXPECT_THAT(Ask(Config()).text, HasSubstr("password"));
  ::chmod((directory_.path() + "/password").c_str(), 0600);
  bmc_->Stop();
  const Answer silent = Ask(Config());
  EXPECT_EQ(silent.state, State::kUnknown);
  EXPECT_TRUE(silent.samples.empty());
}

class IpmiConfigTest : public SensorFixture {};

TEST_F(IpmiConfigTest, FaultsSayWhatIsAllowed) {
  EXPECT_EQ(FaultsOf("{sensor: ipmi, target: a}").size(), 2u);
  EXPECT_THAT(FaultsOf("{sensor: ipmi}"), testing::IsEmpty()) << "this machine's own BMC";
  EXPECT_THAT(FaultsOf("{sensor: ipmi, target: a, user: u, password_file: p}").front(),
              HasSubstr("absolute path"));
  EXPECT_THAT(FaultsOf("{sensor: ipmi, target: a, user: u, password_file: /p, cipher: 0}").front(),
              HasSubstr("broken"));
}

TEST_F(IpmiConfigTest, WithoutTheRightToTheDeviceItSaysWhatIsMissing) {
  TempDir directory;
  const std::string path = directory.path() + "/ipmitool";
  std::ofstream(path) << "#!/bin/sh\n"
                         "echo 'Could not open device at /dev/ipmi0 or /dev/ipmi/0 or "
                         "/dev/ipmidev/0: Permission denied' >&2\nexit 1\n";
  ::chmod(path.c_str(), 0755);
  const Answer answer = Ask("{sensor: ipmi, command: " + path + "}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("ipmi.conf"));
  EXPECT_THAT(answer.text, HasSubstr("ipmi_devintf"));
}

std::vector<HardwareReading> Readings(const std::string& sample) {
  std::ostringstream text;
  text << std::ifstream(OPPETID_SOURCE_DIR "/tests/testdata/room/" + sample).rdbuf();
  return ParseIpmiLines(text.str());
}

const HardwareReading& Named(const std::vector<HardwareReading>& readings, std::string_view name) {
  for (const HardwareReading& reading : readings) {
    if (reading.name == name) return reading;
  }
  ADD_FAILURE() << "no " << name;
  static const HardwareReading none;
  return none;
}

TEST(IpmiLines, ADellWithBrokenFansIsRead) {
  const auto readings = Readings("ipmi_dell.csv");
  EXPECT_EQ(readings.size(), 12u) << "without the absent processor and the sensors of states";
  EXPECT_EQ(Named(readings, "Fan3A").state, State::kOk);
  EXPECT_EQ(Named(readings, "Fan3B").state, State::kCritical);
  EXPECT_EQ(Named(readings, "Fan3B").value, 0);
  EXPECT_EQ(Named(readings, "Inlet Temp").value, 32);
  EXPECT_EQ(Named(readings, "Current 1").kind, HardwareKind::kCurrent);
  EXPECT_EQ(Named(readings, "Pwr Consumption").kind, HardwareKind::kPower);
}

// Its fans and power supplies measure, but have no limits: their state is behind the entity.
TEST(IpmiLines, AnHpeWithABrokenPowerSupplyIsRead) {
  const auto readings = Readings("ipmi_hpe.csv");
  EXPECT_EQ(readings.size(), 10u);
  const HardwareReading& broken = Named(readings, "Power Supply 1");
  EXPECT_EQ(broken.value, 0);
  EXPECT_EQ(broken.kind, HardwareKind::kPower);
  EXPECT_EQ(broken.state, State::kCritical);
  EXPECT_EQ(broken.trouble, "Failure detected");
  EXPECT_EQ(Named(readings, "Power Supply 2").value, 95);
  EXPECT_EQ(Named(readings, "Power Supply 2").state, State::kOk);
  const HardwareReading& redundancy = Named(readings, "Power Supplies");
  EXPECT_EQ(redundancy.state, State::kWarning);
  EXPECT_EQ(redundancy.value, std::nullopt);
  EXPECT_EQ(redundancy.trouble, "Non-Redundant: Sufficient from Redundant");
  EXPECT_EQ(Named(readings, "Fan Block 1").kind, HardwareKind::kOther) << "percent, not rpm";
  EXPECT_EQ(Named(readings, "Power Meter").value, 100);
}

TEST(IpmiLines, ASupermicroIsRead) {
  const auto readings = Readings("ipmi_supermicro.csv");
  EXPECT_EQ(readings.size(), 10u);
  EXPECT_EQ(Named(readings, "BPN-FAN2").state, State::kWarning);
  EXPECT_EQ(Named(readings, "-12V").value, -12.29);
}

// Captured in band, from ipmi_sim behind QEMU (tests/testdata/room/README.md).
TEST(IpmiLines, OfAMachinesOwnBmcAreRead) {
  const auto cool = Readings("ipmi_sim.csv");
  ASSERT_EQ(cool.size(), 2u);
  EXPECT_EQ(cool[0].name, "Inlet Temp");
  EXPECT_EQ(cool[0].value, 23);
  EXPECT_EQ(cool[0].kind, HardwareKind::kTemperature);
  EXPECT_EQ(cool[0].state, State::kOk);
  EXPECT_EQ(cool[1].value, 120);
  EXPECT_EQ(cool[1].kind, HardwareKind::kFan);
  const auto hot = Readings("ipmi_sim_hot.csv");
  ASSERT_EQ(hot.size(), 2u);
  EXPECT_EQ(hot[0].value, 35);
  EXPECT_EQ(hot[0].state, State::kCritical);
}

TEST_F(IpmiConfigTest, MoreSensorsThanAreWatchedAreUnknown) {
  const std::string chassis =
      "{sensor: ipmi, command: [/bin/sh, -c, 'i=0; while [ $i -lt 300 ]; do "
      "i=$((i+1)); echo Fan $i,7000,RPM,ok; done; echo Inlet,22,degrees "
      "C,ok', ipmitool]";
  const Answer all = Ask(chassis + "}");
  EXPECT_EQ(all.state, State::kUnknown);
  EXPECT_EQ(all.text, "more than 256 sensors; choose with `only`");
  const Answer chosen = Ask(chassis + ", only: [Inlet]}");
  EXPECT_EQ(chosen.state, State::kOk);
  EXPECT_EQ(Value(chosen, "room_temperature_celsius", {{"sensor", "Inlet"}}), 22.0);
}

TEST(IpmiLines, OddLinesAreLeftOut) {
  EXPECT_NEAR(*ParseIpmiLines("Inlet,77,degrees F,ok").front().value, 25, 0.001);
  EXPECT_EQ(ParseIpmiLines("P12V, AUX,12.100,Volts,ok").front().name, "P12V, AUX");
  EXPECT_EQ(ParseIpmiLines("Fan 2,0,RPM,lcr").front().state, State::kCritical);
  EXPECT_TRUE(ParseIpmiLines(",,,\n\n,ok\na,ok\n,1,RPM,ok").empty());
  EXPECT_TRUE(ParseIpmiLines("Disk 0,A1h,ok,4.0,Predictive Failure Deasserted").empty());
  EXPECT_EQ(ParseIpmiLines("Disk 0,A1h,ok,4.0,Drive Present, Drive Fault").front().state,
            State::kCritical);
}

TEST_F(IpmiConfigTest, HalfAnAnswerIsNoAnswer) {
  const Answer answer = Ask(
      "{sensor: ipmi, command: [/bin/sh, -c, 'echo Inlet,22,degrees C,ok; kill -9 $$', ipmitool]}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_EQ(answer.text, "ipmitool died of signal 9");
  EXPECT_TRUE(answer.samples.empty());
}

TEST_F(IpmiConfigTest, ABrokenPowerSupplyIsTold) {
  const Answer answer = Ask("{sensor: ipmi, command: [/bin/sh, -c, 'cat " OPPETID_SOURCE_DIR
                            "/tests/testdata/room/ipmi_hpe.csv', ipmitool]}");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("Power Supply 1: Failure detected"));
  EXPECT_EQ(Value(answer, "hardware_power_watts", {{"sensor", "Power Supply 2"}}), 95.0);
}

}  // namespace
}  // namespace oppetid::agent
