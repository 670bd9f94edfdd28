// Where the account comes from: a running collector, or the file of its ledger. Both tell the same.
//
// One thread; blocking.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collector/cli/client.h"
#include "collector/cli/input.h"
#include "collector/sla/facts.h"

namespace oppetid::collector {

struct SourceOptions {
  CollectorAddress address;
  std::string ledger;  // a ledger's file, read without a collector
};

// Adds --state, --socket and --ledger to a subcommand.
void AddSourceOptions(CLI::App& command, SourceOptions& options);

class Source {
 public:
  virtual ~Source() = default;
  // The catalogue that computes `period`, as YAML; FailedPrecondition where there is none.
  virtual absl::StatusOr<std::string> CatalogueOf(const std::string& period,
                                                  AsKnownAt as_known_at) = 0;
  // The one in force at `at`; NotFound where there is none.
  virtual absl::StatusOr<std::string> CatalogueAt(Instant at) = 0;
  // The JSON of VersionsAsJson and of DecisionsAsJson.
  virtual absl::StatusOr<std::string> Versions() = 0;
  virtual absl::StatusOr<std::string> Decisions() = 0;
  // history.jsonl of [from, to), its services those of `catalogue` (empty: the one in force).
  virtual absl::StatusOr<std::string> History(Interval period, const std::string& catalogue) = 0;
  // tickets.jsonl: every ticket that something happened to before `before`.
  virtual absl::StatusOr<std::string> Tickets(Instant before) = 0;
};

// The ledger's file where one is named, or where --state names a directory whose collector does not
// run; else the running collector.
absl::StatusOr<std::unique_ptr<Source>> OpenSource(const SourceOptions& options);

// An instant as people type it, local time in the newest catalogue's zone.
absl::StatusOr<Instant> WhenOf(Source& source, const std::string& text);

// What a period is computed from: the texts that the exports print, and the instant as known at.
struct PeriodTexts {
  Period period;
  AsKnownAt as_known_at;
  InputTexts texts;
};

// The period's catalogue (or that in `catalogue_file`) and its history; its tickets are left to
// whoever needs them. A period that is not over is known as of now, unless `as_known_at` says
// otherwise.
absl::StatusOr<PeriodTexts> TextsOf(Source& source, const std::string& period,
                                    AsKnownAt as_known_at, const std::string& catalogue_file);

// The value of an option such as --as-known-at; InvalidArgument where it is no instant.
absl::StatusOr<AsKnownAt> ReadAsKnownAt(const std::string& text);

}  // namespace oppetid::collector
