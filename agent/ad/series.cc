// The series of a look, and what they share with its judgement: reading a view.
#include <algorithm>
#include <charconv>

#include "agent/ad/judge.h"
#include "agent/ad/look.h"

namespace oppetid::agent {
namespace {

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

using LabelList = std::vector<std::pair<const char*, std::string>>;

class Series {
 public:
  explicit Series(const std::string& domain) : domain_(domain) {}

  void Add(const char* family, const LabelList& labels, double value) {
    text_ += family;
    text_ += "{domain=";
    AddValue(domain_);
    for (const auto& [name, label] : labels) {
      text_ += ',';
      text_ += name;
      text_ += '=';
      AddValue(label);
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text_ += "} " + std::string(digits, end) + "\n";
  }
  std::string Take() { return std::move(text_); }

 private:
  void AddValue(const std::string& value) {
    text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c == '\n' ? ' ' : c;
    }
    text_ += '"';
  }

  std::string domain_;
  std::string text_;
};

double InSeconds(Millis time) { return std::chrono::duration<double>(time).count(); }

void AddRoot(const AdControllerView& controller, Series& series) {
  const std::string& dc = controller.name;
  if (controller.synchronized) {
    series.Add("ad_dc_synchronized", {{"dc", dc}}, *controller.synchronized ? 1 : 0);
  }
  if (controller.catalog_ready) {
    series.Add("ad_dc_global_catalog_ready", {{"dc", dc}}, *controller.catalog_ready ? 1 : 0);
  }
  if (controller.usn) {
    series.Add("ad_dc_highest_committed_usn", {{"dc", dc}}, static_cast<double>(*controller.usn));
  }
  constexpr std::pair<const char*, uint32_t> kFlags[] = {
      {"ds", kAdvertisesDs},
      {"gc", kAdvertisesGc},
      {"kdc", kAdvertisesKdc},
      {"ldap", kAdvertisesLdap},
      {"pdc", kAdvertisesPdc},
      {"timeserv", kAdvertisesTime},
      {"writable", kAdvertisesWritable},
  };
  for (const auto& [flag, bit] : kFlags) {
    if (!controller.flags) break;
    series.Add("ad_dc_advertises", {{"dc", dc}, {"flag", flag}},
               (*controller.flags & bit) != 0 ? 1 : 0);
  }
  const auto skew = [&](const char* source, const std::optional<Millis>& value) {
    if (value) {
      series.Add("ad_dc_clock_skew_seconds", {{"dc", dc}, {"source", source}}, InSeconds(*value));
    }
  };
  skew("ldap", controller.ldap_skew);
  skew("kerberos", controller.kerberos_skew);
  if (controller.kerberos_error) {
    series.Add("ad_kerberos_error_code", {{"dc", dc}}, *controller.kerberos_error);
  }
}

void AddCertificates(const AdControllerView& controller, Series& series) {
  for (const AdCertificate& certificate : controller.certificates) {
    const LabelList labels = {{"dc", controller.name}, {"port", std::to_string(certificate.port)}};
    const int64_t expiry_s = ToUnixMillis(certificate.expiry) / 1000;
    series.Add("ad_tls_certificate_expiry_timestamp_seconds", labels,
               static_cast<double>(expiry_s));
    series.Add("ad_tls_certificate_trusted", labels, certificate.trouble.empty() ? 1 : 0);
  }
}

void AddShares(const AdControllerView& controller, Series& series) {
  for (const auto& [share, probe] : controller.shares) {
    series.Add("ad_share_accessible", {{"dc", controller.name}, {"share", share}},
               probe.ok ? 1 : 0);
  }
  if (controller.gpo_mismatches) {
    series.Add("ad_gpo_version_mismatch", {{"dc", controller.name}},
               static_cast<double>(*controller.gpo_mismatches));
  }
}

void AddServices(const AdOptions& options, const AdControllerView& controller, Series& series) {
  const std::string& dc = controller.name;
  // A series belongs to one part, so that two checks of one domain never give the same one.
  for (const auto& [name, probe] : controller.probes) {
    const char* part = name == "dns"    ? "dns"
                       : name == "tls"  ? "certificates"
                       : name == "sntp" ? "sntp"
                                        : "services";
    if (!options.Asks(part)) continue;
    series.Add("ad_probe_success", {{"dc", dc}, {"probe", name}}, probe.ok ? 1 : 0);
    if (probe.ok) {
      series.Add("ad_probe_duration_seconds", {{"dc", dc}, {"probe", name}}, probe.seconds);
    }
  }
  if (options.Asks("services")) AddRoot(controller, series);
  if (options.Asks("sntp") && controller.sntp_skew) {
    series.Add("ad_dc_clock_skew_seconds", {{"dc", dc}, {"source", "sntp"}},
               InSeconds(*controller.sntp_skew));
  }
  if (options.Asks("certificates")) AddCertificates(controller, series);
  if (options.Asks("shares")) AddShares(controller, series);
}

void AddNames(const AdView& view, Series& series) {
  for (const AdControllerView& server : view.controllers) {
    for (const auto& [record, targets] : server.records) {
      const LabelList labels = {{"dc", server.name}, {"record", record}};
      series.Add("ad_dns_srv_targets", labels, static_cast<double>(targets.size()));
      if (WantedTargets(view, record)) {
        series.Add("ad_dns_srv_missing", labels,
                   static_cast<double>(MissingTargets(view, server, record).size()));
      }
    }
  }
  for (const AdListed& listed : view.listed.value_or(std::vector<AdListed>{})) {
    bool asked = false;
    bool everywhere = true;
    for (const AdControllerView& server : view.controllers) {
      const auto found = server.guid_names.find(listed.guid);
      if (found == server.guid_names.end()) continue;
      asked = true;
      everywhere = everywhere && found->second;
    }
    if (asked) series.Add("ad_dns_dsa_cname_ok", {{"dc", listed.name}}, everywhere ? 1 : 0);
  }
}

// The greatest share of the tombstone lifetime since any link's last success.
void AddReplication(const AdView& view, Series& series) {
  std::optional<double> worst;
  for (const AdControllerView& controller : view.controllers) {
    if (!controller.links_read) continue;
    series.Add("ad_replication_check_supported",
               {{"dc", controller.name}, {"method", LinkMethod(controller)}},
               LinkMethod(controller) == "none" ? 0 : 1);
    for (const AdContext& context : controller.links) {
      series.Add("ad_replication_links", {{"dc", controller.name}, {"nc", context.name}},
                 static_cast<double>(context.links.size()));
      for (const ReplicationLink& link : context.links) {
        const AdListed* partner = ListedByGuid(view, link.source);
        const LabelList labels = {{"dc", controller.name},
                                  {"partner", partner == nullptr ? "unlisted" : partner->name},
                                  {"nc", context.name}};
        series.Add("ad_replication_consecutive_failures", labels, link.failures);
        series.Add("ad_replication_last_result", labels, link.result);
        const auto age = LinkAge(controller, link);
        if (!age) continue;
        series.Add("ad_replication_last_success_age_seconds", labels, InSeconds(*age));
        if (view.tombstone_days.value_or(0) > 0) {
          worst =
              std::max(worst.value_or(0), static_cast<double>(age->count()) /
                                              static_cast<double>(*view.tombstone_days * kDayMs));
        }
      }
    }
  }
  if (worst) series.Add("ad_replication_tombstone_ratio", {}, *worst);
  if (view.tombstone_days) {
    series.Add("ad_tombstone_lifetime_days", {}, static_cast<double>(*view.tombstone_days));
  }
}

void AddOwners(const AdView& view, Series& series) {
  std::map<std::string, std::vector<std::string>> owners;
  for (const AdControllerView& controller : view.controllers) {
    for (const auto& [role, dn] : controller.owners) {
      auto& dns = owners[role];
      if (std::find(dns.begin(), dns.end(), dn) == dns.end()) dns.push_back(dn);
    }
  }
  for (const auto& [role, dns] : owners) {
    series.Add("ad_fsmo_owner_agreement", {{"role", role}}, dns.size() == 1 ? 1 : 0);
    // The greater part of a disagreement is a matter of taste: all are told.
    bool up = true;
    bool known = true;
    for (const std::string& dn : dns) {
      const AdListed* listed = ListedBySettings(view, dn);
      const AdControllerView* owner = listed == nullptr ? nullptr : Watched(view, listed->name);
      if (listed != nullptr) {
        series.Add("ad_fsmo_owner_info", {{"role", role}, {"owner", listed->name}}, 1);
      }
      known = known && (owner != nullptr || (listed == nullptr && view.listed));
      up = up && owner != nullptr && IsUp(*owner);
    }
    if (known) series.Add("ad_fsmo_owner_up", {{"role", role}}, up ? 1 : 0);
  }
}

void AddDomain(const AdOptions& options, const AdView& view, Series& series) {
  AddOwners(view, series);
  if (view.listed) {
    series.Add("ad_dc_count", {}, static_cast<double>(view.listed->size()));
    for (const AdListed& listed : *view.listed) {
      const int64_t off = listed.options & (kDsaInboundOff | kDsaOutboundOff);
      series.Add("ad_dc_replication_disabled", {{"dc", listed.name}}, off != 0 ? 1 : 0);
      if (listed.password_set) {
        series.Add("ad_dc_machine_password_age_seconds", {{"dc", listed.name}},
                   InSeconds(view.now - *listed.password_set));
      }
    }
  }
  series.Add("ad_dc_expected", {},
             static_cast<double>(options.expected != 0
                                     ? options.expected
                                     : static_cast<int64_t>(options.controllers.size())));
  if (view.krbtgt_set) {
    series.Add("ad_krbtgt_password_age_seconds", {}, InSeconds(view.now - *view.krbtgt_set));
  }
  if (view.rid_pool_used) series.Add("ad_rid_pool_used_ratio", {}, *view.rid_pool_used);
}

void AddAccounts(const AdOptions& options, const AdView& view, Series& series) {
  if (view.locked_accounts) {
    series.Add("ad_accounts_locked", {}, static_cast<double>(*view.locked_accounts));
  }
  for (const AdAccount& account : view.accounts) {
    if (!account.found) continue;
    const auto state = [&](const char* name, bool holds) {
      series.Add("ad_service_account_state", {{"account", account.name}, {"state", name}},
                 holds ? 1 : 0);
    };
    state("locked", account.locked);
    state("disabled", account.disabled);
    state("expired", account.expired);
    const int64_t soon = options.limit(AdLimitName::kPasswordExpiry).warning;
    state("password_expires_soon",
          account.password_expires && (*account.password_expires - view.now).count() <= soon);
  }
}

}  // namespace

std::string SeriesOfDomain(const AdOptions& options, const AdView& view) {
  Series series(options.domain);
  for (const AdControllerView& controller : view.controllers) {
    AddServices(options, controller, series);
  }
  if (options.Asks("dns")) AddNames(view, series);
  if (options.Asks("replication")) AddReplication(view, series);
  if (options.Asks("directory")) AddDomain(options, view, series);
  if (options.Asks("accounts")) AddAccounts(options, view, series);
  return series.Take();
}

bool ProbeOk(const AdControllerView& controller, const std::string& probe) {
  const auto found = controller.probes.find(probe);
  return found != controller.probes.end() && found->second.ok;
}

bool IsUp(const AdControllerView& controller) { return ProbeOk(controller, "rootdse"); }

const AdListed* ListedByGuid(const AdView& view, const std::string& guid) {
  if (!view.listed) return nullptr;
  const auto found = std::find_if(view.listed->begin(), view.listed->end(),
                                  [&](const AdListed& one) { return one.guid == guid; });
  return found == view.listed->end() ? nullptr : &*found;
}

const AdListed* ListedBySettings(const AdView& view, const std::string& dn) {
  if (!view.listed) return nullptr;
  const auto found =
      std::find_if(view.listed->begin(), view.listed->end(),
                   [&](const AdListed& one) { return Lower(one.settings) == Lower(dn); });
  return found == view.listed->end() ? nullptr : &*found;
}

const AdListed* ListedByName(const AdView& view, const std::string& name) {
  if (!view.listed) return nullptr;
  const auto found = std::find_if(view.listed->begin(), view.listed->end(),
                                  [&](const AdListed& one) { return one.name == Lower(name); });
  return found == view.listed->end() ? nullptr : &*found;
}

const AdControllerView* Watched(const AdView& view, const std::string& name) {
  const auto found =
      std::find_if(view.controllers.begin(), view.controllers.end(),
                   [&](const AdControllerView& one) { return Lower(one.name) == Lower(name); });
  return found == view.controllers.end() ? nullptr : &*found;
}

std::optional<std::vector<std::string>> WantedTargets(const AdView& view, std::string_view record) {
  std::vector<std::string> wanted;
  if (record == kAdPdcRecord) {
    for (const AdControllerView& controller : view.controllers) {
      const auto owner = controller.owners.find("pdc");
      const AdListed* listed =
          owner == controller.owners.end() ? nullptr : ListedBySettings(view, owner->second);
      if (listed == nullptr) continue;
      wanted.push_back(listed->name);
      return wanted;
    }
    return std::nullopt;
  }
  if (!view.listed) {
    if (record == kAdCatalogRecord) return std::nullopt;
    for (const AdControllerView& controller : view.controllers) {
      wanted.push_back(Lower(controller.name));
    }
    return wanted;
  }
  for (const AdListed& listed : *view.listed) {
    // A read-only controller registers for its own site only.
    if (listed.read_only) continue;
    if (record == kAdCatalogRecord && (listed.options & kDsaIsCatalog) == 0) continue;
    wanted.push_back(listed.name);
  }
  return wanted;
}

std::vector<std::string> MissingTargets(const AdView& view, const AdControllerView& server,
                                        const std::string& record) {
  std::vector<std::string> missing;
  const auto wanted = WantedTargets(view, record);
  const auto targets = server.records.find(record);
  if (!wanted || targets == server.records.end()) return missing;
  for (const std::string& name : *wanted) {
    if (!std::binary_search(targets->second.begin(), targets->second.end(), name)) {
      missing.push_back(name);
    }
  }
  return missing;
}

std::string LinkMethod(const AdControllerView& controller) {
  std::string method = "none";
  for (const AdContext& context : controller.links) {
    if (context.has_neighbors) return "neighbors";
    if (context.has_reps_from) method = "repsfrom";
  }
  return method;
}

bool IsReplicated(const AdView& view, const AdControllerView& controller,
                  const std::string& context) {
  // All controllers of a domain hold these, watched or not.
  const bool is_everywhere = context == controller.default_context ||
                             context == controller.configuration_context ||
                             context == controller.schema_context;
  if (is_everywhere && view.listed && view.listed->size() > 1) return true;
  const auto holders = std::count_if(
      view.controllers.begin(), view.controllers.end(), [&](const AdControllerView& one) {
        return std::find(one.contexts.begin(), one.contexts.end(), context) != one.contexts.end();
      });
  return holders > 1;
}

std::optional<Millis> LinkAge(const AdControllerView& controller, const ReplicationLink& link) {
  if (!controller.directory_time || !link.last_success) return std::nullopt;
  // Its clock reads in whole seconds, and so may be a little behind its own success.
  return std::max(Millis(0), Millis(*controller.directory_time - *link.last_success));
}

}  // namespace oppetid::agent
