// oppetid-agent: the small daemon on each server.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "agent/agent.h"
#include "agent/enrol.h"
#include "agent/report_commands.h"

int main(int argc, char** argv) {
  CLI::App app{
      "oppetid-agent watches this server and streams what it sees to the collector.\n"
      "Outbound connections only; nothing from the network makes it run, read or connect to what "
      "its own file does not name."};
  app.set_version_flag("--version", std::string("oppetid-agent ") + OPPETID_VERSION);
  app.require_subcommand(1);
  app.footer("Exit codes: 0 fine, 1 failed or refused, 2 bad usage or configuration.");

  std::string file;
  CLI::App* run =
      app.add_subcommand("run", "Run in the foreground until SIGTERM, SIGHUP or Ctrl-C");
  run->add_option("--config", file, "The agent's configuration (agent.yaml)")->required();
  CLI::App* check = app.add_subcommand("check-config", "Say every fault of a configuration");
  check->add_option("FILE", file, "The file to read")->required();
  oppetid::agent::ReportCommands reports(app);

  oppetid::agent::EnrolOptions enrolment;
  CLI::App* enrol = app.add_subcommand(
      "enrol", "Redeem an invitation: make this server's key and get its certificate");
  enrol->add_option("--collector", enrolment.collector,
                    "HOST:PORT for agents (default: the configuration's first)");
  auto* token = enrol->add_option_group("token", "The token of `oppetid agent invite`");
  token->add_option("--token", enrolment.token,
                    "The token itself, or - for standard input; others on this server may see it");
  token->add_option("--token-file", enrolment.token_file, "A file that holds it");
  token->require_option(1);
  auto* config = enrol->add_option("--config", enrolment.config,
                                   "The agent's configuration, which says where its state is");
  enrol
      ->add_option("--state", enrolment.state,
                   "The agent's state directory (default /var/lib/oppetid-agent)")
      ->excludes(config);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (*enrol) return oppetid::agent::RunEnrol(enrolment);
  if (reports.given()) {
    if (const std::string fault = reports.Fault(); !fault.empty()) {
      std::cerr << fault << "\n";
      return 2;
    }
    if (const auto status = reports.Run(); !status.ok()) {
      std::cerr << status.message() << "\n";
      return 1;
    }
    return 0;
  }
  return *run ? oppetid::agent::RunAgent(file) : oppetid::agent::CheckAgentConfig(file);
}
