#include "collector/cli/ca.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/client.h"
#include "collector/cli/table.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

struct Options {
  CollectorAddress address;
  std::string on_behalf_of;
  bool as_json = false;
};

int Step(const Options& options, const std::string& step) {
  const auto body = Fetch(options.address, "POST",
                          WithBehalf("/api/v1/ca/rollover/" + step, options.on_behalf_of));
  if (!body.ok()) return Fail(body.status());
  std::cout << *body;
  return 0;
}

int Status(const Options& options) {
  const auto body = Fetch(options.address, "GET", "/api/v1/ca/rollover");
  if (!body.ok()) return Fail(body.status());
  if (options.as_json) {
    std::cout << *body << "\n";
    return 0;
  }
  boost::system::error_code error;
  const json::value root = json::parse(*body, error);
  if (error || !root.is_object()) {
    return Fail(absl::InternalError("the collector's answer is no status of a roll-over"));
  }
  const Cells status(root);
  const std::string state = status.Text("state");
  std::cout << (state == "none"      ? "No roll-over is under way.\n"
                : state == "started" ? "Both CAs are trusted; the old one issues.\n"
                                     : "Both CAs are trusted; the new one issues.\n");
  for (const json::value& one : status.List("cas")) {
    const Cells ca(one);
    std::cout << "  CA " << ca.Text("hash") << ", until " << ca.Text("expires")
              << (ca.Has("issues") ? ", issues" : "") << "\n";
  }
  const json::array waiting = status.List("waiting_for");
  if (state == "switched" && waiting.empty())
    std::cout << "Ready for: oppetid ca rollover finish\n";
  for (const json::value& one : waiting) {
    const Cells agent(one);
    std::cout << "  waits for " << agent.Text("host") << " (" << agent.Text("municipality")
              << "): " << agent.Text("why") << "\n";
  }
  return 0;
}

}  // namespace

void AddCa(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ca", "The certificate authority");
  command->require_subcommand(1);
  CLI::App* rollover = command->add_subcommand("rollover", "Replace the CA by a new one");
  rollover->require_subcommand(1);
  for (const auto& [step, what] : {std::pair("start", "Make a new CA and have agents trust both"),
                                   std::pair("finish", "Stop trusting the old CA")}) {
    CLI::App* one = rollover->add_subcommand(step, what);
    AddAddressOptions(*one, options->address);
    AddBehalfOption(*one, options->on_behalf_of);
    one->callback(
        [options, &exit_code, step = std::string(step)] { exit_code = Step(*options, step); });
  }
  CLI::App* status = rollover->add_subcommand("status", "How far it is, and whom it waits for");
  AddAddressOptions(*status, options->address);
  status->add_flag("--json", options->as_json, "As JSON");
  status->callback([options, &exit_code] { exit_code = Status(*options); });
}

}  // namespace oppetid::collector
