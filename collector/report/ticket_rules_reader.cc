// The ticket targets of catalogue.yaml.
#include <algorithm>
#include <set>

#include "collector/report/catalogue_reader.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr Millis kMaxDuration = std::chrono::hours(24 * 36'525);  // 100 years, as ParseDuration

TicketTarget ReadTarget(YamlMap& map) {
  TicketTarget target;
  const std::vector<std::string_view> kinds = {"incident", "request", "problem", "change"};
  const std::vector<std::string_view> priorities = {"P1", "P2", "P3", "P4", "P5"};
  target.kind = map.RequiredString("kind");
  if (!target.kind.empty()) target.kind = map.OneOf("kind", kinds, "");
  target.priority = map.RequiredString("priority");
  if (!target.priority.empty()) target.priority = map.OneOf("priority", priorities, "");
  target.respond_within = map.Duration("respond_within", Millis(1), kMaxDuration);
  target.resolve_within = map.Duration("resolve_within", Millis(1), kMaxDuration);
  target.attain = map.PercentOf("attain");
  if (target.attain && target.attain->millionths == 0) {
    map.Fault("attain", "`attain`: 0 % asks for nothing; allowed: above 0 %, at most 100 %");
  }
  target.calendar = map.String("calendar", "");
  map.Finish();
  return target;
}

}  // namespace

TicketRules ReadTicketRules(const Yaml& yaml, Faults& faults) {
  TicketRules rules;
  YamlMap map(yaml, faults);
  rules.calendar = map.String("calendar", "always");
  if (const Yaml* pause_on = map.Raw("pause_on"); pause_on != nullptr) {
    rules.pause_on.clear();
    const std::vector<std::string_view> statuses = {
        "new", "open", "waiting_customer", "waiting_supplier", "resolved", "closed"};
    if (pause_on->kind != Yaml::Kind::kList) {
      faults.Add(pause_on->at, "`pause_on`: expected a list of statuses");
    }
    for (const Yaml& element : pause_on->list) {
      if (std::find(statuses.begin(), statuses.end(), element.scalar) == statuses.end()) {
        faults.Add(element.at, "`pause_on`: `" + OneLine(element.scalar, 60) + "` is not a status" +
                                   DidYouMean(element.scalar, statuses) +
                                   "; allowed: new, open, waiting_customer, waiting_supplier, "
                                   "resolved, closed");
      }
      rules.pause_on.push_back(element.scalar);
    }
  }
  std::set<std::pair<std::string, std::string>> seen;
  for (YamlMap& its : map.Maps("targets")) {
    TicketTarget target = ReadTarget(its);
    if (!target.kind.empty() && !target.priority.empty() &&
        !seen.insert({target.kind, target.priority}).second) {
      its.Fault("kind", "a second target for " + target.kind + " " + target.priority +
                            "; allowed: one for each kind and priority");
    }
    rules.targets.push_back(std::move(target));
  }
  map.Finish();
  return rules;
}

}  // namespace oppetid::collector
