#include "collector/cli/ledger.h"

#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "collector/cli/client.h"
#include "collector/ledger/care.h"

namespace oppetid::collector {
namespace {

constexpr char kDefaultLedger[] = "/var/lib/oppetid/ledger.sqlite";

struct Options {
  std::string state, ledger, copy;
  bool json = false;
};

uint64_t SizeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

std::string PathOf(const Options& options) {
  if (!options.ledger.empty()) return options.ledger;
  if (options.state.empty()) return kDefaultLedger;
  const std::string nested = options.state + "/collector/ledger.sqlite";
  return SizeOf(nested) > 0 ? nested : options.state + "/ledger.sqlite";
}

// Tells on a terminal how far the copy has come, each half second until destruction.
class Progress {
 public:
  Progress(std::string from, std::string to)
      : from_(std::move(from)), to_(std::move(to)), thread_([this] { Tell(); }) {}
  ~Progress() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_one();
    thread_.join();
    if (told_) std::cerr << "\r\033[K";
  }

 private:
  void Tell() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(500), [this] { return ended_; })) {
      if (::isatty(STDERR_FILENO) == 0) continue;
      told_ = true;
      std::cerr << "\r" << SizeOf(to_) / 1'000'000 << " of about " << SizeOf(from_) / 1'000'000
                << " MB" << std::flush;
    }
  }

  std::string from_, to_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false, told_ = false;
  std::thread thread_;
};

int RunBackup(const Options& options) {
  const std::string ledger = PathOf(options);
  const absl::Status status = [&] {
    const Progress progress(ledger, UnfinishedCopy(options.copy));
    return BackUpLedger(ledger, options.copy);
  }();
  if (!status.ok()) return Fail(status);
  std::cout << options.copy << ": " << SizeOf(options.copy) << " bytes\n";
  return std::cout.flush() ? 0 : 1;
}

int RunVerify(const Options& options) {
  const auto summary = VerifyLedger(PathOf(options));
  if (!summary.ok()) return Fail(summary.status());
  if (options.json) {
    std::cout << absl::StrCat(
        "{\"ledger\":\"", summary->id, "\",\"agents\":", summary->agents,
        ",\"spans\":", summary->spans, ",\"backup_runs\":", summary->backup_runs,
        ",\"tickets\":", summary->tickets, ",\"acts\":", summary->acts, ",\"chain\":\"",
        summary->head.number, ":", summary->head.hash, "\"}\n");
  } else {
    std::cout << "ledger " << summary->id << " is whole: " << summary->agents << " agents, "
              << summary->spans << " spans, " << summary->backup_runs << " backup runs, "
              << summary->tickets << " tickets, " << summary->acts << " acts\n";
  }
  return std::cout.flush() ? 0 : 1;
}

int RunHash(const Options& options) {
  const auto hash = HashLedger(PathOf(options));
  if (!hash.ok()) return Fail(hash.status());
  std::cout << *hash << "\n";
  return std::cout.flush() ? 0 : 1;
}

void AddPlace(CLI::App& command, Options& options) {
  auto* state = command.add_option("--state", options.state, "State directory of the collector");
  command
      .add_option("--ledger", options.ledger,
                  absl::StrCat("The file itself (default ", kDefaultLedger, ")"))
      ->excludes(state);
}

}  // namespace

void AddLedger(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "ledger",
      "Care for the ledger's file, also while the collector runs; as a user who may read it");
  command->require_subcommand(1);

  CLI::App* backup = command->add_subcommand(
      "backup", "Copy one consistent state to a new file, which is a ledger itself");
  AddPlace(*backup, *options);
  backup->add_option("FILE", options->copy, "Where to; must not exist")->required();
  backup->callback([options, &exit_code] { exit_code = RunBackup(*options); });

  CLI::App* verify = command->add_subcommand("verify", "Read it from end to end; exit 1 on damage");
  AddPlace(*verify, *options);
  verify->add_flag("--json", options->json, "As JSON, for programs");
  verify->callback([options, &exit_code] { exit_code = RunVerify(*options); });

  CLI::App* hash = command->add_subcommand("hash", "One hash over every fact: equal for a copy");
  AddPlace(*hash, *options);
  hash->callback([options, &exit_code] { exit_code = RunHash(*options); });
}

}  // namespace oppetid::collector
