// snmp: what do the room's probes, power strips and UPSes say over SNMP? ENTITY-SENSOR-MIB and
// UPS-MIB are built in; what a vendor keeps elsewhere is read by a table of oids in the
// configuration. Version 3 with authentication and encryption, or 2c.
//
// A device that is silent or refuses us is unknown, never critical: nobody has looked. So is a
// probe that is there but gives no value.
#include <algorithm>

#include "agent/sensors/name_filter.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/room.h"
#include "agent/sensors/snmp_session.h"
#include "agent/sensors/snmp_tables.h"
#include "agent/sensors/ups.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxColumn = 2048;  // rows of a table: those of a large switch
constexpr size_t kMaxUpsValues = 512;
constexpr size_t kMaxOids = 200;
constexpr size_t kMaxUserBytes = 32;  // RFC 3414

// A line of the configuration's table.
struct OidLine {
  Oid oid;
  std::string name;
  ReadingKind kind = ReadingKind::kTemperature;
  double scale = 1;
  int64_t alarm = 1;              // the value of a contact that tells of water, smoke, an open door
  std::optional<int64_t> normal;  // its only other one; every other if absent
};

struct Wanted {
  bool sensors = true;
  bool ups = true;
  // Asked for by name, so that nothing found there is not fine.
  bool sensors_named = false;
  bool ups_named = false;
  std::vector<OidLine> oids;
  NameFilter names;
};

// 1 for what tells of water, smoke, an open door; absent for neither this nor that.
std::optional<double> ContactOf(const OidLine& line, double value) {
  if (value == static_cast<double>(line.alarm)) return 1;
  if (line.normal && value != static_cast<double>(*line.normal)) return std::nullopt;
  return 0;
}

bool IsContact(ReadingKind kind) {
  return kind == ReadingKind::kLeak || kind == ReadingKind::kSmoke || kind == ReadingKind::kDoor;
}

class SnmpSensor : public Sensor {
 public:
  SnmpSensor(SnmpConfig config, Wanted wanted, UpsLevels ups, RoomLevels room,
             const std::string& name, World& world)
      : session_(std::move(config), world),
        wanted_(std::move(wanted)),
        world_(world),
        ups_(ups, name),
        room_(room, name) {}

  boost::asio::awaitable<Answer> Ask() override {
    Found found;
    found.error = co_await session_.Open();
    if (found.error.empty() && wanted_.sensors) co_await AskSensors(found);
    if (found.error.empty() && wanted_.ups) co_await AskUps(found);
    if (found.error.empty() && !wanted_.oids.empty()) co_await AskOids(found);
    co_return Judge(found);
  }

 private:
  struct Found {
    std::string error;
    std::vector<Reading> readings;
    bool sensors = false;  // some of them are of ENTITY-SENSOR-MIB
    std::optional<UpsReading> ups;
    bool is_ups = false;  // also one that does not say what it runs on
  };

  boost::asio::awaitable<void> AskSensors(Found& found) {
    std::vector<SnmpValue> values;
    for (const Oid& column : SensorColumns()) {
      SnmpAnswer answer = co_await session_.Walk(column, kMaxColumn);
      found.error = answer.error;
      if (!found.error.empty()) co_return;
      std::move(answer.values.begin(), answer.values.end(), std::back_inserter(values));
      // Without the types, which come first, there is no such table. Other columns may be left out.
      if (values.empty()) co_return;
    }
    const std::vector<SensorRow> rows = SensorRows(values);
    std::vector<Oid> oids;
    for (const SensorRow& row : rows) {
      for (Oid& oid : NamesOf(row.row)) oids.push_back(std::move(oid));
    }
    const SnmpAnswer names = co_await session_.Get(oids);
    found.error = names.error;
    for (size_t i = 0; i < rows.size() && found.error.empty(); ++i) {
      std::string name = NameOf(names.values[2 * i]);
      if (name.empty()) name = NameOf(names.values[2 * i + 1]);
      const auto reading = ReadingOf(rows[i], name);
      if (reading && wanted_.names.Wants(reading->name)) found.readings.push_back(*reading);
    }
    found.sensors = !found.readings.empty();
  }

  boost::asio::awaitable<void> AskUps(Found& found) {
    const SnmpAnswer answer = co_await session_.Walk(UpsRoot(), kMaxUpsValues);
    found.error = answer.error;
    found.ups = UpsOf(answer.values);
    found.is_ups = !answer.values.empty();
  }

  boost::asio::awaitable<void> AskOids(Found& found) {
    std::vector<Oid> oids;
    for (const OidLine& line : wanted_.oids) oids.push_back(line.oid);
    const SnmpAnswer answer = co_await session_.Get(oids);
    found.error = answer.error;
    for (size_t i = 0; i < answer.values.size() && found.error.empty(); ++i) {
      const OidLine& line = wanted_.oids[i];
      Reading reading{line.kind, line.name, NumberOf(answer.values[i])};
      if (reading.value && IsContact(line.kind)) {
        reading.value = ContactOf(line, *reading.value);
      } else if (reading.value) {
        *reading.value *= line.scale;
      }
      found.readings.push_back(std::move(reading));
    }
  }

  Answer Judge(const Found& found) {
    Answer answer;
    if (!found.error.empty()) {
      answer.text = OneLine(found.error);
      return answer;
    }
    if (!found.is_ups && found.readings.empty()) {
      answer.text = "the device has none of the values asked for";
      return answer;
    }
    const Steady now = world_.clock.SteadyNow();
    Verdict verdict;
    if (found.ups) {
      ups_.Judge(*found.ups, now, verdict, answer);
    } else if (found.is_ups) {
      verdict.Add(State::kUnknown, "the UPS does not say what it runs on");
    } else if (had_ups_ || wanted_.ups_named) {
      verdict.Add(State::kUnknown, "the device tells nothing of a UPS");
    }
    had_ups_ = had_ups_ || found.is_ups;
    if (wanted_.sensors_named && !found.sensors) {
      verdict.Add(State::kUnknown, "the device has no such sensor");
    }
    room_.Judge(found.readings, now, verdict, answer);
    answer.state = verdict.state();
    answer.text = verdict.Text();
    return answer;
  }

  SnmpSession session_;
  Wanted wanted_;
  World& world_;
  UpsJudge ups_;
  RoomJudge room_;
  bool had_ups_ = false;
};

std::string ReadPath(YamlMap& config, std::string_view key) {
  std::string path = config.RequiredString(key);
  if (!path.empty() && !path.starts_with('/')) {
    config.Fault(key,
                 "`" + std::string(key) + "`: expected the absolute path of a file (mode 0600)");
  }
  return path;
}

SnmpConfig ReadSession(YamlMap& config) {
  SnmpConfig snmp;
  const std::string target = config.RequiredString("target");
  const bool only_host = !target.empty() && target.find(':') == std::string::npos;
  const auto parsed = ParseHostPort(only_host ? target + ":161" : target);
  if (!parsed && !target.empty()) {
    config.Fault("target", "`target`: expected host or host:port, port 1 to 65535");
  }
  snmp.target = parsed.value_or(HostPort{});
  snmp.v3 = config.OneOf("version", {"2c", "3"}, "3") == "3";
  snmp.patience = config.Duration("patience", Millis(50), std::chrono::seconds(30), snmp.patience);
  if (!snmp.v3) {
    snmp.community_file = ReadPath(config, "community_file");
    return snmp;
  }
  snmp.user = config.RequiredString("user");
  if (snmp.user.size() > kMaxUserBytes) {
    config.Fault("user", "`user`: a user of SNMPv3 has at most 32 bytes");
  }
  const std::vector<std::string_view> names(kUsmAuthNames.begin(), kUsmAuthNames.end());
  const std::string auth = config.OneOf("auth", names, "sha256");
  const auto at = std::find(names.begin(), names.end(), auth);
  if (at != names.end()) snmp.auth = static_cast<UsmAuth>(at - names.begin());
  snmp.auth_file = ReadPath(config, "auth_file");
  snmp.privacy_file = ReadPath(config, "privacy_file");
  return snmp;
}

OidLine ReadOidLine(YamlMap& map) {
  constexpr std::array<std::string_view, 7> kKinds = {"temperature", "humidity", "leak", "smoke",
                                                      "door",        "current",  "power"};
  OidLine line;
  line.name = OneLine(map.RequiredString("name"), kMaxReadingName);
  const std::string oid = map.RequiredString("oid");
  if (const auto parsed = ParseOid(oid)) {
    line.oid = *parsed;
  } else if (!oid.empty()) {
    map.Fault("oid", "`oid`: expected numbers, as in 1.3.6.1.4.1.318.1.1.10.2.3.2.1.4.1");
  }
  const std::string kind = map.OneOf("kind", {kKinds.begin(), kKinds.end()}, "");
  const auto at = std::find(kKinds.begin(), kKinds.end(), kind);
  if (at != kKinds.end()) {
    line.kind = static_cast<ReadingKind>(at - kKinds.begin());
  } else {
    map.Fault("kind",
              "`kind` is missing: one of temperature, humidity, leak, smoke, door, current, power");
  }
  // A share is told in percent by every device we know of.
  line.scale = map.Double("scale", -1e6, 1e6).value_or(1);
  if (line.kind == ReadingKind::kHumidity) line.scale /= 100;
  line.alarm = map.Int("alarm", INT32_MIN, INT32_MAX, line.alarm);
  line.normal = map.Int("normal", INT32_MIN, INT32_MAX);
  if (line.normal == line.alarm) map.Fault("normal", "`normal` must be another than `alarm` (1)");
  map.Finish();
  return line;
}

Wanted ReadWanted(YamlMap& config) {
  Wanted wanted;
  for (YamlMap& map : config.Maps("oids")) {
    if (wanted.oids.size() >= kMaxOids) {
      config.Fault("oids", "`oids`: at most 200");
      break;
    }
    wanted.oids.push_back(ReadOidLine(map));
  }
  const std::vector<std::string> tables = config.Strings("tables");
  if (!tables.empty() || config.Has("tables")) wanted.sensors = wanted.ups = false;
  for (const std::string& table : tables) {
    if (table == "entity_sensor") {
      wanted.sensors = wanted.sensors_named = true;
    } else if (table == "ups") {
      wanted.ups = wanted.ups_named = true;
    } else {
      config.Fault("tables", "`tables`: expected a list of entity_sensor, ups");
    }
  }
  if (wanted.sensors && config.Has("only")) wanted.sensors_named = true;
  wanted.names = NameFilter::Read(config);
  if (!wanted.sensors && !wanted.ups && wanted.oids.empty()) {
    config.Fault("tables", "`tables`: nothing is asked for; give a table or `oids`");
  }
  return wanted;
}

}  // namespace

std::unique_ptr<Sensor> MakeSnmpSensor(YamlMap& config, World& world) {
  SnmpConfig session = ReadSession(config);
  Wanted wanted = ReadWanted(config);
  const std::string room = ReadRoom(config);
  return std::make_unique<SnmpSensor>(std::move(session), std::move(wanted), ReadUpsLevels(config),
                                      ReadRoomLevels(config), room, world);
}

}  // namespace oppetid::agent
