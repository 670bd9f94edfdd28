#include "collector/cli/check_config.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/input.h"

namespace oppetid::collector {
namespace {

// Whether a JSONL file holds tickets: its first line that is not blank says so.
bool HoldsTickets(const std::string& path) {
  Findings ignored(path);  // the real reading will tell them
  Digest digest;
  bool tickets = false;
  ForEachLine(path, ignored, digest, [&](std::string_view text, int line) {
    boost::json::value value;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) return true;
    if (ParseLine(text, line, value, ignored)) {
      const auto* type = value.get_object().if_contains("type");
      tickets = type != nullptr && type->is_string() && type->get_string() == "ticket";
    }
    return false;
  });
  return tickets;
}

int RunCheckConfig(const std::vector<std::string>& paths) {
  bool faulty = false;
  InputFiles together;  // facts are looked at beside the catalogue, for the names they use
  std::vector<InputFiles> groups;
  for (const std::string& path : paths) {
    const bool yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    if (!yaml && !path.ends_with(".jsonl")) {
      std::cerr << path << ": allowed: a catalogue (.yaml), a history or tickets (.jsonl)\n";
      faulty = true;
      continue;
    }
    std::string InputFiles::*kind = yaml                 ? &InputFiles::catalogue
                                    : HoldsTickets(path) ? &InputFiles::tickets
                                                         : &InputFiles::history;
    if (!(together.*kind).empty()) {
      groups.push_back(together);
      together = {};
    }
    together.*kind = path;
  }
  groups.push_back(together);
  for (const InputFiles& files : groups) {
    const Input input = ReadInput(files);
    PrintFindings(input);
    faulty = faulty || !input.faults.empty();
  }
  return faulty ? 2 : 0;
}

}  // namespace

void AddCheckConfig(CLI::App& app, int& exit_code) {
  auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* check = app.add_subcommand(
      "check-config", "Tell every fault of a catalogue, a history or tickets; compute nothing");
  check->add_option("FILE", *paths, "catalogue.yaml, history.jsonl, tickets.jsonl")->required();
  check->callback([paths, &exit_code] { exit_code = RunCheckConfig(*paths); });
}

}  // namespace oppetid::collector
