#include "agent/report_commands.h"

#include "agent/report_client.h"
#include "common/text.h"

namespace oppetid::agent {

ReportCommands::ReportCommands(CLI::App& app) {
  report_ = app.add_subcommand("report", "Tell the agent on this machine the state of a check");
  report_->add_option("--check", check_, "A check of the sensor `report`")->required();
  report_->add_option("--state", state_, "ok, warning, critical or unknown")->required();
  report_->add_option("--text", text_, "One line for people");
  AddSocket(report_);

  report_backup_ = app.add_subcommand("report-backup",
                                      "Tell the agent on this machine how a backup job is doing");
  report_backup_->add_option("--job", job_, "The job of a check of the sensor `job`")->required();
  report_backup_->add_option("--state", event_,
                             "start, success or fail; or give --exit-code alone");
  report_backup_->add_option("--kind", kind_, "backup, restore_test, check or offsite")
      ->capture_default_str();
  report_backup_->add_option("--depth", depth_, "Of a check: metadata or data");
  report_backup_->add_option("--bytes", bytes_, "Size of what a restore would give");
  report_backup_->add_option("--files", files_, "How many files");
  report_backup_->add_option("--exit-code", exit_code_,
                             "Of the tool: without --state, 0 is a success and others fail");
  AddSocket(report_backup_);
}

void ReportCommands::AddSocket(CLI::App* command) {
  CLI::Option* socket = command->add_option("--socket", socket_, "The agent's report.sock");
  command->add_option("--agent-state", state_directory_, "The agent's state directory, with it in")
      ->excludes(socket);
}

std::string ReportCommands::Fault() {
  if (*report_) {
    const auto state = ParseState(state_);
    if (!state) return "--state: expected ok, warning, critical or unknown";
    made_ = CheckReport{check_, *state, OneLine(text_)};
  } else {
    JobReport report{job_, {}, {}, bytes_, files_, exit_code_};
    const auto kind = ParseRunKind(kind_, depth_);
    if (!kind) {
      return "--kind: expected backup, restore_test, offsite, or check with --depth metadata or "
             "data";
    }
    report.kind = *kind;
    if (event_.empty() && exit_code_) event_ = *exit_code_ == 0 ? "success" : "fail";
    const auto event = ParseRunEvent(event_);
    if (!event) return "--state: expected start, success or fail (or --exit-code alone)";
    report.event = *event;
    made_ = report;
  }
  // The agent would say the same; so it is bad usage rather than a refusal.
  std::string line = FormatReport(made_);
  line.pop_back();
  return ParseReport(line).fault;
}

absl::Status ReportCommands::Run() {
  if (!state_directory_.empty()) socket_ = state_directory_ + "/report.sock";
  return SendReport(socket_, made_);
}

}  // namespace oppetid::agent
