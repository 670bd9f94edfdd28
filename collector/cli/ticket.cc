#include "collector/cli/ticket.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "collector/cli/client.h"
#include "collector/cli/table.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

// Lines a request brings; a request may be a megabyte.
constexpr size_t kPushBytes = 900'000;

struct Tally {
  int64_t taken = 0, rejected = 0;
  bool failed = false;
};

int64_t Count(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// Pushes some lines, the first of which is line `first` of the input.
void PushLines(const CollectorAddress& address, const std::string& lines, int first, Tally& tally) {
  if (lines.empty()) return;
  const auto reply = Call(address, "POST", "/api/v1/tickets", lines);
  boost::system::error_code error;
  const json::value root = json::parse(reply.ok() ? reply->body : "", error);
  if (error || !root.is_object()) {
    tally.failed = true;
    const std::string words = reply.ok()
                                  ? absl::StrCat(reply->body.substr(0, reply->body.find('\n')),
                                                 " (HTTP ", reply->status, ")")
                                  : std::string(reply.status().message());
    Fail(absl::UnavailableError(words));
    return;
  }
  const json::object& answer = root.get_object();
  tally.taken += Count(answer, "taken");
  tally.rejected += Count(answer, "rejected");
  const json::value* rejects = answer.if_contains("rejects");
  if (rejects == nullptr || !rejects->is_array()) return;
  for (const json::value& reject : rejects->get_array()) {
    const json::object* its = reject.if_object();
    if (its == nullptr) continue;
    const json::value* reason = its->if_contains("reason");
    std::cerr << "line " << Count(*its, "line") + first - 1 << ": "
              << (reason != nullptr && reason->is_string() ? reason->get_string().c_str() : "?")
              << "\n";
  }
}

int RunPush(const CollectorAddress& address, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(
      path == "-" ? nullptr : std::fopen(path.c_str(), "rbe"),
      [](std::FILE* file) { return file == nullptr ? 0 : std::fclose(file); });
  std::FILE* file = path == "-" ? stdin : opened.get();
  if (file == nullptr) {
    return Fail(absl::NotFoundError(path + ": " + std::strerror(errno)));
  }
  Tally tally;
  std::string lines, line;
  int first = 1, number = 0;
  const auto flush = [&] {
    PushLines(address, lines, first, tally);
    lines.clear();
    first = number + 1;
  };
  const auto end_line = [&] {
    if (lines.size() + line.size() > kPushBytes) flush();
    ++number;
    lines += line + "\n";
    line.clear();
  };
  for (int c = std::getc(file); c != EOF && !tally.failed; c = std::getc(file)) {
    if (c == '\n') {
      end_line();
    } else if (line.size() < kPushBytes) {
      line += static_cast<char>(c);
    } else {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("line ", number + 1, " is longer than ", kPushBytes, " bytes")));
    }
  }
  if (std::ferror(file) != 0) return Fail(absl::UnavailableError(path + ": cannot be read"));
  if (!line.empty()) end_line();
  if (!tally.failed) flush();
  std::cout << "taken " << tally.taken << ", rejected " << tally.rejected << "\n";
  return tally.failed || tally.rejected > 0 ? 1 : 0;
}

int RunSources(const CollectorAddress& address, bool as_json) {
  const auto body = Fetch(address, "GET", "/api/v1/tickets/sources");
  if (!body.ok()) return Fail(body.status());
  if (as_json) {
    std::cout << *body;
    return 0;
  }
  boost::system::error_code error;
  const json::value root = json::parse(*body, error);
  if (error || !root.is_object()) {
    return Fail(absl::DataLossError("the collector's answer is no list of sources"));
  }
  std::vector<Row> sources = {{"SOURCE", "TYPE", "UP", "READ UNTIL", "REJECTED", "ERROR"}};
  std::vector<Row> open = {{"SOURCE", "NOT MAPPED", "WORD", "TICKETS"}};
  std::vector<Row> rejects = {{"SOURCE", "FILE", "LINE", "WHY REJECTED"}};
  for (const json::value& value : Cells(root).List("sources")) {
    const Cells its(value);
    const std::string name = its.Text("source");
    sources.push_back({name, its.Text("type"), its.Text("up"), its.Text("read_until"),
                       its.Text("rejected"), its.Text("error")});
    for (const json::value& missing : its.List("unmapped")) {
      const Cells word(missing);
      open.push_back({name, word.Text("what"), word.Text("word"), word.Text("tickets")});
    }
    for (const json::value& refused : its.List("rejects")) {
      const Cells reject(refused);
      rejects.push_back({name, reject.Text("file"), reject.Text("line"), reject.Text("reason")});
    }
  }
  std::cout << Table(sources);
  if (open.size() > 1) std::cout << "\n" << Table(open);
  if (rejects.size() > 1) std::cout << "\n" << Table(rejects);
  return 0;
}

}  // namespace

void AddTicket(CLI::App& app, int& exit_code) {
  struct Options {
    CollectorAddress address;
    std::string file;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ticket", "The helpdesk's tickets");
  command->require_subcommand(1);
  CLI::App* push = command->add_subcommand(
      "push", "Hand tickets, or new events of theirs, to the collector: lines of tickets.jsonl");
  AddAddressOptions(*push, options->address);
  push->add_option("FILE", options->file, "tickets.jsonl, or - for standard input")->required();
  push->callback([options, &exit_code] { exit_code = RunPush(options->address, options->file); });
  CLI::App* sources = command->add_subcommand(
      "sources", "How each source is, what of it has no meaning configured, what was rejected");
  AddAddressOptions(*sources, options->address);
  sources->add_flag("--json", options->json, "As JSON, for programs");
  sources->callback(
      [options, &exit_code] { exit_code = RunSources(options->address, options->json); });
}

}  // namespace oppetid::collector
