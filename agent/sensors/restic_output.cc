#include "agent/sensors/restic_output.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kIdBytes = 64;
constexpr size_t kMaxPaths = 100;  // they only tell groups of snapshots apart

// From 0.17 on; before, every failure is 1.
constexpr int kNoRepository = 10;
constexpr int kLocked = 11;
constexpr int kWrongPassword = 12;

// An id becomes an argument, and a file name, later.
bool IsResticId(std::string_view text) {
  return text.size() == kIdBytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<ResticSnapshot> ReadSnapshot(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto id = JsonText(*object, "id");
  const auto time = JsonText(*object, "time");
  const auto start = time ? ParseToolInstant(*time) : std::nullopt;
  if (!id || !IsResticId(*id) || !start) return std::nullopt;
  ResticSnapshot snapshot;
  snapshot.id = *id;
  snapshot.start = *start;
  snapshot.host = JsonText(*object, "hostname").value_or("");
  if (const boost::json::array* paths = JsonArray(*object, "paths")) {
    for (const boost::json::value& path : *paths) {
      if (snapshot.paths.size() >= kMaxPaths) break;
      if (path.is_string()) snapshot.paths.emplace_back(path.get_string());
    }
  }
  if (const boost::json::object* summary = JsonObject(*object, "summary")) {
    const auto end = JsonText(*summary, "backup_end");
    snapshot.end = end ? ParseToolInstant(*end) : std::nullopt;
    // A snapshot can be given a time of its own.
    if (snapshot.end && *snapshot.end < snapshot.start) snapshot.end.reset();
    snapshot.size = JsonCount(*summary, "total_bytes_processed");
    snapshot.files = JsonCount(*summary, "total_files_processed");
  }
  return snapshot;
}

// The line that says it best: the fatal one, else the last that says anything.
std::string_view TellingLine(std::string_view text) {
  text = text.substr(0, text.find("\ngithub.com/restic/"));  // where it was in its own code
  std::string_view last;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with("Fatal: ")) return line.substr(sizeof "Fatal: " - 1);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) last = line;
  }
  return last;
}

// What it says. From 0.17 on, a restic that was asked for JSON says why it failed in JSON too.
std::string TellingText(std::string_view error_output) {
  const std::string_view line = TellingLine(error_output);
  const auto root = line.starts_with('{') ? ParseToolJson(line) : std::nullopt;
  const auto message =
      root && root->is_object() ? JsonText(root->get_object(), "message") : std::nullopt;
  return std::string(message ? TellingLine(message->substr(0, message->find('\n'))) : line);
}

}  // namespace

std::optional<std::vector<ResticSnapshot>> ParseResticSnapshots(std::string_view json) {
  const auto root = ParseToolJson(json);
  // An empty repository is [], or, in some versions, null.
  if (!root || !(root->is_array() || root->is_null())) return std::nullopt;
  std::vector<ResticSnapshot> snapshots;
  if (root->is_null()) return snapshots;
  for (const boost::json::value& value : root->get_array()) {
    auto snapshot = ReadSnapshot(value);
    // One that cannot be read might be the newest: the list is not to be trusted.
    if (!snapshot || snapshots.size() >= kMaxResticSnapshots) return std::nullopt;
    snapshots.push_back(*std::move(snapshot));
  }
  std::stable_sort(snapshots.begin(), snapshots.end(),
                   [](const auto& a, const auto& b) { return a.start < b.start; });
  return snapshots;
}

std::optional<ResticStats> ParseResticStats(std::string_view json) {
  const auto root = ParseToolJson(json);
  if (!root || !root->is_object()) return std::nullopt;
  const auto size = JsonCount(root->get_object(), "total_size");
  const auto files = JsonCount(root->get_object(), "total_file_count");
  if (!size || !files) return std::nullopt;
  return ResticStats{*size, *files};
}

std::vector<std::string> ParseResticLockIds(std::string_view output) {
  std::vector<std::string> ids;
  while (!output.empty() && ids.size() < kMaxResticLocks) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    if (IsResticId(line)) ids.emplace_back(line);
  }
  return ids;
}

std::optional<Instant> ParseResticLock(std::string_view json) {
  const auto root = ParseToolJson(json);
  if (!root || !root->is_object()) return std::nullopt;
  const auto time = JsonText(root->get_object(), "time");
  return time ? ParseToolInstant(*time) : std::nullopt;
}

std::string ResticFailure(int exit_code, std::string_view error_output) {
  const auto says = [&](std::string_view text) {
    return error_output.find(text) != std::string_view::npos;
  };
  const std::string line = OneLine(TellingText(error_output), 160);
  const std::string because = line.empty() ? "" : ": " + line;
  if (exit_code == kWrongPassword || says("wrong password or no key found")) {
    return "wrong password for the repository";
  }
  if (exit_code == kLocked || says("repository is already locked")) {
    return "the repository is locked" + because;
  }
  if (exit_code == kNoRepository ||
      (says("unable to open config file") && says("no such file or directory"))) {
    return "there is no repository" + because;
  }
  if (says("unable to open config file") || says("unable to open repository")) {
    return "the repository cannot be reached" + because;
  }
  return "restic failed with exit code " + std::to_string(exit_code) + because;
}

std::string ResticLeftOut(std::string_view error_output) {
  // The second is that of 0.15 and later, for one of several.
  for (const std::string_view sign : {"could not load snapshot", "Ignoring "}) {
    const size_t at = error_output.find(sign);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = error_output.substr(at);
    return "not every snapshot can be read: " + OneLine(rest.substr(0, rest.find('\n')), 160);
  }
  return "";
}

}  // namespace oppetid::agent
