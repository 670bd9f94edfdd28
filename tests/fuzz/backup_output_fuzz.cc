// Fuzzes what backup tools print. The first byte chooses the tool. Breaks when a promise of their
// headers does not hold.
#include <algorithm>
#include <cstdint>

#include "agent/sensors/borg_output.h"
#include "agent/sensors/postgres_output.h"
#include "agent/sensors/restic_output.h"
#include "common/check.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

template <typename T>
void CheckOrder(const std::vector<T>& runs) {
  OPPETID_CHECK(std::is_sorted(runs.begin(), runs.end(),
                               [](const T& a, const T& b) { return a.start < b.start; }),
                "runs are in the order of their starts");
}

void Restic(std::string_view input) {
  if (const auto snapshots = ParseResticSnapshots(input)) {
    OPPETID_CHECK(snapshots->size() <= kMaxResticSnapshots, "snapshots are bounded");
    CheckOrder(*snapshots);
    for (const ResticSnapshot& snapshot : *snapshots) {
      OPPETID_CHECK(ParseResticLockIds(snapshot.id).size() == 1, "ids are safe as arguments");
    }
  }
  ParseResticStats(input);
  ParseResticLock(input);
  OPPETID_CHECK(ParseResticLockIds(input).size() <= kMaxResticLocks, "locks are bounded");
  const std::string left_out = ResticLeftOut(input);
  OPPETID_CHECK(left_out == OneLine(left_out), "what was left out is one safe line");
  const std::string failure = ResticFailure(input.empty() ? 1 : input[0], input);
  OPPETID_CHECK(failure == OneLine(failure), "a failure is one safe line");
}

void Borg(std::string_view input) {
  if (const auto archives = ParseBorgArchives(input)) {
    OPPETID_CHECK(archives->size() <= kMaxBorgArchives, "archives are bounded");
    CheckOrder(*archives);
  }
  const std::string failure = BorgFailure(2, input);
  OPPETID_CHECK(failure == OneLine(failure), "a failure is one safe line");
}

void Postgres(std::string_view input) {
  ParseWalArchiver(input);
  if (const auto stanza = ParsePgStanza(input, "main")) {
    OPPETID_CHECK(stanza->message == OneLine(stanza->message), "a message is one safe line");
    const std::string failure = PgBackRestFailure(stanza->message);
    OPPETID_CHECK(failure == OneLine(failure), "a failure is one safe line");
    CheckOrder(stanza->backups);
    for (const PgBackup& backup : stanza->backups) {
      OPPETID_CHECK(backup.start <= backup.end, "a run ends after its start");
    }
  }
}

}  // namespace
}  // namespace oppetid::agent

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'r') oppetid::agent::Restic(input);
  if (data[0] == 'b') oppetid::agent::Borg(input);
  if (data[0] == 'p') oppetid::agent::Postgres(input);
  return 0;
}
