// Against a real upsd with dummy-ups drivers, as anybody and without anything of the system's own.
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/sensors/nut_lines.h"
#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kWell =
    "ups.status: OL\nbattery.charge: 100\nbattery.runtime: 2700\nups.load: 34\n"
    "ups.temperature: 27.5\ninput.voltage: 231.4\nambient.temperature: 22.6\n"
    "ambient.humidity: 41.0\n";

class NutTest : public SensorFixture {
 protected:
  NutTest() : port_(FreePort<tcp>()) {
    // upsd goes by the file's time, in whole seconds.
    Write("ups.conf",
          "pollinterval = 1\n[ups1]\n  driver = dummy-ups\n  mode = dummy-once\n  port = " +
              directory_.path() + "/ups1.dev\n[dead]\n  driver = dummy-ups\n  port = " +
              directory_.path() + "/ups1.dev\n");
    Write("upsd.conf", "LISTEN 127.0.0.1 " + std::to_string(port_) + "\nMAXAGE 1\n");
    Write("upsd.users", "");
    Say(kWell);
    driver_ = Start({"/lib/nut/dummy-ups", "-F", "-u", "root", "-a", "ups1"});
    server_ = Start({"/lib/nut/upsd", "-F", "-u", "root"});
    sensor_ = Make("{sensor: nut, target: '" + target() + "', ups: ups1, room: rom-1}");
    AwaitState(State::kOk);
  }

  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

  void Write(const std::string& name, const std::string& content) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path + ".new") << content;
    ::chmod((path + ".new").c_str(), 0640);
    std::filesystem::rename(path + ".new", path);
  }

  // What the UPS says from now on; the driver reads the file again when its time has changed.
  void Say(const std::string& variables) {
    Write("ups1.dev", variables);
    const auto time = std::filesystem::file_time_type::clock::now() + std::chrono::seconds(++said_);
    std::filesystem::last_write_time(directory_.path() + "/ups1.dev", time);
  }

  std::unique_ptr<ChildProcess> Start(std::vector<std::string> command) {
    const std::string& path = directory_.path();
    command.insert(command.begin(),
                   {"/usr/bin/env", "NUT_CONFPATH=" + path, "NUT_STATEPATH=" + path,
                    "NUT_ALTPIDPATH=" + path, "NUT_QUIET_INIT_SSL=true"});
    auto child = ChildProcess::Start(command);
    return child.ok() ? std::move(*child) : nullptr;
  }

  // Asks until the text has `part` in it: the driver looks at its file once a second.
  Answer AskUntil(const std::string& part) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    Answer answer;
    do {
      answer = Ask(*sensor_);
    } while (answer.text.find(part) == std::string::npos && std::chrono::steady_clock::now() < end);
    EXPECT_THAT(answer.text, HasSubstr(part));
    return answer;
  }

  void AwaitState(State state) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (Ask(*sensor_).state != state && std::chrono::steady_clock::now() < end) {
    }
  }

  TempDir directory_;
  uint16_t port_;
  int said_ = 0;
  std::unique_ptr<ChildProcess> driver_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<Sensor> sensor_;
};

TEST_F(NutTest, TellsOfTheUpsAndItsProbe) {
  const Answer answer = Ask(*sensor_);
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_THAT(answer.text,
              StartsWith("on mains, the battery would last 45 min, charge 100 %, load 34 %"));
  const Labels room{{"room", "rom-1"}};
  const Labels ambient{{"room", "rom-1"}, {"sensor", "ambient"}};
  EXPECT_EQ(Value(answer, "ups_on_battery", room), 0.0);
  EXPECT_EQ(Value(answer, "ups_battery_charge_ratio", room), 1.0);
  EXPECT_EQ(Value(answer, "ups_battery_runtime_seconds", room), 2700.0);
  EXPECT_EQ(Value(answer, "ups_load_ratio", room), 0.34);
  EXPECT_EQ(Value(answer, "ups_input_volts", room), 231.4);
  EXPECT_EQ(Value(answer, "room_temperature_celsius", ambient), 22.6);
  EXPECT_EQ(Value(answer, "room_humidity_ratio", ambient), 0.41);
}

TEST_F(NutTest, SeesAPowerCutAndItsEnd) {
  Say("ups.status: OB DISCHRG\nbattery.charge: 72\nbattery.runtime: 1260\n");
  const Answer cut = AskUntil("on battery for ");
  EXPECT_EQ(cut.state, State::kOk) << "a flicker of the mains";
  EXPECT_EQ(Value(cut, "ups_on_battery", {{"room", "rom-1"}}), 1.0);
  Say("ups.status: OB DISCHRG LB\nbattery.charge: 9\nbattery.runtime: 110\n");
  const Answer low = AskUntil("the battery is low");
  EXPECT_EQ(low.state, State::kCritical);
  EXPECT_EQ(Value(low, "ups_low_battery", {{"room", "rom-1"}}), 1.0);
  Say("ups.status: OL CHRG\nbattery.charge: 41\nbattery.runtime: 900\n");
  EXPECT_EQ(AskUntil("on mains").state, State::kOk);
}

TEST_F(NutTest, SeesABatteryToReplaceAndAnOverload) {
  Say("ups.status: OL RB\n");
  EXPECT_EQ(AskUntil("battery must be replaced").state, State::kWarning);
  Say("ups.status: OL OVER\nups.load: 112\n");
  EXPECT_EQ(AskUntil("overloaded").state, State::kCritical);
}

TEST_F(NutTest, SaysWhatTheAlarmIs) {
  Say("ups.status: ALARM OL CHRG\nups.alarm: Battery voltage too low!\nbattery.charge: 100\n");
  const Answer answer = AskUntil("alarm");
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text, HasSubstr("the UPS has an alarm: Battery voltage too low!"));
}

TEST_F(NutTest, AnUnheardUpsIsUnknown) {
  const Answer unknown = Ask("{sensor: nut, target: '" + target() + "', ups: nobody}");
  EXPECT_EQ(unknown.state, State::kUnknown);
  EXPECT_EQ(unknown.text, "upsd knows no UPS of this name");
  const Answer dead = Ask("{sensor: nut, target: '" + target() + "', ups: dead}");
  EXPECT_EQ(dead.state, State::kUnknown);
  EXPECT_EQ(dead.text, "the UPS's driver does not run");

  ::kill(driver_->pid(), SIGSTOP);
  const Answer stale = AskUntil("DATA-STALE");
  EXPECT_EQ(stale.state, State::kUnknown);
  EXPECT_TRUE(stale.samples.empty());
  ::kill(driver_->pid(), SIGCONT);
  AskUntil("on mains");
  driver_->Stop();
  EXPECT_EQ(AskUntil("driver does not run").state, State::kUnknown);
  server_->Stop();
  const Answer gone = Ask(*sensor_);
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_THAT(gone.text, HasSubstr("cannot connect to 127.0.0.1"));
}

// What a device gave to `upsc`, as upsd says it.
NutAnswer Device(const std::string& name) {
  std::ifstream file(OPPETID_SOURCE_DIR "/tests/testdata/room/nut/" + name + ".dev");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    const size_t value = line.find_first_not_of(' ', colon + 1);
    text += "VAR ups " + line.substr(0, colon) + " \"" +
            (value == std::string::npos ? "" : line.substr(value)) + "\"\n";
  }
  return ParseNutAnswer(text + "END LIST VAR ups\n");
}

TEST(NutLines, UpsesOfOnePhaseAreRead) {
  const auto ups = UpsOfNut(Device("eaton_9px"));
  ASSERT_TRUE(ups);
  EXPECT_FALSE(ups->on_battery);
  EXPECT_EQ(ups->charge_percent, 95);
  EXPECT_EQ(ups->runtime_seconds, 7795);
  EXPECT_EQ(ups->load_percent, 9);
  EXPECT_EQ(ups->temperature_celsius, 17.9);
  EXPECT_EQ(ups->input_volts, std::nullopt);
  const auto without_thermometer = UpsOfNut(Device("eaton_5px"));
  ASSERT_TRUE(without_thermometer);
  EXPECT_EQ(without_thermometer->temperature_celsius, std::nullopt);
  EXPECT_EQ(without_thermometer->runtime_seconds, 898);
}

TEST(NutLines, UpsesOfThreePhasesAreRead) {
  const auto ups = UpsOfNut(Device("eaton_9395"));
  ASSERT_TRUE(ups);
  EXPECT_EQ(ups->load_percent, 32) << "the fullest phase";
  EXPECT_EQ(ups->input_volts, 249) << "the weakest";
  const auto silcon = UpsOfNut(Device("apc_silcon"));
  ASSERT_TRUE(silcon);
  EXPECT_EQ(silcon->load_percent, 88);
  EXPECT_EQ(silcon->input_volts, 227);
  EXPECT_EQ(silcon->temperature_celsius, 21);
  const auto probe = AmbientOfNut(Device("apc_silcon"));
  ASSERT_EQ(probe.size(), 2u);
  EXPECT_EQ(probe[0].value, 25);
  EXPECT_EQ(probe[1].value, 0.32);
}

TEST(NutLines, ATransferSwitchHasNoBattery) {
  const auto ats = UpsOfNut(Device("apc_ats"));
  ASSERT_TRUE(ats);
  EXPECT_FALSE(ats->on_battery);
  EXPECT_EQ(ats->charge_percent, std::nullopt);
  EXPECT_EQ(ats->load_percent, std::nullopt);
}

TEST(NutLines, WhatADeviceDoesNotKnowIsAbsent) {
  const auto ups =
      UpsOfNut(ParseNutAnswer("VAR ups ups.status \"OL\"\nVAR ups battery.runtime \"-1\"\n"
                              "VAR ups battery.charge \"-1\"\nVAR ups ups.load \"-1\"\n"));
  ASSERT_TRUE(ups);
  EXPECT_EQ(ups->runtime_seconds, std::nullopt);
  EXPECT_EQ(ups->charge_percent, std::nullopt);
  EXPECT_EQ(ups->load_percent, std::nullopt);
}

class NutConfigTest : public SensorFixture {};

TEST_F(NutConfigTest, FaultsSayWhatIsAllowed) {
  EXPECT_EQ(FaultsOf("{sensor: nut}").size(), 1u);
  EXPECT_THAT(FaultsOf("{sensor: nut, ups: 'a b'}").front(), HasSubstr("[A-Za-z0-9_.-]"));
  EXPECT_THAT(FaultsOf("{sensor: nut, ups: a, room: 'R 1'}").front(), HasSubstr("`room`"));
}

}  // namespace
}  // namespace oppetid::agent
