// A report from the texts of files, for tests that are tables: what goes in, what comes out.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "collector/report/catalogue_reader.h"
#include "collector/report/facts_reader.h"
#include "collector/report/model.h"

namespace oppetid::collector {

// One service `s` for `m` under test; `more` are further keys of it, `top` further lines.
inline std::string OneService(const std::string& more, const std::string& top = "",
                              int target = 99) {
  return "municipalities: [{id: m}]\n" + top +
         "services:\n  - {id: s, municipalities: [m], target: " + std::to_string(target) + " %, " +
         more + "}\n";
}

class SlaFiles {
 public:
  SlaFiles(const std::string& catalogue, const std::string& history,
           const std::string& tickets = "") {
    Faults faults("catalogue.yaml");
    catalogue_ = ReadCatalogue(catalogue, faults);
    faults_ = faults.lines();
    Findings of_history("history.jsonl"), of_tickets("tickets.jsonl");
    FactsReader reader(of_history, of_tickets, facts_);
    std::string text;
    int line = 0;
    for (std::istringstream in(history); std::getline(in, text);) {
      if (!reader.HistoryLine(text, ++line)) break;
    }
    line = 0;
    for (std::istringstream in(tickets); std::getline(in, text);) {
      if (!reader.TicketLine(text, ++line)) break;
    }
    if (catalogue_) reader.Conclude(*catalogue_);
    for (const Findings* its : {&of_history, &of_tickets}) {
      faults_.insert(faults_.end(), its->faults().begin(), its->faults().end());
      warnings_.insert(warnings_.end(), its->warnings().begin(), its->warnings().end());
    }
  }

  // The input must be without faults.
  Report Of(const std::string& period, const std::string& as_known_at = "") const {
    ReportRequest request;
    request.period = ParsePeriod(period, catalogue_->zone).value();
    if (!as_known_at.empty()) request.as_known_at = ParseInstant(as_known_at).value();
    return Of(request);
  }
  Report Of(const ReportRequest& request) const {
    EXPECT_THAT(faults_, testing::IsEmpty());
    return ComputeReport(*catalogue_, facts_, request);
  }
  ServiceFigures Service(const std::string& period, const std::string& as_known_at = "") const {
    return Of(period, as_known_at).services.at(0).figures;
  }

  const std::vector<std::string>& faults() const { return faults_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  const Catalogue& catalogue() const { return *catalogue_; }

 private:
  std::optional<Catalogue> catalogue_;
  Facts facts_;
  std::vector<std::string> faults_, warnings_;
};

// A span of 1 June 2026, times as "HH:MM" UTC.
inline std::string SpanLine(const std::string& check, const std::string& from,
                            const std::string& to, const std::string& state,
                            const std::string& more = "") {
  return R"({"type":"span","check":")" + check + R"(","from":"2026-06-01T)" + from +
         R"(:00Z","to":"2026-06-01T)" + to + R"(:00Z","state":")" + state + "\"" + more + "}\n";
}

// A correction or window of that day; `more` holds the keys of its type.
inline std::string DecisionLine(const std::string& type, const std::string& id,
                                const std::string& from, const std::string& to,
                                const std::string& more) {
  return R"({"type":")" + type + R"(","id":")" + id +
         R"(","services":["s"],"municipalities":["*"],"from":"2026-06-01T)" + from +
         R"(:00Z","to":"2026-06-01T)" + to + R"(:00Z",)" + more + "}\n";
}

inline std::string CorrectionLine(const std::string& id, const std::string& from,
                                  const std::string& to, const std::string& as,
                                  const std::string& recorded_at = "2026-06-02T00:00:00Z") {
  return DecisionLine(
      "correction", id, from, to,
      R"("as":")" + as + R"(","by":"drift1","reason":"r","recorded_at":")" + recorded_at + "\"");
}

inline std::string RevocationLine(const std::string& id,
                                  const std::string& recorded_at = "2026-06-03T00:00:00Z") {
  return R"({"type":"revocation","revokes":")" + id +
         R"(","by":"drift2","reason":"r","recorded_at":")" + recorded_at + "\"}\n";
}

}  // namespace oppetid::collector
