#include "collector/tickets/source_config.h"

#include <openssl/sha.h>

#include <algorithm>
#include <set>

#include "collector/sla/zone.h"
#include "collector/tickets/registry.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

// A queue or custom field of a large helpdesk has some dozens of values.
constexpr size_t kMaxWords = 2'000;
constexpr size_t kMaxSources = 50;
constexpr Millis kMinEvery{10'000};
constexpr Millis kMaxEvery{86'400'000};
// Where a source is read from unless `since` says so: before any of today's helpdesks.
constexpr Instant kFirstSince = FromUnixMillis(946'684'800'000);  // 2000-01-01

void AppendYaml(const Yaml& yaml, std::string* out) {
  *out += std::to_string(static_cast<int>(yaml.kind)) + ":" + yaml.scalar + "\n";
  for (const Yaml& element : yaml.list) AppendYaml(element, out);
  for (const auto& [key, value] : yaml.map) {
    *out += key + "\n";
    AppendYaml(value, out);
  }
}

std::string Fingerprint(const Yaml& yaml) {
  std::string text;
  AppendYaml(yaml, &text);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  constexpr size_t kBytes = 16;  // enough to tell two configurations apart
  for (size_t i = 0; i < kBytes; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

void ReadWords(YamlMap& map, const char* what, FieldMapping& field) {
  const Yaml* words = map.Raw("map");
  if (words == nullptr) return;
  if (words->kind != Yaml::Kind::kMap || words->map.empty() || words->map.size() > kMaxWords) {
    map.Fault("map",
              "`map`: expected the source's words and ours, as in {stalled: "
              "waiting_customer}; at most 2000");
    return;
  }
  for (const auto& [word, ours] : words->map) {
    if (ours.kind != Yaml::Kind::kScalar || !IsTicketWord(what, ours.scalar)) {
      map.faults().Add(ours.at, "`" + OneLine(ours.scalar, 60) + "`: " + WordsAllowed(what));
    }
    field.words[word] = ours.scalar;
  }
}

void ReadField(YamlMap& map, const char* key, FieldMapping& field) {
  auto its = map.Map(key);
  if (!its) return;
  field.from = its->String("from", "");
  ReadWords(*its, key, field);
  its->Finish();
}

TicketMapping ReadMapping(YamlMap& map) {
  TicketMapping mapping;
  ReadField(map, "municipality", mapping.municipality);
  ReadField(map, "kind", mapping.kind);
  ReadField(map, "priority", mapping.priority);
  ReadField(map, "status", mapping.status);
  ReadField(map, "service", mapping.service);
  mapping.satisfaction_from = map.String("satisfaction", "");
  mapping.responded_by_reply = map.OneOf("responded_by", {"reply", "status"}, "reply") == "reply";
  mapping.customer_reply_ends_pause = map.Bool("customer_reply_ends_pause", false);
  return mapping;
}

TicketSourceConfig ReadSource(YamlMap& map) {
  TicketSourceConfig config;
  config.name = map.RequiredString("name");
  constexpr size_t kMaxName = 30;  // it stands in every ticket's id and in labels
  if (!IsId(config.name) || config.name.size() > kMaxName || config.name == "push") {
    map.Fault("name", "`name`: 1 to 30 of a-z, 0-9, - and ., not push");
  }
  std::vector<std::string_view> types;
  for (const TicketSourceType& type : TicketSourceTypes()) types.push_back(type.name);
  map.RequiredString("type");
  config.type = map.OneOf("type", types, "");
  const auto type = std::find_if(TicketSourceTypes().begin(), TicketSourceTypes().end(),
                                 [&](const auto& its) { return its.name == config.type; });
  const bool known = type != TicketSourceTypes().end();
  config.every = map.Duration("every", kMinEvery, kMaxEvery, known ? type->every : kMinEvery);
  config.since = kFirstSince;
  if (const auto since = map.String("since")) {
    const auto date = ParseDate(*since);
    if (!date) map.Fault("since", "`since`: expected a date, as in 2026-01-01");
    if (date) {
      config.since = std::max(kFirstSince, Instant(date->time_since_epoch()));
    }
  }
  config.mapping = ReadMapping(map);
  if (!known) return config;  // its own keys cannot be judged
  config.make = type->read(map, config.mapping);
  map.Finish();
  return config;
}

}  // namespace

void RequireField(YamlMap& map, const char* key, const FieldMapping& field, bool from_needed) {
  const std::string name = std::string("`") + key + "`";
  if (field.words.empty()) {
    map.Fault(key, name + " is missing; expected {from: …, map: {their word: our word}}");
  } else if (from_needed && field.from.empty() && !field.words.contains("*")) {
    map.Fault(key, name + ": `from` is missing; or map \"*\" alone, for all");
  }
}

std::vector<TicketSourceConfig> ReadTicketSources(const Yaml& tickets, Faults& faults) {
  std::vector<TicketSourceConfig> sources;
  if (tickets.kind == Yaml::Kind::kNull) return sources;
  YamlMap map(tickets, faults);
  std::set<std::string> names;
  const Yaml* raw = map.Raw("sources");
  for (YamlMap& its : map.Maps("sources")) {
    if (sources.size() == kMaxSources) {
      map.Fault("sources", "`sources`: more than 50");
      break;
    }
    TicketSourceConfig config = ReadSource(its);
    config.fingerprint = Fingerprint(raw->list[sources.size()]);
    // One name may not begin another's ids.
    for (const std::string& other : names) {
      if (other == config.name || other.starts_with(config.name + "-") ||
          config.name.starts_with(other + "-")) {
        its.Fault("name", "`name`: `" + config.name + "` and `" + other +
                              "` could give two tickets one id; choose another");
      }
    }
    names.insert(config.name);
    sources.push_back(std::move(config));
  }
  map.Finish();
  return sources;
}

}  // namespace oppetid::collector
