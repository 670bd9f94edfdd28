// A source of tickets: files that a helpdesk's export leaves in a directory, CSV or JSON lines.
//
// Files are taken in the order in which they came to lie there, each once; one that has changed is
// taken again, which changes nothing but what is new. A file is looked through before anything of
// it is taken: one beyond the bounds, or without its columns, is refused whole. Reading costs one
// page of memory, however large the file. Nothing in the directory is changed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "collector/tickets/csv_tickets.h"
#include "collector/tickets/source_config.h"
#include "common/async.h"

namespace oppetid::collector {

struct FileDropConfig {
  std::string directory;
  bool json = false;  // lines of tickets.jsonl; else CSV
  CsvFormat csv;
  // A file must have come this recently, else the source counts as down: an export that silently
  // stopped is no good news.
  std::optional<Millis> new_file_within;
};

// A year of a large helpdesk is a tenth of this.
inline constexpr uint64_t kMaxDropBytes = 512'000'000;
inline constexpr int kMaxDropRows = 500'000;
// A file may still be being written until it has not changed for this long.
inline constexpr Millis kDropSettled{10'000};

// Blocking; what the source does on the pool.
absl::StatusOr<TicketPage> ReadFileDrop(const FileDropConfig& config,
                                        const TicketQuestion& question);

// The pool outlives the source.
std::unique_ptr<TicketSource> MakeFileDrop(FileDropConfig config, BlockingPool& pool);

// Its keys of the configuration.
MakeTicketSource ReadFileDropKeys(YamlMap& map, TicketMapping& mapping);

}  // namespace oppetid::collector
