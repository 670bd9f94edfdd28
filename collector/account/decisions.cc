#include "collector/account/decisions.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/account/when.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

constexpr size_t kMaxReasonBytes = 1'000;   // some sentences
constexpr size_t kMaxReferenceBytes = 100;  // a ticket's or a change's number

std::string Quote(std::string_view text) { return "`" + OneLine(text, 60) + "`"; }

// Reads a wish; every fault is kept, and what is faulty reads as empty.
class Wish {
 public:
  Wish(const json::object& object, const Catalogue& catalogue)
      : object_(object), catalogue_(catalogue) {}

  // One line of text that people will read in reports.
  std::string Text(const char* key, bool required, size_t limit) {
    known_.push_back(key);
    const json::value* value = object_.if_contains(key);
    const bool there = value != nullptr && value->is_string() && !value->get_string().empty();
    if (!there) {
      if (value != nullptr && !value->is_string()) {
        Fault(absl::StrCat("`", key, "`: expected text"));
      } else if (required) {
        Fault(absl::StrCat("`", key, "` is missing"));
      }
      return "";
    }
    std::string text(value->get_string());
    if (OneLine(text, limit) != text) {
      Fault(absl::StrCat("`", key, "`: allowed: one line of at most ", limit,
                         " bytes without control characters"));
    }
    return text;
  }

  std::optional<Instant> When(const char* key, bool required) {
    const std::string text = Text(key, required, kMaxReferenceBytes);
    if (text.empty()) return std::nullopt;
    const auto when = ParseWhen(text, catalogue_.zone);
    if (!when.ok()) Fault(absl::StrCat("`", key, "`: ", when.status().message()));
    return when.ok() ? std::optional(*when) : std::nullopt;
  }

  // Names of services or municipalities, each at most once, or "*".
  json::array Names(const char* key, const std::vector<std::string_view>& known) {
    known_.push_back(key);
    const json::value* value = object_.if_contains(key);
    json::array names;
    if (value == nullptr || !value->is_array() || value->get_array().empty()) {
      Fault(absl::StrCat("`", key, "` is missing; allowed: ids of the catalogue, or * for all"));
      return names;
    }
    for (const json::value& its : value->get_array()) {
      const std::string name = its.is_string() ? std::string(its.get_string()) : "";
      if (std::find(names.begin(), names.end(), its) != names.end()) {
        Fault(absl::StrCat("`", key, "`: ", Quote(name), " stands twice"));
      } else if (name == "*" && value->get_array().size() > 1) {
        Fault(absl::StrCat("`", key, "`: * means all and stands alone"));
      } else if (name != "*") {
        Known(key, name, known);
      }
      names.push_back(its);
    }
    return names;
  }

  // One name that the catalogue must have.
  std::string Name(const char* key, const std::vector<std::string_view>& known) {
    std::string name = Text(key, true, kMaxReferenceBytes);
    if (!name.empty()) Known(key, name, known);
    return name;
  }

  void Fault(std::string what) { faults_.push_back(std::move(what)); }

  absl::Status Finish() {
    known_.push_back("do");
    for (const auto& its : object_) {
      const std::string_view key(its.key().data(), its.key().size());
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        Fault("unknown key " + Quote(key) + DidYouMean(key, known_));
      }
    }
    if (faults_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(faults_, "\n"));
  }

 private:
  void Known(const char* key, const std::string& name, const std::vector<std::string_view>& known) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    Fault(absl::StrCat("`", key, "`: ", Quote(name), " is not in the catalogue") +
          DidYouMean(name, known) + "; allowed: its ids, or * for all");
  }

  const json::object& object_;
  const Catalogue& catalogue_;
  std::vector<std::string_view> known_;
  std::vector<std::string> faults_;
};

std::vector<std::string_view> ServiceIds(const Catalogue& catalogue) {
  std::vector<std::string_view> ids;
  for (const Service& service : catalogue.services) ids.push_back(service.id);
  return ids;
}

std::vector<std::string_view> MunicipalityIds(const Catalogue& catalogue) {
  std::vector<std::string_view> ids;
  for (const Municipality& its : catalogue.municipalities) ids.push_back(its.id);
  return ids;
}

bool Covers(const json::array& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const json::value& its) {
    return its.is_string() && (its.get_string() == "*" || its.get_string() == name);
  });
}

// What windows and corrections have in common.
struct Extent {
  json::array services, municipalities;
  std::optional<Instant> from, to;
  std::vector<const Service*> covered;  // delivered to one of the municipalities
};

Extent ReadExtent(Wish& wish, const Catalogue& catalogue) {
  Extent extent{wish.Names("services", ServiceIds(catalogue)),
                wish.Names("municipalities", MunicipalityIds(catalogue)),
                wish.When("from", true),
                wish.When("to", true),
                {}};
  if (extent.from && extent.to && *extent.from >= *extent.to) {
    wish.Fault("it ends before it starts: `from` " + FormatInstant(*extent.from) +
               " is not before `to` " + FormatInstant(*extent.to));
  }
  for (const Service& service : catalogue.services) {
    if (!Covers(extent.services, service.id)) continue;
    for (const ServiceMember& member : service.members) {
      if (!Covers(extent.municipalities, member.municipality)) continue;
      extent.covered.push_back(&service);
      break;
    }
  }
  return extent;
}

void CheckCovers(Wish& wish, const Extent& extent) {
  if (extent.covered.empty()) {
    wish.Fault(
        "it covers nothing: none of these services is delivered to any of these "
        "municipalities");
  }
}

json::object BodyOf(const Extent& extent) {
  return {{"services", extent.services},
          {"municipalities", extent.municipalities},
          {"from", FormatInstant(*extent.from)},
          {"to", FormatInstant(*extent.to)}};
}

void AddWhy(json::object& body, const std::string& reason, const std::string& reference) {
  body["reason"] = reason;
  if (!reference.empty()) body["reference"] = reference;
}

absl::StatusOr<Decision> Announce(Wish& wish, const Catalogue& catalogue, uint64_t number,
                                  Instant at) {
  const Extent extent = ReadExtent(wish, catalogue);
  const auto announced_at = wish.When("announced_at", false);
  const std::string reason = wish.Text("reason", true, kMaxReasonBytes);
  const std::string reference = wish.Text("reference", false, kMaxReferenceBytes);
  if (announced_at && *announced_at > at) {
    wish.Fault("`announced_at` " + FormatInstant(*announced_at) +
               " is in the future; allowed: an instant that has been");
  }
  const absl::Status status = wish.Finish();
  if (!status.ok()) return status;
  CheckCovers(wish, extent);
  if (auto covers = wish.Finish(); !covers.ok()) return covers;
  const Instant announced = announced_at.value_or(at);
  json::object body = BodyOf(extent);
  body["announced_at"] = FormatInstant(announced);
  AddWhy(body, reason, reference);
  Decision decision{
      acts::kMaintenanceAnnounced, absl::StrCat("m-", number), json::serialize(body), {}};
  for (const Service* service : extent.covered) {
    if (announced <= *extent.from - service->notice) continue;
    decision.remarks.push_back(service->id +
                               ": not planned maintenance, because it was announced less than " +
                               FormatDuration(service->notice) + " ahead; it excludes nothing");
  }
  if (announced_at) {
    decision.remarks.push_back("reports will say that it was announced elsewhere, at " +
                               FormatInstant(announced) + ", and recorded here at " +
                               FormatInstant(at));
  }
  return decision;
}

absl::StatusOr<Decision> Correct(Wish& wish, const Catalogue& catalogue, uint64_t number,
                                 Instant at, bool outage) {
  const Extent extent = ReadExtent(wish, catalogue);
  const std::string as = outage ? "down" : wish.Text("as", true, kMaxReferenceBytes);
  const std::string reason = wish.Text("reason", true, kMaxReasonBytes);
  const std::string reference = wish.Text("reference", outage, kMaxReferenceBytes);
  const std::vector<std::string_view> allowed = {"up", "down", "excluded"};
  if (!as.empty() && std::find(allowed.begin(), allowed.end(), as) == allowed.end()) {
    wish.Fault("`as`: " + Quote(as) + " is not one of up, down, excluded" +
               DidYouMean(as, allowed));
  }
  if (extent.to && *extent.to > at) {
    wish.Fault("`to` " + FormatInstant(*extent.to) +
               " is in the future: what has not been cannot be corrected; announce maintenance "
               "for what is to come");
  }
  const absl::Status status = wish.Finish();
  if (!status.ok()) return status;
  CheckCovers(wish, extent);
  if (auto covers = wish.Finish(); !covers.ok()) return covers;
  json::object body = BodyOf(extent);
  body["as"] = as;
  AddWhy(body, reason, reference);
  return Decision{outage ? acts::kOutageReported : acts::kCorrectionAdded,
                  absl::StrCat("c-", number),
                  json::serialize(body),
                  {}};
}

absl::StatusOr<Decision> Revoke(Wish& wish, const Agreements& agreements, bool window) {
  const std::string id = wish.Text("id", true, kMaxReferenceBytes);
  const std::string reason = wish.Text("reason", true, kMaxReasonBytes);
  const std::string reference = wish.Text("reference", false, kMaxReferenceBytes);
  if (auto status = wish.Finish(); !status.ok()) return status;
  const Facts& facts = agreements.decisions();
  const bool known = window ? facts.maintenance.contains(id) : facts.corrections.contains(id);
  if (!known) {
    return absl::NotFoundError("no " + std::string(window ? "maintenance window" : "correction") +
                               " has the id " + Quote(id) + "; `oppetid " +
                               (window ? "maintenance" : "correction") + " list` shows them");
  }
  if (const auto it = agreements.revoked().find(id); it != agreements.revoked().end()) {
    return absl::FailedPreconditionError(id + " was revoked already, at " +
                                         FormatInstant(it->second.at) + " by " +
                                         ByWords(it->second));
  }
  json::object body{{"revokes", id}};
  AddWhy(body, reason, reference);
  return Decision{window ? acts::kMaintenanceCancelled : acts::kCorrectionRevoked,
                  id,
                  json::serialize(body),
                  {}};
}

bool IsDelivered(const Catalogue& catalogue, const std::string& service,
                 const std::string& municipality) {
  return std::any_of(catalogue.services.begin(), catalogue.services.end(), [&](const Service& its) {
    return its.id == service &&
           std::any_of(its.members.begin(), its.members.end(), [&](const ServiceMember& member) {
             return member.municipality == municipality;
           });
  });
}

absl::StatusOr<Decision> Annotate(Wish& wish, const Catalogue& catalogue, Instant now) {
  const std::string service = wish.Name("service", ServiceIds(catalogue));
  const std::string municipality = wish.Name("municipality", MunicipalityIds(catalogue));
  const auto at = wish.When("at", true);
  const std::string note = wish.Text("note", true, kMaxReasonBytes);
  const std::string reference = wish.Text("reference", false, kMaxReferenceBytes);
  if (at && *at > now) wish.Fault("`at` " + FormatInstant(*at) + " is in the future");
  if (auto status = wish.Finish(); !status.ok()) return status;
  // No list would ever show such a note.
  if (!IsDelivered(catalogue, service, municipality)) {
    return absl::InvalidArgumentError(service + " is not delivered to " + Quote(municipality));
  }
  json::object body{{"service", service},
                    {"municipality", municipality},
                    {"at", FormatInstant(*at)},
                    {"note", note}};
  if (!reference.empty()) body["reference"] = reference;
  return Decision{acts::kOutageAnnotated, "", json::serialize(body), {}};
}

}  // namespace

absl::StatusOr<Decision> Decide(std::string_view text, const Agreements& agreements,
                                uint64_t number, Instant at) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return absl::InvalidArgumentError("expected a JSON object");
  const auto catalogue = agreements.catalogue();
  if (catalogue == nullptr) {
    return absl::FailedPreconditionError(
        "there is no catalogue yet: `oppetid catalogue apply FILE` says what was agreed");
  }
  Wish wish(value.get_object(), *catalogue);
  const json::value* what = value.get_object().if_contains("do");
  const std::string verb =
      what != nullptr && what->is_string() ? std::string(what->get_string()) : "";
  if (verb == "announce") return Announce(wish, *catalogue, number, at);
  if (verb == "correct") return Correct(wish, *catalogue, number, at, false);
  if (verb == "report_outage") return Correct(wish, *catalogue, number, at, true);
  if (verb == "cancel") return Revoke(wish, agreements, true);
  if (verb == "revoke") return Revoke(wish, agreements, false);
  if (verb == "annotate") return Annotate(wish, *catalogue, at);
  return absl::InvalidArgumentError(
      "`do`: " + Quote(verb) +
      "; allowed: announce, cancel, correct, revoke, report_outage, annotate");
}

}  // namespace oppetid::collector
