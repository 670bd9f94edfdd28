#include "tests/support/sla_text.h"

#include <array>
#include <cstdio>

#include "common/text.h"

namespace oppetid::collector {
namespace {

std::string Percentage(Percent its) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%lld.%06lld %%",
                static_cast<long long>(its.millionths / 1'000'000),
                static_cast<long long>(its.millionths % 1'000'000));
  return buffer.data();
}

template <class List, class F>
std::string Join(const List& list, F text) {
  std::string out;
  for (const auto& its : list) out += (out.empty() ? "" : ", ") + text(its);
  return out;
}

std::string Dates(const Membership& its) {
  return (its.from ? ", from: " + FormatDate(*its.from) : "") +
         (its.until ? ", until: " + FormatDate(*its.until) : "");
}

std::string Clock(std::chrono::minutes at) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%02d:%02d", static_cast<int>(at.count() / 60),
                static_cast<int>(at.count() % 60));
  return buffer.data();
}

std::string Ranges(const std::vector<LocalRange>& ranges) {
  return "[" +
         Join(ranges,
              [](const LocalRange& its) {
                return "\"" + Clock(its.from) + "-" + Clock(its.to) + "\"";
              }) +
         "]";
}

std::string CalendarText(const Calendar& its) {
  if (its.always) return "{always: true}";
  constexpr std::array<const char*, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  std::string hours, short_days;
  for (size_t i = 0; i < kDays.size(); ++i) {
    hours += (i > 0 ? ", " : "") + std::string(kDays[i]) + ": " + Ranges(its.weekly[i]);
  }
  for (const auto& [name, at] : its.short_named) {
    short_days += std::string(kNamedDays[static_cast<size_t>(name)]) + ": \"" + Clock(at) + "\", ";
  }
  for (const auto& [date, at] : its.short_dates) {
    short_days += FormatDate(date) + ": \"" + Clock(at) + "\", ";
  }
  return "{hours: {" + hours + "}" + (its.norwegian_holidays ? ", holidays: norway" : "") +
         ", short_days: {" + short_days + "}, closed: [" + Join(its.closed, FormatDate) +
         "], extra: {" +
         Join(its.extra,
              [](const auto& day) { return FormatDate(day.first) + ": " + Ranges(day.second); }) +
         "}}";
}

std::string ExpressionText(const Expression& its) {
  if (its.parts.empty()) return "\"" + its.check + "\"";
  const std::string parts = "[" + Join(its.parts, ExpressionText) + "]";
  if (its.at_least == 1) return "{any: " + parts + "}";
  if (its.at_least == static_cast<int>(its.parts.size())) return "{all: " + parts + "}";
  return "{at_least: " + std::to_string(its.at_least) + ", of: " + parts + "}";
}

std::string ServiceText(const Service& its) {
  constexpr std::array<const char*, 4> kModes = {"bounds", "exclude", "down", "up"};
  return "  - {id: " + its.id + ", municipalities: [" +
         Join(its.members,
              [](const ServiceMember& member) {
                return "{id: " + member.municipality + Dates(member.membership) + "}";
              }) +
         "], hours: " + its.calendar + ", target: " + Percentage(its.target) +
         ", unknown: " + kModes[static_cast<size_t>(its.unknown)] +
         (its.longest_down ? ", longest_down: " + FormatDuration(*its.longest_down) : "") +
         ", maintenance_notice: " + FormatDuration(its.notice) +
         ", up_when: " + ExpressionText(its.up_when) + ", depends_on: [" +
         Join(its.depends_on, [](const std::string& id) { return id; }) + "]}\n";
}

// Writes the members of one JSON object in the order given.
class Line {
 public:
  explicit Line(const char* type) { Text("type", type); }
  Line() = default;
  Line& Raw(const char* key, const std::string& json) {
    out_ += (out_.empty() ? "{\"" : ",\"") + std::string(key) + "\":" + json;
    return *this;
  }
  Line& Text(const char* key, const std::string& text) { return Raw(key, JsonQuote(text)); }
  Line& TextIf(const char* key, const std::string& text) {
    return text.empty() ? *this : Text(key, text);
  }
  Line& At(const char* key, Instant at) { return Text(key, FormatInstant(at)); }
  // Left out where it is the default.
  Line& Recorded(Instant at, Instant otherwise) {
    return at == otherwise ? *this : At("recorded_at", at);
  }
  Line& Names(const char* key, const Scope& scope) {
    return Raw(key, scope.all ? "[\"*\"]" : "[" + Join(scope.names, JsonQuote) + "]");
  }
  std::string Take() { return out_ + "}"; }

 private:
  std::string out_;
};

std::string EventText(const TicketEvent& its) {
  Line line;
  line.At("at", its.at).Text("status", its.status).Recorded(its.recorded_at, its.at);
  if (its.responded) line.Raw("responded", "true");
  if (its.removed) line.Raw("removed", "true");
  line.TextIf("municipality", its.municipality).TextIf("kind", its.kind);
  return line.TextIf("priority", its.priority).TextIf("service", its.service).Take();
}

std::string AnswerText(const Answer& its) {
  Line line;
  line.Raw("score", std::to_string(its.score)).At("at", its.at);
  return line.Recorded(its.recorded_at, its.at).Take();
}

}  // namespace

std::string CatalogueText(const Catalogue& catalogue) {
  std::string out = "municipalities:\n";
  for (const Municipality& its : catalogue.municipalities) {
    out += "  - {id: " + its.id + Dates(its.membership) + "}\n";
  }
  out += "calendars:\n";
  for (const auto& [name, its] : catalogue.calendars) {
    out += "  " + name + ": " + CalendarText(its) + "\n";
  }
  out += "services:\n";
  for (const Service& its : catalogue.services) out += ServiceText(its);
  out += "backups:\n";
  for (const BackupJob& its : catalogue.backups) {
    out +=
        "  - {job: " + its.job + ", municipalities: [" + its.municipalities[0] +
        "], rpo: " + FormatDuration(its.rpo) + ", target: " + Percentage(its.target) +
        (its.restore_test_every ? ", restore_test_every: " + FormatDuration(*its.restore_test_every)
                                : "") +
        "}\n";
  }
  const TicketRules& rules = catalogue.tickets;
  out += "tickets:\n  calendar: " + rules.calendar + "\n  pause_on: [" +
         Join(rules.pause_on, [](const std::string& its) { return its; }) + "]\n  targets:\n";
  for (const TicketTarget& its : rules.targets) {
    out += "    - {kind: " + its.kind + ", priority: " + its.priority +
           (its.respond_within ? ", respond_within: " + FormatDuration(*its.respond_within) : "") +
           (its.resolve_within ? ", resolve_within: " + FormatDuration(*its.resolve_within) : "") +
           (its.attain ? ", attain: " + Percentage(*its.attain) : "") +
           (its.calendar.empty() ? "" : ", calendar: " + its.calendar) + "}\n";
  }
  return out;
}

std::string HistoryText(const Facts& facts) {
  std::string out;
  for (const auto& [check, spans] : facts.spans) {
    for (const Span& its : spans) {
      Line line("span");
      line.Text("check", check).At("from", its.from).At("to", its.to);
      line.Text("state", std::string(StateName(its.state))).Recorded(its.recorded_at, its.from);
      out += line.Take() + "\n";
    }
  }
  for (const auto& [job, runs] : facts.backup_runs) {
    for (const BackupRun& its : runs) {
      Line line("backup_run");
      line.Text("job", job).Text("kind", its.restore_test ? "restore_test" : "backup");
      line.At("start", its.start).At("end", its.end);
      line.Text("result", its.success ? "success" : "failed").Recorded(its.recorded_at, its.end);
      out += line.Take() + "\n";
    }
  }
  const auto decision = [](const char* type, const auto& its) {
    Line line(type);
    line.Text("id", its.id).Names("services", its.services);
    line.Names("municipalities", its.municipalities);
    return line.At("from", its.when.from).At("to", its.when.to);
  };
  for (const auto& [id, its] : facts.maintenance) {
    Line line = decision("maintenance", its);
    line.At("announced_at", its.announced_at).Recorded(its.recorded_at, its.announced_at);
    out += line.Take() + "\n";
  }
  for (const auto& [id, its] : facts.corrections) {
    Line line = decision("correction", its);
    line.Text("as", its.as == Override::kUp     ? "up"
                    : its.as == Override::kDown ? "down"
                                                : "excluded");
    line.Text("by", its.by).Text("reason", its.reason).At("recorded_at", its.recorded_at);
    out += line.Take() + "\n";
  }
  for (const Revocation& its : facts.revocations) {
    Line line("revocation");
    line.Text("revokes", its.revokes).Text("by", its.by).Text("reason", its.reason);
    out += line.At("recorded_at", its.recorded_at).Take() + "\n";
  }
  return out;
}

std::string TicketsText(const Facts& facts) {
  std::string out;
  for (const auto& [id, its] : facts.tickets) {
    Line line("ticket");
    line.Text("id", its.id).Text("municipality", its.municipality).Text("kind", its.kind);
    line.Text("priority", its.priority).TextIf("service", its.service);
    line.Raw("events", "[" + Join(its.events, EventText) + "]");
    if (its.satisfaction) line.Raw("satisfaction", AnswerText(*its.satisfaction));
    if (!its.earlier_answers.empty()) {
      line.Raw("earlier_answers", "[" + Join(its.earlier_answers, AnswerText) + "]");
    }
    out += line.Take() + "\n";
  }
  return out;
}

}  // namespace oppetid::collector
