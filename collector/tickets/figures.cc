#include "collector/tickets/figures.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "absl/strings/str_cat.h"
#include "collector/sla/tickets.h"

namespace oppetid::collector {
namespace {

// So many tickets are held at a time; each costs about a kilobyte.
constexpr size_t kChunk = 2'000;

struct Window {
  const char* name;
  Instant from;
};

std::vector<Window> WindowsAt(Instant now, const Zone& zone) {
  const std::chrono::year_month_day today{zone.DateOf(now)};
  const auto month = today.year() / today.month() / std::chrono::day(1);
  const unsigned quarter_month = (static_cast<unsigned>(today.month()) - 1) / 3 * 3 + 1;
  const auto quarter = today.year() / std::chrono::month(quarter_month) / std::chrono::day(1);
  return {{"30d", now - std::chrono::days(30)},
          {"month", zone.First(LocalDate(month))},
          {"quarter", zone.First(LocalDate(quarter))}};
}

void Count(const std::string& source, const Ticket& ticket, const TicketCase& its,
           const std::vector<Window>& windows, Instant now, TicketMetrics& metrics) {
  const TicketMetrics::Labels group = {its.municipality, source, its.priority, its.kind};
  const TicketMetrics::Labels priority = {its.municipality, source, its.priority};
  metrics.open[group] += its.final_resolution ? 0 : 1;
  ++metrics.created[group];
  metrics.resolved[group] += its.final_resolution ? 1 : 0;
  metrics.reopened[group] += static_cast<int64_t>(its.reopenings.size());
  if (its.response_time) metrics.response[priority].Add(*its.response_time);
  if (its.resolution_time) metrics.resolution[priority].Add(*its.resolution_time);
  const std::pair<const char*, const Decided*> measures[] = {
      {"response", &its.response_decided}, {"resolution", &its.resolution_decided}};
  for (const auto& [measure, decided] : measures) {
    if (decided->decision == Decision::kUndecided || decided->at >= now) continue;
    for (const Window& window : windows) {
      if (decided->at < window.from) continue;
      auto& [met, all] =
          metrics.decided[{its.municipality, source, measure, its.priority, window.name}];
      met += decided->decision == Decision::kMet ? 1 : 0;
      ++all;
    }
  }
  if (ticket.satisfaction && ticket.satisfaction->at < now) {
    auto& [sum, answers] = metrics.satisfaction[{its.municipality, source}];
    sum += ticket.satisfaction->score;
    ++answers;
  }
}

// Totals that were shown are kept where what is known now gives less.
template <typename Value, typename Keep>
void KeepGreater(const std::map<TicketMetrics::Labels, Value>& before,
                 std::map<TicketMetrics::Labels, Value>& now, const Keep& keep) {
  for (const auto& [labels, value] : before) keep(value, now[labels]);
}

void KeepCount(const int64_t& before, int64_t& now) { now = std::max(before, now); }

void KeepHistogram(const TicketHistogram& before, TicketHistogram& now) {
  // Cumulative buckets are what is shown, so they are what may not go back.
  int64_t old_sum = 0, new_sum = 0, shown = 0;
  for (size_t i = 0; i < kTicketBuckets; ++i) {
    old_sum += before.counts[i];
    new_sum += now.counts[i];
    const int64_t cumulative = std::max(old_sum, new_sum);
    now.counts[i] = cumulative - shown;
    shown = cumulative;
  }
  now.sum_ms = std::max(before.sum_ms, now.sum_ms);
}

// The shortest text that reads back the same.
std::string Text(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

class Writer {
 public:
  Writer(const Reach& reach, const std::set<std::string>& stale) : reach_(reach), stale_(stale) {}

  template <typename Value>
  void Family(const char* name, const char* type, const char* help,
              const std::vector<const char*>& names,
              const std::map<TicketMetrics::Labels, Value>& values,
              const std::function<void(const std::string& labels, const Value&)>& print) {
    bool first = true;
    for (const auto& [labels, value] : values) {
      if (!reach_.Covers(labels[0]) || stale_.contains(labels[1])) continue;
      if (first) {
        absl::StrAppend(&out_, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
      }
      first = false;
      // Ids and words of ours: nothing in them needs escaping.
      std::string text =
          absl::StrCat("municipality=\"", labels[0], "\",source=\"", labels[1], "\"");
      for (size_t i = 0; i < names.size(); ++i) {
        absl::StrAppend(&text, ",", names[i], "=\"", labels[i + 2], "\"");
      }
      print(text, value);
    }
  }
  void Line(const char* name, const char* suffix, const std::string& labels,
            const std::string& value) {
    absl::StrAppend(&out_, name, suffix, "{", labels, "} ", value, "\n");
  }
  void Counts(const char* name, const char* type, const char* help,
              const std::map<TicketMetrics::Labels, int64_t>& values) {
    Family<int64_t>(name, type, help, {"priority", "kind"}, values,
                    [&](const std::string& labels, const int64_t& value) {
                      Line(name, "", labels, absl::StrCat(value));
                    });
  }
  void Histograms(const char* name, const char* help,
                  const std::map<TicketMetrics::Labels, TicketHistogram>& values) {
    Family<TicketHistogram>(
        name, "histogram", help, {"priority"}, values,
        [&](const std::string& labels, const TicketHistogram& its) {
          int64_t count = 0;
          for (size_t i = 0; i < kTicketBuckets; ++i) {
            count += its.counts[i];
            const std::string bound =
                i + 1 < kTicketBuckets ? absl::StrCat(kTicketSeconds[i]) : "+Inf";
            Line(name, "_bucket", absl::StrCat(labels, ",le=\"", bound, "\""), absl::StrCat(count));
          }
          Line(name, "_sum", labels, Text(static_cast<double>(its.sum_ms) / 1000.0));
          Line(name, "_count", labels, absl::StrCat(count));
        });
  }
  std::string Take() { return std::move(out_); }

 private:
  const Reach& reach_;
  const std::set<std::string>& stale_;
  std::string out_;
};

}  // namespace

void TicketHistogram::Add(Millis time) {
  size_t bucket = 0;
  while (bucket + 1 < kTicketBuckets && time > std::chrono::seconds(kTicketSeconds[bucket])) {
    ++bucket;
  }
  ++counts[bucket];
  sum_ms += time.count();
}

absl::StatusOr<TicketMetrics> ComputeTicketMetrics(LedgerReader& reader, const Catalogue& catalogue,
                                                   Instant now) {
  TicketMetrics metrics;
  const std::vector<Window> windows = WindowsAt(now, catalogue.zone);
  Facts chunk;
  const auto count = [&] {
    ForEachTicketCase(catalogue, chunk, std::nullopt, now,
                      [&](const Ticket& ticket, const TicketCase& its) {
                        Count(ticket.source, ticket, its, windows, now, metrics);
                      });
    chunk.tickets.clear();
  };
  const absl::Status status = reader.ForEachTicket(now, [&](const Ticket& ticket) {
    chunk.tickets.emplace(ticket.id, ticket);
    if (chunk.tickets.size() >= kChunk) count();
  });
  if (!status.ok()) return status;
  count();
  return metrics;
}

void TicketMetricTexts::Set(TicketMetrics metrics) {
  KeepGreater(metrics_.created, metrics.created, KeepCount);
  KeepGreater(metrics_.resolved, metrics.resolved, KeepCount);
  KeepGreater(metrics_.reopened, metrics.reopened, KeepCount);
  KeepGreater(metrics_.response, metrics.response, KeepHistogram);
  KeepGreater(metrics_.resolution, metrics.resolution, KeepHistogram);
  metrics_ = std::move(metrics);
}

std::string TicketMetricTexts::Render(const Reach& reach,
                                      const std::set<std::string>& stale) const {
  Writer out(reach, stale);
  out.Histograms("helpdesk_first_response_seconds",
                 "Open time from a ticket's creation to the first response.", metrics_.response);
  out.Histograms("helpdesk_resolution_seconds",
                 "Clock time from a ticket's creation to its final resolution.",
                 metrics_.resolution);
  using Pair = std::pair<int64_t, int64_t>;
  const char* satisfaction = "helpdesk_satisfaction";
  out.Family<Pair>(satisfaction, "summary", "Scores that customers gave, 1 to 5.", {},
                   metrics_.satisfaction, [&](const std::string& labels, const Pair& its) {
                     out.Line(satisfaction, "_sum", labels, absl::StrCat(its.first));
                     out.Line(satisfaction, "_count", labels, absl::StrCat(its.second));
                   });
  const char* ratio = "helpdesk_sla_met_ratio";
  out.Family<Pair>(
      ratio, "gauge", "Share of tickets decided in the window that were within their target.",
      {"measure", "priority", "window"}, metrics_.decided,
      [&](const std::string& labels, const Pair& its) {
        out.Line(ratio, "", labels,
                 Text(static_cast<double>(its.first) / static_cast<double>(its.second)));
      });
  out.Counts("helpdesk_tickets_created_total", "counter", "Tickets created.", metrics_.created);
  out.Counts("helpdesk_tickets_open", "gauge", "Tickets now without a final resolution.",
             metrics_.open);
  out.Counts("helpdesk_tickets_reopened_total", "counter", "Reopenings of tickets.",
             metrics_.reopened);
  out.Counts("helpdesk_tickets_resolved_total", "counter", "Tickets with a final resolution.",
             metrics_.resolved);
  return out.Take();
}

}  // namespace oppetid::collector
