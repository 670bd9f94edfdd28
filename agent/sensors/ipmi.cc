// ipmi: what do the sensors of a machine's management controller (BMC) say? Asks ipmitool, over the
// network or of this very machine; judged by the BMC's own limits, inlets also by the room's.
//
// Unknown when the BMC does not answer or refuses: a management port that is down is no outage. The
// password is read by ipmitool from a file that nobody else may read; it never stands on a command
// line.
#include "agent/sensors/hardware.h"
#include "agent/sensors/ipmi_lines.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/subprocess.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

class IpmiSensor : public Sensor {
 public:
  IpmiSensor(Command command, std::string password_file, HardwareJudge judge, World& world)
      : subprocess_(std::move(command), world),
        password_file_(std::move(password_file)),
        judge_(std::move(judge)),
        world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    Answer answer;
    if (!password_file_.empty()) {
      std::function<std::string()> look = [path = password_file_] {
        const auto secret = ReadSecretFile(path);
        return secret.ok() ? std::string() : std::string(secret.status().message());
      };
      const std::string unreadable = co_await OnPool<std::string>(world_.pool, std::move(look));
      if (!unreadable.empty()) {
        answer.text = OneLine(unreadable);
        co_return answer;
      }
    }
    const Finished finished = co_await subprocess_.Run();
    const auto readings = ParseIpmiLines(finished.output);
    // ipmitool grumbles about this and that and fails for one sensor of many: what it read counts.
    if (!finished.fault.empty() || finished.signal != 0 || readings.empty()) {
      answer.text = Complaint(finished);
      co_return answer;
    }
    judge_.Judge(readings, world_.clock.SteadyNow(), answer);
    co_return answer;
  }

 private:
  static std::string Complaint(const Finished& finished) {
    if (!finished.fault.empty()) return OneLine(finished.fault);
    if (finished.signal != 0) return "ipmitool died of signal " + std::to_string(finished.signal);
    if (finished.error_output.find("Could not open device at") != std::string::npos) {
      return "cannot open /dev/ipmi0: the agent's unit needs ipmi.conf, the kernel ipmi_devintf";
    }
    const size_t error = finished.error_output.find("Error: ");
    const size_t from = error == std::string::npos ? 0 : error;
    const std::string text = OneLine(std::string_view(finished.error_output).substr(from));
    return text.empty() ? "no sensor of the BMC has a reading" : text;
  }

  Subprocess subprocess_;
  std::string password_file_;
  HardwareJudge judge_;
  World& world_;
};

void ReadNetwork(YamlMap& config, const std::string& host, Command& command,
                 std::string& password_file) {
  const int64_t port = config.Int("port", 1, 65'535, 623);
  const std::string user = config.RequiredString("user");
  password_file = config.RequiredString("password_file");
  if (!password_file.empty() && !password_file.starts_with('/')) {
    config.Fault("password_file",
                 "`password_file`: expected the absolute path of a file (mode 0600)");
  }
  if (host.starts_with('-') || user.starts_with('-')) {
    config.Fault("target", "`target`, `user`: must not start with `-`");
  }
  // Named, because asking the BMC for its suites takes ipmitool ten seconds.
  const int64_t cipher = config.Int("cipher", 0, 17, 17);
  if (cipher != 3 && cipher != 17) {
    config.Fault("cipher", "`cipher`: 17 (SHA-256) or 3 (SHA-1); the others are broken");
  }
  for (const std::string& argument :
       {std::string("-I"), std::string("lanplus"), std::string("-C"), std::to_string(cipher),
        std::string("-H"), host, std::string("-p"), std::to_string(port), std::string("-U"), user,
        std::string("-f"), password_file, std::string("-L"),
        config.OneOf("privilege", {"user", "operator", "administrator"}, "user"),
        // A second for an answer, asked twice: within the usual deadline.
        std::string("-N"), std::string("1"), std::string("-R"), std::string("1")}) {
    command.argv.push_back(argument);
  }
}

}  // namespace

std::unique_ptr<Sensor> MakeIpmiSensor(YamlMap& config, World& world) {
  Command command;
  command.argv = config.Strings("command");
  if (command.argv.empty()) command.argv = {"/usr/bin/ipmitool"};
  std::string password_file;
  if (const auto host = config.String("target")) {
    ReadNetwork(config, *host, command, password_file);
  }
  command.argv.insert(command.argv.end(), {"-c", "sdr"});
  HardwareJudge judge(config, {"(?i)inlet|ambient|intake"});
  return std::make_unique<IpmiSensor>(std::move(command), std::move(password_file),
                                      std::move(judge), world);
}

}  // namespace oppetid::agent
