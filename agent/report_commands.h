// The commands `report` and `report-backup` of oppetid-agent: their options, and what they mean.
//
// Threading: the program's only thread. Lifetime: the app and this end together.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "agent/report_line.h"

namespace oppetid::agent {

class ReportCommands {
 public:
  // Adds both commands to the program's.
  explicit ReportCommands(CLI::App& app);
  ReportCommands(const ReportCommands&) = delete;
  ReportCommands& operator=(const ReportCommands&) = delete;

  // Whether one of them was given.
  bool given() const { return *report_ || *report_backup_; }
  // Why what was given does not make sense; empty when it does.
  std::string Fault();
  // Sends it.
  absl::Status Run();

 private:
  void AddSocket(CLI::App* command);

  CLI::App* report_;
  CLI::App* report_backup_;
  std::string socket_, state_directory_;
  std::string check_, state_, text_;
  std::string job_, event_, kind_ = "backup", depth_;
  std::optional<uint64_t> bytes_, files_, exit_code_;
  Report made_;
};

}  // namespace oppetid::agent
