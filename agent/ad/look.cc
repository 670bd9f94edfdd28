#include "agent/ad/look.h"

#include <algorithm>
#include <future>

#include "agent/ad/look_controller.h"
#include "agent/ad/probes.h"
#include "agent/ad/shares.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxListed = 200;              // controllers of a forest
constexpr size_t kMaxLocked = 2000;             // counted; more are "at least"
constexpr size_t kMaxPolicies = 200;            // GPOs compared
constexpr int64_t kDefaultTombstoneDays = 60;   // where the attribute is absent
constexpr int64_t kMaxTombstoneDays = 100'000;  // what Active Directory allows at most
constexpr int64_t kUacDisabled = 0x2;
constexpr int64_t kUacLocked = 0x10;
constexpr int64_t kUacPasswordExpired = 0x800000;
constexpr auto kNamePatience = std::chrono::milliseconds(1500);
constexpr auto kShareTimeout = Millis(3000);

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// What is behind the first comma of a DN: the object it stands in.
std::string ParentOf(const std::string& dn) {
  const size_t comma = dn.find(',');
  return comma == std::string::npos ? "" : dn.substr(comma + 1);
}

int64_t Number(const LdapEntry& entry, const std::string& attribute) {
  return ParseDecimal(entry.First(attribute)).value_or(0);
}

// Whether a controller is one of the domain's; those of other domains of the forest are somebody
// else's. One whose computer account was deleted by hand is still ours, and to be cleaned away.
bool IsOurs(const LdapEntry& server, const AdOptions& options, const std::string& context) {
  const std::string account = Lower(server.First("serverreference"));
  if (!account.empty()) return account.ends_with("," + Lower(context));
  const std::string name = Lower(server.First("dnshostname"));
  return name.empty() || name.substr(name.find('.') + 1) == options.domain;
}

std::optional<std::vector<AdListed>> ReadListed(const AdOptions& options, Directory& directory,
                                                const AdControllerView& from) {
  const std::string sites = "CN=Sites," + from.configuration_context;
  const LdapResult settings =
      directory.Search(sites, LdapScope::kBelow, "(objectClass=nTDSDSA)",
                       {"objectGUID", "invocationId", "options", "msDS-isRODC"}, kMaxListed);
  const LdapResult servers = directory.Search(sites, LdapScope::kBelow, "(objectClass=server)",
                                              {"dNSHostName", "serverReference"}, kMaxListed);
  if (!settings.trouble.empty() || !servers.trouble.empty()) return std::nullopt;
  std::vector<AdListed> listed;
  for (const LdapEntry& entry : settings.entries) {
    AdListed one;
    one.settings = entry.dn;
    one.guid = FormatGuid(entry.First("objectguid")).value_or("");
    one.invocation = FormatGuid(entry.First("invocationid")).value_or("");
    one.options = Number(entry, "options");
    one.read_only = entry.First("msds-isrodc") == "TRUE";
    const std::string parent = Lower(ParentOf(entry.dn));
    for (const LdapEntry& server : servers.entries) {
      if (Lower(server.dn) != parent) continue;
      if (!IsOurs(server, options, from.default_context)) continue;
      one.name = Lower(server.First("dnshostname"));
      if (one.name.empty()) one.name = parent.substr(0, parent.find(','));
      const std::string account = server.First("serverreference");
      if (account.empty()) continue;
      const LdapResult machine =
          directory.Search(account, LdapScope::kBase, "(objectClass=*)", {"pwdLastSet"});
      if (machine.entries.empty()) continue;
      one.password_set = ParseFileTime(machine.entries.front().First("pwdlastset"));
    }
    if (!one.name.empty()) listed.push_back(std::move(one));
  }
  return listed;
}

void ReadDomain(Directory& directory, const AdControllerView& from, AdView& view) {
  const std::string& domain = from.default_context;
  const auto read = [&](const std::string& dn, const std::string& attribute) {
    const LdapResult result =
        directory.Search(dn, LdapScope::kBase, "(objectClass=*)", {attribute});
    return result.entries.empty() ? "" : result.entries.front().First(Lower(attribute));
  };
  view.krbtgt_set = ParseFileTime(read("CN=krbtgt,CN=Users," + domain, "pwdLastSet"));
  view.rid_pool_used = RidPoolUsed(read("CN=RID Manager$,CN=System," + domain, "rIDAvailablePool"));
  const LdapResult service = directory.Search(
      "CN=Directory Service,CN=Windows NT,CN=Services," + from.configuration_context,
      LdapScope::kBase, "(objectClass=*)", {"tombstoneLifetime"});
  if (service.entries.empty()) return;
  const auto days = ParseDecimal(service.entries.front().First("tombstonelifetime"));
  view.tombstone_days =
      std::clamp<int64_t>(days.value_or(kDefaultTombstoneDays), 1, kMaxTombstoneDays);
}

AdAccount ReadAccount(Directory& directory, const std::string& domain, const std::string& name,
                      Instant now) {
  AdAccount account;
  account.name = name;
  const LdapResult result =
      directory.Search(domain, LdapScope::kBelow, "(sAMAccountName=" + EscapeFilter(name) + ")",
                       {"userAccountControl", "msDS-User-Account-Control-Computed",
                        "accountExpires", "msDS-UserPasswordExpiryTimeComputed"});
  if (result.entries.empty()) return account;
  const LdapEntry& entry = result.entries.front();
  // Where this is hidden from us, nothing can be said of the account.
  account.found = !entry.First("useraccountcontrol").empty();
  const int64_t computed = Number(entry, "msds-user-account-control-computed");
  account.locked = (computed & kUacLocked) != 0;
  account.disabled = (Number(entry, "useraccountcontrol") & kUacDisabled) != 0;
  const auto expires = ParseFileTime(entry.First("accountexpires"));
  account.expired = (expires && *expires <= now) || (computed & kUacPasswordExpired) != 0;
  account.password_expires = ParseFileTime(entry.First("msds-userpasswordexpirytimecomputed"));
  return account;
}

void ReadAccounts(const AdOptions& options, Directory& directory, const AdControllerView& from,
                  AdView& view) {
  const std::string& domain = from.default_context;
  // lockoutTime stays when a lock has run out: the computed attribute knows, but is no filter.
  const LdapResult locked = directory.Search(
      domain, LdapScope::kBelow, "(&(objectCategory=person)(objectClass=user)(lockoutTime>=1))",
      {"msDS-User-Account-Control-Computed"}, kMaxLocked);
  if (!locked.trouble.empty()) {
    view.notes.push_back("cannot count the locked accounts: " + locked.trouble);
  } else {
    view.locked_accounts =
        std::count_if(locked.entries.begin(), locked.entries.end(), [](const LdapEntry& entry) {
          return (Number(entry, "msds-user-account-control-computed") & kUacLocked) != 0;
        });
    view.locked_is_least = locked.more;
  }
  for (const std::string& name : options.service_accounts) {
    view.accounts.push_back(ReadAccount(directory, domain, name, view.now));
  }
}

// Whether every name server has the name under which each controller's partners look for it.
void LookForGuidNames(const AdOptions& options, std::vector<SeenController>& seen, AdDeadline until,
                      const AdView& view) {
  if (!options.Asks("dns") || !view.listed) return;
  for (SeenController& controller : seen) {
    const auto probe = controller.view.probes.find("dns");
    if (probe == controller.view.probes.end() || !probe->second.ok || !controller.address) continue;
    for (const AdListed& listed : *view.listed) {
      std::string trouble;
      const auto there = AskAlias(*controller.address, listed.guid + "._msdcs." + options.domain,
                                  std::min(until, Within(kNamePatience)), trouble);
      if (there) controller.view.guid_names[listed.guid] = *there;
    }
  }
}

// Compares each GPO's version in the directory with that in SYSVOL, on the same controller.
std::optional<int64_t> CompareGpos(Shares& shares, SeenController& seen, const std::string& sysvol,
                                   AdDeadline until) {
  const LdapResult gpos = seen.directory->Search(
      "CN=Policies,CN=System," + seen.view.default_context, LdapScope::kBelow,
      "(objectClass=groupPolicyContainer)", {"cn", "versionNumber"}, kMaxPolicies);
  if (!gpos.trouble.empty()) return std::nullopt;
  int64_t mismatches = 0;
  for (const LdapEntry& gpo : gpos.entries) {
    if (MillisLeft(until) < kShareTimeout.count()) return std::nullopt;
    const auto ini = shares.Read(sysvol + "/Policies/" + gpo.First("cn") + "/GPT.INI");
    const auto version = ini ? ParseGptVersion(*ini) : std::nullopt;
    const auto wanted = ParseDecimal(gpo.First("versionnumber"));
    if (!version || version != wanted) ++mismatches;
  }
  return mismatches;
}

void LookAtShares(const AdOptions& options, std::vector<SeenController>& seen,
                  const LogonGate& gate, AdDeadline until, AdView& view) {
  std::string trouble;
  auto shares =
      Shares::Load({options.account + "@" + options.domain, gate.password(), gate.kerberos()},
                   kShareTimeout, trouble);
  if (shares == nullptr) {
    view.notes.push_back(trouble);
    return;
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    AdControllerView& controller = seen[i].view;
    // Only where the directory has just accepted the account: see LogonGate.
    const auto smb = controller.probes.find("smb");
    if (seen[i].directory == nullptr || (smb != controller.probes.end() && !smb->second.ok)) {
      continue;
    }
    if (MillisLeft(until) < static_cast<int>(kShareTimeout.count())) {
      view.notes.push_back("no time left for the shares of " + controller.name);
      continue;
    }
    const AdController& configured = options.controllers[i];
    // A ticket is for a name.
    const std::string host =
        configured.address.empty() || gate.kerberos() ? configured.name : configured.address;
    const std::string sysvol = "smb://" + host + "/sysvol/" + options.domain;
    controller.shares["sysvol"] = shares->List(sysvol + "/Policies", false);
    controller.shares["netlogon"] = shares->List("smb://" + host + "/netlogon", true);
    if (!controller.shares["sysvol"].ok) continue;
    controller.gpo_mismatches = CompareGpos(*shares, seen[i], sysvol, until);
  }
}

// The controller to ask about the domain: the holder of the PDC role knows of lock-outs first.
SeenController* Best(std::vector<SeenController>& seen) {
  SeenController* best = nullptr;
  for (SeenController& controller : seen) {
    if (controller.directory == nullptr || !controller.directory->lost().empty()) continue;
    const bool pdc = (controller.view.flags.value_or(0) & kAdvertisesPdc) != 0;
    if (best == nullptr || pdc) best = &controller;
  }
  return best;
}

}  // namespace

AdView LookAtDomain(const AdOptions& options, const Clock& clock, AdMemory& memory,
                    std::function<std::string(const AdMemory&)> save) {
  const AdDeadline until = Within(std::chrono::milliseconds(options.budget_ms));
  AdView view;
  view.now = clock.Now();
  LogonGate gate(options, clock, memory, std::move(save));
  const bool logs_on = !options.account.empty() && options.NeedsLogon();
  if (logs_on) gate.Prepare();
  InitialiseLdap();
  std::vector<std::future<SeenController>> under_way;
  for (const AdController& controller : options.controllers) {
    under_way.push_back(std::async(std::launch::async, [&] {
      return LookAtController(options, controller, clock, logs_on ? &gate : nullptr, until);
    }));
  }
  std::vector<SeenController> seen;
  seen.reserve(under_way.size());
  for (auto& one : under_way) seen.push_back(one.get());
  if (logs_on) view.logon_trouble = gate.closed();
  if (SeenController* best = Best(seen); best != nullptr && options.NeedsLogon()) {
    view.listed = ReadListed(options, *best->directory, best->view);
    if (!view.listed) {
      view.notes.push_back(best->view.name + " does not tell the domain's controllers");
    }
    if (options.Asks("directory") || options.Asks("replication")) {
      ReadDomain(*best->directory, best->view, view);
    }
    if (options.Asks("accounts")) ReadAccounts(options, *best->directory, best->view, view);
    LookForGuidNames(options, seen, until, view);
    if (options.Asks("shares") && logs_on) LookAtShares(options, seen, gate, until, view);
  }
  for (SeenController& controller : seen) {
    // One that stops answering half-way does not serve.
    if (controller.directory != nullptr && !controller.directory->lost().empty()) {
      controller.view.probes["rootdse"] = {false, 0, controller.directory->lost()};
    }
    view.controllers.push_back(std::move(controller.view));
  }
  return view;
}

}  // namespace oppetid::agent
