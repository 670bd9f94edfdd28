#include "collector/cli/token.h"

#include <iostream>
#include <memory>

#include "absl/strings/str_join.h"
#include "collector/cli/client.h"
#include "collector/cli/table.h"

namespace oppetid::collector {
namespace {

struct Options {
  CollectorAddress address;
  std::vector<std::string> municipalities;
  bool all = false;
  bool push = false;
  std::string purpose, id, on_behalf_of;
  bool json = false;
};

int RunCreate(const Options& options) {
  if (options.all == !options.municipalities.empty()) {
    std::cerr << "oppetid: give --municipality (once or more) or --all\n";
    return 2;
  }
  const std::string reach =
      options.all ? "all=1"
                  : "municipalities=" + UrlEncode(absl::StrJoin(options.municipalities, ","));
  const auto token = Fetch(
      options.address, "POST",
      WithBehalf("/api/v1/tokens?" + reach + (options.push ? "&push=1" : "") +
                     (options.purpose.empty() ? "" : "&purpose=" + UrlEncode(options.purpose)),
                 options.on_behalf_of));
  if (!token.ok()) return Fail(token.status());
  std::cout << *token;
  return std::cout.flush() ? 0 : 1;
}

int RunList(const Options& options) {
  const auto body = Fetch(options.address, "GET", "/api/v1/tokens");
  if (!body.ok()) return Fail(body.status());
  if (options.json) {
    std::cout << *body;
    return std::cout.flush() ? 0 : 1;
  }
  const auto tokens = ListOf(*body, "tokens");
  if (!tokens) return Fail(absl::InternalError("the collector's answer is no list of tokens"));
  std::vector<Row> rows = {{"TOKEN", "FOR", "MAY", "PURPOSE", "CREATED", "BY", "REVOKED"}};
  for (const boost::json::value& entry : *tokens) {
    const Cells token(entry);
    rows.push_back({token.Text("id"),
                    token.Has("municipalities") ? token.Text("municipalities") : "all",
                    token.Has("push") ? "push" : "read", token.Text("purpose"),
                    token.Text("created_at"), token.Text("created_by"), token.Text("revoked_at")});
  }
  std::cout << Table(rows);
  return std::cout.flush() ? 0 : 1;
}

}  // namespace

void AddToken(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("token", "Tokens for reading over HTTP, or pushing tickets");
  command->require_subcommand(1);

  CLI::App* create =
      command->add_subcommand("create", "Make a token and print it: it cannot be shown again");
  AddAddressOptions(*create, options->address);
  create->add_option("--municipality", options->municipalities,
                     "What it may see: this municipality's hosts and services (repeatable)");
  create->add_flag("--all", options->all, "It may see everything");
  create->add_flag("--push", options->push, "For pushing tickets of these; it reads nothing");
  create->add_option("--purpose", options->purpose, "What it is for, e.g. \"Grafana in Vik\"");
  AddBehalfOption(*create, options->on_behalf_of);
  create->callback([options, &exit_code] { exit_code = RunCreate(*options); });

  CLI::App* list = command->add_subcommand("list", "All tokens, without their secrets");
  AddAddressOptions(*list, options->address);
  list->add_flag("--json", options->json, "As JSON, for programs");
  list->callback([options, &exit_code] { exit_code = RunList(*options); });

  CLI::App* revoke = command->add_subcommand("revoke", "End a token at once");
  AddAddressOptions(*revoke, options->address);
  revoke->add_option("ID", options->id, "The part before the dot, as `token list` shows it")
      ->required();
  AddBehalfOption(*revoke, options->on_behalf_of);
  revoke->callback([options, &exit_code] {
    const auto reply = Fetch(
        options->address, "POST",
        WithBehalf("/api/v1/tokens/revoke?id=" + UrlEncode(options->id), options->on_behalf_of));
    exit_code = reply.ok() ? 0 : Fail(reply.status());
  });
}

}  // namespace oppetid::collector
