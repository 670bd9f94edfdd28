// LDAP to one controller, through libldap: connect, log on, search. Everything ends within a limit.
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

#include "agent/ad/socket.h"

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
  bool refused = false;  // the directory does not accept this account or its secret
  uint32_t code = 0;     // of a refusal
  double seconds = 0;    // without waiting for others' logons
  std::string trouble;
};

class Directory {
 public:
  // Over a connected socket to the host `name`; over the local socket `path` with the second.
  static std::unique_ptr<Directory> Over(Socket socket, const std::string& name,
                                         const std::string& ca, std::string& trouble);
  static std::unique_ptr<Directory> Local(const std::string& path, std::string& trouble);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  LdapLogon LogOnWithPassword(const std::string& user, const std::string& password);
  // With the Kerberos ticket of the process's credentials cache.
  LdapLogon LogOnWithTicket();

  // At most `most` entries, in pages where there may be many.
  LdapResult Search(const std::string& base, LdapScope scope, const std::string& filter,
                    const std::vector<std::string>& attributes, size_t most = kFew);
  static constexpr size_t kFew = 500;

 private:
  explicit Directory(ldap* handle) : handle_(handle) {}
  std::string Trouble(int code) const;
  // Takes the entries out of one answer of libldap.
  void Collect(void* answer, size_t most, LdapResult& result) const;

  ldap* handle_;
};

// A value inside a filter (RFC 4515).
std::string EscapeFilter(std::string_view value);

}  // namespace oppetid::agent
