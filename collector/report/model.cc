#include "collector/report/model.h"

#include <algorithm>

#include "collector/sla/service_inputs.h"

namespace oppetid::collector {
namespace {

// One municipality's row of one service, with the decisions of people that touch the period.
class Computation {
 public:
  Computation(const Catalogue& catalogue, const Facts& facts, const ReportRequest& request,
              Report& report)
      : facts_(facts),
        as_known_at_(request.as_known_at),
        period_{request.period.from, report.computed_to},
        report_(report),
        inputs_(catalogue, facts, request.as_known_at, period_) {}

  void Add(const Service& service, const ServiceMember& member) {
    inputs_.With(service, member, [&](const ServiceInput& input) {
      report_.services.push_back({&service, member.municipality, Account(input, service)});
    });
    AddDecisions(service, member.municipality);
  }

  void Add(const BackupJob& job, const std::string& municipality) {
    static const std::vector<BackupRun> kNone;
    const auto it = facts_.backup_runs.find(job.job);
    const auto& runs = it == facts_.backup_runs.end() ? kNone : it->second;
    BackupRow row{&job, municipality,
                  Compliance(Successes(runs, false, as_known_at_), job.rpo, job.target, period_),
                  std::nullopt};
    if (job.restore_test_every) {
      row.restore_test = Compliance(Successes(runs, true, as_known_at_), *job.restore_test_every,
                                    job.target, period_);
    }
    report_.backups.push_back(std::move(row));
  }

 private:
  bool Touches(const Interval& when) const {
    return when.from < when.to && when.from < period_.to && when.to > period_.from;
  }

  void AddDecisions(const Service& service, const std::string& municipality) {
    const auto covers = [&](const auto& fact) {
      return Touches(fact.when) && Known(fact.recorded_at, as_known_at_) &&
             fact.services.Covers(service.id) && fact.municipalities.Covers(municipality);
    };
    for (const auto& [id, window] : facts_.maintenance) {
      if (!covers(window)) continue;
      const bool in_time = window.announced_at <= window.when.from - service.notice;
      report_.windows.push_back(
          {&window, &service, municipality, in_time, inputs_.overrides().Revoked(id)});
    }
    for (const auto& [id, correction] : facts_.corrections) {
      if (covers(correction) && !inputs_.overrides().Revoked(id)) {
        report_.corrections.push_back({&correction, &service, municipality});
      }
    }
  }

  const Facts& facts_;
  AsKnownAt as_known_at_;
  Interval period_;
  Report& report_;
  ServiceInputs inputs_;
};

}  // namespace

Report ComputeReport(const Catalogue& catalogue, const Facts& facts, const ReportRequest& request) {
  Report report;
  report.catalogue = &catalogue;
  report.period = request.period;
  report.as_known_at = request.as_known_at;
  report.computed_to = request.period.to;
  if (request.as_known_at) {
    report.computed_to = std::clamp(*request.as_known_at, request.period.from, request.period.to);
  }
  const auto wanted = [&](const std::string& municipality) {
    return request.municipality.empty() || request.municipality == municipality;
  };
  Computation computation(catalogue, facts, request, report);
  for (const Service& service : catalogue.services) {
    for (const ServiceMember& member : service.members) {
      if (wanted(member.municipality)) computation.Add(service, member);
    }
  }
  for (const BackupJob& job : catalogue.backups) {
    for (const std::string& municipality : job.municipalities) {
      if (wanted(municipality)) computation.Add(job, municipality);
    }
  }
  TicketReport tickets = AccountTickets(catalogue, facts, request.as_known_at,
                                        {request.period.from, report.computed_to});
  std::erase_if(tickets.rows, [&](const auto& row) { return !wanted(row.municipality); });
  std::erase_if(tickets.satisfaction, [&](const auto& row) { return !wanted(row.municipality); });
  report.tickets = std::move(tickets.rows);
  report.satisfaction = std::move(tickets.satisfaction);
  return report;
}

}  // namespace oppetid::collector
