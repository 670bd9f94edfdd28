#include "collector/tickets/file_drop.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "collector/report/line_object.h"
#include "collector/tickets/ticket_json.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr size_t kChunkBytes = 262'144;
constexpr size_t kMaxFiles = 10'000;  // looked at in a directory
constexpr std::string_view kBom = "\xEF\xBB\xBF";

// A file by when its content or name changed last; later files have greater marks.
struct Mark {
  int64_t changed_ns = 0;
  std::string name;
  auto operator<=>(const Mark&) const = default;
};

// How far the directory has been read: every file up to `done`, and of `current` the bytes before
// `offset`, where `line` begins.
struct Place {
  Mark done, current;
  uint64_t offset = 0;
  int line = 1;
};

// File names hold no slash.
std::string PlaceToken(const Place& place) {
  std::string token = absl::StrCat(place.done.changed_ns, "/", place.done.name);
  if (place.offset > 0) {
    absl::StrAppend(&token, "/", place.current.changed_ns, "/", place.current.name, "/",
                    place.offset, "/", place.line);
  }
  return token;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *into);
  return error == std::errc() && end == text.data() + text.size();
}

// A token that is none begins anew: reading twice changes nothing.
Place ParsePlace(std::string_view token) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t slash = token.find('/');
    parts.push_back(token.substr(0, slash));
    if (slash == std::string_view::npos) break;
    token.remove_prefix(slash + 1);
  }
  Place place;
  if (parts.size() < 2 || !ReadNumber(parts[0], &place.done.changed_ns)) return {};
  place.done.name = parts[1];
  if (parts.size() != 6) return place;
  if (ReadNumber(parts[2], &place.current.changed_ns) && ReadNumber(parts[4], &place.offset) &&
      ReadNumber(parts[5], &place.line)) {
    place.current.name = parts[3];
  } else {
    place.offset = 0;
  }
  return place;
}

absl::Status Errno(const std::string& what) {
  return absl::UnavailableError(what + ": " + std::strerror(errno));
}

int64_t ChangedNs(const struct stat& info) {
  return static_cast<int64_t>(info.st_ctim.tv_sec) * 1'000'000'000 + info.st_ctim.tv_nsec;
}

Instant ChangedAt(const Mark& mark) { return FromUnixMillis(mark.changed_ns / 1'000'000); }

struct Listing {
  std::optional<Mark> next;    // the first to be read after `done`
  std::optional<Mark> newest;  // of all
};

bool IsOffered(const std::string& name, bool json) {
  if (name[0] == '.' || OneLine(name) != name) return false;
  return name.ends_with(json ? ".jsonl" : ".csv") || name.ends_with(json ? ".JSONL" : ".CSV");
}

absl::StatusOr<Listing> List(const FileDropConfig& config, const Mark& done, Instant now) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(config.directory.c_str()),
                                                      ::closedir);
  if (directory == nullptr) return Errno(config.directory);
  Listing listing;
  size_t files = 0;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (!IsOffered(name, config.json)) continue;
    if (++files > kMaxFiles) {
      return absl::ResourceExhaustedError(absl::StrCat(config.directory, ": more than ", kMaxFiles,
                                                       " files; move the old ones away"));
    }
    struct stat info {};
    if (::fstatat(::dirfd(directory.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode)) {
      continue;
    }
    Mark mark{ChangedNs(info), name};
    if (!listing.newest || *listing.newest < mark) listing.newest = mark;
    if (mark <= done || ChangedAt(mark) > now - kDropSettled) continue;
    if (!listing.next || mark < *listing.next) listing.next = mark;
  }
  if (errno != 0) return Errno(config.directory);
  return listing;
}

// An open file, read from any place.
class DropFile {
 public:
  static absl::StatusOr<DropFile> Open(const std::string& path, const Mark& mark) {
    DropFile file;
    file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info {};
    if (file.fd_ < 0 || ::fstat(file.fd_, &info) != 0) return Errno(path);
    if (!S_ISREG(info.st_mode) || ChangedNs(info) != mark.changed_ns) {
      return absl::UnavailableError(path + ": changed while it was being read");
    }
    file.path_ = path;
    file.size_ = static_cast<uint64_t>(info.st_size);
    return file;
  }
  DropFile(DropFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), size_(other.size_) {}
  DropFile& operator=(DropFile&&) = delete;
  ~DropFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  uint64_t size() const { return size_; }
  // Chunks from `offset` on, until `visit` says false or the file ends.
  absl::Status ForEachChunk(uint64_t offset,
                            const std::function<bool(std::string_view)>& visit) const {
    std::string chunk(kChunkBytes, '\0');
    for (;;) {
      const ssize_t got = ::pread(fd_, chunk.data(), chunk.size(), static_cast<off_t>(offset));
      if (got < 0) return Errno(path_);
      if (got == 0 || !visit({chunk.data(), static_cast<size_t>(got)})) return absl::OkStatus();
      offset += static_cast<uint64_t>(got);
    }
  }
  bool StartsWith(std::string_view bytes) const {
    std::string start(bytes.size(), '\0');
    const ssize_t got = ::pread(fd_, start.data(), start.size(), 0);
    return got == static_cast<ssize_t>(bytes.size()) && start == bytes;
  }

 private:
  DropFile() = default;
  int fd_ = -1;
  std::string path_;
  uint64_t size_ = 0;
};

// Something that reads a file's rows from a place on.
struct Row {
  int line = 0;
  uint64_t end = 0;
  int next_line = 0;
  std::optional<RawTicket> ticket;
  std::string reason;
};
using VisitRow = std::function<bool(Row&)>;

class RowReader {
 public:
  virtual ~RowReader() = default;
  // What is wrong with the file as a whole goes to `*fault`.
  virtual absl::Status Read(const DropFile& file, uint64_t offset, int line, bool only_look,
                            std::string* fault, const VisitRow& visit) = 0;
};

class CsvRows : public RowReader {
 public:
  explicit CsvRows(const CsvFormat& format) : delimiter_(format.delimiter), tickets_(format) {}

  absl::Status Read(const DropFile& file, uint64_t offset, int line, bool only_look,
                    std::string* fault, const VisitRow& visit) override {
    uint64_t from = file.StartsWith(kBom) ? kBom.size() : 0;
    if (file.StartsWith("\xFF\xFE") || file.StartsWith("\xFE\xFF")) {
      *fault = "UTF-16; save it as UTF-8";
      return absl::OkStatus();
    }
    bool bound = false;
    auto status = Records(file, from, 1, fault, [&](CsvRecord& record) {
      const bool hint = record.fields[0].starts_with("sep=") && record.fields.size() <= 2;
      if (hint && record.line == 1) return true;
      *fault = tickets_.Bind(record);
      bound = true;
      if (offset < record.end) {
        offset = record.end;
        line = record.next_line;
      }
      return false;
    });
    if (!status.ok() || !fault->empty()) return status;
    if (!bound) {
      *fault = "no header";
      return absl::OkStatus();
    }
    return Records(file, offset, line, fault, [&](CsvRecord& record) {
      Row row{record.line, record.end, record.next_line, std::nullopt, ""};
      if (!only_look) row.ticket = tickets_.Read(record, &row.reason);
      return visit(row);
    });
  }

 private:
  absl::Status Records(const DropFile& file, uint64_t offset, int line, std::string* fault,
                       const CsvReader::Visit& visit) {
    CsvReader reader(delimiter_, offset, line);
    bool stopped = false;
    const CsvReader::Visit watch = [&](CsvRecord& record) {
      stopped = !visit(record);
      return !stopped;
    };
    auto status =
        file.ForEachChunk(offset, [&](std::string_view chunk) { return reader.Add(chunk, watch); });
    if (status.ok() && !stopped) reader.Finish(watch);
    if (fault->empty()) *fault = reader.fault();
    return status;
  }

  char delimiter_;
  CsvTickets tickets_;
};

class JsonRows : public RowReader {
 public:
  absl::Status Read(const DropFile& file, uint64_t offset, int line, bool only_look,
                    std::string* fault, const VisitRow& visit) override {
    if (offset == 0 && file.StartsWith(kBom)) offset = kBom.size();
    std::string rest;
    uint64_t end = offset;
    const auto emit = [&](std::string_view text) {
      Row row{line, end, line + 1, std::nullopt, ""};
      ++line;
      if (text.find_first_not_of(" \t\r") == std::string_view::npos) return true;
      if (!only_look) {
        TicketLine read = ReadTicketLine(text);
        row.ticket = std::move(read.ticket);
        row.reason = std::move(read.reason);
        if (row.ticket) row.ticket->line = row.line;
      }
      return visit(row);
    };
    bool stopped = false;
    const auto take = [&](std::string_view chunk) {
      while (!chunk.empty() && !stopped) {
        const size_t newline = chunk.find('\n');
        const std::string_view piece = chunk.substr(0, newline);
        if (rest.size() + piece.size() > kMaxLineBytes) {
          *fault = absl::StrCat("line ", line, ": longer than ", kMaxLineBytes, " bytes");
          stopped = true;
          break;
        }
        rest += piece;
        end += piece.size();
        if (newline == std::string_view::npos) break;
        ++end;
        stopped = !emit(std::exchange(rest, {}));
        chunk.remove_prefix(newline + 1);
      }
      return !stopped;
    };
    auto status = file.ForEachChunk(offset, take);
    if (status.ok() && !stopped && !rest.empty()) emit(rest);
    return status;
  }
};

std::unique_ptr<RowReader> MakeRows(const FileDropConfig& config) {
  if (config.json) return std::make_unique<JsonRows>();
  return std::make_unique<CsvRows>(config.csv);
}

// Why a file is refused whole; empty: it may be read.
absl::StatusOr<std::string> Look(const DropFile& file, RowReader& rows) {
  if (file.size() > kMaxDropBytes) {
    return absl::StrCat("larger than ", kMaxDropBytes / 1'000'000, " MB; split it");
  }
  std::string fault;
  int count = 0;
  auto status = rows.Read(file, 0, 1, /*only_look=*/true, &fault,
                          [&](Row&) { return ++count <= kMaxDropRows; });
  if (!status.ok()) return status;
  if (count > kMaxDropRows) return absl::StrCat("more than ", kMaxDropRows, " rows; split it");
  return fault;
}

class FileDrop : public TicketSource {
 public:
  FileDrop(FileDropConfig config, BlockingPool& pool)
      : config_(std::make_shared<const FileDropConfig>(std::move(config))), pool_(pool) {}

  bool KnowsIds() const override { return false; }
  boost::asio::awaitable<absl::StatusOr<TicketPage>> Read(TicketQuestion question) override {
    std::function<absl::StatusOr<TicketPage>()> work = [config = config_,
                                                        question = std::move(question)] {
      return ReadFileDrop(*config, question);
    };
    co_return co_await OnPool(pool_, std::move(work));
  }

 private:
  std::shared_ptr<const FileDropConfig> config_;
  BlockingPool& pool_;
};

}  // namespace

absl::StatusOr<TicketPage> ReadFileDrop(const FileDropConfig& config,
                                        const TicketQuestion& question) {
  TicketPage page;
  page.changed = question.now;
  page.token = question.token;
  if (!question.ids.empty()) return page;  // a file cannot be asked about a ticket
  Place place = ParsePlace(question.token);
  const auto listing = List(config, place.done, question.now);
  if (!listing.ok()) return listing.status();
  if (!listing->next) {
    const bool stale =
        config.new_file_within &&
        (!listing->newest || ChangedAt(*listing->newest) < question.now - *config.new_file_within);
    if (!stale) return page;
    return absl::NotFoundError(absl::StrCat(config.directory, ": no new file for ",
                                            FormatDuration(*config.new_file_within)));
  }
  const Mark& mark = *listing->next;
  if (place.offset > 0 && place.current != mark) place.offset = 0;
  const auto file = DropFile::Open(config.directory + "/" + mark.name, mark);
  if (!file.ok()) return file.status();
  const auto rows = MakeRows(config);
  const auto reject = [&](int line, const std::string& reason) {
    page.rejected.push_back({mark.name, line, reason});
  };
  page.more = true;
  page.place = mark.name;
  if (place.offset == 0) {
    place.line = 1;
    const auto fault = Look(*file, *rows);
    if (!fault.ok()) return fault.status();
    if (!fault->empty()) {
      reject(0, *fault);
      page.token = PlaceToken({mark, {}, 0, 1});
      return page;
    }
  }
  size_t taken = 0;
  bool whole = true;
  std::string fault;
  auto status =
      rows->Read(*file, place.offset, place.line, /*only_look=*/false, &fault, [&](Row& row) {
        if (taken == TicketSource::kPageTickets) {
          whole = false;
          return false;
        }
        ++taken;
        place.offset = row.end;
        place.line = row.next_line;
        if (row.ticket && row.ticket->now) row.ticket->now->as_of = ChangedAt(mark);
        if (row.ticket) page.tickets.push_back(std::move(*row.ticket));
        if (!row.reason.empty()) reject(row.line, row.reason);
        return true;
      });
  if (!status.ok()) return status;
  if (!fault.empty()) return absl::UnavailableError(mark.name + ": changed while it was read");
  page.token = whole ? PlaceToken({mark, {}, 0, 1})
                     : PlaceToken({place.done, mark, place.offset, place.line});
  return page;
}

std::unique_ptr<TicketSource> MakeFileDrop(FileDropConfig config, BlockingPool& pool) {
  return std::make_unique<FileDrop>(std::move(config), pool);
}

}  // namespace oppetid::collector
