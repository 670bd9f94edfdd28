// What was agreed: municipalities, calendars, services, backups and ticket targets.
//
// The validated form of catalogue.yaml (collector/report reads it). A value without behaviour,
// safe to read from any thread. Everything named in it exists: the reader has refused the rest.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/sla/calendar.h"
#include "common/yaml.h"

namespace oppetid::collector {

// Local dates; `until` is the first day that no longer counts.
struct Membership {
  std::optional<LocalDate> from;
  std::optional<LocalDate> until;
};

struct Municipality {
  std::string id;
  std::string name;
  std::string language = "nb";
  Membership membership;
  std::string merged_into;  // another's id, or empty
};

// One check, or at least `at_least` of `parts` (all: every one; any: 1).
struct Expression {
  std::string check;  // empty where there are parts; may contain "{municipality}"
  int at_least = 0;
  std::vector<Expression> parts;
};

// What unknown time counts as when the verdict is found.
enum class UnknownMode { kBounds, kExclude, kDown, kUp };

struct ServiceMember {
  std::string municipality;
  Membership membership;
};

struct Service {
  std::string id;
  std::map<std::string, std::string> names;  // by language
  std::vector<ServiceMember> members;
  std::string calendar = "always";
  Percent target;
  UnknownMode unknown = UnknownMode::kBounds;
  std::optional<Millis> longest_down;
  Millis notice = std::chrono::hours(72);
  Expression up_when;
  std::vector<std::string> depends_on;
};

struct BackupJob {
  std::string job;
  std::vector<std::string> municipalities;
  Millis rpo{};
  Percent target;
  std::optional<Millis> restore_test_every;
};

struct TicketTarget {
  std::string kind;
  std::string priority;
  std::optional<Millis> respond_within;
  std::optional<Millis> resolve_within;
  std::optional<Percent> attain;
  std::string calendar;  // empty: that of `TicketRules`
};

struct TicketRules {
  std::string calendar = "always";
  std::vector<std::string> pause_on = {"waiting_customer"};
  std::vector<TicketTarget> targets;  // at most one per kind and priority
};

struct Catalogue {
  explicit Catalogue(Zone its_zone) : zone(its_zone) {}

  std::string timezone = "Europe/Oslo";
  Zone zone;
  std::vector<Municipality> municipalities;
  std::map<std::string, Calendar> calendars;  // always contains "always"
  std::vector<Service> services;
  std::vector<BackupJob> backups;
  TicketRules tickets;
};

}  // namespace oppetid::collector
