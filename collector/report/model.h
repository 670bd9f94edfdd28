// The report of a period: every figure once, for all formats.
//
// Computed from a catalogue and facts, without I/O and without a clock; the formats only write it
// down. Pure, safe from any thread. A Report holds pointers into the catalogue and the facts,
// which must outlive it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "collector/sla/availability.h"
#include "collector/sla/backups.h"
#include "collector/sla/tickets.h"

namespace oppetid::collector {

struct ReportRequest {
  Period period;
  AsKnownAt as_known_at;
  std::string municipality;  // only this one's rows; empty: all
};

struct ServiceRow {
  const Service* service;
  std::string municipality;
  ServiceFigures figures;
};

struct BackupRow {
  const BackupJob* job;
  std::string municipality;
  BackupFigures backup;
  std::optional<BackupFigures> restore_test;
};

// A maintenance window that touches the period, for one of its services and municipalities.
struct WindowRow {
  const Maintenance* window;
  const Service* service;
  std::string municipality;
  bool planned;
  bool cancelled;
};

struct CorrectionRow {
  const Correction* correction;
  const Service* service;
  std::string municipality;
};

struct Report {
  const Catalogue* catalogue = nullptr;
  Period period;
  Instant computed_to;
  AsKnownAt as_known_at;
  std::string inputs_sha256;  // empty: left out
  std::vector<ServiceRow> services;
  std::vector<BackupRow> backups;
  std::vector<TicketFigures> tickets;
  std::vector<SatisfactionFigures> satisfaction;
  std::vector<WindowRow> windows;          // those known and of the rows above
  std::vector<CorrectionRow> corrections;  // likewise, without the revoked
};

Report ComputeReport(const Catalogue& catalogue, const Facts& facts, const ReportRequest& request);

}  // namespace oppetid::collector
