// Small random catalogues and facts, the same from the same seed: instants coincide often, since
// that is where definitions and code part.
#pragma once

#include <random>
#include <string>

#include "collector/report/model.h"

namespace oppetid::collector {

class RandomWorld {
 public:
  explicit RandomWorld(uint32_t seed);

  Catalogue catalogue;
  Facts facts;
  ReportRequest request;

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }
  // Around the period, on a quarter of an hour.
  Instant SomeInstant();
  Span SomeSpan();
  Correction SomeCorrection(const std::string& id);
  std::string SomeCheck() { return "h/c" + std::to_string(Below(4)); }

 private:
  void MakeCalendars();
  Calendar SomeCalendar();
  void MakeServices();
  Expression SomeExpression(int depth);
  Membership SomeMembership();
  Scope SomeScope(const std::string& prefix);
  void MakeHistory();
  void MakeTickets();

  std::mt19937 random_;
  LocalDate first_;
};

}  // namespace oppetid::collector
