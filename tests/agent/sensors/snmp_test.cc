// Against a real snmpd that stands for a probe, a power strip and a UPS, as anybody and without
// anything of the system's own.
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::udp;
using testing::HasSubstr;

const std::string kSensors = ".1.3.6.1.2.1.99.1.1.1.";
const std::string kNames = ".1.3.6.1.2.1.47.1.1.1.1.2.";
const std::string kUps = ".1.3.6.1.2.1.33.1.";

class SnmpTest : public SensorFixture {
 protected:
  SnmpTest() : port_(FreePort<udp>()) {
    std::filesystem::create_directory(directory_.path() + "/persist");
    Sensor("101", 8, 1, "Rack A inlet temperature", "214");
    Sensor("103", 9, 0, "Room humidity", "41");
    Sensor("104", 5, 1, "PDU 1 current", "47");
    Sensor("105", 12, 0, "Water leak", "2");
    Sensor("106", 12, 0, "Door", "2");
    Sensor("107", 10, 0, "Fan", "1200");
    for (const auto& [within, value] : std::map<std::string, std::string>{{"2.1.0", "2"},
                                                                          {"2.3.0", "45"},
                                                                          {"2.4.0", "100"},
                                                                          {"4.1.0", "3"},
                                                                          {"4.4.1.5.1", "34"}}) {
      rows_[kUps + within] = "integer " + value;
    }
    WriteTable();
    Secret("community", "rom\n");
    Secret("auth", "auth-passord-1\n");
    Secret("privacy", "priv-passord-1\n");
    Write("snmpd.conf",
          "agentaddress udp:127.0.0.1:" + std::to_string(port_) +
              "\nrocommunity rom 127.0.0.1\n"
              "createUser overvak SHA \"auth-passord-1\" AES \"priv-passord-1\"\n"
              "createUser overvak256 SHA-256 \"auth-passord-1\" AES \"priv-passord-1\"\n"
              "createUser overvak512 SHA-512 \"auth-passord-1\" AES \"priv-passord-1\"\n"
              "rouser overvak authPriv\nrouser overvak256 authPriv\nrouser overvak512 authPriv\n" +
              Pass(".1.3.6.1.2.1.33.1") + Pass(".1.3.6.1.2.1.47.1.1.1.1") +
              Pass(".1.3.6.1.2.1.99.1.1.1") + Pass(".1.3.6.1.4.1.3854"));
    StartDevice();
  }

  std::string Pass(const std::string& root) const {
    return "pass_persist " + root + " " OPPETID_SOURCE_DIR "/tests/support/snmp_table.pl " +
           directory_.path() + "/table\n";
  }

  void Sensor(const std::string& row, int type, int precision, const std::string& name,
              const std::string& value) {
    rows_[kSensors + "1." + row] = "integer " + std::to_string(type);
    rows_[kSensors + "2." + row] = "integer 9";
    rows_[kSensors + "3." + row] = "integer " + std::to_string(precision);
    rows_[kSensors + "4." + row] = "integer " + value;
    rows_[kSensors + "5." + row] = "integer 1";
    rows_[kNames + row] = "string " + name;
  }

  void Write(const std::string& name, const std::string& content, mode_t mode = 0644) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path + ".new") << content;
    ::chmod((path + ".new").c_str(), mode);
    std::filesystem::rename(path + ".new", path);
  }
  void Secret(const std::string& name, const std::string& text) { Write(name, text, 0600); }

  void WriteTable() {
    std::string text;
    for (const auto& [oid, value] : rows_) text += oid + " " + value + "\n";
    Write("table", text);
  }
  // What the device says of one object from now on.
  void Say(const std::string& oid, const std::string& value) {
    rows_[oid] = value;
    WriteTable();
  }

  // From now on this is another device: what one like it gave.
  void Become(const std::string& sample) {
    rows_.clear();
    std::ifstream file(OPPETID_SOURCE_DIR "/tests/testdata/room/snmp/" + sample);
    for (std::string line; std::getline(file, line);) {
      rows_[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
    }
    WriteTable();
  }

  void StartDevice() {
    auto child = ChildProcess::Start(
        {"/usr/bin/env", "SNMP_PERSISTENT_DIR=" + directory_.path() + "/persist",
         "MIBS=", "SNMPCONFPATH=" + directory_.path(), "/usr/sbin/snmpd", "-f", "-C", "-c",
         directory_.path() + "/snmpd.conf", "-Le"});
    ASSERT_TRUE(child.ok());
    device_ = std::move(*child);
    ASSERT_NE(device_->AwaitLine("NET-SNMP version", Millis(15'000)), "") << device_->LastLines();
  }

  std::string V2(const std::string& more = "") const {
    return "{sensor: snmp, version: 2c, target: '127.0.0.1:" + std::to_string(port_) +
           "', community_file: " + directory_.path() + "/community, room: rom-1" + more + "}";
  }
  std::string V3(const std::string& user, const std::string& auth,
                 const std::string& more = "") const {
    return "{sensor: snmp, target: '127.0.0.1:" + std::to_string(port_) + "', user: " + user +
           ", auth: " + auth + ", auth_file: " + directory_.path() +
           "/auth, privacy_file: " + directory_.path() + "/privacy" + more + "}";
  }

  static std::optional<double> OfRoom(const Answer& answer, const std::string& family,
                                      const std::string& sensor) {
    return Value(answer, family, {{"room", "rom-1"}, {"sensor", sensor}});
  }

  TempDir directory_;
  uint16_t port_;
  std::map<std::string, std::string> rows_;
  std::unique_ptr<ChildProcess> device_;
};

TEST_F(SnmpTest, ReadsProbesPowerStripsAndUpses) {
  const Answer answer = Ask(V2());
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("on mains, the battery would last 45 min"));
  EXPECT_EQ(OfRoom(answer, "room_temperature_celsius", "Rack A inlet temperature"), 21.4);
  EXPECT_EQ(OfRoom(answer, "room_humidity_ratio", "Room humidity"), 0.41);
  EXPECT_EQ(OfRoom(answer, "pdu_current_amperes", "PDU 1 current"), 4.7);
  EXPECT_EQ(OfRoom(answer, "room_water_leak", "Water leak"), 0.0);
  EXPECT_EQ(OfRoom(answer, "room_door_open", "Door"), 0.0);
  EXPECT_EQ(Value(answer, "ups_load_ratio", {{"room", "rom-1"}}), 0.34);
}

TEST_F(SnmpTest, Version3SpeaksWithEachAlgorithm) {
  const std::map<std::string, std::string> users = {
      {"overvak", "sha1"}, {"overvak256", "sha256"}, {"overvak512", "sha512"}};
  for (const auto& [user, auth] : users) {
    const Answer answer = Ask(V3(user, auth));
    EXPECT_EQ(answer.state, State::kOk) << user << ": " << answer.text;
    EXPECT_EQ(Value(answer, "room_temperature_celsius", {{"sensor", "Rack A inlet temperature"}}),
              21.4);
  }
}

TEST_F(SnmpTest, SeesWhatHappensInTheRoom) {
  auto sensor = Make(V2(", breaker: 16"));
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  Say(kSensors + "4.101", "integer 281");
  const Answer warm = Ask(*sensor);
  EXPECT_EQ(warm.state, State::kWarning);
  EXPECT_THAT(warm.text, HasSubstr("Rack A inlet temperature 28.1"));
  EXPECT_THAT(warm.text, HasSubstr("rose 6.7"));
  Say(kSensors + "4.105", "integer 1");
  const Answer wet = Ask(*sensor);
  EXPECT_EQ(wet.state, State::kCritical);
  EXPECT_THAT(wet.text, testing::StartsWith("water: Water leak"));
  Say(kSensors + "4.105", "integer 2");
  Say(kSensors + "4.101", "integer 214");
  Say(kSensors + "4.104", "integer 150");
  EXPECT_THAT(Ask(*sensor).text, HasSubstr("PDU 1 current 15.0 A"));
}

TEST_F(SnmpTest, SeesAPowerCutThatTheUpsCounts) {
  Say(kUps + "4.1.0", "integer 5");
  Say(kUps + "2.2.0", "integer 40");
  const Answer cut = Ask(V2(", tables: [ups]"));
  EXPECT_EQ(cut.state, State::kWarning);
  EXPECT_THAT(cut.text, HasSubstr("on battery for 40 s, 45 min left"));
  Say(kUps + "2.3.0", "integer 5");
  EXPECT_EQ(Ask(V2(", tables: [ups]")).state, State::kCritical);
}

TEST_F(SnmpTest, AProbeThatGivesNoValueIsUnknown) {
  Say(kSensors + "5.101", "integer 3");
  const Answer answer = Ask(V2(", only: [temperature]"));
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_EQ(answer.text, "Rack A inlet temperature gives no value");
  EXPECT_EQ(OfRoom(answer, "room_temperature_celsius", "Rack A inlet temperature"), std::nullopt);
  const Answer others = Ask(V2(", ignore: [Rack]"));
  EXPECT_EQ(others.state, State::kOk);
}

TEST_F(SnmpTest, AskingForTooMuchAtOnceIsAskedInParts) {
  // An answer with all of these names is larger than what version 3 says that we take.
  const std::string filler(200, 'x');
  for (int row = 201; row < 221; ++row) {
    Sensor(std::to_string(row), 8, 1, "Inlet of rack " + std::to_string(row) + filler, "221");
  }
  WriteTable();
  const Answer answer = Ask(V3("overvak", "sha1", ", only: ['^Inlet']"));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  const std::string name = ("Inlet of rack 220" + filler).substr(0, 64);
  EXPECT_EQ(Value(answer, "room_temperature_celsius", {{"sensor", name}}), 22.1);
}

TEST_F(SnmpTest, ATableThatIsAskedForAndNotThereIsUnknown) {
  std::erase_if(rows_, [](const auto& row) { return row.first.starts_with(kUps); });
  WriteTable();
  auto both = Make(V2());
  EXPECT_EQ(Ask(*both).state, State::kOk) << "nobody knows that there should be a UPS";
  const Answer no_ups = Ask(V2(", tables: [entity_sensor, ups]"));
  EXPECT_EQ(no_ups.state, State::kUnknown);
  EXPECT_EQ(no_ups.text, "the device tells nothing of a UPS");
  const Answer none = Ask(V2(", only: [temprature], oids: [{name: x, oid: " + kSensors.substr(1) +
                             "4.101, kind: power}]"));
  EXPECT_EQ(none.state, State::kUnknown);
  EXPECT_EQ(none.text, "the device has no such sensor");

  // It turns up, does not say what it runs on, and is gone again.
  Say(kUps + "2.1.0", "integer 2");
  Say(kUps + "4.1.0", "integer 3");
  EXPECT_THAT(Ask(*both).text, HasSubstr("on mains"));
  Say(kUps + "4.1.0", "integer 1");
  const Answer other = Ask(*both);
  EXPECT_EQ(other.state, State::kUnknown);
  EXPECT_EQ(other.text, "the UPS does not say what it runs on");
  EXPECT_EQ(Ask(V2()).text, other.text);
  std::erase_if(rows_, [](const auto& row) { return row.first.starts_with(kUps); });
  WriteTable();
  EXPECT_EQ(Ask(*both).text, "the device tells nothing of a UPS");
}

TEST_F(SnmpTest, ReadsAVendorsOidsByATable) {
  Say(".1.3.6.1.4.1.3854.1.1.0", "integer 236");
  Say(".1.3.6.1.4.1.3854.1.2.0", "string 22.5");
  Say(".1.3.6.1.4.1.3854.1.3.0", "integer 4");
  const Answer answer = Ask(V2(
      ", tables: [], oids: [{name: rack-b, oid: 1.3.6.1.4.1.3854.1.1.0, kind: temperature, scale: "
      "0.1}, {name: rack-c, oid: 1.3.6.1.4.1.3854.1.2.0, kind: temperature}, {name: bakdor, oid: "
      "1.3.6.1.4.1.3854.1.3.0, kind: smoke, alarm: 4}]"));
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_EQ(OfRoom(answer, "room_temperature_celsius", "rack-b"), 23.6);
  EXPECT_EQ(OfRoom(answer, "room_temperature_celsius", "rack-c"), 22.5);
  EXPECT_EQ(OfRoom(answer, "room_smoke", "bakdor"), 1.0);
  // A contact that is neither: a sensor that is broken, by the vendor's numbers.
  const std::string leak =
      ", tables: [], oids: [{name: gulv, oid: 1.3.6.1.4.1.3854.1.3.0, kind: "
      "leak, normal: 2, alarm: 4}]";
  EXPECT_EQ(Ask(V2(leak)).state, State::kCritical);
  Say(".1.3.6.1.4.1.3854.1.3.0", "integer 2");
  EXPECT_EQ(Ask(V2(leak)).state, State::kOk);
  Say(".1.3.6.1.4.1.3854.1.3.0", "integer 7");
  EXPECT_EQ(Ask(V2(leak)).text, "gulv gives no value");
  const Answer missing =
      Ask(V2(", tables: [], oids: [{name: gone, oid: 1.3.6.1.4.1.3854.9.0, kind: temperature}]"));
  EXPECT_EQ(missing.state, State::kUnknown);
  EXPECT_EQ(missing.text, "gone gives no value");
}

TEST_F(SnmpTest, ReadsAUpsOfThreePhases) {
  Become("abb_powerscale");
  const Answer answer = Ask(V2(", tables: [ups]"));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("on mains, the battery would last 452 min"));
  const Labels room{{"room", "rom-1"}};
  EXPECT_EQ(Value(answer, "ups_load_ratio", room), 0.06);
  EXPECT_EQ(Value(answer, "ups_input_volts", room), 239.0);
  EXPECT_EQ(Value(answer, "ups_temperature_celsius", room), std::nullopt) << "it has none";
  Say(kUps + "2.3.0", "integer -1");
  EXPECT_EQ(Value(Ask(V2(", tables: [ups]")), "ups_battery_runtime_seconds", room), std::nullopt);
}

TEST_F(SnmpTest, ReadsTheSensorsOfNetworkDevices) {
  Become("arista_7280");
  const Answer tenths =
      Ask(V2(", tables: [entity_sensor], temperature: {warning: 60, critical: 70}"));
  EXPECT_EQ(OfRoom(tenths, "room_temperature_celsius", "Cpu temp sensor"), 56.8) << tenths.text;
  EXPECT_EQ(OfRoom(tenths, "room_temperature_celsius", "Back-panel temp sensor"), 45.0);
  // Without a precision and without descriptions.
  Become("paloalto_500");
  const Answer whole =
      Ask(V2(", tables: [entity_sensor], temperature: {warning: 60, critical: 70}"));
  EXPECT_EQ(OfRoom(whole, "room_temperature_celsius", "Temperature at MP [U6]"), 37.0)
      << whole.text;
  EXPECT_EQ(OfRoom(whole, "room_temperature_celsius", "Temperature at DP [U7]"), 40.0);
}

TEST_F(SnmpTest, RefusalsAndSilenceAreUnknownAndSayWhy) {
  const auto expect = [&](const std::string& yaml, const std::string& why) {
    const Answer answer = Ask(yaml);
    EXPECT_EQ(answer.state, State::kUnknown) << yaml;
    EXPECT_THAT(answer.text, HasSubstr(why));
    EXPECT_TRUE(answer.samples.empty());
  };
  expect(V3("nobody", "sha1"), "does not know this user");
  expect(V3("overvak", "sha256"), "authentication failed");
  Secret("auth", "auth-passord-2\n");
  expect(V3("overvak", "sha1"), "authentication failed");
  Secret("auth", "auth-passord-1\n");
  Secret("privacy", "priv-passord-2\n");
  expect(V3("overvak", "sha1", ", patience: 200ms"), "`privacy_file` is wrong");
  Secret("privacy", "short\n");
  expect(V3("overvak", "sha1"), "at least 8 characters");
  Write("community", "rom\n", 0644);
  expect(V2(), "community");
  Secret("community", "wrong\n");
  expect(V2(", patience: 100ms"), "does not know the community");
  Secret("community", "rom\n");
  expect(V2(", tables: [], oids: [{name: x, oid: 1.3.6.1.4.1.3854.9.0, kind: power}]"),
         "x gives no value");
  device_->Stop();
  expect(V2(", patience: 100ms"), "nothing speaks SNMP at 127.0.0.1");
}

TEST_F(SnmpTest, ARestartedDeviceAndAChangedSecretAreTakenInStride) {
  auto sensor = Make(V3("overvak", "sha1"));
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  device_->Stop();
  StartDevice();  // its engine has booted once more: our idea of its clock is wrong
  const Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  Secret("auth", "auth-passord-2\n");
  EXPECT_EQ(Ask(*sensor).state, State::kUnknown);
  Secret("auth", "auth-passord-1\n");
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
}

class SnmpConfigTest : public SensorFixture {};

TEST_F(SnmpConfigTest, FaultsSayWhatIsAllowed) {
  EXPECT_EQ(FaultsOf("{sensor: snmp, target: a}").size(), 3u);
  const std::string start = "{sensor: snmp, target: a, version: 2c, community_file: /c";
  EXPECT_THAT(FaultsOf(start + "}"), testing::IsEmpty());
  EXPECT_THAT(FaultsOf(start + ", tables: []}").front(), HasSubstr("nothing is asked for"));
  EXPECT_THAT(FaultsOf(start + ", tables: [cpu]}").front(), HasSubstr("entity_sensor, ups"));
  EXPECT_THAT(FaultsOf(start + ", only: ['(']}").front(), HasSubstr("regular expression"));
  EXPECT_THAT(FaultsOf(start + ", oids: [{name: a, oid: x, kind: y}]}").front(),
              HasSubstr("expected numbers"));
  EXPECT_THAT(FaultsOf(start + ", oids: [{name: a, oid: 1.3.6, kind: leak, normal: 1}]}").front(),
              HasSubstr("`normal`"));
  EXPECT_THAT(FaultsOf("{sensor: snmp, target: a, version: 2c, community_file: c}").front(),
              HasSubstr("absolute path"));
}

}  // namespace
}  // namespace oppetid::agent
