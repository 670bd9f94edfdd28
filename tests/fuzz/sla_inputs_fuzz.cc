// Any bytes as a catalogue, a history or tickets: refused or computed, never a crash.
//
// The first byte says what the rest is: h a history, t tickets, anything else a catalogue.
#include <string_view>

#include "collector/report/catalogue_reader.h"
#include "collector/report/facts_reader.h"
#include "collector/report/html.h"
#include "collector/report/json.h"

namespace {

using namespace oppetid;             // NOLINT: one file, one function
using namespace oppetid::collector;  // NOLINT

constexpr std::string_view kCatalogue = R"(
municipalities: [{id: m}]
calendars: {c: {hours: {mon-fri: "08:00-15:30"}, holidays: norway}}
services: [{id: s, municipalities: [m], target: 99 %, hours: c, up_when: h/a}]
backups: [{job: j, municipalities: [m], rpo: 26h, target: 99 %, restore_test_every: 92d}]
tickets: {calendar: c, targets: [{kind: incident, priority: P1, resolve_within: 4h}]}
)";

void Compute(const Catalogue& catalogue, const Facts& facts) {
  ReportRequest request;
  request.period = ParsePeriod("2026-07", catalogue.zone).value();
  const Report report = ComputeReport(catalogue, facts, request);
  ReportAsJson(report);
  ReportAsHtml(report);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Faults faults("catalogue.yaml");
  const auto catalogue =
      ReadCatalogue(data[0] == 'h' || data[0] == 't' ? kCatalogue : text, faults);
  if (!catalogue) return 0;
  Facts facts;
  Findings history("history.jsonl"), tickets("tickets.jsonl");
  FactsReader reader(history, tickets, facts);
  if (data[0] == 'h' || data[0] == 't') {
    int line = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view its = text.substr(at, end - at);
      data[0] == 'h' ? reader.HistoryLine(its, ++line) : reader.TicketLine(its, ++line);
      at = end + 1;
    }
  }
  reader.Conclude(*catalogue);
  Compute(*catalogue, facts);
  return 0;
}
