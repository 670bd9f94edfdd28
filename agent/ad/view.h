// What one look at a domain has seen: facts only, no judgement. What could not be read is absent.
//
// Plain values. Filled by look.cc, one controller a thread; judged by judge.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/sensors/ad_decode.h"
#include "common/instant.h"

namespace oppetid::agent {

// One question to one service. `trouble` is why not, one line.
struct AdProbe {
  bool ok = false;
  double seconds = 0;
  std::string trouble;
};

struct AdCertificate {
  int port = 0;
  Instant expiry;
  std::string trouble;  // why a client refuses it; empty when it does not
};

// The inbound links of one naming context on one controller.
struct AdContext {
  std::string name;
  bool has_neighbors = false;  // Windows' attribute was there
  bool has_reps_from = false;  // Samba's attribute was there
  std::vector<ReplicationLink> links;
};

struct AdControllerView {
  std::string name;
  std::string unresolved;  // why its name has no address; nothing else is known then
  // By name: rootdse, ldap_ping, bind, kerberos, dns, smb, sntp, tls. Only what was asked.
  std::map<std::string, AdProbe> probes;
  std::optional<Millis> ldap_skew;  // its clock minus ours
  std::optional<Millis> kerberos_skew;
  std::optional<Millis> sntp_skew;
  std::optional<Instant> directory_time;  // its clock when the links were read
  std::optional<bool> synchronized;
  std::optional<bool> catalog_ready;
  std::string host;  // the name by which it calls itself, in lower case
  std::optional<int64_t> usn;
  std::optional<uint32_t> flags;
  std::optional<int> kerberos_error;
  std::vector<std::string> contexts;  // its naming contexts
  std::string default_context;
  std::string configuration_context;
  std::string schema_context;
  std::string root_context;  // of the forest
  std::vector<AdCertificate> certificates;
  // Record -> targets; absent where the name server did not answer.
  std::map<std::string, std::vector<std::string>> records;
  std::map<std::string, bool> guid_names;  // GUID of a controller -> its name is there
  bool links_read = false;
  std::vector<AdContext> links;
  std::map<std::string, std::string> owners;  // role -> DN of the owner's NTDS Settings
  std::map<std::string, AdProbe> shares;
  std::optional<int64_t> gpo_mismatches;
};

// A controller as the directory lists it.
struct AdListed {
  std::string name;  // DNS name, lower case
  std::string guid;  // of its NTDS Settings
  std::string invocation;
  std::string settings;  // DN of its NTDS Settings
  int64_t options = 0;
  bool read_only = false;
  std::optional<Instant> password_set;
};
// Bits of `options` ([MS-ADTS] 6.1.1.2.2.1.2.1.1).
inline constexpr int64_t kDsaIsCatalog = 1;
inline constexpr int64_t kDsaInboundOff = 2;
inline constexpr int64_t kDsaOutboundOff = 4;

struct AdAccount {
  std::string name;
  bool found = false;
  bool locked = false;
  bool disabled = false;
  bool expired = false;  // the account, or its password
  std::optional<Instant> password_expires;
};

struct AdView {
  Instant now;  // by our clock
  std::vector<AdControllerView> controllers;
  std::string logon_trouble;       // why nobody could log on, or logs on any more
  std::vector<std::string> notes;  // what else could not be looked at, one line each
  std::optional<std::vector<AdListed>> listed;
  std::optional<Instant> krbtgt_set;
  std::optional<int64_t> tombstone_days;
  std::optional<double> rid_pool_used;
  std::optional<int64_t> locked_accounts;
  bool locked_is_least = false;  // there were more than we count
  std::vector<AdAccount> accounts;
};

}  // namespace oppetid::agent
