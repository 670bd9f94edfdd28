#include "collector/cli/check.h"

#include <iostream>
#include <memory>

#include "collector/cli/client.h"

namespace oppetid::collector {

void AddCheck(CLI::App& app, int& exit_code) {
  struct Options {
    CollectorAddress address;
    std::string check;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("check", "Ask agents about checks");
  command->require_subcommand(1);
  CLI::App* now = command->add_subcommand("now", "Attempt a check now, out of its turn");
  AddAddressOptions(*now, options->address);
  now->add_option("CHECK", options->check, "HOST/CHECK")->required();
  now->callback([options, &exit_code] {
    const size_t slash = options->check.find('/');
    if (slash == std::string::npos) {
      std::cerr << "oppetid: " << options->check << " is not HOST/CHECK\n";
      exit_code = 2;
      return;
    }
    const auto reply = Fetch(options->address, "POST",
                             "/api/v1/check-now?host=" + UrlEncode(options->check.substr(0, slash)) +
                                 "&check=" + UrlEncode(options->check.substr(slash + 1)));
    exit_code = reply.ok() ? 0 : Fail(reply.status());
  });
}

}  // namespace oppetid::collector
