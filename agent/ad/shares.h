// SYSVOL and NETLOGON over SMB, through libsmbclient, which is loaded only when shares are asked
// for: it brings half of Samba along, and not every server has it.
//
// Threading: libsmbclient is not thread-safe, so one Shares, used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/ad/view.h"

namespace oppetid::agent {

struct ShareCredentials {
  std::string user;  // with the domain: "account@ad.example"
  std::string password;
  bool kerberos = false;  // with the ticket in the process's credentials cache instead
};

class Shares {
 public:
  // nullptr with `trouble` where libsmbclient is not installed.
  static std::unique_ptr<Shares> Load(ShareCredentials credentials, Millis timeout,
                                      std::string& trouble);
  ~Shares();

  // Whether the directory can be opened and has something in it, unless it may be empty.
  AdProbe List(const std::string& url, bool may_be_empty);
  // The start of a file; nullopt when it cannot be read.
  std::optional<std::string> Read(const std::string& url);

 private:
  struct Library;
  Shares();
  std::unique_ptr<Library> library_;
};

}  // namespace oppetid::agent
