#include <algorithm>
#include <set>

#include "agent/ad/judge.h"
#include "agent/ad/judgements.h"

namespace oppetid::agent {
namespace {

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

}  // namespace

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
    // A wrong address shows another's database.
    if (controller->host != listed.name) {
      findings.Add(State::kUnknown,
                   "the address of " + listed.name + " is that of " + controller->host);
      continue;
    }
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

void JudgeReplication(const AdOptions& options, const AdView& view, Findings& findings) {
  const size_t controllers = view.listed ? view.listed->size() : view.controllers.size();
  for (const AdControllerView& controller : view.controllers) {
    if (controllers < 2 || !options.Asks("replication")) continue;
    if (!controller.links_read) {
      // Where nobody logged on, that is told instead.
      if (ProbeOk(controller, "bind")) {
        findings.Add(State::kUnknown, controller.name + " does not tell its replication state");
      }
      continue;
    }
    if (LinkMethod(controller) == "none") {
      findings.Add(State::kUnknown, controller.name +
                                        " shows no replication state (no right to read it, or no "
                                        "partner)");
      continue;
    }
    // Naming contexts mostly fail together: of each partner the worst one is told.
    std::map<std::string, LinkVerdict> worst;
    for (const AdContext& context : controller.links) {
      if (context.links.empty() && IsReplicated(view, controller, context.name)) {
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

void JudgeAccounts(const AdOptions& options, const AdView& view, Findings& findings) {
  if (view.locked_accounts) {
    JudgeLimit(findings, *view.locked_accounts, options.limit(AdLimitName::kLockedAccounts),
               (view.locked_is_least ? "at least " : "") + std::to_string(*view.locked_accounts) +
                   " accounts are locked");
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

}  // namespace oppetid::agent
