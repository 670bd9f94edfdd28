#include "collector/ledger/care.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "collector/ledger/sqlite.h"
#include "collector/ledger/sqlite_db.h"
#include "common/check.h"

namespace oppetid::collector {
namespace {

constexpr Instant kEver = FromUnixMillis(std::numeric_limits<int64_t>::max() / 2);

absl::Status SyncAndRename(const std::string& from, const std::string& to) {
  const int file = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return absl::ErrnoToStatus(errno, from);
  const bool synced = ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (!synced) return absl::ErrnoToStatus(error, from);
  // link, not rename: somebody else's file of that name is not replaced.
  if (::link(from.c_str(), to.c_str()) != 0) return absl::ErrnoToStatus(errno, to);
  ::unlink(from.c_str());
  const size_t slash = to.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : to.substr(0, slash + 1);
  const int entries = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (entries < 0) return absl::ErrnoToStatus(errno, directory);
  const bool durable = ::fsync(entries) == 0;
  ::close(entries);
  return durable ? absl::OkStatus() : absl::ErrnoToStatus(errno, directory);
}

absl::Status CheckIntegrity(const std::string& path) {
  auto db = Database::Open(path, /*read_only=*/true);
  if (!db.ok()) return db.status();
  auto verdict = db->QueryText("PRAGMA integrity_check(1)");
  if (!verdict.ok()) return verdict.status();
  if (*verdict != "ok") return absl::DataLossError(absl::StrCat(path, ": ", *verdict));
  const auto orphans = db->QueryInt("SELECT count(*) FROM pragma_foreign_key_check");
  if (!orphans.ok()) return orphans.status();
  if (*orphans == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": ", *orphans, " spans of no check"));
}

absl::StatusOr<std::string> IdOf(const std::string& path) {
  auto db = Database::Open(path, /*read_only=*/true);
  if (!db.ok()) return db.status();
  return db->QueryText("SELECT value FROM meta WHERE key = 'ledger_id'");
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    OPPETID_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "OpenSSL has it");
  }
  void Add(const std::string& bytes) {
    OPPETID_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "in memory");
  }
  std::string Hex() {
    std::array<unsigned char, 32> digest{};
    OPPETID_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1, "in memory");
    std::string hex;
    for (const unsigned char byte : digest) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
    return hex;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

std::string UnfinishedCopy(const std::string& copy) { return copy + ".unfinished"; }

absl::Status BackUpLedger(const std::string& ledger, const std::string& copy) {
  struct stat info {};
  if (::stat(copy.c_str(), &info) == 0) {
    return absl::AlreadyExistsError(absl::StrCat(copy, " is there already; choose another name"));
  }
  const auto reader = OpenSqliteReader(ledger);  // says so when it is no ledger
  if (!reader.ok()) return reader.status();
  auto db = Database::Open(ledger, /*read_only=*/true);
  if (!db.ok()) return db.status();
  const std::string unfinished = UnfinishedCopy(copy);
  ::unlink(unfinished.c_str());
  // One read transaction, however much is written meanwhile; the backup interface of SQLite would
  // begin anew at each commit of another process.
  const mode_t before = ::umask(0077);
  auto statement = db->Prepare("VACUUM INTO ?1");
  absl::Status status = statement.status();
  if (status.ok()) {
    statement->Bind(1, unfinished);
    status = statement->Run();
  }
  ::umask(before);
  if (status.ok()) status = CheckIntegrity(unfinished);
  if (status.ok()) status = SyncAndRename(unfinished, copy);
  if (!status.ok()) ::unlink(unfinished.c_str());
  return status;
}

namespace {

// A ticket with everything that is known of it, as a line.
std::string Line(const Ticket& ticket) {
  std::string line =
      absl::StrCat("ticket\t", ticket.id, "\t", ticket.source, "\t", ticket.municipality, "\t",
                   ticket.kind, "\t", ticket.priority, "\t", ticket.service);
  for (const TicketEvent& its : ticket.events) {
    absl::StrAppend(&line, "\t", ToUnixMillis(its.at), "\t", its.status, "\t", its.responded, "\t",
                    its.removed, "\t", its.municipality, "\t", its.kind, "\t", its.priority, "\t",
                    its.service, "\t", ToUnixMillis(its.recorded_at));
  }
  const auto answer = [&](const Answer& its) {
    absl::StrAppend(&line, "\t", its.score, "\t", ToUnixMillis(its.at), "\t",
                    ToUnixMillis(its.recorded_at));
  };
  if (ticket.satisfaction) answer(*ticket.satisfaction);
  for (const Answer& its : ticket.earlier_answers) answer(its);
  return line + "\n";
}

}  // namespace

absl::StatusOr<LedgerSummary> VerifyLedger(const std::string& path) {
  auto reader = OpenSqliteReader(path);
  if (!reader.ok()) return reader.status();
  if (auto status = CheckIntegrity(path); !status.ok()) return status;
  LedgerSummary summary;
  auto id = IdOf(path);
  if (!id.ok()) return id.status();
  summary.id = *std::move(id);
  const auto agents = (*reader)->Agents();
  if (!agents.ok()) return agents.status();
  summary.agents = agents->size();
  auto status = (*reader)->ForEachSpan(Instant{} - std::chrono::hours(24), kEver,
                                       [&](const StoredSpan&) { ++summary.spans; });
  if (!status.ok()) return status;
  status = (*reader)->ForEachBackupRun([&](const StoredBackupRun&) { ++summary.backup_runs; });
  if (!status.ok()) return status;
  status = (*reader)->ForEachTicket(kEver, [&](const Ticket&) { ++summary.tickets; });
  if (!status.ok()) return status;
  bool broken = false;
  status = (*reader)->ForEachAct(1, [&](const Act& act) {
    if (broken) return;
    broken = act.number != summary.head.number + 1 || act.hash != ChainHash(summary.head.hash, act);
    if (broken) return;
    summary.head = {act.number, act.hash};
    ++summary.acts;
  });
  if (!status.ok()) return status;
  if (!broken) return summary;
  return absl::DataLossError(
      absl::StrCat(path, ": the audit chain is broken after act ", summary.head.number));
}

absl::StatusOr<std::string> HashLedger(const std::string& path) {
  auto reader = OpenSqliteReader(path);
  if (!reader.ok()) return reader.status();
  const auto id = IdOf(path);
  if (!id.ok()) return id.status();
  Sha256 hash;
  hash.Add(absl::StrCat("ledger\t", *id, "\n"));
  auto status = (*reader)->ForEachSpan(
      Instant{} - std::chrono::hours(24), kEver, [&](const StoredSpan& span) {
        hash.Add(absl::StrCat("span\t", span.host, "/", span.check, "\t",
                              static_cast<int>(span.state), "\t", span.gap, "\t",
                              ToUnixMillis(span.from), "\t", ToUnixMillis(span.to), "\t",
                              ToUnixMillis(span.recorded_at), "\t", span.reason, "\n"));
      });
  if (!status.ok()) return status;
  status = (*reader)->ForEachBackupRun([&](const StoredBackupRun& run) {
    hash.Add(absl::StrCat("backup_run\t", run.host, "/", run.job, "\t", run.restore_test, "\t",
                          ToUnixMillis(run.start), "\t", ToUnixMillis(run.end), "\t", run.success,
                          "\t", run.bytes, "\t", run.files, "\t", ToUnixMillis(run.recorded_at),
                          "\n"));
  });
  if (!status.ok()) return status;
  status = (*reader)->ForEachTicket(kEver, [&](const Ticket& ticket) { hash.Add(Line(ticket)); });
  if (!status.ok()) return status;
  status = (*reader)->ForEachAct(1, [&](const Act& act) {
    hash.Add(absl::StrCat("act\t", act.number, "\t", act.hash, "\n"));
  });
  if (!status.ok()) return status;
  return hash.Hex();
}

}  // namespace oppetid::collector
