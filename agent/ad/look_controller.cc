#include "agent/ad/look_controller.h"

#include <algorithm>
#include <future>

#include "agent/ad/look.h"
#include "agent/ad/probes.h"
#include "agent/sensors/dns_message.h"

namespace oppetid::agent {
namespace {

constexpr uint16_t kLdapPort = 389;
constexpr uint16_t kLdapsPort = 636;
constexpr uint16_t kCatalogTlsPort = 3269;
constexpr size_t kMaxContexts = 16;  // a forest of three domains has nine on a global catalogue
// For one service. A controller at work answers in milliseconds; a lost packet costs a second.
constexpr auto kPatience = std::chrono::milliseconds(3000);

AdDeadline Patience(const AdOptions& options, AdDeadline until) {
  return std::min(until,
                  Within(std::min(kPatience, std::chrono::milliseconds(options.budget_ms / 2))));
}

// Asks the directory once, measured.
LdapResult Probe(Directory& directory, const std::string& filter,
                 const std::vector<std::string>& attributes, AdProbe& probe) {
  const Stopwatch watch;
  LdapResult result = directory.Search("", LdapScope::kBase, filter, attributes);
  probe.seconds = watch.seconds();
  probe.trouble = result.trouble;
  if (probe.trouble.empty() && result.entries.empty()) probe.trouble = "an empty answer";
  probe.ok = probe.trouble.empty();
  return result;
}

std::optional<bool> Truth(const std::string& value) {
  if (value == "TRUE") return true;
  if (value == "FALSE") return false;
  return std::nullopt;
}

void ReadRoot(Directory& directory, const Clock& clock, AdControllerView& view) {
  const Instant asked = clock.Now();
  const LdapResult result =
      Probe(directory, "(objectClass=*)",
            {"currentTime", "isSynchronized", "isGlobalCatalogReady", "highestCommittedUSN",
             "dnsHostName", "namingContexts", "defaultNamingContext", "configurationNamingContext",
             "schemaNamingContext", "rootDomainNamingContext"},
            view.probes["rootdse"]);
  const Instant answered = clock.Now();
  if (!view.probes["rootdse"].ok) return;
  const LdapEntry& root = result.entries.front();
  const auto time = ParseGeneralizedTime(root.First("currenttime"));
  // Whole seconds, cut off: it is half a second later on average.
  if (time) view.ldap_skew = *time + Millis(500) - (asked + (answered - asked) / 2);
  view.synchronized = Truth(root.First("issynchronized"));
  view.catalog_ready = Truth(root.First("isglobalcatalogready"));
  view.usn = ParseDecimal(root.First("highestcommittedusn"));
  view.host = NormalDnsName(root.First("dnshostname")).value_or("another server");
  view.contexts = root.All("namingcontexts");
  if (view.contexts.size() > kMaxContexts) view.contexts.resize(kMaxContexts);
  view.default_context = root.First("defaultnamingcontext");
  view.configuration_context = root.First("configurationnamingcontext");
  view.schema_context = root.First("schemanamingcontext");
  view.root_context = root.First("rootdomainnamingcontext");
}

void Ping(Directory& directory, const std::string& domain, AdControllerView& view) {
  const std::string filter = "(&(DnsDomain=" + EscapeFilter(domain) + ")(NtVer=\\06\\00\\00\\00))";
  AdProbe& probe = view.probes["ldap_ping"];
  const LdapResult result = Probe(directory, filter, {"netlogon"}, probe);
  if (!probe.ok) return;
  view.flags = DecodeLdapPing(result.entries.front().First("netlogon"));
  probe.ok = view.flags.has_value();
  if (!probe.ok) probe.trouble = "does not know the domain";
}

void ReadLinks(Directory& directory, AdControllerView& view) {
  const LdapResult root =
      directory.Search("", LdapScope::kBase, "(objectClass=*)", {"currentTime"});
  if (!root.trouble.empty() || root.entries.empty()) return;
  view.directory_time = ParseGeneralizedTime(root.entries.front().First("currenttime"));
  view.links_read = view.directory_time.has_value();
  for (const std::string& name : view.contexts) {
    const LdapResult result = directory.Search(name, LdapScope::kBase, "(objectClass=*)",
                                               {"repsFrom", "msDS-NCReplInboundNeighbors;binary"});
    if (!result.trouble.empty() || result.entries.empty()) {
      view.links_read = false;
      return;
    }
    const LdapEntry& entry = result.entries.front();
    AdContext context;
    context.name = name;
    const auto& neighbors = entry.All("msds-ncreplinboundneighbors;binary");
    const auto& reps_from = entry.All("repsfrom");
    context.has_neighbors = !neighbors.empty();
    context.has_reps_from = !reps_from.empty();
    for (const std::string& blob : neighbors) {
      if (auto link = DecodeNeighbor(blob)) context.links.push_back(std::move(*link));
    }
    for (const std::string& blob : reps_from) {
      auto link = context.has_neighbors ? std::nullopt : DecodeRepsFrom(blob);
      if (link) context.links.push_back(std::move(*link));
    }
    view.links.push_back(std::move(context));
  }
}

void ReadOwners(Directory& directory, AdControllerView& view) {
  const std::string& domain = view.default_context;
  const std::pair<const char*, std::string> kRoles[] = {
      {"pdc", domain},
      {"schema", view.schema_context},
      {"naming", "CN=Partitions," + view.configuration_context},
      {"rid", "CN=RID Manager$,CN=System," + domain},
      {"infrastructure", "CN=Infrastructure," + domain},
      {"domain_dns_zones", "CN=Infrastructure,DC=DomainDnsZones," + domain},
      {"forest_dns_zones", "CN=Infrastructure,DC=ForestDnsZones," + view.root_context},
  };
  for (const auto& [role, dn] : kRoles) {
    const LdapResult result =
        directory.Search(dn, LdapScope::kBase, "(objectClass=*)", {"fSMORoleOwner"});
    // The zones' partitions are not in every domain.
    if (result.entries.empty()) continue;
    const std::string owner = result.entries.front().First("fsmoroleowner");
    if (!owner.empty()) view.owners[role] = owner;
  }
}

void LookAtLdap(const AdOptions& options, const AdController& controller, const Clock& clock,
                LogonGate* gate, AdDeadline until, SeenController& seen) {
  AdControllerView& view = seen.view;
  AdProbe& probe = view.probes["rootdse"];
  Socket socket =
      Socket::Open(*seen.address, SOCK_STREAM, kLdapPort, Patience(options, until), probe.trouble);
  if (!socket.open()) return;
  auto directory =
      Directory::Over(std::move(socket), controller.name, options.ca, until, probe.trouble);
  if (directory == nullptr) return;
  ReadRoot(*directory, clock, view);
  if (!probe.ok) return;
  Ping(*directory, options.domain, view);
  if (!controller.ldapi.empty()) {
    directory = Directory::Local(controller.ldapi, until, view.probes["bind"].trouble);
    if (directory == nullptr) return;
    view.probes["bind"].ok = true;
  } else if (gate != nullptr) {
    const LdapLogon logon = gate->LogOn(*directory, controller.name);
    AdProbe& bind = view.probes["bind"];
    bind.seconds = logon.seconds;
    bind.ok = logon.ok;
    bind.trouble = logon.trouble;
    if (!logon.ok) return;
  } else {
    return;
  }
  if (options.Asks("replication")) ReadLinks(*directory, view);
  if (options.Asks("directory")) ReadOwners(*directory, view);
  seen.directory = std::move(directory);
}

void LookAtTls(const AdOptions& options, const AdController& controller, const AdAddress& address,
               AdDeadline until, AdControllerView& view) {
  for (const uint16_t port : {kLdapsPort, kCatalogTlsPort}) {
    TlsSeen seen = ProbeTls(address, port, controller.name, options.ca, Patience(options, until));
    // Whether there should be a global catalogue, only its flags tell.
    if (port == kLdapsPort) view.probes["tls"] = seen.probe;
    if (seen.certificate) view.certificates.push_back(*seen.certificate);
    if (!seen.probe.ok) return;
  }
}

void LookAtDns(const AdOptions& options, const AdAddress& address, AdDeadline until,
               AdControllerView& view) {
  AdProbe& probe = view.probes["dns"];
  const Stopwatch watch;
  for (const std::string_view record : kAdRecords) {
    const std::string name = std::string(record) + "." + options.domain;
    auto targets = AskServers(address, name, Patience(options, until), probe.trouble);
    if (!targets) break;
    view.records[std::string(record)] = std::move(*targets);
  }
  probe.ok = view.records.size() == std::size(kAdRecords);
  probe.seconds = watch.seconds() / static_cast<double>(std::max<size_t>(view.records.size(), 1));
}

}  // namespace

SeenController LookAtController(const AdOptions& options, const AdController& controller,
                                const Clock& clock, LogonGate* gate, AdDeadline until) {
  SeenController seen;
  AdControllerView& view = seen.view;
  view.name = controller.name;
  std::string trouble;
  const auto addresses =
      ResolveAddresses(controller.address.empty() ? controller.name : controller.address,
                       Patience(options, until), trouble);
  if (addresses.empty()) {
    view.unresolved = trouble;
    return seen;
  }
  seen.address = addresses.front();
  const AdAddress address = addresses.front();
  // Each fills a view of its own, since they run side by side.
  AdControllerView tls;
  AdControllerView dns;
  std::vector<std::future<void>> under_way;
  if (options.Asks("certificates")) {
    under_way.push_back(std::async(std::launch::async,
                                   [&] { LookAtTls(options, controller, address, until, tls); }));
  }
  if (options.Asks("dns")) {
    under_way.push_back(
        std::async(std::launch::async, [&] { LookAtDns(options, address, until, dns); }));
  }
  KerberosSeen kerberos;
  AdProbe smb;
  const std::string account = options.account.empty() ? "oppetid-probe" : options.account;
  if (options.Asks("services")) {
    under_way.push_back(std::async(std::launch::async, [&] {
      kerberos = ProbeKerberos(address, account, RealmOf(options.domain), Patience(options, until));
    }));
    under_way.push_back(
        std::async(std::launch::async, [&] { smb = ProbeSmb(address, Patience(options, until)); }));
  }
  SntpSeen sntp;
  if (options.Asks("sntp")) {
    under_way.push_back(std::async(std::launch::async,
                                   [&] { sntp = ProbeSntp(address, Patience(options, until)); }));
  }
  if (options.Asks("services") || options.NeedsLogon()) {
    LookAtLdap(options, controller, clock, gate, until, seen);
  }
  for (auto& one : under_way) one.wait();
  if (options.Asks("services")) {
    view.probes["kerberos"] = kerberos.probe;
    view.kerberos_error = kerberos.error;
    view.kerberos_skew = kerberos.skew;
    view.probes["smb"] = smb;
  }
  if (options.Asks("sntp")) {
    view.probes["sntp"] = sntp.probe;
    view.sntp_skew = sntp.skew;
  }
  view.probes.insert(tls.probes.begin(), tls.probes.end());
  view.certificates = std::move(tls.certificates);
  view.probes.insert(dns.probes.begin(), dns.probes.end());
  view.records = std::move(dns.records);
  return seen;
}

}  // namespace oppetid::agent
