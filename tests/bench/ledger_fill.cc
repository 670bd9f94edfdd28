// ledger-fill DIR: makes DIR/ledger.sqlite out of DIR/catalogue.yaml and DIR/history.jsonl, as a
// collector would have kept it that took these facts in the order in which they began.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <utility>

#include "collector/ledger/sqlite.h"
#include "collector/report/facts_reader.h"
#include "common/file.h"
#include "common/text.h"
#include "tests/support/pretended_ledger.h"

namespace oppetid::collector {
namespace {

constexpr size_t kRunsPerCommit = 5'000;

int Fail(const std::string& what) {
  std::cerr << what << "\n";
  return 1;
}

Facts ReadHistory(const std::string& path) {
  Facts facts;
  Findings findings(path), none("");
  FactsReader reader(findings, none, facts);
  std::ifstream in(path);
  int number = 0;
  for (std::string line; std::getline(in, line);) reader.HistoryLine(line, ++number);
  for (const std::string& fault : findings.faults()) std::cerr << fault << "\n";
  return facts;
}

absl::Status AddSpans(const Facts& facts, Ledger& ledger) {
  std::vector<std::pair<Instant, RunWrite>> runs;
  for (const auto& [check, spans] : facts.spans) {
    const size_t slash = check.find('/');
    for (const Span& its : spans) {
      runs.push_back(
          {its.recorded_at,
           {check.substr(0, slash), check.substr(slash + 1), its.state, its.from, its.to, false}});
    }
  }
  std::stable_sort(runs.begin(), runs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Batch batch;
  for (size_t i = 0; i < runs.size(); ++i) {
    batch.runs.push_back(std::move(runs[i].second));
    if (batch.runs.size() < kRunsPerCommit && i + 1 < runs.size()) continue;
    if (auto status = ledger.Commit(batch, runs[i].first); !status.ok()) return status;
    batch = {};
  }
  return absl::OkStatus();
}

// The catalogue was there from the first day on.
absl::Status AddActs(const Facts& facts, const std::string& yaml, Ledger& ledger) {
  std::vector<std::pair<Instant, std::pair<std::string, std::string>>> decided;
  decided.push_back(
      {FromUnixMillis(0), {acts::kCatalogueApplied, "{\"yaml\":" + JsonQuote(yaml) + "}"}});
  for (const auto& [id, its] : facts.maintenance) {
    decided.push_back({its.recorded_at, {acts::kMaintenanceAnnounced, MaintenanceJson(its)}});
  }
  for (const auto& [id, its] : facts.corrections) {
    decided.push_back({its.recorded_at, {acts::kCorrectionAdded, CorrectionJson(its)}});
  }
  std::stable_sort(decided.begin(), decided.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Batch batch;
  for (const auto& [at, act] : decided) Append(batch.acts, at, act.first, act.second);
  return ledger.Commit(batch, decided.back().first);
}

int Run(const std::string& directory) {
  const auto yaml = ReadFile(directory + "/catalogue.yaml");
  if (!yaml.ok()) return Fail(std::string(yaml.status().message()));
  const Facts facts = ReadHistory(directory + "/history.jsonl");
  auto ledger = OpenSqliteLedger(directory + "/ledger.sqlite");
  if (!ledger.ok()) return Fail(std::string(ledger.status().message()));
  if (auto status = AddSpans(facts, **ledger); !status.ok()) {
    return Fail(std::string(status.message()));
  }
  const auto status = AddActs(facts, *yaml, **ledger);
  return status.ok() ? 0 : Fail(std::string(status.message()));
}

}  // namespace
}  // namespace oppetid::collector

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: ledger-fill DIR\n";
    return 2;
  }
  return oppetid::collector::Run(argv[1]);
}
