#include "collector/status_json.h"

#include <algorithm>

#include "common/text.h"

namespace oppetid::collector {
namespace {

std::string Time(std::optional<Instant> at) { return at ? '"' + FormatInstant(*at) + '"' : "null"; }

std::string Bool(std::optional<bool> value) {
  if (!value) return "null";
  return *value ? "true" : "false";
}

std::string AgentJson(const AgentView& agent) {
  return "{\"municipality\":" + JsonQuote(agent.municipality) +
         ",\"host\":" + JsonQuote(agent.host) + ",\"up\":" + Bool(agent.up) +
         ",\"connected\":" + Bool(agent.connected) + ",\"last_seen\":" + Time(agent.last_seen) +
         ",\"clock_offset_ms\":" + std::to_string(agent.clock_offset_ms) +
         ",\"spool_facts\":" + std::to_string(agent.spool_facts) +
         ",\"spool_bytes\":" + std::to_string(agent.spool_bytes) +
         ",\"gaps\":" + std::to_string(agent.gaps) + ",\"version\":" + JsonQuote(agent.version) +
         ",\"certificate_expires\":" + Time(agent.certificate_expires) + "}";
}

std::string CheckJson(const AgentView& agent, const CheckView& check) {
  return "{\"municipality\":" + JsonQuote(agent.municipality) +
         ",\"host\":" + JsonQuote(agent.host) + ",\"check\":" + JsonQuote(check.check) +
         ",\"state\":" + JsonQuote(StateName(check.state)) + ",\"since\":" + Time(check.since) +
         ",\"last_observed\":" + Time(check.last_observed) +
         ",\"valid_until\":" + Time(check.valid_until) + ",\"text\":" + JsonQuote(check.text) + "}";
}

}  // namespace

std::string StatusJson(const View& view, const Reach& reach) {
  std::string agents, checks;
  for (const auto& agent : view.agents) {
    if (!reach.Covers(agent->municipality)) continue;
    if (!agents.empty()) agents += ",\n";
    agents += AgentJson(*agent);
    std::vector<const CheckView*> sorted;
    for (const CheckView& check : agent->checks) sorted.push_back(&check);
    std::sort(sorted.begin(), sorted.end(),
              [](const CheckView* a, const CheckView* b) { return a->check < b->check; });
    for (const CheckView* check : sorted) {
      if (!checks.empty()) checks += ",\n";
      checks += CheckJson(*agent, *check);
    }
  }
  return "{\"at\":\"" + FormatInstant(view.at) + "\",\n\"agents\":[" + agents + "],\n\"checks\":[" +
         checks + "]}\n";
}

std::string SpanJson(const StoredSpan& span) {
  std::string line = "{\"type\":\"span\",\"check\":" + JsonQuote(span.host + "/" + span.check) +
                     ",\"from\":\"" + FormatInstant(span.from) + "\",\"to\":\"" +
                     FormatInstant(span.to) + "\",\"state\":\"" +
                     std::string(StateName(span.state)) + '"';
  if (span.gap) line += ",\"gap\":true,\"reason\":" + JsonQuote(span.reason);
  return line + ",\"recorded_at\":\"" + FormatInstant(span.recorded_at) + "\"}\n";
}

}  // namespace oppetid::collector
