// `oppetid maintenance announce|list|cancel` and `oppetid correction add|list|revoke`.
#pragma once

#include <CLI/App.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "collector/cli/client.h"

namespace oppetid::collector {

void AddMaintenance(CLI::App& app, int& exit_code);
void AddCorrection(CLI::App& app, int& exit_code);

// What every decision of a person says.
struct DecideOptions {
  CollectorAddress address;
  std::vector<std::string> services, municipalities{"*"};
  std::string from, to, id;
  std::string reason, reference, on_behalf_of;
};

// Adds --reason, --reference and --on-behalf-of, and where the collector is.
void AddWhyOptions(CLI::App& command, DecideOptions& options, bool reason);
// Adds --service, --municipality, --from and --to.
void AddExtentOptions(CLI::App& command, DecideOptions& options);

// The options as a wish to `verb`; keys of empty options are left out.
boost::json::object WishOf(const char* verb, const DecideOptions& options);
// Asks the collector to record it; prints the id, if it has one, and remarks. The exit code.
int Record(const DecideOptions& options, const boost::json::object& wish);

}  // namespace oppetid::collector
