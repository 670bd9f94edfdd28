#include "collector/tickets/csv.h"

#include <utility>

namespace oppetid::collector {

void CsvReader::Begin() {
  record_ = {};
  record_.line = line_;
  record_.offset = offset_;
  state_ = State::kStart;
}

void CsvReader::Stop(const std::string& what) {
  if (fault_.empty()) fault_ = "line " + std::to_string(record_.line) + ": " + what;
}

void CsvReader::Append(char c) {
  if (field_.size() >= kMaxFieldBytes) {
    Stop("a field is longer than " + std::to_string(kMaxFieldBytes) +
         " bytes (is a quote not closed?)");
  } else if (offset_ - record_.offset > kMaxRecordBytes) {
    Stop("a record is longer than " + std::to_string(kMaxRecordBytes) + " bytes");
  } else {
    field_ += c;
  }
}

void CsvReader::EndField() {
  if (record_.fields.size() >= kMaxFields) {
    Stop("a record has more than " + std::to_string(kMaxFields) + " fields");
    return;
  }
  record_.fields.push_back(std::exchange(field_, {}));
  state_ = State::kStart;
}

bool CsvReader::EndRecord(const Visit& visit) {
  EndField();
  if (!fault_.empty()) return false;
  record_.end = offset_;
  record_.next_line = line_;
  const bool blank = record_.fields.size() == 1 && record_.fields[0].empty();
  const bool go_on = blank || visit(record_);
  Begin();
  return go_on;
}

bool CsvReader::Take(char c, const Visit& visit) {
  ++offset_;
  if (c == '\n') ++line_;
  if (state_ == State::kQuoted) {
    if (c == '"') {
      state_ = State::kQuoteInQuoted;
    } else {
      Append(c);
    }
    return fault_.empty();
  }
  if (c == '\n') {
    if (!field_.empty() && field_.back() == '\r' && state_ == State::kPlain) field_.pop_back();
    return EndRecord(visit);
  }
  if (c == delimiter_) {
    EndField();
    return fault_.empty();
  }
  switch (state_) {
    case State::kStart:
      if (c == '"') {
        state_ = State::kQuoted;
        return true;
      }
      state_ = State::kPlain;
      break;
    case State::kQuoteInQuoted:
      if (c == '"') {
        state_ = State::kQuoted;
      } else if (c == '\r') {
        return true;  // of the line's end
      } else {
        record_.fault = "text after a closing quote";
        state_ = State::kPlain;
      }
      break;
    case State::kPlain:
      if (c == '"') record_.fault = "a quote within a field that is not quoted";
      break;
    case State::kQuoted:
      break;  // handled above
  }
  if (c == '\0') record_.fault = "a zero byte (is the file UTF-16?)";
  Append(c);
  return fault_.empty();
}

bool CsvReader::Add(std::string_view chunk, const Visit& visit) {
  if (!fault_.empty()) return false;
  for (const char c : chunk) {
    if (!Take(c, visit)) return false;
  }
  return true;
}

bool CsvReader::Finish(const Visit& visit) {
  if (!fault_.empty()) return false;
  if (state_ == State::kQuoted) {
    Stop("a quote is not closed by the end of the file");
    return false;
  }
  if (state_ == State::kStart && record_.fields.empty()) return true;
  if (!field_.empty() && field_.back() == '\r' && state_ == State::kPlain) field_.pop_back();
  return EndRecord(visit);
}

}  // namespace oppetid::collector
