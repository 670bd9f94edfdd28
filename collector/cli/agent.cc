#include "collector/cli/agent.h"

#include <iostream>
#include <memory>

#include "collector/cli/client.h"
#include "collector/cli/table.h"

namespace oppetid::collector {
namespace {

struct Options {
  CollectorAddress address;
  std::string municipality, host, ttl = "1h", reason, on_behalf_of;
  bool as_json = false;
};

// What a subcommand asks the collector for.
std::string Target(const Options& options, const std::string& verb) {
  std::string target = "/api/v1/agents/" + verb + "?host=" + UrlEncode(options.host);
  const auto add = [&target](const char* key, const std::string& value) {
    if (!value.empty()) target += std::string("&") + key + "=" + UrlEncode(value);
  };
  add("municipality", options.municipality);
  add("reason", options.reason);
  if (verb.ends_with("invite")) add("ttl", options.ttl);
  return WithBehalf(target, options.on_behalf_of);
}

int Ask(const Options& options, const std::string& verb) {
  const auto body = Fetch(options.address, "POST", Target(options, verb));
  if (!body.ok()) return Fail(body.status());
  std::cout << *body;
  return 0;
}

int List(const Options& options) {
  const auto body = Fetch(options.address, "GET", "/api/v1/agents");
  if (!body.ok()) return Fail(body.status());
  if (options.as_json) {
    std::cout << *body << "\n";
    return 0;
  }
  const auto agents = ListOf(*body, "agents");
  if (!agents) return Fail(absl::InternalError("the collector's answer is no list of agents"));
  std::vector<Row> rows = {{"MUNICIPALITY", "HOST", "STATE", "CERTIFICATE OR INVITATION UNTIL"}};
  for (const boost::json::value& one : *agents) {
    const Cells agent(one);
    const std::string invited = agent.Text("invited_until");
    rows.push_back({agent.Text("municipality"), agent.Text("host"), agent.Text("state"),
                    invited == "-" ? agent.Text("certificate_expires") : invited + " (invited)"});
  }
  std::cout << Table(rows);
  return 0;
}

}  // namespace

void AddAgent(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("agent", "Invite servers, and end them");
  command->require_subcommand(1);
  const auto add = [&](const char* verb, const char* what, bool with_host) {
    CLI::App* one = command->add_subcommand(verb, what);
    AddAddressOptions(*one, options->address);
    if (with_host) one->add_option("HOST", options->host, "The host's name")->required();
    if (std::string(verb) != "list") {
      AddBehalfOption(*one, options->on_behalf_of);
      one->callback([options, &exit_code, verb] { exit_code = Ask(*options, verb); });
    }
    return one;
  };
  CLI::App* invite =
      add("invite", "Invite a server; prints the token for oppetid-agent enrol", false);
  invite->add_option("--municipality", options->municipality, "Whose it is; felles for shared ones")
      ->required();
  invite->add_option("--host", options->host, "Its name, unique at this collector")->required();
  CLI::App* reinvite = add("reinvite", "Invite a known server to get a new certificate", true);
  for (CLI::App* one : {invite, reinvite}) {
    one->add_option("--ttl", options->ttl, "How long the token is good for, 1m to 7d")
        ->capture_default_str();
  }
  add("revoke", "Refuse a server's certificates, at once", true)
      ->add_option("--reason", options->reason, "Why, for the record")
      ->required();
  add("retire", "End a server for good; its history stays", true)
      ->add_option("--reason", options->reason, "Why, for the record");
  CLI::App* list = add("list", "Show every server, and until when its certificate is valid", false);
  list->add_flag("--json", options->as_json, "As JSON");
  list->callback([options, &exit_code] { exit_code = List(*options); });
}

}  // namespace oppetid::collector
