// LDAP to one controller, through libldap: connect, log on, search. Everything ends within a limit:
// a connection on which no answer comes in time is shut down and not used again.
//
// A password travels over TLS with a verified certificate only; a keytab's ticket signs and seals
// the plain connection (Active Directory refuses both at once).
// Threading: a Directory is used by one thread at a time; call InitialiseLdap once before threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ad/watchdog.h"

struct ldap;

namespace oppetid::agent {

void InitialiseLdap();

struct LdapEntry {
  std::string dn;
  std::map<std::string, std::vector<std::string>> values;  // attribute names in lower case
  // The first value, or empty.
  std::string First(const std::string& attribute) const;
  const std::vector<std::string>& All(const std::string& attribute) const;
};

struct LdapResult {
  std::string trouble;  // why the search failed; empty when it did not
  std::vector<LdapEntry> entries;
  bool more = false;  // there were more than asked for
};

enum class LdapScope { kBase, kBelow };

// How an attempt to log on ended.
struct LdapLogon {
  bool ok = false;
  bool answered = true;  // when not, a secret may have been sent, and may have been refused
  bool refused = false;  // the directory does not accept this account or its secret
  uint32_t code = 0;     // of a refusal
  double seconds = 0;    // without waiting for others' logons
  std::string trouble;
};

class Directory {
 public:
  // Over a connected socket to the host `name`; over the local socket `path` with the second.
  // After `until` nothing is asked any more.
  static std::unique_ptr<Directory> Over(Socket socket, const std::string& name,
                                         const std::string& ca, AdDeadline until,
                                         std::string& trouble);
  static std::unique_ptr<Directory> Local(const std::string& path, AdDeadline until,
                                          std::string& trouble);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // Why the connection came to its end; empty while it is fine.
  const std::string& lost() const { return lost_; }

  // Encrypts the connection, for a password; returns the trouble.
  std::string StartTls();
  LdapLogon LogOnWithPassword(const std::string& user, const std::string& password);
  // With the Kerberos ticket of the process's credentials cache.
  LdapLogon LogOnWithTicket();

  // At most `most` entries, in pages where there may be many.
  LdapResult Search(const std::string& base, LdapScope scope, const std::string& filter,
                    const std::vector<std::string>& attributes, size_t most = kFew);
  static constexpr size_t kFew = 500;

 private:
  Directory(ldap* handle, int fd, AdDeadline until)
      : handle_(handle), until_(until), watchdog_(fd) {}
  // Each exchange stands between these two. The first returns why there can be none; the second
  // what libldap says of this code, empty for success.
  std::string Begin();
  std::string End(int code);
  struct Query;
  // Whether there is another page.
  bool ReadPage(Query& query, LdapResult& result);
  LdapEntry ToEntry(void* message) const;

  ldap* handle_;
  AdDeadline until_;
  std::string lost_;
  Watchdog watchdog_;
};

// A value inside a filter (RFC 4515).
std::string EscapeFilter(std::string_view value);

}  // namespace oppetid::agent
