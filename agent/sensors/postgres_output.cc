#include "agent/sensors/postgres_output.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr uint64_t kFault = 99;      // of the repository: it cannot be read or reached
constexpr size_t kMaxMessage = 160;  // leaves room for what it means

std::optional<Instant> JsonSeconds(const boost::json::object& object, std::string_view key) {
  const auto seconds = JsonNumber(object, key);
  return seconds ? FromUnixSeconds(*seconds) : std::nullopt;
}

std::optional<PgBackup> ReadBackup(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  const boost::json::object* times = object ? JsonObject(*object, "timestamp") : nullptr;
  if (times == nullptr) return std::nullopt;
  const auto start = JsonSeconds(*times, "start");
  const auto stop = JsonSeconds(*times, "stop");
  if (!start || !stop || *stop < *start) return std::nullopt;
  PgBackup backup{*start, *stop, JsonBool(*object, "error").value_or(false), 0};
  if (const boost::json::object* info = JsonObject(*object, "info")) {
    backup.size = JsonCount(*info, "size").value_or(0);
  }
  return backup;
}

// Of a fault the stanza says "other" only; its repository says what it is.
std::string Message(const boost::json::object& stanza, const boost::json::object& status) {
  if (JsonCount(status, "code") == kFault) {
    const boost::json::array* repositories = JsonArray(stanza, "repo");
    for (size_t i = 0; repositories != nullptr && i < repositories->size(); ++i) {
      const boost::json::object* one = (*repositories)[i].if_object();
      const boost::json::object* its = one ? JsonObject(*one, "status") : nullptr;
      if (its == nullptr || JsonCount(*its, "code") != kFault) continue;
      return JsonText(*its, "message").value_or("");
    }
  }
  return JsonText(status, "message").value_or("");
}

std::optional<PgStanza> ReadStanza(const boost::json::object& object) {
  const boost::json::object* status = JsonObject(object, "status");
  const auto code = status ? JsonCount(*status, "code") : std::nullopt;
  const boost::json::array* backups = JsonArray(object, "backup");
  if (!code || backups == nullptr || backups->size() > kMaxPgBackups) return std::nullopt;
  PgStanza stanza;
  stanza.code = *code;
  stanza.message = OneLine(Message(object, *status), kMaxMessage);
  const boost::json::object* lock = JsonObject(*status, "lock");
  const boost::json::object* held = lock ? JsonObject(*lock, "backup") : nullptr;
  stanza.running = held && JsonBool(*held, "held").value_or(false);
  if (const boost::json::array* repositories = JsonArray(object, "repo")) {
    stanza.repositories = repositories->size();
  }
  for (const boost::json::value& value : *backups) {
    auto backup = ReadBackup(value);
    if (!backup) return std::nullopt;
    stanza.backups.push_back(*backup);
  }
  std::stable_sort(stanza.backups.begin(), stanza.backups.end(),
                   [](const auto& a, const auto& b) { return a.start < b.start; });
  return stanza;
}

}  // namespace

std::optional<WalArchiver> ParseWalArchiver(std::string_view json) {
  const auto root = ParseToolJson(json);
  const boost::json::object* object = root ? root->if_object() : nullptr;
  if (object == nullptr) return std::nullopt;
  const auto now = JsonSeconds(*object, "now");
  const auto mode = JsonText(*object, "archive_mode");
  const auto standby = JsonBool(*object, "standby");
  const auto failed = JsonCount(*object, "failed_count");
  const auto ready = JsonCount(*object, "ready");
  if (!now || !mode || !standby || !failed || !ready) return std::nullopt;
  WalArchiver archiver;
  archiver.now = *now;
  archiver.archiving = *mode == "on" || *mode == "always";
  archiver.also_standby = *mode == "always";
  archiver.standby = *standby;
  archiver.failed_count = *failed;
  archiver.ready = *ready;
  archiver.last_archived = JsonSeconds(*object, "last_archived");
  archiver.last_failed = JsonSeconds(*object, "last_failed");
  archiver.oldest_ready = JsonSeconds(*object, "oldest_ready");
  return archiver;
}

std::optional<PgStanza> ParsePgStanza(std::string_view json, std::string_view stanza) {
  // It quotes what it could not decrypt as it stands, control characters too.
  std::string text(json);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  const auto root = ParseToolJson(text, /*any_bytes=*/true);
  const boost::json::array* stanzas = root ? root->if_array() : nullptr;
  if (stanzas == nullptr) return std::nullopt;
  for (const boost::json::value& value : *stanzas) {
    const boost::json::object* object = value.if_object();
    if (object != nullptr && JsonText(*object, "name") == stanza) return ReadStanza(*object);
  }
  return std::nullopt;
}

std::string PgBackRestFailure(std::string_view message) {
  const std::string line = OneLine(message, kMaxMessage);
  if (line.starts_with("[CryptoError]") || line.starts_with("[FormatError]")) {
    return "wrong passphrase for the repository, or it is damaged: " + line;
  }
  if (line.starts_with("[HostConnectError]")) return "the repository cannot be reached: " + line;
  return "pgbackrest: " + line;
}

}  // namespace oppetid::agent
