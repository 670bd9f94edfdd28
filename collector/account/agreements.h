// What people agreed and decided, as all acts say it: catalogues, maintenance, corrections, notes.
//
// The one view of acts from which the account is kept: the collector feeds it acts as they become
// durable, an offline command feeds it those of a ledger's file, and both then know the same. The
// decisions come as `Facts` without spans, so that reports and live figures compute with them as
// they stand. Not thread-safe: in the collector it belongs to the hub's thread; what it hands out
// as shared pointers may be read from any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "collector/ledger/ledger.h"
#include "collector/sla/catalogue.h"
#include "collector/sla/facts.h"

namespace oppetid::collector {

// The kinds of acts that it follows.
namespace acts {
inline constexpr char kCatalogueApplied[] = "catalogue_applied";
inline constexpr char kMaintenanceAnnounced[] = "maintenance_announced";
inline constexpr char kMaintenanceCancelled[] = "maintenance_cancelled";
inline constexpr char kCorrectionAdded[] = "correction_added";
inline constexpr char kCorrectionRevoked[] = "correction_revoked";
inline constexpr char kOutageReported[] = "outage_reported";
inline constexpr char kOutageAnnotated[] = "outage_annotated";
}  // namespace acts

// Who decided something, when and why.
struct DecidedBy {
  uint64_t number = 0;  // of the act
  Instant at;
  std::string kind;
  std::string who;
  std::string on_behalf_of;
  std::string reason;
  std::string reference;  // a ticket or change number
};

struct CatalogueVersion {
  DecidedBy decided;
  std::string yaml;
};

// A person's words about the outage that a service was in at `at`.
struct OutageNote {
  DecidedBy decided;
  std::string service;
  std::string municipality;
  Instant at;
  std::string text;
};

class Agreements {
 public:
  // Acts come in their order; kinds that it does not follow change nothing.
  void Tell(const Act& act);

  const std::vector<CatalogueVersion>& versions() const { return versions_; }
  // The newest version applied at or before `at`; null where none was.
  const CatalogueVersion* InForce(Instant at) const;
  // The newest catalogue, read; null where there is none.
  std::shared_ptr<const Catalogue> catalogue() const { return catalogue_; }

  // Maintenance, corrections and revocations only. `by` and `reason` hold what the act says, with
  // on whose behalf and the reference.
  const Facts& decisions() const { return decisions_; }
  const std::map<std::string, DecidedBy>& decided() const { return decided_; }  // by m-N or c-N
  const std::map<std::string, DecidedBy>& revoked() const { return revoked_; }  // likewise
  const std::vector<OutageNote>& notes() const { return notes_; }

 private:
  std::vector<CatalogueVersion> versions_;
  std::shared_ptr<const Catalogue> catalogue_;
  Facts decisions_;
  std::map<std::string, DecidedBy> decided_, revoked_;
  std::vector<OutageNote> notes_;
};

// Tells the agreements every act of a ledger; DataLoss where the audit chain is broken.
absl::Status TellAll(LedgerReader& reader, Agreements& agreements);

// As facts name people: "drift1", or "drift1 on behalf of Kari Nordmann".
std::string ByWords(const DecidedBy& decided);

}  // namespace oppetid::collector
