#include "agent/sensors/borg_output.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

std::optional<BorgArchive> ReadArchive(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto time = JsonText(*object, "start");
  const auto start = time ? ParseToolInstant(*time) : std::nullopt;
  const auto id = JsonText(*object, "id");
  if (!start || !id) return std::nullopt;
  BorgArchive archive;
  archive.id = *id;
  archive.start = *start;
  const auto end = JsonText(*object, "end");
  archive.end = end ? ParseToolInstant(*end) : std::nullopt;
  if (const boost::json::object* stats = JsonObject(*object, "stats")) {
    archive.size = JsonCount(*stats, "original_size");
    archive.files = JsonCount(*stats, "nfiles");
  }
  return archive;
}

std::string_view LastLine(std::string_view text) {
  std::string_view last;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) last = line;
  }
  return last;
}

}  // namespace

std::optional<std::vector<BorgArchive>> ParseBorgArchives(std::string_view json) {
  const auto root = ParseToolJson(json);
  const boost::json::object* object = root ? root->if_object() : nullptr;
  const boost::json::array* list = object ? JsonArray(*object, "archives") : nullptr;
  if (list == nullptr || list->size() > kMaxBorgArchives) return std::nullopt;
  std::vector<BorgArchive> archives;
  for (const boost::json::value& value : *list) {
    auto archive = ReadArchive(value);
    if (!archive) return std::nullopt;  // it might be the newest
    archives.push_back(*std::move(archive));
  }
  std::stable_sort(archives.begin(), archives.end(),
                   [](const auto& a, const auto& b) { return a.start < b.start; });
  return archives;
}

std::string BorgFailure(int exit_code, std::string_view error_output) {
  const auto says = [&](std::string_view text) {
    return error_output.find(text) != std::string_view::npos;
  };
  // After a crash of its own borg tells of the machine; what happened stands before that.
  const std::string_view told = error_output.substr(0, error_output.find("\nPlatform: "));
  const std::string line = OneLine(LastLine(told), 160);
  const std::string because = line.empty() ? "" : ": " + line;
  if (says("passphrase supplied in")) return "wrong passphrase for the repository";
  if (says("does not exist.") || says("is not a valid repository")) {
    return "there is no repository" + because;
  }
  if (says("Failed to create/acquire the lock")) return "the repository is locked" + because;
  if (says("Connection closed by remote host") || says("Remote: ")) {
    return "the repository cannot be reached" + because;
  }
  return "borg failed with exit code " + std::to_string(exit_code) + because;
}

}  // namespace oppetid::agent
