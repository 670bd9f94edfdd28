#include "collector/report/html.h"

#include <algorithm>
#include <map>
#include <set>

#include "collector/report/html_writer.h"
#include "collector/report/texts_nb.h"

namespace oppetid::collector {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::string_view kStyle = R"(
@page { size: A4 landscape; margin: 15mm }
html { font: 11pt/1.5 "Noto Sans", sans-serif; color: #1a2129; background: #fff }
body { max-width: 72rem; margin: 0 auto; padding: 1rem }
p { max-width: 48rem }
h1, h2, h3 { line-height: 1.2; color: #12385f; break-after: avoid }
section + section { break-before: page }
table { border-collapse: collapse; width: 100%; margin: 0 0 1.5rem; font-size: 10pt }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem;
  border-bottom: 1px solid #8a949e; font-variant-numeric: tabular-nums }
thead th { border-bottom: 2px solid #12385f }
thead { display: table-header-group }
tr { break-inside: avoid }
code { overflow-wrap: anywhere }
@media print { body { max-width: none; padding: 0 } }
)";

std::string NameOf(const Service& service) {
  if (const auto it = service.names.find("nb"); it != service.names.end()) return it->second;
  return service.names.empty() ? service.id : service.names.begin()->second;
}

// One municipality's part of the page.
class Section {
 public:
  Section(const Report& report, const Municipality& municipality, HtmlWriter& out)
      : report_(report), municipality_(municipality), zone_(report.catalogue->zone), out_(out) {}

  void Write() {
    out_.Raw("<section>\n");
    out_.Heading(2, municipality_.name);
    Membership();
    Agreements();
    Outages();
    Maintenance();
    Backups();
    Tickets();
    out_.Raw("</section>\n");
  }

 private:
  bool Mine(const std::string& municipality) const { return municipality == municipality_.id; }
  std::string Time(Instant at) const { return nb::TimeWords(at, zone_); }

  void Membership() {
    const auto& its = municipality_.membership;
    if (its.from) out_.Paragraph("Med fra " + FormatDate(*its.from) + ".");
    if (its.until) out_.Paragraph("Med til " + FormatDate(*its.until) + " (ikke medregnet).");
    if (!municipality_.merged_into.empty()) {
      out_.Paragraph("Slått sammen med " + MunicipalityName(municipality_.merged_into) + ".");
    }
  }

  std::string MunicipalityName(const std::string& id) const {
    for (const Municipality& its : report_.catalogue->municipalities) {
      if (its.id == id) return its.name;
    }
    return id;
  }

  // Whether `id` has become part of this municipality, in one step or several. The reader of
  // catalogues has refused circles.
  bool MergedIntoThis(const std::string& id) const {
    for (const Municipality& its : report_.catalogue->municipalities) {
      if (its.id != id || its.merged_into.empty()) continue;
      return Mine(its.merged_into) || MergedIntoThis(its.merged_into);
    }
    return false;
  }

  static std::vector<std::string> Cells(const Service& service, const Measured& time,
                                        int64_t excluded_ms) {
    const int64_t service_time = time.service_time_ms();
    const bool clean = time.down_ms == 0 && time.unknown_ms == 0;
    return {NameOf(service),
            nb::TargetWords(service.target),
            nb::ShareWords(time.up_ms, time.up_ms + time.down_ms, clean),
            nb::ShareWords(time.up_ms, service_time, clean) + " til " +
                nb::ShareWords(time.up_ms + time.unknown_ms, service_time, clean),
            nb::ShareWords(time.up_ms + time.down_ms, service_time, time.unknown_ms == 0),
            nb::DurationWords(time.down_ms),
            nb::DurationWords(time.unknown_ms),
            nb::DurationWords(excluded_ms)};
  }

  static std::vector<std::string> Columns(std::vector<std::string> more) {
    std::vector<std::string> columns = {
        "Tjeneste", "Mål",    "Målt tilgjengelighet", "Laveste til høyeste", "Målegrad", "Nedetid",
        "Ukjent",   "Unntatt"};
    columns.insert(columns.end(), more.begin(), more.end());
    return columns;
  }

  // This municipality's figures and those of who has become part of it, added up: what is apart
  // in their own sections. Nothing where those had no time in the period.
  void Folded() {
    struct Sum {
      Measured time;
      int64_t excluded_ms = 0;
      bool folded = false;
    };
    std::map<const Service*, Sum> sums;
    std::set<std::string> others;
    for (const ServiceRow& row : report_.services) {
      const bool merged = MergedIntoThis(row.municipality);
      if (!merged && !Mine(row.municipality)) continue;
      const ServiceFigures& its = row.figures;
      Sum& sum = sums[row.service];
      sum.time.up_ms += its.measured.up_ms;
      sum.time.down_ms += its.measured.down_ms;
      sum.time.unknown_ms += its.measured.unknown_ms;
      sum.excluded_ms += its.excluded_ms;
      if (!merged || its.outside_ms == its.period_ms) continue;
      sum.folded = true;
      others.insert(MunicipalityName(row.municipality));
    }
    if (others.empty()) return;
    Rows rows;
    for (const Service& service : report_.catalogue->services) {
      const auto sum = sums.find(&service);
      if (sum == sums.end() || !sum->second.folded) continue;
      rows.push_back(Cells(service, sum->second.time, sum->second.excluded_ms));
    }
    std::string names;
    for (const std::string& name : others) names += (names.empty() ? "" : ", ") + name;
    out_.Table("Lagt sammen med tallene fra før sammenslåingen: " + names, Columns({}), rows, "");
  }

  void Agreements() {
    Rows rows;
    size_t met = 0, breached = 0;
    for (const ServiceRow& row : report_.services) {
      if (!Mine(row.municipality)) continue;
      const ServiceFigures& its = row.figures;
      if (its.verdict == Verdict::kMet) ++met;
      if (its.verdict == Verdict::kBreached) ++breached;
      std::string words(nb::VerdictWords(its.verdict));
      if (row.service->longest_down && its.longest_down_ms > row.service->longest_down->count()) {
        words += " (lengste nedetid " + nb::DurationWords(its.longest_down_ms) + ", avtalt høyst " +
                 nb::DurationWords(row.service->longest_down->count()) + ")";
      }
      rows.push_back(Cells(*row.service, its.measured, its.excluded_ms));
      rows.back().push_back(std::move(words));
    }
    out_.Heading(3, "Avtaler og resultat");
    if (!rows.empty()) {
      std::string words = "Av " + std::to_string(rows.size()) +
                          (rows.size() == 1 ? " avtale" : " avtaler") + " om tilgjengelighet er " +
                          std::to_string(met) + " oppfylt og " + std::to_string(breached) +
                          " ikke oppfylt";
      if (const size_t rest = rows.size() - met - breached; rest > 0) {
        words += "; for " + std::to_string(rest) + " kan det ikke sies eller er det ikke aktuelt";
      }
      out_.Paragraph(words + ".");
    }
    out_.Table("Tilgjengelighet mot avtalt mål", Columns({"Avtalen"}), rows,
               "Ingen avtaler om tilgjengelighet.");
    Folded();
    if (rows.empty()) return;
    out_.Paragraph(
        "Målegraden er andelen av tjenestetiden som ble målt. Det som ikke ble målt, kan ha vært "
        "oppe eller nede: sannheten ligger mellom laveste og høyeste. Prosenter er kuttet, aldri "
        "rundet opp, og 100 % vises bare når ingenting var nede eller ukjent.");
  }

  void Outages() {
    Rows rows, sums;
    for (const ServiceRow& row : report_.services) {
      if (!Mine(row.municipality) || row.figures.outages.empty()) continue;
      for (const Outage& its : row.figures.outages) {
        rows.push_back(
            {NameOf(*row.service), Time(its.from), Time(its.to), nb::DurationWords(its.down_ms)});
      }
      const auto count = static_cast<int64_t>(row.figures.outages.size());
      sums.push_back({NameOf(*row.service), std::to_string(count),
                      nb::DurationWords(row.figures.measured.down_ms / count),
                      nb::DurationWords(row.figures.measured.up_ms / count),
                      nb::DurationWords(row.figures.longest_down_ms)});
    }
    out_.Heading(3, "Brudd");
    out_.Table("Brudd i perioden, med sanne start- og sluttider",
               {"Tjeneste", "Fra", "Til", "Nedetid i perioden"}, rows, "Ingen brudd.");
    if (!sums.empty()) {
      out_.Table("Brudd per tjeneste",
                 {"Tjeneste", "Antall", "Gjennomsnittlig nedetid (MTTR)",
                  "Oppetid per brudd (MTBF)", "Lengste sammenhengende nedetid"},
                 sums, "");
    }
  }

  void Maintenance() {
    Rows windows, corrections;
    for (const WindowRow& row : report_.windows) {
      if (!Mine(row.municipality)) continue;
      std::string announced = Time(row.window->announced_at);
      if (row.window->recorded_at > row.window->announced_at) {
        announced += ", ført inn her " + Time(row.window->recorded_at);
      }
      windows.push_back({NameOf(*row.service), Time(row.window->when.from),
                         Time(row.window->when.to), announced,
                         row.cancelled ? "Avlyst"
                         : row.planned ? "Planlagt, trukket fra"
                                       : "Varslet for sent, ikke trukket fra",
                         row.window->reason});
    }
    for (const CorrectionRow& row : report_.corrections) {
      if (!Mine(row.municipality)) continue;
      const Override as = row.correction->as;
      corrections.push_back({NameOf(*row.service), Time(row.correction->when.from),
                             Time(row.correction->when.to),
                             as == Override::kUp     ? "Oppe"
                             : as == Override::kDown ? "Nede"
                                                     : "Unntatt",
                             row.correction->by, row.correction->reason});
    }
    out_.Heading(3, "Planlagt vedlikehold og rettelser");
    out_.Table("Vedlikehold", {"Tjeneste", "Fra", "Til", "Varslet", "Regnes som", "Grunn"}, windows,
               "Intet vedlikehold.");
    out_.Table("Rettelser", {"Tjeneste", "Fra", "Til", "Regnes som", "Av", "Grunn"}, corrections,
               "Ingen rettelser.");
  }

  void Backups() {
    Rows rows;
    const auto add = [&](const std::string& what, Percent target, const BackupFigures& its,
                         Millis objective) {
      const int64_t whole = its.within_ms + its.over_ms + its.unknown_ms;
      const bool clean = its.over_ms == 0 && its.unknown_ms == 0;
      rows.push_back({what, nb::DurationWords(objective.count()), nb::TargetWords(target),
                      nb::ShareWords(its.within_ms, whole, clean) + " til " +
                          nb::ShareWords(its.within_ms + its.unknown_ms, whole, clean),
                      nb::DurationWords(its.over_ms), nb::DurationWords(its.unknown_ms),
                      std::string(nb::VerdictWords(its.verdict))});
    };
    for (const BackupRow& row : report_.backups) {
      if (!Mine(row.municipality)) continue;
      add(row.job->job, row.job->target, row.backup, row.job->rpo);
      if (row.restore_test) {
        add(row.job->job + ", gjenopprettingstest", row.job->target, *row.restore_test,
            *row.job->restore_test_every);
      }
    }
    out_.Heading(3, "Sikkerhetskopi");
    out_.Table(
        "Hvor stor del av tiden siste sikkerhetskopi var ny nok",
        {"Jobb", "Høyeste alder", "Mål", "Laveste til høyeste", "For gammel", "Ukjent", "Avtalen"},
        rows, "Ingen avtaler om sikkerhetskopi.");
  }

  void Tickets() {
    Rows rows;
    const auto share = [](int64_t met, int64_t breached, const std::optional<bool>& attained) {
      if (met + breached == 0) return std::string("–");
      std::string text = std::to_string(met) + " av " + std::to_string(met + breached);
      if (attained) text += *attained ? ": oppfylt" : ": ikke oppfylt";
      return text;
    };
    const auto time = [](const std::optional<int64_t>& ms) {
      return ms ? nb::DurationWords(*ms) : std::string("–");
    };
    for (const TicketFigures& row : report_.tickets) {
      if (!Mine(row.municipality)) continue;
      rows.push_back({nb::KindWords(row.kind) + " " + row.priority, std::to_string(row.created),
                      std::to_string(row.resolved), std::to_string(row.backlog),
                      std::to_string(row.reopened),
                      share(row.response_met, row.response_breached, row.response_target_met),
                      share(row.resolution_met, row.resolution_breached, row.target_met),
                      time(row.median_response_ms), time(row.median_resolution_ms),
                      time(row.p90_resolution_ms)});
    }
    out_.Heading(3, "Saker");
    out_.Table("Saker til brukerstøtten, tider i åpningstid",
               {"Sakstype", "Nye", "Løst", "Åpne ved slutten", "Gjenåpnet", "Svart i tide",
                "Løst i tide", "Svartid, median", "Løsningstid, median", "Løsningstid, ni av ti"},
               rows, "Ingen saker.");
    for (const SatisfactionFigures& row : report_.satisfaction) {
      if (!Mine(row.municipality)) continue;
      const int64_t hundredths = row.sum * 100 / row.answers;
      const std::string decimals = std::to_string(hundredths % 100);
      out_.Paragraph("Tilfredshet: " + std::to_string(row.answers) + " svar, gjennomsnitt " +
                     std::to_string(hundredths / 100) + "," + (decimals.size() < 2 ? "0" : "") +
                     decimals + " av 5; " + std::to_string(row.four_or_more) +
                     " svar på 4 eller 5.");
    }
  }

  const Report& report_;
  const Municipality& municipality_;
  const Zone& zone_;
  HtmlWriter& out_;
};

// A municipality with any row has a section.
bool HasRows(const Report& report, const std::string& id) {
  const auto mine = [&](const auto& row) { return row.municipality == id; };
  return std::any_of(report.services.begin(), report.services.end(), mine) ||
         std::any_of(report.backups.begin(), report.backups.end(), mine) ||
         std::any_of(report.tickets.begin(), report.tickets.end(), mine) ||
         std::any_of(report.satisfaction.begin(), report.satisfaction.end(), mine);
}

void WriteMethod(const Report& report, HtmlWriter& out) {
  const Zone& zone = report.catalogue->zone;
  out.Raw("<section>\n");
  out.Heading(2, "Slik er tallene regnet ut");
  out.Paragraph("Perioden er fra " + nb::TimeWords(report.period.from, zone) + " til " +
                nb::TimeWords(report.period.to, zone) + ", lokal tid (" +
                report.catalogue->timezone + "). Tallene er regnet ut til " +
                nb::TimeWords(report.computed_to, zone) + ".");
  if (report.as_known_at) {
    out.Paragraph("Bare det som var registrert senest " + FormatInstant(*report.as_known_at) +
                  ", er tatt med.");
  }
  out.Paragraph(
      "Alle summer er hele millisekunder. Planlagt vedlikehold som er varslet i tide, er trukket "
      "fra; det er også tid utenfor tjenestetiden. Enhver kan regne ut tallene på nytt, på en "
      "annen maskin, fra de samme filene:");
  std::string call =
      "oppetid report --catalogue catalogue.yaml --history history.jsonl --tickets tickets.jsonl "
      "--period " +
      report.period.label;
  if (report.as_known_at) call += " --as-known-at " + FormatInstant(*report.as_known_at);
  out.Raw("<p><code>" + EscapeHtml(call + " --format json") + "</code></p>\n");
  if (!report.inputs_sha256.empty()) {
    out.Raw(
        "<p>Filenes kontrollsum (SHA-256 av katalog, historikk og saker etter hverandre): "
        "<code>" +
        EscapeHtml(report.inputs_sha256) + "</code></p>\n");
  }
  out.Raw("</section>\n");
}

}  // namespace

std::string ReportAsHtml(const Report& report) {
  const std::string title = "Tjenesterapport for " + nb::PeriodWords(report.period.label);
  HtmlWriter out;
  out.Raw(
      "<!doctype html>\n<html lang=\"nb\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      EscapeHtml(title) + "</title>\n<style>" + std::string(kStyle) +
      "</style>\n</head>\n<body>\n<main>\n");
  out.Heading(1, title);
  for (const Municipality& municipality : report.catalogue->municipalities) {
    if (HasRows(report, municipality.id)) Section(report, municipality, out).Write();
  }
  WriteMethod(report, out);
  out.Raw("</main>\n</body>\n</html>\n");
  return out.Take();
}

}  // namespace oppetid::collector
