#include "agent/report_line.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

struct KindName {
  RunKind value;
  std::string_view kind;
  std::string_view depth;
};
constexpr auto kKindNames = std::to_array<KindName>({{RunKind::kBackup, "backup", ""},
                                                     {RunKind::kRestoreTest, "restore_test", ""},
                                                     {RunKind::kMetadataCheck, "check", "metadata"},
                                                     {RunKind::kDataCheck, "check", "data"},
                                                     {RunKind::kOffsite, "offsite", ""}});
static_assert(kKindNames.size() == kRunKinds);

constexpr std::array<std::string_view, 3> kEventNames = {"start", "success", "fail"};

ParsedReport Refuse(std::string fault) { return {std::nullopt, std::move(fault)}; }

std::string UnknownKey(const boost::json::object& object,
                       const std::vector<std::string_view>& known) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return "the key `" + OneLine(key, 40) + "` is not known" + DidYouMean(key, known);
    }
  }
  return "";
}

ParsedReport ReadCheck(const boost::json::object& object) {
  if (std::string fault = UnknownKey(object, {"check", "state", "text"}); !fault.empty()) {
    return Refuse(std::move(fault));
  }
  const auto check = JsonText(object, "check");
  if (!check || !IsCheckName(*check)) return Refuse("`check` is no name of a check");
  const auto name = JsonText(object, "state");
  const auto state = name ? ParseState(*name) : std::nullopt;
  if (!state) return Refuse("`state` is one of ok, warning, critical, unknown");
  if (object.contains("text") && !JsonText(object, "text")) return Refuse("`text` is a text");
  return {CheckReport{*check, *state, OneLine(JsonText(object, "text").value_or(""))}, ""};
}

ParsedReport ReadJob(const boost::json::object& object) {
  if (std::string fault =
          UnknownKey(object, {"job", "kind", "depth", "state", "bytes", "files", "exit_code"});
      !fault.empty()) {
    return Refuse(std::move(fault));
  }
  JobReport report;
  const auto job = JsonText(object, "job");
  if (!job || !IsCheckName(*job)) return Refuse("`job` is no name of a job");
  report.job = *job;
  const bool named = object.contains("kind");
  const auto kind = ParseRunKind(named ? JsonText(object, "kind").value_or("") : "backup",
                                 JsonText(object, "depth").value_or(""));
  if (!kind || (object.contains("depth") && !JsonText(object, "depth"))) {
    return Refuse(
        "`kind` is one of backup, restore_test, offsite, or check with a `depth` of metadata or "
        "data");
  }
  report.kind = *kind;
  const auto event = ParseRunEvent(JsonText(object, "state").value_or(""));
  if (!event) return Refuse("`state` is one of start, success, fail");
  report.event = *event;
  report.bytes = JsonCount(object, "bytes");
  report.files = JsonCount(object, "files");
  report.exit_code = JsonCount(object, "exit_code");
  if (object.contains("bytes") != report.bytes.has_value() ||
      object.contains("files") != report.files.has_value()) {
    return Refuse("`bytes` and `files` are whole numbers");
  }
  if (object.contains("exit_code") != report.exit_code.has_value() ||
      report.exit_code.value_or(0) > 255) {
    return Refuse("`exit_code` is 0 to 255");
  }
  if (report.event == RunEvent::kStart && (report.bytes || report.files || report.exit_code)) {
    return Refuse("a start has no `bytes`, `files` or `exit_code` yet");
  }
  if (report.event == RunEvent::kSuccess && report.exit_code.value_or(0) != 0) {
    return Refuse("a success has no other `exit_code` than 0");
  }
  return {std::move(report), ""};
}

boost::json::object ToJson(const CheckReport& report) {
  return {{"check", report.check},
          {"state", std::string(StateName(report.state))},
          {"text", report.text}};
}

boost::json::object ToJson(const JobReport& report) {
  const KindName& kind = kKindNames[static_cast<size_t>(report.kind)];
  boost::json::object object{{"job", report.job}, {"kind", std::string(kind.kind)}};
  if (!kind.depth.empty()) object["depth"] = std::string(kind.depth);
  object["state"] = std::string(kEventNames[static_cast<size_t>(report.event)]);
  if (report.bytes) object["bytes"] = *report.bytes;
  if (report.files) object["files"] = *report.files;
  if (report.exit_code) object["exit_code"] = *report.exit_code;
  return object;
}

}  // namespace

std::optional<RunKind> ParseRunKind(std::string_view kind, std::string_view depth) {
  for (const KindName& name : kKindNames) {
    if (name.kind == kind && name.depth == depth) return name.value;
  }
  return std::nullopt;
}

std::optional<RunEvent> ParseRunEvent(std::string_view name) {
  for (size_t i = 0; i < kEventNames.size(); ++i) {
    if (kEventNames[i] == name) return static_cast<RunEvent>(i);
  }
  return std::nullopt;
}

ParsedReport ParseReport(std::string_view line) {
  if (line.size() > kMaxReportLine) return Refuse("the line is longer than 4096 bytes");
  const auto root = ParseToolJson(line);
  const boost::json::object* object = root ? root->if_object() : nullptr;
  if (object == nullptr) return Refuse("the line is no JSON object");
  const bool check = object->contains("check");
  if (check == object->contains("job")) return Refuse("give either `check` or `job`");
  return check ? ReadCheck(*object) : ReadJob(*object);
}

std::string FormatReport(const Report& report) {
  return boost::json::serialize(std::visit([](const auto& one) { return ToJson(one); }, report)) +
         "\n";
}

std::string FormatReply(std::string_view refusal) {
  if (refusal.empty()) return "{\"accepted\":true}\n";
  return boost::json::serialize(
             boost::json::object{{"accepted", false}, {"reason", OneLine(refusal)}}) +
         "\n";
}

std::optional<std::string> ParseReply(std::string_view line) {
  const auto root = ParseToolJson(line);
  const boost::json::object* object = root ? root->if_object() : nullptr;
  const auto accepted = object ? JsonBool(*object, "accepted") : std::nullopt;
  if (!accepted) return std::nullopt;
  if (*accepted) return "";
  const std::string reason = OneLine(JsonText(*object, "reason").value_or(""));
  return reason.empty() ? "refused without a reason" : reason;
}

}  // namespace oppetid::agent
