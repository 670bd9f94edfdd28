#include "collector/account/fact_lines.h"

#include "common/text.h"

namespace oppetid::collector {
namespace {

std::string Names(const Scope& scope) {
  if (scope.all) return "[\"*\"]";
  std::string out;
  for (const std::string& name : scope.names) out += (out.empty() ? "[" : ",") + JsonQuote(name);
  return (out.empty() ? "[" : out) + "]";
}

std::string At(const char* key, Instant at) {
  return ",\"" + std::string(key) + "\":\"" + FormatInstant(at) + "\"";
}

// Common to windows and corrections.
template <class Fact>
std::string Decision(const char* type, const Fact& fact) {
  return "{\"type\":\"" + std::string(type) + "\",\"id\":" + JsonQuote(fact.id) +
         ",\"services\":" + Names(fact.services) +
         ",\"municipalities\":" + Names(fact.municipalities) + At("from", fact.when.from) +
         At("to", fact.when.to);
}

template <class Fact>
std::string Why(const Fact& fact) {
  return ",\"by\":" + JsonQuote(fact.by) + ",\"reason\":" + JsonQuote(fact.reason) +
         At("recorded_at", fact.recorded_at) + "}\n";
}

}  // namespace

std::string SpanJson(const StoredSpan& span) {
  std::string line = "{\"type\":\"span\",\"check\":" + JsonQuote(span.host + "/" + span.check) +
                     ",\"from\":\"" + FormatInstant(span.from) + "\",\"to\":\"" +
                     FormatInstant(span.to) + "\",\"state\":\"" +
                     std::string(StateName(span.state)) + '"';
  if (span.gap) line += ",\"gap\":true,\"reason\":" + JsonQuote(span.reason);
  return line + ",\"recorded_at\":\"" + FormatInstant(span.recorded_at) + "\"}\n";
}

std::string BackupRunJson(const StoredBackupRun& run) {
  return "{\"type\":\"backup_run\",\"job\":" + JsonQuote(run.host + "/" + run.job) +
         ",\"kind\":\"" + (run.restore_test ? "restore_test" : "backup") + "\"" +
         At("start", run.start) + At("end", run.end) + ",\"result\":\"" +
         (run.success ? "success" : "failed") + "\"" + At("recorded_at", run.recorded_at) + "}\n";
}

std::string MaintenanceJson(const Maintenance& window) {
  return Decision("maintenance", window) + At("announced_at", window.announced_at) + Why(window);
}

std::string CorrectionJson(const Correction& correction) {
  const char* as = correction.as == Override::kUp     ? "up"
                   : correction.as == Override::kDown ? "down"
                                                      : "excluded";
  return Decision("correction", correction) + ",\"as\":\"" + as + "\"" + Why(correction);
}

std::string RevocationJson(const Revocation& revocation) {
  return "{\"type\":\"revocation\",\"revokes\":" + JsonQuote(revocation.revokes) + Why(revocation);
}

}  // namespace oppetid::collector
