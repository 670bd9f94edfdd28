#include "agent/sensors/ad_options.h"

#include <algorithm>

#include "agent/sensors/ad_decode.h"

namespace oppetid::agent {
namespace {

struct TextOption {
  std::string_view key;
  std::string AdOptions::*text;
};
constexpr TextOption kTexts[] = {
    {"domain", &AdOptions::domain},
    {"account", &AdOptions::account},
    {"password_file", &AdOptions::password_file},
    {"keytab", &AdOptions::keytab},
    {"ca", &AdOptions::ca},
    {"memory", &AdOptions::memory},
};
struct NumberOption {
  std::string_view key;
  int64_t AdOptions::*number;
};
constexpr NumberOption kNumbers[] = {
    {"expected", &AdOptions::expected},
    {"budget_ms", &AdOptions::budget_ms},
};
struct ListOption {
  std::string_view key;
  std::vector<std::string> AdOptions::*list;
  size_t most;
};
constexpr ListOption kLists[] = {
    {"service_account", &AdOptions::service_accounts, kMaxAdAccounts},
    {"part", &AdOptions::parts, kAdParts.size()},
};
constexpr std::string_view kLimitPrefix = "limit.";

// Name, address and socket never hold a comma.
AdController ToController(std::string_view value) {
  AdController controller;
  for (std::string* field : {&controller.name, &controller.address, &controller.ldapi}) {
    const size_t comma = std::min(value.find(','), value.size());
    *field = value.substr(0, comma);
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return controller;
}

// Whether `key` is a known one and `value` fits it.
bool Set(AdOptions& options, std::string_view key, std::string_view value) {
  for (const TextOption& option : kTexts) {
    if (option.key != key) continue;
    options.*option.text = value;
    return true;
  }
  for (const NumberOption& option : kNumbers) {
    if (option.key != key) continue;
    const auto number = ParseDecimal(value);
    options.*option.number = number.value_or(0);
    return number && *number >= 0;
  }
  for (const ListOption& option : kLists) {
    if (option.key != key) continue;
    (options.*option.list).emplace_back(value);
    return (options.*option.list).size() <= option.most;
  }
  if (key == "controller") {
    options.controllers.push_back(ToController(value));
    return options.controllers.size() <= kMaxAdControllers;
  }
  if (!key.starts_with(kLimitPrefix)) return false;
  key.remove_prefix(kLimitPrefix.size());
  for (size_t i = 0; i < kAdLimits.size(); ++i) {
    if (kAdLimits[i].key != key) continue;
    const size_t comma = std::min(value.find(','), value.size() - (value.empty() ? 0 : 1));
    const auto warning = ParseDecimal(value.substr(0, comma));
    const auto critical = ParseDecimal(value.substr(std::min(comma + 1, value.size())));
    options.limits[i] = {warning.value_or(0), critical.value_or(0)};
    return warning && critical;
  }
  return false;
}

}  // namespace

AdOptions::AdOptions() {
  for (size_t i = 0; i < kAdLimits.size(); ++i) limits[i] = kAdLimits[i].preset;
}

bool AdOptions::Asks(std::string_view part) const {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

bool AdOptions::NeedsLogon() const {
  return std::any_of(kAdParts.begin() + kAdPartsWithoutAccount, kAdParts.end(),
                     [this](std::string_view part) { return Asks(part); });
}

std::vector<std::string> ToArguments(const AdOptions& options) {
  std::vector<std::string> arguments;
  const auto add = [&arguments](std::string_view key, const std::string& value) {
    if (!value.empty()) arguments.push_back(std::string(key) + "=" + value);
  };
  for (const TextOption& option : kTexts) add(option.key, options.*option.text);
  for (const NumberOption& option : kNumbers) {
    add(option.key, std::to_string(options.*option.number));
  }
  for (const ListOption& option : kLists) {
    for (const std::string& value : options.*option.list) add(option.key, value);
  }
  for (const AdController& controller : options.controllers) {
    add("controller", controller.name + "," + controller.address + "," + controller.ldapi);
  }
  for (size_t i = 0; i < kAdLimits.size(); ++i) {
    add(std::string(kLimitPrefix) + std::string(kAdLimits[i].key),
        std::to_string(options.limits[i].warning) + "," +
            std::to_string(options.limits[i].critical));
  }
  return arguments;
}

AdOptions FromArguments(std::span<const char* const> arguments, std::string& fault) {
  AdOptions options;
  for (const std::string_view argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == std::string_view::npos ||
        !Set(options, argument.substr(0, equals), argument.substr(equals + 1))) {
      fault = "not an option: " + std::string(argument);
      return options;
    }
  }
  if (options.domain.empty() || options.controllers.empty() || options.budget_ms == 0) {
    fault = "domain, controller and budget_ms are needed";
  } else if (!options.account.empty() && options.memory.empty()) {
    fault = "account needs memory";
  }
  return options;
}

}  // namespace oppetid::agent
