// oppetid-collector: the central daemon.
#include <CLI/CLI.hpp>
#include <string>

#include "collector/collector.h"

int main(int argc, char** argv) {
  CLI::App app{
      "oppetid-collector takes what the agents stream, keeps the ledger, and exposes Prometheus "
      "metrics and the status."};
  app.set_version_flag("--version", std::string("oppetid-collector ") + OPPETID_VERSION);
  app.require_subcommand(1);
  app.footer("Exit codes: 0 fine, 1 failed, 2 bad usage or configuration.");

  std::string file;
  CLI::App* run =
      app.add_subcommand("run", "Run in the foreground until SIGTERM, SIGHUP or Ctrl-C");
  run->add_option("--config", file, "The collector's configuration (collector.yaml)")->required();
  CLI::App* check = app.add_subcommand("check-config", "Say every fault of a configuration");
  check->add_option("FILE", file, "The file to read")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return *run ? oppetid::collector::RunCollector(file)
              : oppetid::collector::CheckCollectorConfig(file);
}
