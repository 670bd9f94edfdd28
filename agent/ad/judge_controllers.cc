#include <algorithm>
#include <set>

#include "agent/ad/judge.h"
#include "agent/ad/judgements.h"
#include "agent/ad/look.h"

namespace oppetid::agent {
namespace {

struct Service {
  const char* probe;
  const char* name;
  bool vital;  // without it at any controller nobody can log on
};
constexpr Service kServices[] = {
    {"rootdse", "LDAP", true},      {"ldap_ping", "the domain over LDAP", true},
    {"kerberos", "Kerberos", true}, {"dns", "DNS", true},
    {"smb", "SMB", true},           {"tls", "LDAPS", false},
    {"sntp", "SNTP", false},
};

bool AnswersAnything(const AdControllerView& controller) {
  return std::any_of(controller.probes.begin(), controller.probes.end(),
                     [](const auto& probe) { return probe.second.ok; });
}

// LDAP's own words where it was asked; it is what the others wait for.
std::string WhyDown(const AdControllerView& controller) {
  const auto ldap = controller.probes.find("rootdse");
  if (ldap != controller.probes.end()) return ldap->second.trouble;
  return controller.probes.empty() ? "" : controller.probes.begin()->second.trouble;
}

// How far a controller's clock is off ours: the greatest of what its services say.
std::optional<Millis> SkewOf(const AdControllerView& controller) {
  std::optional<Millis> skew = controller.ldap_skew;
  for (const auto& other : {controller.kerberos_skew, controller.sntp_skew}) {
    if (other && (!skew || std::chrono::abs(*other) > std::chrono::abs(*skew))) skew = other;
  }
  return skew;
}

std::string SkewText(Millis skew) {
  return std::to_string(std::chrono::abs(skew) / std::chrono::seconds(1)) + " s " +
         (skew > Millis(0) ? "ahead" : "behind");
}

}  // namespace

void JudgeServices(const AdOptions& options, const AdView& view, Findings& findings) {
  size_t resolved = 0;
  std::vector<const AdControllerView*> alive;
  for (const AdControllerView& controller : view.controllers) {
    if (!controller.unresolved.empty()) {
      findings.Add(State::kUnknown, controller.unresolved);
      continue;
    }
    ++resolved;
    if (AnswersAnything(controller)) {
      alive.push_back(&controller);
      continue;
    }
    findings.Add(State::kWarning, controller.name + " is down (" + WhyDown(controller) + ")");
  }
  if (resolved > 0 && alive.empty()) {
    findings.Add(State::kCritical, "no controller of " + options.domain + " answers");
    return;
  }
  for (const Service& service : kServices) {
    std::vector<std::string> failing;
    size_t asked = 0;
    for (const AdControllerView* controller : alive) {
      const auto probe = controller->probes.find(service.probe);
      if (probe == controller->probes.end()) continue;
      ++asked;
      if (!probe->second.ok) {
        failing.push_back(controller->name + " does not answer " + service.name + " (" +
                          probe->second.trouble + ")");
        continue;
      }
      JudgeLimit(findings, static_cast<int64_t>(probe->second.seconds * 1000),
                 options.limit(AdLimitName::kResponse),
                 controller->name + " is slow: " + service.name + " took " +
                     std::to_string(static_cast<int64_t>(probe->second.seconds * 1000)) + " ms");
    }
    const bool none = service.vital && asked > 0 && failing.size() == asked;
    for (const std::string& text : failing) {
      findings.Add(none ? State::kCritical : State::kWarning, text);
    }
  }
}

void JudgeRoles(const AdView& view, Findings& findings) {
  constexpr uint32_t kNeeded = kAdvertisesLdap | kAdvertisesDs | kAdvertisesKdc;
  size_t up = 0;
  size_t unready = 0;
  std::vector<std::string> texts;
  bool any_catalog = false;
  for (const AdControllerView& controller : view.controllers) {
    if (!IsUp(controller)) continue;
    ++up;
    any_catalog = any_catalog || controller.catalog_ready.value_or(true);
    std::string trouble;
    if (controller.synchronized == false) trouble = "is not synchronised";
    if (controller.flags && (*controller.flags & kNeeded) != kNeeded) {
      trouble = "does not advertise itself as a controller";
    }
    if (!trouble.empty()) {
      ++unready;
      texts.push_back(controller.name + " " + trouble);
    }
    const AdListed* listed = ListedByName(view, controller.name);
    if (listed != nullptr && (listed->options & kDsaIsCatalog) != 0 &&
        controller.catalog_ready == false) {
      findings.Add(State::kWarning, controller.name + "'s global catalogue is not ready");
    }
  }
  for (const std::string& text : texts) {
    findings.Add(unready == up ? State::kCritical : State::kWarning, text);
  }
  if (up > 0 && !any_catalog) findings.Add(State::kCritical, "no global catalogue is ready");
}

void JudgeClocks(const AdOptions& options, const AdView& view, Findings& findings) {
  const AdLimit& limit = options.limit(AdLimitName::kClockSkew);
  std::vector<std::pair<const AdControllerView*, Millis>> skews;
  for (const AdControllerView& controller : view.controllers) {
    if (const auto skew = SkewOf(controller)) skews.emplace_back(&controller, *skew);
  }
  if (skews.empty()) return;
  const auto [least, most] = std::minmax_element(
      skews.begin(), skews.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const bool agree = skews.size() > 1 && (most->second - least->second).count() <= limit.warning;
  if (agree && std::chrono::abs(least->second).count() > limit.warning) {
    findings.Add(State::kWarning, "the controllers agree that this host's clock is off: they are " +
                                      SkewText(least->second));
    return;
  }
  for (const auto& [controller, skew] : skews) {
    JudgeLimit(findings, std::chrono::abs(skew).count(), limit,
               controller->name + "'s clock is " + SkewText(skew));
  }
}

void JudgeCertificates(const AdOptions& options, const AdView& view, Findings& findings) {
  for (const AdControllerView& controller : view.controllers) {
    std::set<std::string> said;  // the catalogue's port mostly shows the same certificate
    for (const AdCertificate& certificate : controller.certificates) {
      const std::string whose = controller.name + "'s certificate ";
      if (!certificate.trouble.empty()) {
        if (said.insert(certificate.trouble).second) {
          findings.Add(State::kCritical, whose + certificate.trouble);
        }
        continue;
      }
      const Millis left = certificate.expiry - view.now;
      const std::string text = whose + "expires in " + Days(left);
      if (said.insert(text).second) {
        JudgeLeft(findings, left.count(), options.limit(AdLimitName::kCertificate), text);
      }
    }
  }
}

void JudgeLogon(const AdView& view, Findings& findings) {
  if (!view.logon_trouble.empty()) {
    findings.Add(State::kUnknown, view.logon_trouble);
    return;
  }
  std::vector<std::string> texts;
  bool any = false;
  for (const AdControllerView& controller : view.controllers) {
    const auto bind = controller.probes.find("bind");
    if (bind == controller.probes.end()) continue;
    any = any || bind->second.ok;
    if (!bind->second.ok) {
      texts.push_back("no logon at " + controller.name + " (" + bind->second.trouble + ")");
    }
  }
  for (const std::string& text : texts) {
    findings.Add(any ? State::kWarning : State::kUnknown, text);
  }
}

void JudgeNames(const AdView& view, Findings& findings) {
  for (const std::string_view record : kAdRecords) {
    const std::string name(record);
    size_t servers = 0;
    size_t empty = 0;
    for (const AdControllerView& server : view.controllers) {
      const auto targets = server.records.find(name);
      if (targets == server.records.end()) continue;
      ++servers;
      empty += targets->second.empty() ? 1 : 0;
      for (const std::string& missing : MissingTargets(view, server, name)) {
        findings.Group(State::kWarning, missing + " is missing at " + server.name + " in", name);
      }
    }
    if (servers > 0 && empty == servers) {
      findings.Add(State::kCritical, "no name server has " + name);
    }
  }
  if (!view.listed) return;
  for (const AdListed& listed : *view.listed) {
    size_t servers = 0;
    std::string without;
    size_t missing = 0;
    for (const AdControllerView& server : view.controllers) {
      const auto found = server.guid_names.find(listed.guid);
      if (found == server.guid_names.end()) continue;
      ++servers;
      if (found->second) continue;
      ++missing;
      without = server.name;
    }
    if (missing == 0) continue;
    findings.Add(missing == servers ? State::kCritical : State::kWarning,
                 listed.name + "'s GUID name, which replication needs, is missing at " +
                     (missing == servers ? "every name server" : without));
  }
}

void JudgeShares(const AdOptions& options, const AdView& view, AdMemory& memory,
                 Findings& findings) {
  for (const char* share : {"sysvol", "netlogon"}) {
    std::vector<std::string> failing;
    size_t asked = 0;
    for (const AdControllerView& controller : view.controllers) {
      const auto found = controller.shares.find(share);
      if (found == controller.shares.end()) continue;
      ++asked;
      if (!found->second.ok) {
        failing.push_back(std::string(share) + " of " + controller.name + ": " +
                          found->second.trouble);
      }
    }
    for (const std::string& text : failing) {
      findings.Add(failing.size() == asked ? State::kCritical : State::kWarning, text);
    }
  }
  for (const AdControllerView& controller : view.controllers) {
    if (!controller.gpo_mismatches) continue;
    if (*controller.gpo_mismatches == 0) {
      memory.mismatched.erase(controller.name);
      continue;
    }
    const Instant since = memory.mismatched.emplace(controller.name, view.now).first->second;
    // A change of a policy is rightly unequal for a while.
    const AdLimit& limit = options.limit(AdLimitName::kGpoMismatch);
    const Millis lasting = std::max(Millis(0), view.now - since) + Millis(1);
    JudgeLimit(findings, lasting.count(), limit,
               std::to_string(*controller.gpo_mismatches) +
                   " policies differ between SYSVOL and "
                   "directory at " +
                   controller.name);
  }
}

}  // namespace oppetid::agent
