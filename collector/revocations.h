// The list of ended hosts beside the ledger: a revocation holds also when the ledger is restored
// from a backup that is older than it.
//
// A text file, one line a revocation, of which none ever goes: `<id> <instant> <what> <host>`,
// synced before anybody is told. The act in the ledger carries the same id; a line without its act
// is a revocation that the ledger has forgotten.
// Threading: Append may run on any one thread at a time; the rest from the thread that opens it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/instant.h"

namespace oppetid::collector {

struct HostEnd {
  std::string id;  // 16 hex digits, random
  Instant at;
  bool retired = false;  // ended for good; else its certificates are revoked
  std::string host;
};

class Revocations {
 public:
  // A file that is missing is an empty list; one that cannot be read is an error, since what it
  // says must hold.
  static absl::StatusOr<Revocations> Open(std::string path);

  const std::vector<HostEnd>& all() const { return all_; }
  // Durable when it returns OK.
  absl::Status Append(const HostEnd& revocation);

 private:
  explicit Revocations(std::string path) : path_(std::move(path)) {}
  std::string path_;
  std::string text_;
  std::vector<HostEnd> all_;
};

}  // namespace oppetid::collector
