#include "collector/account/catalogues.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/report/catalogue_reader.h"
#include "collector/sla/timeline.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr size_t kMaxWarnings = 50;  // what a person reads; the search for the nearest name is dear
constexpr size_t kMaxShown = 200;    // bytes of a value in a line of changes

using Leaves = std::map<std::string, std::string>;

// What names an element of a list of mappings, if it has such a key.
std::string NameOf(const Yaml& element) {
  std::string name;
  for (const char* key : {"id", "job", "kind", "priority"}) {
    for (const auto& [its, value] : element.map) {
      if (its == key && value.kind == Yaml::Kind::kScalar) {
        name += (name.empty() ? "" : " ") + value.scalar;
      }
    }
  }
  return name;
}

std::string Flow(const Yaml& yaml) {
  std::vector<std::string> parts;
  for (const Yaml& element : yaml.list) parts.push_back(Flow(element));
  for (const auto& [key, value] : yaml.map) parts.push_back(key + ": " + Flow(value));
  if (yaml.kind == Yaml::Kind::kList) return "[" + absl::StrJoin(parts, ", ") + "]";
  if (yaml.kind == Yaml::Kind::kMap) return "{" + absl::StrJoin(parts, ", ") + "}";
  return yaml.scalar;
}

// A list of named mappings is followed by their names, any other list is one value.
void Flatten(const Yaml& yaml, const std::string& path, Leaves& out) {
  const bool named = yaml.kind == Yaml::Kind::kList && !yaml.list.empty() &&
                     std::all_of(yaml.list.begin(), yaml.list.end(), [](const Yaml& element) {
                       return element.kind == Yaml::Kind::kMap && !NameOf(element).empty();
                     });
  if (named) {
    for (const Yaml& element : yaml.list) {
      Flatten(element, path + "[" + NameOf(element) + "]", out);
    }
  } else if (yaml.kind == Yaml::Kind::kMap && !yaml.map.empty()) {
    for (const auto& [key, value] : yaml.map) {
      Flatten(value, path.empty() ? key : path + "." + key, out);
    }
  } else if (!path.empty()) {
    out[path] = Flow(yaml);
  }
}

Leaves LeavesOf(std::string_view text) {
  Leaves leaves;
  Faults faults("catalogue");  // it was read before, without faults
  Flatten(ParseYaml(text, faults), "", leaves);
  return leaves;
}

std::vector<std::string> UnknownChecks(const Catalogue& catalogue,
                                       const std::vector<std::string>& checks) {
  const std::vector<std::string_view> known(checks.begin(), checks.end());
  std::map<std::string, std::string> missing;  // with the service that names it
  for (const Service& service : catalogue.services) {
    const std::function<void(const Expression&)> visit = [&](const Expression& expression) {
      for (const Expression& part : expression.parts) visit(part);
      if (!expression.parts.empty()) return;
      for (const ServiceMember& member : service.members) {
        const std::string check = ForMunicipality(expression.check, member.municipality);
        if (std::find(known.begin(), known.end(), check) == known.end()) {
          missing.try_emplace(check, service.id);
        }
      }
    };
    visit(service.up_when);
  }
  std::vector<std::string> warnings;
  for (const auto& [check, service] : missing) {
    if (warnings.size() == kMaxWarnings) {
      warnings.push_back("and " + std::to_string(missing.size() - kMaxWarnings) + " more");
      break;
    }
    warnings.push_back("no agent has the check `" + OneLine(check, 100) + "` of service `" +
                       OneLine(service, 60) + "`" + DidYouMean(check, known) +
                       "; it counts as unknown");
  }
  return warnings;
}

}  // namespace

std::vector<std::string> CatalogueChanges(std::string_view before, std::string_view after) {
  const Leaves old = LeavesOf(before), now = LeavesOf(after);
  std::map<std::string, std::string> lines;  // in the order of paths
  for (const auto& [path, value] : old) {
    if (!now.contains(path)) lines[path] = "- " + path + ": " + value;
  }
  for (const auto& [path, value] : now) {
    const auto it = old.find(path);
    if (it == old.end()) {
      lines[path] = "+ " + path + ": " + value;
    } else if (it->second != value) {
      lines[path] = "~ " + path + ": " + OneLine(it->second, kMaxShown) + " -> " + value;
    }
  }
  std::vector<std::string> out;
  for (const auto& [path, line] : lines) out.push_back(OneLine(line, 2 * kMaxShown + path.size()));
  return out;
}

absl::StatusOr<CatalogueDraft> DraftCatalogue(std::string_view yaml, const std::string& file,
                                              const std::string& reason,
                                              const Agreements& agreements,
                                              const std::vector<std::string>& checks) {
  Faults faults(file);
  const auto catalogue = ReadCatalogue(yaml, faults);
  if (!catalogue) return absl::InvalidArgumentError(absl::StrJoin(faults.lines(), "\n"));
  CatalogueDraft draft;
  draft.warnings = UnknownChecks(*catalogue, checks);
  const std::string before = agreements.versions().empty() ? "" : agreements.versions().back().yaml;
  if (before == yaml) return draft;
  draft.changes = CatalogueChanges(before, yaml);
  boost::json::object body{{"yaml", yaml}};
  if (!reason.empty()) body["reason"] = reason;
  draft.body = boost::json::serialize(body);
  return draft;
}

absl::StatusOr<const CatalogueVersion*> CatalogueOfPeriod(const Agreements& agreements,
                                                          const std::string& period,
                                                          AsKnownAt as_known_at) {
  if (agreements.catalogue() == nullptr) {
    return absl::FailedPreconditionError(
        "there is no catalogue yet: `oppetid catalogue apply FILE` says what was agreed");
  }
  const auto bounds = ParsePeriod(period, agreements.catalogue()->zone);
  if (!bounds) {
    return absl::InvalidArgumentError("`" + OneLine(period, 60) +
                                      "` is not a period; allowed: 2026-Q3, 2026-07, 2026 or "
                                      "2026-07-01..2026-08-01 (the last day does not count)");
  }
  Instant last = bounds->to - Millis(1);
  if (as_known_at) last = std::min(last, *as_known_at);
  const CatalogueVersion* version = agreements.InForce(last);
  if (version == nullptr) {
    return absl::FailedPreconditionError("no catalogue was in force at " + FormatInstant(last) +
                                         "; the first was applied at " +
                                         FormatInstant(agreements.versions().front().decided.at) +
                                         ". --catalogue FILE computes with another");
  }
  return version;
}

std::string VersionsAsJson(const Agreements& agreements) {
  boost::json::array list;
  for (const CatalogueVersion& version : agreements.versions()) {
    const DecidedBy& its = version.decided;
    list.push_back({{"number", its.number},
                    {"at", FormatInstant(its.at)},
                    {"who", its.who},
                    {"on_behalf_of", its.on_behalf_of},
                    {"reason", its.reason},
                    {"lines", std::count(version.yaml.begin(), version.yaml.end(), '\n')}});
  }
  return boost::json::serialize(list) + "\n";
}

}  // namespace oppetid::collector
