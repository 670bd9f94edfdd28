#include "collector/report/json.h"

#include "common/text.h"

namespace oppetid::collector {
namespace {

// Writes one JSON object; commas are its business.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_ += '{'; }
  void Text(const char* key, std::string_view value) { Key(key) += JsonQuote(value); }
  void Number(const char* key, int64_t value) { Key(key) += std::to_string(value); }
  void NumberOrNull(const char* key, const std::optional<int64_t>& value) {
    Key(key) += value ? std::to_string(*value) : "null";
  }
  void At(const char* key, Instant value) { Text(key, FormatInstant(value)); }
  std::string& Key(const char* key) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += key;
    out_ += "\":";
    return out_;
  }
  void Close() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

// A list under `key`, one element a line.
template <class Rows, class Write>
void List(std::string& out, Object& top, const char* key, const Rows& rows, Write write) {
  top.Key(key) += "[";
  const char* separator = "\n";
  for (const auto& row : rows) {
    out += separator;
    write(out, row);
    separator = ",\n";
  }
  out += "]";
}

void WriteService(std::string& out, const ServiceRow& row) {
  const ServiceFigures& figures = row.figures;
  Object object(out);
  object.Text("service", row.service->id);
  object.Text("municipality", row.municipality);
  object.Number("period_ms", figures.period_ms);
  object.Number("service_time_ms", figures.measured.service_time_ms());
  object.Number("outside_ms", figures.outside_ms);
  object.Number("excluded_ms", figures.excluded_ms);
  object.Number("up_ms", figures.measured.up_ms);
  object.Number("down_ms", figures.measured.down_ms);
  object.Number("unknown_ms", figures.measured.unknown_ms);
  object.Number("longest_down_ms", figures.longest_down_ms);
  object.Text("verdict", VerdictName(figures.verdict));
  object.Key("outages") += '[';
  for (size_t i = 0; i < figures.outages.size(); ++i) {
    if (i > 0) out += ',';
    Object outage(out);
    outage.At("from", figures.outages[i].from);
    outage.At("to", figures.outages[i].to);
    outage.Number("down_ms", figures.outages[i].down_ms);
    outage.Close();
  }
  out += ']';
  object.Close();
}

void WriteCompliance(Object& object, const BackupFigures& figures) {
  object.Number("within_ms", figures.within_ms);
  object.Number("over_ms", figures.over_ms);
  object.Number("unknown_ms", figures.unknown_ms);
  object.Text("verdict", VerdictName(figures.verdict));
}

void WriteBackup(std::string& out, const BackupRow& row, int64_t period_ms) {
  Object object(out);
  object.Text("job", row.job->job);
  object.Text("municipality", row.municipality);
  object.Number("period_ms", period_ms);
  WriteCompliance(object, row.backup);
  if (row.restore_test) {
    object.Key("restore_test");
    Object test(out);
    WriteCompliance(test, *row.restore_test);
    test.Close();
  }
  object.Close();
}

void WriteAttained(Object& object, const char* key, const std::optional<bool>& attained) {
  object.Key(key) += attained ? (*attained ? "true" : "false") : "\"not_applicable\"";
}

void WriteTickets(std::string& out, const TicketFigures& row) {
  Object object(out);
  object.Text("municipality", row.municipality);
  object.Text("kind", row.kind);
  object.Text("priority", row.priority);
  object.Number("created", row.created);
  object.Number("resolved", row.resolved);
  object.Number("backlog", row.backlog);
  object.Number("reopened", row.reopened);
  object.Number("response_met", row.response_met);
  object.Number("response_breached", row.response_breached);
  object.Number("resolution_met", row.resolution_met);
  object.Number("resolution_breached", row.resolution_breached);
  object.NumberOrNull("median_resolution_ms", row.median_resolution_ms);
  object.NumberOrNull("p90_resolution_ms", row.p90_resolution_ms);
  object.NumberOrNull("median_response_ms", row.median_response_ms);
  WriteAttained(object, "target_met", row.target_met);
  WriteAttained(object, "response_target_met", row.response_target_met);
  object.Close();
}

void WriteSatisfaction(std::string& out, const SatisfactionFigures& row) {
  Object object(out);
  object.Text("municipality", row.municipality);
  object.Number("answers", row.answers);
  object.Number("sum", row.sum);
  object.Number("four_or_more", row.four_or_more);
  object.Close();
}

}  // namespace

std::string ReportAsJson(const Report& report) {
  std::string out;
  Object top(out);
  top.Key("period");
  Object period(out);
  period.Text("label", report.period.label);
  period.At("from", report.period.from);
  period.At("to", report.period.to);
  period.At("computed_to", report.computed_to);
  period.Close();
  if (report.as_known_at) top.At("as_known_at", *report.as_known_at);
  if (!report.inputs_sha256.empty()) top.Text("inputs_sha256", report.inputs_sha256);
  const int64_t period_ms = (report.computed_to - report.period.from).count();
  List(out, top, "services", report.services, WriteService);
  List(out, top, "backups", report.backups,
       [&](std::string& to, const BackupRow& row) { WriteBackup(to, row, period_ms); });
  List(out, top, "tickets", report.tickets, WriteTickets);
  List(out, top, "satisfaction", report.satisfaction, WriteSatisfaction);
  top.Close();
  return out + "\n";
}

}  // namespace oppetid::collector
