#include "collector/cli/decide.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/source.h"
#include "collector/cli/table.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

// One of the lists of DecisionsAsJson, as it is or as a table.
int List(const SourceOptions& options, const char* key, bool as_json, const Row& header,
         Row (*row)(const Cells&)) {
  auto source = OpenSource(options);
  if (!source.ok()) return Fail(source.status());
  const auto text = (*source)->Decisions();
  if (!text.ok()) return Fail(text.status());
  const auto list = ListOf(*text, key);
  if (!list) return Fail(absl::InternalError("the collector's answer is no list of decisions"));
  if (as_json) {
    std::cout << json::serialize(json::object{{key, *list}}) << "\n";
    return 0;
  }
  std::vector<Row> rows = {header};
  for (const json::value& its : *list) rows.push_back(row(Cells(its)));
  std::cout << Table(rows);
  return 0;
}

std::string Revoked(const Cells& its, const char* word) {
  if (!its.Has("revoked")) return "";
  const Cells revoked(*its.Value("revoked"));
  return std::string(word) + " " + revoked.Text("at") + " by " + revoked.Who();
}

Row WindowRow(const Cells& its) {
  std::string state = Revoked(its, "cancelled");
  const json::value* planned = its.Value("planned");
  if (state.empty() && planned != nullptr && planned->is_object()) {
    for (const auto& service : planned->get_object()) {
      if (service.value().is_bool() && !service.value().get_bool()) {
        state += (state.empty() ? "too late for " : ", ") + std::string(service.key());
      }
    }
  }
  if (state.empty()) state = "planned";
  if (its.Has("imported")) state += ", announced elsewhere";
  return {its.Text("id"),
          its.Text("services"),
          its.Text("municipalities"),
          its.Text("from"),
          its.Text("to"),
          state,
          its.Text("announced_at"),
          its.Who(),
          its.Text("reason"),
          its.Text("reference")};
}

Row CorrectionRow(const Cells& its) {
  std::string state = Revoked(its, "revoked");
  if (state.empty()) state = "in force";
  return {its.Text("id"),
          its.Text("services"),
          its.Text("municipalities"),
          its.Text("from"),
          its.Text("to"),
          its.Text("as") + (its.Has("outage") ? " (outage)" : ""),
          state,
          its.Who(),
          its.Text("reason"),
          its.Text("reference")};
}

struct ListOptions {
  SourceOptions source;
  bool json = false;
};

std::shared_ptr<ListOptions> AddList(CLI::App& command, const char* what, CLI::App** list) {
  const auto options = std::make_shared<ListOptions>();
  *list = command.add_subcommand("list", what);
  AddSourceOptions(**list, options->source);
  (*list)->add_flag("--json", options->json, "As JSON, for programs");
  return options;
}

}  // namespace

void AddWhyOptions(CLI::App& command, DecideOptions& options, bool reason) {
  AddAddressOptions(command, options.address);
  if (reason) command.add_option("--reason", options.reason, "Why; reports show it")->required();
  command.add_option("--reference", options.reference, "The number of a ticket or change");
  command.add_option("--on-behalf-of", options.on_behalf_of, "Who decided it, if not you");
}

void AddExtentOptions(CLI::App& command, DecideOptions& options) {
  command
      .add_option("--service", options.services,
                  "A service of the catalogue, or * for all; several with commas")
      ->delimiter(',')
      ->required();
  command
      .add_option("--municipality", options.municipalities,
                  "A municipality; several with commas (default *: all)")
      ->delimiter(',');
  command
      .add_option("--from", options.from, "\"2026-07-10 20:00\" (local) or 2026-07-10T18:00:00Z")
      ->required();
  command.add_option("--to", options.to, "Likewise; it no longer counts")->required();
}

json::object WishOf(const char* verb, const DecideOptions& options) {
  json::object wish{{"do", verb}};
  if (!options.services.empty()) {
    wish["services"] = json::array(options.services.begin(), options.services.end());
    wish["municipalities"] =
        json::array(options.municipalities.begin(), options.municipalities.end());
  }
  for (const auto& [key, text] :
       {std::pair{"from", &options.from}, std::pair{"to", &options.to},
        std::pair{"id", &options.id}, std::pair{"reason", &options.reason},
        std::pair{"reference", &options.reference}}) {
    if (!text->empty()) wish[key] = *text;
  }
  return wish;
}

int Record(const DecideOptions& options, const json::object& wish) {
  const auto reply = Call(options.address, "POST",
                          "/api/v1/decisions?on_behalf_of=" + UrlEncode(options.on_behalf_of),
                          json::serialize(wish));
  if (!reply.ok()) return Fail(reply.status());
  if (reply->status / 100 != 2) return Refuse(*reply);
  boost::system::error_code error;
  const json::value answer = json::parse(reply->body, error);
  if (error) return Fail(absl::InternalError("the collector's answer is no JSON"));
  const Cells cells(answer);
  if (cells.Text("id") != "-") std::cout << cells.Text("id") << "\n";
  for (const json::value& remark : cells.List("remarks")) {
    if (remark.is_string()) std::cerr << std::string_view(remark.get_string()) << "\n";
  }
  return 0;
}

void AddMaintenance(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("maintenance", "Announced work, which excludes time");
  command->require_subcommand(1);

  struct Announced : DecideOptions {
    std::string announced_at;
  };
  const auto announced = std::make_shared<Announced>();
  CLI::App* announce = command->add_subcommand("announce", "Announce a window, now");
  AddExtentOptions(*announce, *announced);
  AddWhyOptions(*announce, *announced, true);
  announce->add_option("--announced-at", announced->announced_at,
                       "When it was announced elsewhere; reports mark it");
  announce->callback([announced, &exit_code] {
    json::object wish = WishOf("announce", *announced);
    if (!announced->announced_at.empty()) wish["announced_at"] = announced->announced_at;
    exit_code = Record(*announced, wish);
  });

  const auto cancelled = std::make_shared<DecideOptions>();
  CLI::App* cancel = command->add_subcommand("cancel", "Cancel a window: it excludes nothing");
  cancel->add_option("ID", cancelled->id, "m-N, as `list` shows it")->required();
  AddWhyOptions(*cancel, *cancelled, true);
  cancel->callback(
      [cancelled, &exit_code] { exit_code = Record(*cancelled, WishOf("cancel", *cancelled)); });

  CLI::App* list = nullptr;
  const auto options = AddList(*command, "Every window, the oldest first", &list);
  list->callback([options, &exit_code] {
    exit_code = List(options->source, "maintenance", options->json,
                     {"ID", "SERVICES", "MUNICIPALITIES", "FROM", "TO", "COUNTS AS", "ANNOUNCED",
                      "BY", "REASON", "REFERENCE"},
                     WindowRow);
  });
}

void AddCorrection(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("correction", "A person's later word on what was");
  command->require_subcommand(1);

  struct Added : DecideOptions {
    std::string as;
  };
  const auto added = std::make_shared<Added>();
  CLI::App* add = command->add_subcommand("add", "Say what a time counts as");
  AddExtentOptions(*add, *added);
  add->add_option("--as", added->as, "up, down or excluded")->required();
  AddWhyOptions(*add, *added, true);
  add->callback([added, &exit_code] {
    json::object wish = WishOf("correct", *added);
    wish["as"] = added->as;
    exit_code = Record(*added, wish);
  });

  const auto revoked = std::make_shared<DecideOptions>();
  CLI::App* revoke = command->add_subcommand("revoke", "Make one as if it had never been");
  revoke->add_option("ID", revoked->id, "c-N, as `list` shows it")->required();
  AddWhyOptions(*revoke, *revoked, true);
  revoke->callback(
      [revoked, &exit_code] { exit_code = Record(*revoked, WishOf("revoke", *revoked)); });

  CLI::App* list = nullptr;
  const auto options = AddList(*command, "Every correction, the oldest first", &list);
  list->callback([options, &exit_code] {
    exit_code = List(options->source, "corrections", options->json,
                     {"ID", "SERVICES", "MUNICIPALITIES", "FROM", "TO", "AS", "STATE", "BY",
                      "REASON", "REFERENCE"},
                     CorrectionRow);
  });
}

}  // namespace oppetid::collector
