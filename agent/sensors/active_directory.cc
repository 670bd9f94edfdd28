// active_directory: can people log on to this domain, and do its controllers agree with each other?
// Asks every controller from outside with a plain account: LDAP, Kerberos, DNS, SMB, certificates,
// clocks, roles, replication, accounts, SYSVOL. Critical when people cannot log on or the domain is
// broken, warning when redundancy or replication suffers, unknown when nobody could look.
//
// The looking is done by the program oppetid-ad-probe beside the agent (agent/ad/): LDAP, Kerberos
// and SMB come in libraries that block and are large. The sensor reads its keys and the answer.
//
// It never locks its own account: after a refused logon none is tried again (agent/ad/memory.h).
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "agent/sensors/ad_options.h"
#include "agent/sensors/dns_message.h"
#include "agent/sensors/exposition_parser.h"
#include "agent/sensors/program_sensor.h"
#include "agent/sensors/registry.h"
#include "common/families.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr char kProbe[] = "oppetid-ad-probe";
// 16 controllers with 8 partners for 5 naming contexts each have 300 kB of series.
constexpr size_t kMaxOutputBytes = 2'000'000;
constexpr Millis kDefaultDeadline{5'000};  // as for every check
constexpr Millis kLongestDeadline{3'600'000};
constexpr Millis kLongest = std::chrono::hours(24 * 3660);
constexpr int64_t kMaxCount = 1'000'000;

// The program that lies beside the one that runs.
std::string BesideUs(const std::string& name) {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) return "/usr/bin/" + name;
  const std::string self(path, static_cast<size_t>(size));
  return self.substr(0, self.rfind('/') + 1) + name;
}

Answer Read(const Finished& finished) {
  Answer answer;
  if (!finished.fault.empty() || finished.signal != 0 || finished.exit_code > 3) {
    const std::string why = !finished.fault.empty() ? finished.fault
                            : finished.signal != 0
                                ? "died of signal " + std::to_string(finished.signal)
                                : finished.error_output;
    answer.text = OneLine(std::string(kProbe) + ": " + why);
    return answer;
  }
  answer.state = kStates[static_cast<size_t>(finished.exit_code)];
  answer.text = OneLine(finished.output);
  if (finished.output_cut) {
    answer.state = Worse(answer.state, State::kUnknown);
    answer.text = OneLine("more series than expected; " + answer.text);
  }
  const size_t line = std::min(finished.output.find('\n'), finished.output.size());
  ExpositionParser parser(std::string_view(finished.output).substr(line));
  ExpositionSeries series;
  while (parser.Next(series)) {
    if (FindFamily(series.name) == nullptr) continue;
    answer.samples.push_back({series.name, series.labels, series.value});
  }
  return answer;
}

// --- Configuration ------------------------------------------------------------------------------

// A DNS name of a controller or domain, in lower case.
std::string ReadName(YamlMap& map, std::string_view key, const std::string& text) {
  const auto name = NormalDnsName(text);
  if (name && name->find('.') != std::string::npos &&
      name->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos) {
    return *name;
  }
  if (!text.empty()) {
    map.Fault(key, "`" + std::string(key) + "`: expected a full DNS name such as dc1.ad.example");
  }
  return "";
}

void ReadControllers(YamlMap& config, AdOptions& options) {
  const Yaml* list = config.Raw("controllers");
  if (list == nullptr || list->kind != Yaml::Kind::kList || list->list.empty() ||
      list->list.size() > kMaxAdControllers) {
    config.Fault("controllers",
                 "`controllers`: expected a list of 1 to 16 names, or of "
                 "{name: …, address: …}");
    return;
  }
  for (const Yaml& one : list->list) {
    AdController controller;
    if (one.kind == Yaml::Kind::kScalar) {
      controller.name = ReadName(config, "controllers", one.scalar);
    } else {
      YamlMap map(one, config.faults());
      controller.name = ReadName(map, "name", map.RequiredString("name"));
      controller.address = map.String("address", "");
      controller.ldapi = map.String("ldapi", "");
      if (controller.address.find_first_not_of("0123456789abcdefABCDEF.:") != std::string::npos) {
        map.Fault("address", "`address`: expected an address such as 192.0.2.11");
      }
      if ((!controller.ldapi.empty() && !controller.ldapi.starts_with('/')) ||
          controller.ldapi.find(',') != std::string::npos) {
        map.Fault("ldapi", "`ldapi`: expected the absolute path of a socket");
      }
      map.Finish();
    }
    for (const AdController& other : options.controllers) {
      if (controller.name.empty() || other.name != controller.name) continue;
      config.Fault("controllers", "`controllers`: `" + controller.name + "` is there twice");
    }
    options.controllers.push_back(std::move(controller));
  }
}

std::string ReadPath(YamlMap& config, std::string_view key) {
  std::string path = config.String(key, "");
  if (!path.empty() && !path.starts_with('/')) {
    config.Fault(key, "`" + std::string(key) + "`: expected an absolute path");
  }
  return path;
}

// A name of an account, without the domain: what stands in sAMAccountName.
bool IsAccount(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_of("\"/\\[]:;|=,+*?<>@ \t\r\n") == std::string::npos && IsUtf8(name);
}

void ReadLogon(YamlMap& config, AdOptions& options) {
  options.account = config.String("account", "");
  options.password_file = ReadPath(config, "password_file");
  options.keytab = ReadPath(config, "keytab");
  options.ca = ReadPath(config, "ca");
  options.memory = ReadPath(config, "memory");
  const bool has_secret = !options.password_file.empty() || !options.keytab.empty();
  if (options.account.empty()) {
    if (has_secret) config.Fault("account", "`account`: whose password or keytab is it?");
    return;
  }
  if (!IsAccount(options.account)) {
    config.Fault("account", "`account`: expected the name without the domain, such as svc-oppetid");
  }
  if (options.password_file.empty() == options.keytab.empty()) {
    config.Fault("account", "`account`: needs either `password_file` or `keytab`");
  }
  if (options.memory.empty()) {
    config.Fault("memory",
                 "`memory`: name a file in the agent's state directory; it remembers a "
                 "refused logon over restarts, so that the account is never locked");
  }
}

// Whether the directory itself can be read.
bool HasLogon(const AdOptions& options) {
  return !options.account.empty() ||
         std::any_of(options.controllers.begin(), options.controllers.end(),
                     [](const AdController& controller) { return !controller.ldapi.empty(); });
}

void ReadParts(YamlMap& config, AdOptions& options) {
  options.parts = config.Strings("parts");
  const bool logs_on = HasLogon(options);
  if (!config.Has("parts")) {
    for (size_t i = 0; i < kAdParts.size(); ++i) {
      const std::string_view part = kAdParts[i];
      if (!logs_on && i >= kAdPartsWithoutAccount) break;
      if (part == "sntp" || (part == "shares" && options.account.empty())) continue;
      options.parts.emplace_back(part);
    }
  }
  for (const std::string& part : options.parts) {
    const auto known = std::find(kAdParts.begin(), kAdParts.end(), part);
    if (known == kAdParts.end()) {
      std::string all;
      for (const std::string_view name : kAdParts) {
        all += (all.empty() ? "" : ", ") + std::string(name);
      }
      config.Fault("parts", "`parts`: `" + OneLine(part, 60) + "` is not one of " + all);
    } else if (!logs_on && known - kAdParts.begin() >= static_cast<int>(kAdPartsWithoutAccount)) {
      config.Fault("parts", "`parts`: `" + part + "` needs an `account`");
    }
  }
}

void ReadLimit(YamlMap& config, const AdLimitRule& rule, AdLimit& limit) {
  auto map = config.Map(rule.key);
  if (!map) return;
  const auto read = [&](std::string_view key, int64_t preset) -> int64_t {
    if (rule.kind == AdLimitKind::kDuration) {
      return map->Duration(key, Millis(0), kLongest, Millis(preset)).count();
    }
    return map->Int(key, 0, rule.kind == AdLimitKind::kPercent ? 100 : kMaxCount, preset);
  };
  limit.warning = read("warning", rule.preset.warning);
  limit.critical = read("critical", rule.preset.critical);
  map->Finish();
}

}  // namespace

std::unique_ptr<Sensor> MakeActiveDirectorySensor(YamlMap& config, World& world) {
  AdOptions options;
  options.domain = ReadName(config, "domain", config.RequiredString("domain"));
  ReadControllers(config, options);
  ReadLogon(config, options);
  ReadParts(config, options);
  options.expected = config.Int("expected", 0, 1000, 0);
  options.service_accounts = config.Strings("service_accounts");
  if (options.service_accounts.size() > kMaxAdAccounts ||
      !std::all_of(options.service_accounts.begin(), options.service_accounts.end(), IsAccount)) {
    config.Fault("service_accounts", "`service_accounts`: at most 50 names without the domain");
  }
  for (size_t i = 0; i < kAdLimits.size(); ++i) {
    ReadLimit(config, kAdLimits[i], options.limits[i]);
  }
  // It ends by itself a little before it would be ended.
  const Millis deadline =
      config.Duration("deadline", Millis(10), kLongestDeadline, kDefaultDeadline);
  options.budget_ms = std::max<int64_t>(1, (deadline - deadline / 10).count());
  Command command;
  command.argv = ToArguments(options);
  command.argv.insert(command.argv.begin(), BesideUs(kProbe));
  command.max_stdout_bytes = kMaxOutputBytes;
  return std::make_unique<ProgramSensor>(std::move(command), world, Read);
}

}  // namespace oppetid::agent
