#include "collector/account/decisions_json.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <utility>

namespace oppetid::collector {
namespace {

namespace json = boost::json;

json::object WhoOf(const DecidedBy& decided) {
  return {{"at", FormatInstant(decided.at)},
          {"who", decided.who},
          {"on_behalf_of", decided.on_behalf_of},
          {"reason", decided.reason},
          {"reference", decided.reference}};
}

json::array NamesOf(const Scope& scope) {
  json::array names;
  if (scope.all) names.emplace_back("*");
  for (const std::string& name : scope.names) names.emplace_back(name);
  return names;
}

// What windows and corrections have in common.
template <class Fact>
json::object Listed(const Fact& fact, const Agreements& agreements) {
  const DecidedBy& decided = agreements.decided().at(fact.id);
  json::object out{{"id", fact.id},
                   {"number", decided.number},
                   {"services", NamesOf(fact.services)},
                   {"municipalities", NamesOf(fact.municipalities)},
                   {"from", FormatInstant(fact.when.from)},
                   {"to", FormatInstant(fact.when.to)},
                   {"recorded_at", FormatInstant(fact.recorded_at)},
                   {"who", decided.who},
                   {"on_behalf_of", decided.on_behalf_of},
                   {"reason", decided.reason},
                   {"reference", decided.reference}};
  const auto revoked = agreements.revoked().find(fact.id);
  out["revoked"] = revoked == agreements.revoked().end() ? json::value(nullptr)
                                                         : json::value(WhoOf(revoked->second));
  return out;
}

// By act number, the oldest first.
json::array Sorted(json::array list) {
  std::stable_sort(list.begin(), list.end(), [](const json::value& a, const json::value& b) {
    return a.at("number").to_number<uint64_t>() < b.at("number").to_number<uint64_t>();
  });
  return list;
}

}  // namespace

std::string DecisionsAsJson(const Agreements& agreements, Instant now) {
  const auto catalogue = agreements.catalogue();
  json::array windows, corrections, notes;
  for (const auto& [id, window] : agreements.decisions().maintenance) {
    json::object out = Listed(window, agreements);
    out["announced_at"] = FormatInstant(window.announced_at);
    // Announced elsewhere and recorded here afterwards.
    out["imported"] = window.announced_at != window.recorded_at;
    json::object planned;
    if (catalogue != nullptr) {
      for (const Service& service : catalogue->services) {
        if (!window.services.Covers(service.id)) continue;
        planned[service.id] = window.announced_at <= window.when.from - service.notice;
      }
    }
    out["planned"] = std::move(planned);
    windows.push_back(std::move(out));
  }
  for (const auto& [id, correction] : agreements.decisions().corrections) {
    json::object out = Listed(correction, agreements);
    out["as"] = correction.as == Override::kUp     ? "up"
                : correction.as == Override::kDown ? "down"
                                                   : "excluded";
    out["outage"] = agreements.decided().at(id).kind == acts::kOutageReported;
    corrections.push_back(std::move(out));
  }
  for (const OutageNote& note : agreements.notes()) {
    json::object out{{"service", note.service},
                     {"municipality", note.municipality},
                     {"at", FormatInstant(note.at)},
                     {"note", note.text},
                     {"number", note.decided.number},
                     {"recorded_at", FormatInstant(note.decided.at)},
                     {"who", note.decided.who},
                     {"on_behalf_of", note.decided.on_behalf_of},
                     {"reference", note.decided.reference}};
    notes.push_back(std::move(out));
  }
  const json::object all{{"at", FormatInstant(now)},
                         {"maintenance", Sorted(std::move(windows))},
                         {"corrections", Sorted(std::move(corrections))},
                         {"notes", std::move(notes)}};
  return json::serialize(all) + "\n";
}

}  // namespace oppetid::collector
