// A catalogue on its way into force: checked whole, compared with the one before, made into an act.
//
// Pure but for the time zone database. Safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/account/agreements.h"

namespace oppetid::collector {

struct CatalogueDraft {
  std::string body;                   // of the act; empty where the text is in force already
  std::vector<std::string> changes;   // what differs from the version in force, a line each
  std::vector<std::string> warnings;  // checks that no agent has
};

// `file` names the text in faults; `checks` are the full names of the agents' checks. An
// InvalidArgument holds every fault, one a line.
absl::StatusOr<CatalogueDraft> DraftCatalogue(std::string_view yaml, const std::string& file,
                                              const std::string& reason,
                                              const Agreements& agreements,
                                              const std::vector<std::string>& checks);

// What differs in meaning, as sentences of paths: "~ services[email].target: 99.9 % -> 99.5 %",
// "+ …" for what is new, "- …" for what is gone. Both texts are well-formed YAML, or empty.
std::vector<std::string> CatalogueChanges(std::string_view before, std::string_view after);

// The version that computes `period` (as `oppetid report` takes it): the one in force at its last
// instant, as known at `as_known_at`. Each period is read in the newest catalogue's time zone.
// FailedPrecondition where there was none.
absl::StatusOr<const CatalogueVersion*> CatalogueOfPeriod(const Agreements& agreements,
                                                          const std::string& period,
                                                          AsKnownAt as_known_at);

// [{"number","at","who","on_behalf_of","reason","lines"}…], the oldest first.
std::string VersionsAsJson(const Agreements& agreements);

}  // namespace oppetid::collector
