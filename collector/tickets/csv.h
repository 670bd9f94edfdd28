// CSV into records, chunk by chunk: RFC 4180, with any single-byte delimiter.
//
// Works on bytes: in every encoding that we read, quotes, delimiters and newlines are ASCII. Memory
// is one record, however long the file; each bound ends the reading with a sentence that names the
// line. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::collector {

struct CsvRecord {
  int line = 0;         // where it begins, counted from 1
  uint64_t offset = 0;  // of its first byte, and of the byte after its last
  uint64_t end = 0;
  int next_line = 0;  // where the one after it begins
  std::vector<std::string> fields;
  std::string fault;  // why it is no record; the next one may be fine
};

class CsvReader {
 public:
  // A cell of a spreadsheet holds 32,767 characters; ours are names and instants.
  static constexpr size_t kMaxFieldBytes = 65'536;
  static constexpr size_t kMaxFields = 500;
  static constexpr size_t kMaxRecordBytes = 1'000'000;

  // Returns false to stop.
  using Visit = std::function<bool(CsvRecord&)>;

  // `offset` and `line` are where the bytes begin in their file.
  explicit CsvReader(char delimiter, uint64_t offset = 0, int line = 1)
      : delimiter_(delimiter), offset_(offset), line_(line) {
    Begin();
  }

  // False: stopped by `visit`, or by a bound (then fault() says which).
  bool Add(std::string_view chunk, const Visit& visit);
  // The last record may lack its newline.
  bool Finish(const Visit& visit);
  // Why nothing more can be read; empty while all is well.
  const std::string& fault() const { return fault_; }

 private:
  enum class State { kStart, kPlain, kQuoted, kQuoteInQuoted };
  void Begin();
  void EndField();
  bool EndRecord(const Visit& visit);
  bool Take(char c, const Visit& visit);
  void Append(char c);
  void Stop(const std::string& what);

  char delimiter_;
  State state_ = State::kStart;
  CsvRecord record_;
  std::string field_;
  uint64_t offset_;
  int line_;
  std::string fault_;
};

}  // namespace oppetid::collector
