#include "collector/report/line_object.h"

#include <algorithm>
#include <boost/json/parser.hpp>
#include <set>

#include "common/text.h"

namespace oppetid::collector {
namespace {

std::string Quote(std::string_view text) { return "`" + OneLine(text, 60) + "`"; }

std::string Join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// The key that stands twice in one object of `json`, which is known to be well formed; empty if
// none does. (The parser would silently keep the last.)
std::string_view DuplicateKey(std::string_view json) {
  struct Open {
    bool object;
    std::vector<std::string_view> keys;
  };
  std::vector<Open> stack;
  std::string_view last;
  for (size_t i = 0; i < json.size(); ++i) {
    switch (json[i]) {
      case '{':
      case '[':
        stack.push_back({json[i] == '{', {}});
        break;
      case '}':
      case ']':
        stack.pop_back();
        break;
      case '"': {
        const size_t start = ++i;
        while (json[i] != '"') i += json[i] == '\\' ? 2 : 1;
        last = json.substr(start, i - start);
        break;
      }
      case ':': {
        // Few keys an object: a scan beats a set. More than any fact has are refused as unknown.
        auto& keys = stack.back().keys;
        if (std::find(keys.begin(), keys.end(), last) != keys.end()) return last;
        constexpr size_t kMaxKeys = 64;
        if (keys.size() < kMaxKeys) keys.push_back(last);
        break;
      }
      default:
        break;
    }
  }
  return {};
}

}  // namespace

void Findings::Fault(int line, std::string_view what) {
  if (full()) return;
  faults_.AddLine(line, what);
  all_faults_.push_back(faults_.lines().back());
  if (full()) {
    all_faults_.push_back(file_ + ": more than " + std::to_string(kMaxFaults) +
                          " faults; the rest is not shown");
  }
}

void Findings::FileFault(std::string_view what) {
  all_faults_.push_back(file_ + ": " + std::string(what));
}

void Findings::Warn(std::string_view place, std::string_view what) {
  if (warnings_full()) return;
  warnings_.push_back(file_ + std::string(place) + ": warning: " + std::string(what));
  if (warnings_full()) {
    warnings_.push_back(file_ + ": warning: more than " + std::to_string(kMaxWarnings) +
                        "; the rest is not shown");
  }
}

void Findings::Warn(int line, std::string_view what) { Warn(":" + std::to_string(line), what); }
void Findings::FileWarn(std::string_view what) { Warn("", what); }

const boost::json::value* LineObject::Find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return object_.if_contains(key);
}

const boost::json::value* LineObject::Require(std::string_view key) {
  const boost::json::value* value = Find(key);
  if (value == nullptr) Fault("`" + std::string(key) + "` is missing");
  return value;
}

void LineObject::Fault(std::string_view what) {
  ok_ = false;
  findings_.Fault(line_, where_ + std::string(what));
}

std::string LineObject::TextOf(std::string_view key, const boost::json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr || text->empty() || text->size() > kMaxNameBytes) {
    Fault("`" + std::string(key) + "`: expected text of 1 to " + std::to_string(kMaxNameBytes) +
          " bytes");
    return {};
  }
  return std::string(text->data(), text->size());
}

Instant LineObject::AtOf(std::string_view key, const boost::json::value& value) {
  const auto* text = value.if_string();
  const auto at =
      text == nullptr ? std::nullopt : ParseInstant(std::string_view(text->data(), text->size()));
  if (!at) {
    Fault("`" + std::string(key) +
          "`: " + (text == nullptr ? "this" : Quote({text->data(), text->size()})) +
          " is not an instant; allowed: RFC 3339 with Z or an offset and up to three decimals, "
          "years 1970 to 9999, as in 2026-07-01T00:00:00.000Z");
    return {};
  }
  return *at;
}

std::string LineObject::Checked(std::string_view key, std::string text,
                                const std::vector<std::string_view>& allowed) {
  if (text.empty() || std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return text;
  Fault("`" + std::string(key) + "`: " + Quote(text) + " is not one of " + Join(allowed) +
        DidYouMean(text, allowed));
  return {};
}

std::string LineObject::Text(std::string_view key) {
  const boost::json::value* value = Require(key);
  return value == nullptr ? std::string() : TextOf(key, *value);
}

std::string LineObject::Text(std::string_view key, std::string_view fallback) {
  const boost::json::value* value = Find(key);
  return value == nullptr ? std::string(fallback) : TextOf(key, *value);
}

std::string LineObject::FreeText(std::string_view key) {
  return Require(key) == nullptr ? std::string() : FreeTextOrNone(key);
}

std::string LineObject::FreeTextOrNone(std::string_view key) {
  const boost::json::value* value = Find(key);
  if (value == nullptr) return {};
  const auto* text = value->if_string();
  if (text == nullptr) Fault("`" + std::string(key) + "`: expected text");
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

Instant LineObject::At(std::string_view key) {
  const boost::json::value* value = Require(key);
  return value == nullptr ? Instant() : AtOf(key, *value);
}

Instant LineObject::At(std::string_view key, Instant fallback) {
  const boost::json::value* value = Find(key);
  return value == nullptr ? fallback : AtOf(key, *value);
}

std::string LineObject::OneOf(std::string_view key, const std::vector<std::string_view>& allowed) {
  return Checked(key, Text(key), allowed);
}

std::string LineObject::OneOf(std::string_view key, const std::vector<std::string_view>& allowed,
                              std::string_view fallback) {
  return Checked(key, Text(key, fallback), allowed);
}

int64_t LineObject::Int(std::string_view key, int64_t min, int64_t max) {
  const boost::json::value* value = Require(key);
  if (value == nullptr) return min;
  const int64_t* number = value->if_int64();
  if (number == nullptr || *number < min || *number > max) {
    Fault("`" + std::string(key) + "`: expected a whole number from " + std::to_string(min) +
          " to " + std::to_string(max));
    return min;
  }
  return *number;
}

bool LineObject::Bool(std::string_view key, bool fallback) {
  const boost::json::value* value = Find(key);
  if (value == nullptr) return fallback;
  const bool* its = value->if_bool();
  if (its == nullptr) Fault("`" + std::string(key) + "`: expected true or false");
  return its != nullptr && *its;
}

const boost::json::array* LineObject::List(std::string_view key) {
  return ListOf(key, Require(key));
}

const boost::json::array* LineObject::ListOrNone(std::string_view key) {
  return ListOf(key, Find(key));
}

const boost::json::array* LineObject::ListOf(std::string_view key,
                                             const boost::json::value* value) {
  if (value == nullptr) return nullptr;
  const boost::json::array* list = value->if_array();
  if (list == nullptr || list->empty()) {
    Fault("`" + std::string(key) + "`: expected a list that is not empty");
    return nullptr;
  }
  return list;
}

const boost::json::object* LineObject::Object(std::string_view key) {
  const boost::json::value* value = Find(key);
  if (value == nullptr) return nullptr;
  const boost::json::object* object = value->if_object();
  if (object == nullptr) Fault("`" + std::string(key) + "`: expected an object");
  return object;
}

Scope LineObject::Names(std::string_view key) {
  Scope scope;
  const boost::json::array* list = List(key);
  if (list == nullptr) return scope;
  std::set<std::string> seen;
  for (const boost::json::value& element : *list) {
    std::string name = TextOf(key, element);
    if (name.empty()) continue;
    if (!seen.insert(name).second) {
      // A municipality twice is a slip worth telling; a service twice means the same as once.
      if (key == "municipalities") {
        Fault("`" + std::string(key) + "`: " + Quote(name) + " stands twice in the list; keep one");
      }
      continue;
    }
    if (name == "*") {
      scope.all = true;
    } else {
      scope.names.push_back(std::move(name));
    }
  }
  // The order of a list means nothing: two lines that differ in it alone are the same fact.
  std::sort(scope.names.begin(), scope.names.end());
  return scope;
}

void LineObject::Finish() {
  for (const auto& entry : object_) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    Fault("unknown key " + Quote(key) + DidYouMean(key, known_) + "; allowed: " + Join(known_));
  }
}

bool ParseLine(std::string_view text, int line, boost::json::value& into, Findings& findings) {
  boost::json::parser parser(into.storage());
  boost::json::error_code error;
  parser.write(text.data(), text.size(), error);
  if (error) {
    findings.Fault(line, "not a JSON object on one line (" + error.message() + ")");
    return false;
  }
  into = parser.release();
  if (!into.is_object()) {
    findings.Fault(line, "not a JSON object; each line is one {…}");
    return false;
  }
  if (const std::string_view twice = DuplicateKey(text); !twice.empty()) {
    findings.Fault(line, "`" + OneLine(twice, 60) + "` stands twice in one object; keep one");
    return false;
  }
  return true;
}

}  // namespace oppetid::collector
