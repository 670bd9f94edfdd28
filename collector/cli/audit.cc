#include "collector/cli/audit.h"

#include <boost/json/parse.hpp>
#include <functional>
#include <iostream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/client.h"
#include "collector/cli/table.h"
#include "collector/ledger/ledger.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

// How much of an act's body a table shows.
constexpr size_t kBodyShown = 80;

struct Options {
  CollectorAddress address;
  std::string expect;
  bool json = false;
};

std::optional<Act> ParseAct(std::string_view line) {
  boost::system::error_code error;
  const json::value root = json::parse(line, error);
  if (error || !root.is_object()) return std::nullopt;
  const json::object& object = root.get_object();
  const auto text = [&](std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  };
  const json::value* number = object.if_contains("number");
  const auto at = ParseInstant(text("at"));
  if (number == nullptr || !number->is_int64() || !at) return std::nullopt;
  return Act{static_cast<uint64_t>(number->get_int64()),
             *at,
             text("kind"),
             text("who"),
             text("on_behalf_of"),
             text("body"),
             text("hash")};
}

// Visits every act of the collector's answer.
absl::Status ForEachAct(const std::string& lines, const std::function<void(const Act&)>& visit) {
  for (size_t at = 0, number = 1; at < lines.size(); ++number) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    const auto act = ParseAct(std::string_view(lines).substr(at, end - at));
    if (!act) return absl::DataLossError(absl::StrCat("line ", number, " of the answer is no act"));
    visit(*act);
    at = end + 1;
  }
  return absl::OkStatus();
}

int RunList(const Options& options) {
  const auto lines = Fetch(options.address, "GET", "/api/v1/audit");
  if (!lines.ok()) return Fail(lines.status());
  if (options.json) {
    std::cout << *lines;
    return std::cout.flush() ? 0 : 1;
  }
  std::vector<Row> rows = {{"ACT", "AT", "WHO", "ON BEHALF OF", "WHAT", "DETAILS"}};
  const auto status = ForEachAct(*lines, [&](const Act& act) {
    std::string details = act.body.substr(0, kBodyShown);
    if (details.size() < act.body.size()) details += "…";
    rows.push_back({std::to_string(act.number), FormatInstant(act.at), act.who,
                    act.on_behalf_of.empty() ? "-" : act.on_behalf_of, act.kind,
                    std::move(details)});
  });
  if (!status.ok()) return Fail(status);
  std::cout << Table(rows);
  return std::cout.flush() ? 0 : 1;
}

// What somebody wrote down of the chain earlier: "<number>:<hash>".
struct Expected {
  uint64_t number = 0;
  std::string hash;
};

std::optional<Expected> ParseExpected(const std::string& text) {
  const size_t colon = text.find(':');
  Expected expected;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(0, colon), &expected.number)) {
    return std::nullopt;
  }
  expected.hash = text.substr(colon + 1);
  return expected.hash.size() == 64 ? std::optional(expected) : std::nullopt;
}

int RunVerify(const Options& options) {
  std::optional<Expected> expected;
  if (!options.expect.empty()) {
    expected = ParseExpected(options.expect);
    if (!expected) {
      std::cerr << "oppetid: --expect: " << options.expect
                << " is not NUMBER:HASH, as this command and published reports print it\n";
      return 2;
    }
  }
  const auto lines = Fetch(options.address, "GET", "/api/v1/audit");
  if (!lines.ok()) return Fail(lines.status());
  ChainHead head;
  bool broken = false, met = false;
  // Every hash is computed here, from the words themselves.
  const auto status = ForEachAct(*lines, [&](const Act& act) {
    if (broken) return;
    if (act.number != head.number + 1 || act.hash != ChainHash(head.hash, act)) {
      std::cerr << "oppetid: the chain is broken after act " << head.number
                << ": a record was changed, added or removed there\n";
      broken = true;
      return;
    }
    head = {act.number, act.hash};
    if (expected && expected->number == act.number) met = expected->hash == act.hash;
  });
  if (!status.ok()) return Fail(status);
  if (broken) return 1;
  if (expected && !met) {
    std::cerr
        << "oppetid: the chain does not contain " << options.expect
        << (expected->number > head.number
                ? ": it ends before, so records were cut off or an older ledger was restored\n"
                : ": that act was another one when this was written down\n");
    return 1;
  }
  std::cout << head.number << ":" << head.hash << "\n";
  return std::cout.flush() ? 0 : 1;
}

}  // namespace

void AddAudit(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("audit", "What people decided, in a chain of records");
  command->require_subcommand(1);

  CLI::App* list = command->add_subcommand("list", "Every act, with who did it");
  AddAddressOptions(*list, options->address);
  list->add_flag("--json", options->json, "Whole, a line of JSON each");
  list->callback([options, &exit_code] { exit_code = RunList(*options); });

  CLI::App* verify = command->add_subcommand(
      "verify", "Compute every hash anew; print the number and hash of the last act");
  AddAddressOptions(*verify, options->address);
  verify->add_option("--expect", options->expect,
                     "NUMBER:HASH as printed earlier: the chain must still contain it");
  verify->callback([options, &exit_code] { exit_code = RunVerify(*options); });
}

}  // namespace oppetid::collector
