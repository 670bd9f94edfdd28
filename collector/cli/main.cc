// `oppetid`, the command line for people: registers the subcommands and runs one.
#include <CLI/CLI.hpp>

#include "collector/cli/agent.h"
#include "collector/cli/audit.h"
#include "collector/cli/ca.h"
#include "collector/cli/catalogue.h"
#include "collector/cli/check.h"
#include "collector/cli/check_config.h"
#include "collector/cli/decide.h"
#include "collector/cli/explain.h"
#include "collector/cli/export.h"
#include "collector/cli/ledger.h"
#include "collector/cli/outage.h"
#include "collector/cli/report.h"
#include "collector/cli/status.h"
#include "collector/cli/ticket.h"
#include "collector/cli/token.h"

int main(int argc, char** argv) {
  CLI::App app("Oppetid: uptime, and the account of what was agreed", "oppetid");
  app.set_version_flag("--version", "oppetid " OPPETID_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  oppetid::collector::AddStatus(app, exit_code);
  oppetid::collector::AddCheck(app, exit_code);
  oppetid::collector::AddAgent(app, exit_code);
  oppetid::collector::AddCa(app, exit_code);
  oppetid::collector::AddExport(app, exit_code);
  oppetid::collector::AddCheckConfig(app, exit_code);
  oppetid::collector::AddReport(app, exit_code);
  oppetid::collector::AddTicket(app, exit_code);
  oppetid::collector::AddToken(app, exit_code);
  oppetid::collector::AddAudit(app, exit_code);
  oppetid::collector::AddLedger(app, exit_code);
  oppetid::collector::AddCatalogue(app, exit_code);
  oppetid::collector::AddMaintenance(app, exit_code);
  oppetid::collector::AddCorrection(app, exit_code);
  oppetid::collector::AddOutage(app, exit_code);
  oppetid::collector::AddExplain(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    app.exit(error);
    return asked ? 0 : 2;
  }
  return exit_code;
}
