#include "collector/account/agreements.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/str_cat.h"
#include "collector/report/catalogue_reader.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

// The chain proves that a body is what was written, not that this program wrote it, so that
// nothing here trusts its shape: what is not there reads as empty.
std::string Text(const json::object& body, std::string_view key) {
  const json::value* value = body.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

Instant At(const json::object& body, std::string_view key, Instant fallback) {
  return ParseInstant(Text(body, key)).value_or(fallback);
}

Scope ScopeOf(const json::object& body, std::string_view key) {
  Scope scope;
  const json::value* value = body.if_contains(key);
  if (value == nullptr || !value->is_array()) return scope;
  for (const json::value& name : value->get_array()) {
    if (!name.is_string()) continue;
    if (name.get_string() == "*") {
      scope.all = true;
    } else {
      scope.names.emplace_back(name.get_string());
    }
  }
  return scope;
}

std::string ReasonWords(const DecidedBy& decided) {
  if (decided.reference.empty()) return decided.reason;
  return decided.reason + " [" + decided.reference + "]";
}

Maintenance MaintenanceOf(const json::object& body, const DecidedBy& decided) {
  Maintenance window;
  window.id = absl::StrCat("m-", decided.number);
  window.services = ScopeOf(body, "services");
  window.municipalities = ScopeOf(body, "municipalities");
  window.when = {At(body, "from", decided.at), At(body, "to", decided.at)};
  window.announced_at = At(body, "announced_at", decided.at);
  window.recorded_at = decided.at;
  window.by = ByWords(decided);
  window.reason = ReasonWords(decided);
  return window;
}

Correction CorrectionOf(const json::object& body, const DecidedBy& decided) {
  Correction correction;
  correction.id = absl::StrCat("c-", decided.number);
  correction.services = ScopeOf(body, "services");
  correction.municipalities = ScopeOf(body, "municipalities");
  correction.when = {At(body, "from", decided.at), At(body, "to", decided.at)};
  const std::string as = Text(body, "as");
  correction.as = as == "up"         ? Override::kUp
                  : as == "excluded" ? Override::kExcluded
                                     : Override::kDown;
  correction.recorded_at = decided.at;
  correction.by = ByWords(decided);
  correction.reason = ReasonWords(decided);
  return correction;
}

}  // namespace

std::string ByWords(const DecidedBy& decided) {
  if (decided.on_behalf_of.empty()) return decided.who;
  return decided.who + " on behalf of " + decided.on_behalf_of;
}

void Agreements::Tell(const Act& act) {
  const std::vector<std::string_view> followed = {
      acts::kCatalogueApplied, acts::kMaintenanceAnnounced, acts::kMaintenanceCancelled,
      acts::kCorrectionAdded,  acts::kCorrectionRevoked,    acts::kOutageReported,
      acts::kOutageAnnotated};
  if (std::find(followed.begin(), followed.end(), act.kind) == followed.end()) return;
  boost::system::error_code error;
  const json::value value = json::parse(act.body, error);
  if (error || !value.is_object()) {
    LogError("an act whose body is no JSON object is left out", {{"number", act.number}});
    return;
  }
  const json::object& body = value.get_object();
  const DecidedBy decided{act.number,
                          act.at,
                          act.kind,
                          act.who,
                          act.on_behalf_of,
                          Text(body, "reason"),
                          Text(body, "reference")};
  if (act.kind == acts::kCatalogueApplied) {
    versions_.push_back({decided, Text(body, "yaml")});
    Faults faults("catalogue");
    auto catalogue = ReadCatalogue(versions_.back().yaml, faults);
    if (catalogue) {
      catalogue_ = std::make_shared<const Catalogue>(*std::move(catalogue));
    } else {
      LogError("the catalogue in force has faults for this version of the program",
               {{"number", act.number}, {"fault", faults.lines().front()}});
    }
  } else if (act.kind == acts::kMaintenanceAnnounced) {
    Maintenance window = MaintenanceOf(body, decided);
    decided_[window.id] = decided;
    decisions_.maintenance[window.id] = std::move(window);
  } else if (act.kind == acts::kCorrectionAdded || act.kind == acts::kOutageReported) {
    Correction correction = CorrectionOf(body, decided);
    decided_[correction.id] = decided;
    decisions_.corrections[correction.id] = std::move(correction);
  } else if (act.kind == acts::kOutageAnnotated) {
    notes_.push_back({decided, Text(body, "service"), Text(body, "municipality"),
                      At(body, "at", decided.at), Text(body, "note")});
  } else {
    const std::string id = Text(body, "revokes");
    revoked_[id] = decided;
    decisions_.revocations.push_back({id, decided.at, ByWords(decided), ReasonWords(decided)});
  }
}

const CatalogueVersion* Agreements::InForce(Instant at) const {
  const CatalogueVersion* found = nullptr;
  for (const CatalogueVersion& version : versions_) {
    if (version.decided.at <= at) found = &version;
  }
  return found;
}

absl::Status TellAll(LedgerReader& reader, Agreements& agreements) {
  ChainHead head;
  absl::Status broken;
  const absl::Status read = reader.ForEachAct(1, [&](const Act& act) {
    if (!broken.ok()) return;
    if (act.number != head.number + 1 || act.hash != ChainHash(head.hash, act)) {
      broken =
          absl::DataLossError(absl::StrCat("the audit chain is broken after act ", head.number));
      return;
    }
    head = {act.number, act.hash};
    agreements.Tell(act);
  });
  return read.ok() ? broken : read;
}

}  // namespace oppetid::collector
