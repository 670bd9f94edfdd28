// Strict YAML for configuration: every fault is collected with file:line:column and told at once.
//
// A document is parsed into a plain tree (yaml-cpp stays behind this header; its exceptions end
// here). Duplicate keys, anchors, tags and deep nesting are faults. A `YamlMap` reads the keys of
// one mapping; whatever was not asked for is a fault too, with the nearest known key.
// Not thread-safe; a tree must outlive the maps that read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/instant.h"

namespace oppetid {

struct YamlPosition {
  int line = 1;  // counted from 1
  int column = 1;
};

// The faults of one file, in the order found; each is "file:line:column: what, and what is
// allowed".
class Faults {
 public:
  explicit Faults(std::string file) : file_(std::move(file)) {}
  void Add(YamlPosition at, std::string_view what);
  // Like Add, for formats without columns: "file:line: what".
  void AddLine(int line, std::string_view what);
  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::string file_;
  std::vector<std::string> lines_;
};

struct YamlEntry;

struct Yaml {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  YamlPosition at;
  std::string scalar;
  bool quoted = false;
  std::vector<Yaml> list;
  std::vector<YamlEntry> map;  // in the file's order
};

// A key of a mapping and its value.
struct YamlEntry {
  std::string key;
  Yaml value;
};

// Parses one document of at most 4 MB, nested at most 32 deep. On a fault the result is a null.
Yaml ParseYaml(std::string_view text, Faults& faults);

// A share in millionths of a percent: 100 % is 100'000'000, so six decimals are exact.
struct Percent {
  int64_t millionths = 0;
};
// "99.95 %" or "99.95%": at most 6 decimals, at most 100 %; nullopt otherwise.
std::optional<Percent> ParsePercent(std::string_view text);

// Reads the keys of one mapping. Each getter notes its key as known; a value of the wrong type or
// out of range is a fault and reads as absent. Call Finish() once at the end.
class YamlMap {
 public:
  // Anything but a mapping is a fault, and the map reads as empty.
  YamlMap(const Yaml& yaml, Faults& faults);

  std::optional<std::string> String(std::string_view key);
  std::string String(std::string_view key, std::string_view fallback);
  // A missing key is a fault; reads as empty then.
  std::string RequiredString(std::string_view key);
  std::optional<int64_t> Int(std::string_view key, int64_t min, int64_t max);
  int64_t Int(std::string_view key, int64_t min, int64_t max, int64_t fallback);
  std::optional<double> Double(std::string_view key, double min, double max);
  bool Bool(std::string_view key, bool fallback);
  std::optional<Millis> Duration(std::string_view key, Millis min, Millis max);
  Millis Duration(std::string_view key, Millis min, Millis max, Millis fallback);
  // "256MB", "4kB", "1GB", "100B" (powers of 1000) or KiB, MiB, GiB (powers of 1024).
  int64_t Bytes(std::string_view key, int64_t min, int64_t max, int64_t fallback);
  std::optional<Percent> PercentOf(std::string_view key);
  // A list of scalars; a single scalar reads as a list of one.
  std::vector<std::string> Strings(std::string_view key);
  // One of `allowed`, or a fault that names them all.
  std::string OneOf(std::string_view key, const std::vector<std::string_view>& allowed,
                    std::string_view fallback);
  std::optional<YamlMap> Map(std::string_view key);
  // A list of mappings.
  std::vector<YamlMap> Maps(std::string_view key);
  // The raw value, for freer forms; null when absent.
  const Yaml* Raw(std::string_view key);

  bool Has(std::string_view key) const;
  // A fault at `key`'s value, or at the mapping itself if the key is absent.
  void Fault(std::string_view key, std::string_view what);
  YamlPosition position() const { return yaml_->at; }
  Faults& faults() { return *faults_; }
  // Faults for every key that was not asked for.
  void Finish();

 private:
  const Yaml* Find(std::string_view key);
  const Yaml* Scalar(std::string_view key, std::string_view expected);

  const Yaml* yaml_;
  Faults* faults_;
  std::vector<std::string> known_;
};

}  // namespace oppetid
