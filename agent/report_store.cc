#include "agent/report_store.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

// By RunKind; they stand in files.
constexpr std::array<const char*, kRunKinds> kKeys = {"backup", "restore_test", "metadata_check",
                                                      "data_check", "offsite"};

std::optional<Instant> JsonInstant(const boost::json::object& object, std::string_view key) {
  const auto text = JsonText(object, key);
  return text ? ParseInstant(*text) : std::nullopt;
}

boost::json::object ToJson(const ReportedRun& run) {
  boost::json::object object{{"start", FormatInstant(run.start)},
                             {"end", FormatInstant(run.end)},
                             {"success", run.success},
                             {"start_known", run.start_known}};
  if (run.bytes) object["bytes"] = *run.bytes;
  if (run.files) object["files"] = *run.files;
  if (run.exit_code) object["exit_code"] = *run.exit_code;
  return object;
}

std::optional<ReportedRun> ReadRun(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto start = JsonInstant(*object, "start");
  const auto end = JsonInstant(*object, "end");
  const auto success = JsonBool(*object, "success");
  if (!start || !end || !success || *end < *start) return std::nullopt;
  ReportedRun run;
  run.start = *start;
  run.end = *end;
  run.success = *success;
  run.start_known = JsonBool(*object, "start_known").value_or(false);
  run.bytes = JsonCount(*object, "bytes");
  run.files = JsonCount(*object, "files");
  run.exit_code = JsonCount(*object, "exit_code");
  return run;
}

std::optional<RunHistory> ReadHistory(const boost::json::object& object) {
  RunHistory history;
  history.open = JsonInstant(object, "open");
  history.overtaken = JsonInstant(object, "overtaken");
  const boost::json::array* runs = JsonArray(object, "runs");
  if (runs == nullptr || runs->size() > kMaxReportedRuns) return std::nullopt;
  for (const boost::json::value& value : *runs) {
    auto run = ReadRun(value);
    if (!run) return std::nullopt;
    history.runs.push_back(*run);
  }
  if (const boost::json::object* success = JsonObject(object, "last_success")) {
    history.last_success = ReadRun(*success);
    if (!history.last_success) return std::nullopt;
  }
  return history;
}

}  // namespace

std::string FormatPassive(const PassiveReport& report) {
  return boost::json::serialize(boost::json::object{{"state", std::string(StateName(report.state))},
                                                    {"text", report.text},
                                                    {"at", FormatInstant(report.at)}});
}

std::optional<PassiveReport> ParsePassive(std::string_view text) {
  const auto root = ParseToolJson(text);
  const boost::json::object* object = root ? root->if_object() : nullptr;
  if (object == nullptr) return std::nullopt;
  const auto state = ParseState(JsonText(*object, "state").value_or(""));
  const auto at = JsonInstant(*object, "at");
  if (!state || !at) return std::nullopt;
  PassiveReport report;
  report.state = *state;
  report.text = OneLine(JsonText(*object, "text").value_or(""));
  report.at = *at;
  return report;
}

std::string FormatHistory(const JobHistory& history) {
  boost::json::object root;
  for (size_t i = 0; i < kRunKinds; ++i) {
    const RunHistory& kind = history[i];
    boost::json::object object;
    if (kind.open) object["open"] = FormatInstant(*kind.open);
    if (kind.overtaken) object["overtaken"] = FormatInstant(*kind.overtaken);
    boost::json::array runs;
    for (const ReportedRun& run : kind.runs) runs.push_back(ToJson(run));
    object["runs"] = std::move(runs);
    if (kind.last_success) object["last_success"] = ToJson(*kind.last_success);
    root[kKeys[i]] = std::move(object);
  }
  return boost::json::serialize(root);
}

std::optional<JobHistory> ParseHistory(std::string_view text) {
  const auto root = ParseToolJson(text);
  const boost::json::object* object = root ? root->if_object() : nullptr;
  if (object == nullptr) return std::nullopt;
  JobHistory history;
  for (size_t i = 0; i < kRunKinds; ++i) {
    const boost::json::object* kind = JsonObject(*object, kKeys[i]);
    auto read = kind ? ReadHistory(*kind) : std::nullopt;
    if (!read) return std::nullopt;
    history[i] = *std::move(read);
  }
  return history;
}

}  // namespace oppetid::agent
