// One line of a JSONL file, read strictly: every fault with its line and what is allowed.
//
// A LineObject reads the keys of one JSON object as YamlMap reads a mapping; what was not asked
// for is a fault. Pure functions over text; nothing in a line can throw or crash. Not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/sla/facts.h"
#include "common/yaml.h"

namespace oppetid::collector {

// A fact is a few hundred bytes; a ticket with thousands of events fits.
inline constexpr size_t kMaxLineBytes = 1'000'000;
// What a person reads at once; a wrong export would otherwise print one fault for each line.
inline constexpr size_t kMaxFaults = 1'000;
inline constexpr size_t kMaxWarnings = 100;
// Of ids and names; no honest one is longer.
inline constexpr size_t kMaxNameBytes = 1'000;

// The faults and warnings of one file.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)), faults_(file_) {}
  void Fault(int line, std::string_view what);
  // A fault without a line, of the file as a whole.
  void FileFault(std::string_view what);
  void Warn(int line, std::string_view what);
  void FileWarn(std::string_view what);
  // Nothing more is worth reading.
  bool full() const { return faults_.lines().size() >= kMaxFaults; }
  bool warnings_full() const { return warnings_.size() >= kMaxWarnings; }
  const std::vector<std::string>& faults() const { return all_faults_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void Warn(std::string_view place, std::string_view what);

  std::string file_;
  Faults faults_;
  std::vector<std::string> all_faults_;
  std::vector<std::string> warnings_;
};

class LineObject {
 public:
  // `where` names the object in messages ("" for the line itself).
  LineObject(const boost::json::object& object, int line, std::string where, Findings& findings)
      : object_(object), line_(line), where_(std::move(where)), findings_(findings) {}

  // Required: absence is a fault and reads as the type's zero.
  std::string Text(std::string_view key);
  Instant At(std::string_view key);
  std::string OneOf(std::string_view key, const std::vector<std::string_view>& allowed);
  int64_t Int(std::string_view key, int64_t min, int64_t max);
  // What a person wrote; may be empty, and as long as the line.
  std::string FreeText(std::string_view key);
  Scope Names(std::string_view key);
  const boost::json::array* List(std::string_view key);

  // Optional: absence is the fallback.
  std::string Text(std::string_view key, std::string_view fallback);
  std::string FreeTextOrNone(std::string_view key);
  Instant At(std::string_view key, Instant fallback);
  std::string OneOf(std::string_view key, const std::vector<std::string_view>& allowed,
                    std::string_view fallback);
  bool Bool(std::string_view key, bool fallback);
  const boost::json::object* Object(std::string_view key);
  const boost::json::array* ListOrNone(std::string_view key);

  void Fault(std::string_view what);
  // Faults for every key that was not asked for.
  void Finish();
  // No fault so far in this object.
  bool ok() const { return ok_; }

 private:
  const boost::json::value* Find(std::string_view key);
  const boost::json::value* Require(std::string_view key);
  std::string TextOf(std::string_view key, const boost::json::value& value);
  const boost::json::array* ListOf(std::string_view key, const boost::json::value* value);
  Instant AtOf(std::string_view key, const boost::json::value& value);
  std::string Checked(std::string_view key, std::string text,
                      const std::vector<std::string_view>& allowed);

  const boost::json::object& object_;
  int line_;
  std::string where_;
  Findings& findings_;
  std::vector<std::string_view> known_;
  bool ok_ = true;
};

// Parses a line into `object` (whose storage the caller provides); false after a fault.
bool ParseLine(std::string_view text, int line, boost::json::value& into, Findings& findings);

}  // namespace oppetid::collector
