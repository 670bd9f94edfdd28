#include "agent/ad/judge.h"

#include <algorithm>
#include <set>

#include "agent/ad/findings.h"
#include "agent/ad/look.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

State OfLimit(int64_t value, const AdLimit& limit) {
  if (limit.critical != 0 && value > limit.critical) return State::kCritical;
  return limit.warning != 0 && value > limit.warning ? State::kWarning : State::kOk;
}

void JudgeLimit(Findings& findings, int64_t value, const AdLimit& limit, const std::string& text) {
  const State state = OfLimit(value, limit);
  if (state != State::kOk) findings.Add(state, text);
}

// The same for what runs out.
void JudgeLeft(Findings& findings, int64_t left, const AdLimit& limit, const std::string& text) {
  if (limit.critical != 0 && left <= limit.critical) {
    findings.Add(State::kCritical, text);
  } else if (limit.warning != 0 && left <= limit.warning) {
    findings.Add(State::kWarning, text);
  }
}

std::string Days(Millis time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::days>(time).count()) + " days";
}

// --- Services -----------------------------------------------------------------------------------

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

// --- The directory ------------------------------------------------------------------------------

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

void JudgeListed(const AdOptions& options, const AdView& view, AdMemory& memory,
                 Findings& findings) {
  if (!view.listed || !options.Asks("directory")) return;
  const auto count = static_cast<int64_t>(view.listed->size());
  const int64_t expected =
      options.expected != 0 ? options.expected : static_cast<int64_t>(options.controllers.size());
  if (count != expected) {
    findings.Add(State::kWarning, "the directory lists " + std::to_string(count) +
                                      " controllers, not " + std::to_string(expected));
  }
  for (const AdListed& listed : *view.listed) {
    if ((listed.options & (kDsaInboundOff | kDsaOutboundOff)) != 0) {
      findings.Add(State::kCritical, listed.name + "'s replication is switched off");
    }
    if (listed.password_set) {
      const Millis age = view.now - *listed.password_set;
      JudgeLimit(findings, age.count(), options.limit(AdLimitName::kMachinePasswordAge),
                 listed.name + "'s own password is " + Days(age) + " old");
    }
    const AdControllerView* controller = Watched(view, listed.name);
    if (controller == nullptr || !controller->usn || listed.invocation.empty()) continue;
    // The greatest one is kept: the fault does not go away by being seen twice.
    int64_t& known = memory.usn[listed.invocation];
    if (*controller->usn < known) {
      findings.Add(State::kCritical, listed.name + "'s database went back in time (USN " +
                                         std::to_string(*controller->usn) + " after " +
                                         std::to_string(known) + ")");
    }
    known = std::max(known, *controller->usn);
  }
}

void JudgeOwners(const AdView& view, Findings& findings) {
  std::map<std::string, std::set<std::string>> owners;
  for (const AdControllerView& controller : view.controllers) {
    for (const auto& [role, dn] : controller.owners) owners[role].insert(dn);
  }
  for (const auto& [role, dns] : owners) {
    if (dns.size() > 1) {
      findings.Add(State::kCritical, "the controllers disagree about the owner of role " + role);
    }
    for (const std::string& dn : dns) {
      const AdListed* listed = ListedBySettings(view, dn);
      if (view.listed && listed == nullptr) {
        findings.Add(State::kCritical, "role " + role + " belongs to a controller that is gone");
        continue;
      }
      const AdControllerView* owner = listed == nullptr ? nullptr : Watched(view, listed->name);
      if (owner != nullptr && owner->unresolved.empty() && !IsUp(*owner)) {
        findings.Group(State::kWarning, owner->name + " is down and owns role", role);
      }
    }
  }
}

void JudgeDomainAges(const AdOptions& options, const AdView& view, Findings& findings) {
  if (view.krbtgt_set) {
    const Millis age = view.now - *view.krbtgt_set;
    JudgeLimit(findings, age.count(), options.limit(AdLimitName::kKrbtgtAge),
               "krbtgt's password is " + Days(age) + " old");
  }
  if (view.rid_pool_used) {
    const auto percent = static_cast<int64_t>(*view.rid_pool_used * 100);
    JudgeLimit(findings, percent, options.limit(AdLimitName::kRidPool),
               std::to_string(percent) + " % of all RIDs are used up");
  }
}

// --- Replication --------------------------------------------------------------------------------

struct LinkVerdict {
  State state = State::kOk;
  std::string text;
};

LinkVerdict JudgeLink(const AdOptions& options, const AdView& view,
                      const AdControllerView& controller, const ReplicationLink& link) {
  const AdListed* partner = ListedByGuid(view, link.source);
  std::string text = controller.name + " from " + (partner ? partner->name : "unlisted") + ": ";
  const auto age = LinkAge(controller, link);
  text += age ? "no success for " + FormatDuration(std::chrono::floor<std::chrono::seconds>(*age))
              : "never a success";
  if (link.result != 0) text += ", " + ReplicationResultText(link.result);
  State state = State::kOk;
  if (age) {
    state = OfLimit(age->count(), options.limit(AdLimitName::kReplicationAge));
    const int64_t lifetime = view.tombstone_days.value_or(0) * kDayMs;
    const State tombstone = lifetime == 0 ? State::kOk
                                          : OfLimit(age->count() * 100 / lifetime,
                                                    options.limit(AdLimitName::kTombstone));
    if (tombstone != State::kOk) text += ", near the tombstone lifetime";
    state = Worse(state, tombstone);
  }
  // Just after a recovery the count still stands, with a good result.
  const AdLimit& failures = options.limit(AdLimitName::kReplicationFailures);
  if (link.result != 0 && failures.warning != 0 && link.failures >= failures.warning) {
    state = Worse(state, State::kWarning);
  }
  if (link.result != 0 && failures.critical != 0 && link.failures >= failures.critical) {
    state = Worse(state, State::kCritical);
  }
  return {state, std::move(text)};
}

void JudgeReplication(const AdOptions& options, const AdView& view, Findings& findings) {
  const size_t controllers = view.listed ? view.listed->size() : view.controllers.size();
  for (const AdControllerView& controller : view.controllers) {
    if (!controller.links_read || controllers < 2) continue;
    if (LinkMethod(controller) == "none") {
      findings.Add(State::kUnknown, controller.name +
                                        " shows no replication state (no right to read it, or no "
                                        "partner)");
      continue;
    }
    // Naming contexts mostly fail together: of each partner the worst one is told.
    std::map<std::string, LinkVerdict> worst;
    for (const AdContext& context : controller.links) {
      if (context.links.empty() && IsReplicated(view, context.name)) {
        findings.Add(State::kCritical, controller.name + " has no partner for " + context.name);
      }
      for (const ReplicationLink& link : context.links) {
        LinkVerdict verdict = JudgeLink(options, view, controller, link);
        LinkVerdict& known = worst[link.source];
        if (Severity(verdict.state) > Severity(known.state)) known = std::move(verdict);
      }
    }
    for (const auto& [source, verdict] : worst) {
      if (verdict.state != State::kOk) findings.Add(verdict.state, verdict.text);
    }
  }
}

// --- DNS, accounts, shares ----------------------------------------------------------------------

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

void JudgeAccounts(const AdOptions& options, const AdView& view, Findings& findings) {
  if (view.locked_accounts) {
    JudgeLimit(findings, *view.locked_accounts, options.limit(AdLimitName::kLockedAccounts),
               std::to_string(*view.locked_accounts) + " accounts are locked");
  }
  for (const AdAccount& account : view.accounts) {
    const std::string whose = "service account " + account.name;
    if (!account.found) {
      findings.Add(State::kUnknown, whose + " is not there, or not readable");
      continue;
    }
    if (account.locked) findings.Add(State::kCritical, whose + " is locked");
    if (account.disabled) findings.Add(State::kCritical, whose + " is disabled");
    if (account.expired) findings.Add(State::kCritical, whose + " has expired");
    if (!account.expired && account.password_expires) {
      const Millis left = *account.password_expires - view.now;
      JudgeLeft(findings, left.count(), options.limit(AdLimitName::kPasswordExpiry),
                whose + "'s password expires in " + Days(left));
    }
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

std::string Praise(const AdView& view) {
  std::string text = std::to_string(view.controllers.size()) + " controllers up";
  size_t links = 0;
  Millis oldest{0};
  for (const AdControllerView& controller : view.controllers) {
    for (const AdContext& context : controller.links) {
      for (const ReplicationLink& link : context.links) {
        ++links;
        oldest = std::max(oldest, LinkAge(controller, link).value_or(Millis(0)));
      }
    }
  }
  if (links > 0) {
    text += ", " + std::to_string(links) + " links replicated " +
            FormatDuration(std::chrono::floor<std::chrono::seconds>(oldest)) + " ago or less";
  }
  return text;
}

}  // namespace

AdReport JudgeDomain(const AdOptions& options, const AdView& view, AdMemory& memory) {
  Findings findings;
  JudgeServices(options, view, findings);
  JudgeLogon(view, findings);
  for (const std::string& note : view.notes) findings.Add(State::kUnknown, note);
  JudgeRoles(view, findings);
  JudgeClocks(options, view, findings);
  JudgeCertificates(options, view, findings);
  JudgeOwners(view, findings);
  JudgeListed(options, view, memory, findings);
  JudgeReplication(options, view, findings);
  JudgeNames(view, findings);
  JudgeShares(options, view, memory, findings);
  JudgeAccounts(options, view, findings);
  JudgeDomainAges(options, view, findings);
  AdReport report;
  report.state = findings.WorstState();
  report.text = findings.empty() ? Praise(view) : findings.Text();
  report.series = SeriesOfDomain(options, view);
  return report;
}

}  // namespace oppetid::agent
