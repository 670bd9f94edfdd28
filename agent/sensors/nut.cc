// nut: how is the UPS? Asks upsd of the Network UPS Tools: on mains or on battery and for how long,
// charge, runtime, load, the battery's health, and the room probe that many UPSes carry.
//
// Unknown when upsd is out of reach, does not know the UPS, or has no fresh data of it: a UPS that
// nobody hears is no power cut. Reading needs no login.
#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>

#include "agent/sensors/net.h"
#include "agent/sensors/nut_lines.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/room.h"
#include "agent/sensors/ups.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;

// 200 variables take 8 kB; more than this is not upsd.
constexpr size_t kMaxAnswer = 64 * 1024;
constexpr size_t kMaxUpsName = 63;

struct NutConfig {
  HostPort target;
  std::string ups;
};

std::string Explain(const std::string& error) {
  if (error == "DATA-STALE") return "upsd has no fresh data of the UPS (DATA-STALE)";
  if (error == "DRIVER-NOT-CONNECTED") return "the UPS's driver does not run";
  if (error == "UNKNOWN-UPS") return "upsd knows no UPS of this name";
  if (error == "ACCESS-DENIED") return "upsd does not let this host read (ACCESS-DENIED)";
  return "upsd answers " + error;
}

class NutSensor : public Sensor {
 public:
  NutSensor(NutConfig config, UpsLevels ups, RoomLevels room, const std::string& name, World& world)
      : config_(std::move(config)),
        world_(world),
        ups_(std::move(ups), name),
        room_(std::move(room), name) {}

  boost::asio::awaitable<Answer> Ask() override {
    Connected connected = co_await Connect(world_, config_.target);
    if (!connected.error.empty()) co_return Unknown(connected.error);
    const std::string question = "LIST VAR " + config_.ups + "\nLOGOUT\n";
    boost::system::error_code error;
    co_await boost::asio::async_write(*connected.socket, boost::asio::buffer(question),
                                      redirect_error(use_awaitable, error));
    std::string text;
    std::array<char, 4096> buffer;
    NutAnswer answer;
    while (!error && !answer.complete && text.size() < kMaxAnswer) {
      const size_t got = co_await connected.socket->async_read_some(
          boost::asio::buffer(buffer), redirect_error(use_awaitable, error));
      text.append(buffer.data(), got);
      answer = ParseNutAnswer(text);
    }
    if (!answer.complete) {
      co_return Unknown(error ? "upsd ended the connection: " + error.message()
                              : std::string("this is not upsd: it talks without end"));
    }
    co_return Judge(answer);
  }

 private:
  static Answer Unknown(const std::string& why) {
    Answer answer;
    answer.text = OneLine(why);
    return answer;
  }

  Answer Judge(const NutAnswer& heard) {
    if (!heard.error.empty()) return Unknown(Explain(heard.error));
    const auto ups = UpsOfNut(heard);
    if (!ups) return Unknown("the UPS's status says nothing of its power yet");
    const Steady now = world_.clock.SteadyNow();
    Answer answer;
    Verdict verdict;
    ups_.Judge(*ups, now, verdict, answer);
    room_.Judge(AmbientOfNut(heard), now, verdict, answer);
    answer.state = verdict.state();
    answer.text = verdict.Text();
    return answer;
  }

  NutConfig config_;
  World& world_;
  UpsJudge ups_;
  RoomJudge room_;
};

bool IsUpsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxUpsName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

}  // namespace

std::unique_ptr<Sensor> MakeNutSensor(YamlMap& config, World& world) {
  NutConfig nut;
  nut.target = {"127.0.0.1", 3493};
  if (config.Has("target")) nut.target = ReadTarget(config, "target");
  nut.ups = config.RequiredString("ups");
  if (!nut.ups.empty() && !IsUpsName(nut.ups)) {
    config.Fault("ups", "`ups`: 1 to 63 of [A-Za-z0-9_.-], as in upsd's ups.conf");
  }
  const std::string room = ReadRoom(config);
  return std::make_unique<NutSensor>(std::move(nut), ReadUpsLevels(config), ReadRoomLevels(config),
                                     room, world);
}

}  // namespace oppetid::agent
