// The agent's own account: its secret, and the rule that a refused logon is not tried again.
//
// Controllers are logged on to one after another, never at once, and the first refusal ends it for
// all of them: a domain counts wrong passwords together, at the holder of the PDC role. A refusal
// is on the disk before the secret is sent, and taken back when it is accepted: the answer may be
// lost, or this process ended while it waits.
// Threading: LogOn from any thread; everything else before and after the threads.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "agent/ad/directory.h"
#include "agent/ad/memory.h"
#include "agent/sensors/ad_options.h"
#include "common/clock.h"

namespace oppetid::agent {

// Kerberos' files of a look, behind the memory's name. Whoever uses LogonGate with a keytab has
// named them in the environment, before there were threads.
inline constexpr char kAdTicket[] = ".ticket";
inline constexpr char kAdKerberosSettings[] = ".krb5.conf";

class LogonGate {
 public:
  // `save` puts the memory on the disk, and returns the trouble; it must work before any logon.
  LogonGate(const AdOptions& options, const Clock& clock, AdMemory& memory,
            std::function<std::string(const AdMemory&)> save);

  // Reads the secret, asks the memory, and with a keytab gets the ticket. Afterwards `closed` says
  // why nobody can log on; empty when they can.
  void Prepare();
  std::string closed() const;
  const std::string& password() const { return password_; }
  bool kerberos() const { return !options_.keytab.empty(); }

  LdapLogon LogOn(Directory& directory, const std::string& controller);

 private:
  // All with mutex_ held.
  bool Remember(uint32_t code, const std::string& controller);
  void Refuse(uint32_t code, const std::string& controller);
  void Forget(std::optional<AdRefusal> earlier);
  void GetTicket();
  std::string RefusalLine() const;

  const AdOptions& options_;
  const Clock& clock_;
  AdMemory& memory_;
  std::function<std::string(const AdMemory&)> save_;
  AdDeadline until_;  // no logon starts later: each takes its time after the others
  mutable std::mutex mutex_;
  std::string secret_;  // its version
  std::string password_;
  std::string closed_;
  bool accepted_ = false;  // in this look
};

// The realm of a domain: its name in capitals.
std::string RealmOf(const std::string& domain);

}  // namespace oppetid::agent
