#include "agent/ad/logon.h"

#include <krb5.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstring>

#include "agent/sensors/ad_decode.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr uint32_t kWrongPassword = 0x52e;
constexpr uint32_t kNoSuchAccount = 0x525;
constexpr uint32_t kPasswordExpired = 0x532;
constexpr uint32_t kLocked = 0x775;

// What libkrb5 says of a refused logon, as the directory would; 0 for any other trouble.
uint32_t RefusalOf(krb5_error_code error) {
  switch (error) {
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY:
      return kWrongPassword;
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
      return kNoSuchAccount;
    case KRB5KDC_ERR_CLIENT_REVOKED:  // locked, disabled or expired: the centre does not tell which
      return kLocked;
    case KRB5KDC_ERR_KEY_EXP:
      return kPasswordExpired;
    default:
      return 0;
  }
}

// One try to get a ticket for the account from its keytab into the process's credentials cache.
krb5_error_code FetchTicket(krb5_context context, const AdOptions& options) {
  krb5_keytab keytab = nullptr;
  krb5_principal principal = nullptr;
  krb5_ccache cache = nullptr;
  krb5_creds credentials{};
  const std::string name = options.account + "@" + RealmOf(options.domain);
  krb5_error_code error = krb5_kt_resolve(context, ("FILE:" + options.keytab).c_str(), &keytab);
  if (error == 0) error = krb5_parse_name(context, name.c_str(), &principal);
  if (error == 0) {
    error =
        krb5_get_init_creds_keytab(context, &credentials, principal, keytab, 0, nullptr, nullptr);
  }
  if (error == 0) error = krb5_cc_default(context, &cache);
  if (error == 0) error = krb5_cc_initialize(context, cache, principal);
  if (error == 0) error = krb5_cc_store_cred(context, cache, &credentials);
  krb5_free_cred_contents(context, &credentials);
  if (cache != nullptr) krb5_cc_close(context, cache);
  if (principal != nullptr) krb5_free_principal(context, principal);
  if (keytab != nullptr) krb5_kt_close(context, keytab);
  return error;
}

}  // namespace

std::string RealmOf(const std::string& domain) {
  std::string realm = domain;
  for (char& c : realm) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return realm;
}

LogonGate::LogonGate(const AdOptions& options, const Clock& clock, AdMemory& memory,
                     std::function<std::string(const AdMemory&)> save)
    : options_(options),
      clock_(clock),
      memory_(memory),
      save_(std::move(save)),
      until_(Within(std::chrono::milliseconds(options.budget_ms / 2))) {}

void LogonGate::Prepare() {
  const std::lock_guard lock(mutex_);
  const std::string& file = kerberos() ? options_.keytab : options_.password_file;
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    closed_ = "cannot read " + file + ": " + std::strerror(errno);
    return;
  }
  secret_ = options_.account + "@" + std::to_string(info.st_ino) + "." +
            std::to_string(info.st_size) + "." + std::to_string(info.st_mtim.tv_sec) + "." +
            std::to_string(info.st_mtim.tv_nsec);
  auto content = ReadSecretFile(file);
  if (!content.ok()) {
    closed_ = "cannot " + std::string(content.status().message());
    return;
  }
  // Nobody logs on who could not remember a refusal.
  const std::string unsaved = save_(memory_);
  if (!unsaved.empty()) {
    closed_ = "no logon without a memory: " + unsaved;
    return;
  }
  if (!MayLogOn(memory_, secret_, clock_.Now())) {
    closed_ = RefusalLine();
    return;
  }
  if (kerberos()) {
    GetTicket();
    return;
  }
  password_ = std::move(*content);
  while (!password_.empty() && (password_.back() == '\n' || password_.back() == '\r')) {
    password_.pop_back();
  }
  if (password_.empty()) closed_ = file + " holds no password";
}

std::string LogonGate::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::string LogonGate::RefusalLine() const {
  const AdRefusal& refusal = *memory_.refusal;
  std::string line = "logon of " + options_.account + " refused at " + FormatInstant(refusal.at) +
                     ": " + RefusalText(refusal.code) + "; ";
  return line + (RefusalCounts(refusal.code)
                     ? "not tried again until its secret file changes"
                     : "tried again hourly, or when its secret file changes");
}

void LogonGate::Refuse(uint32_t code, const std::string& controller) {
  memory_.refusal = AdRefusal{secret_, code, clock_.Now(), controller};
  const std::string unsaved = save_(memory_);
  closed_ = RefusalLine();
  if (!unsaved.empty()) closed_ += " (" + unsaved + ")";
}

void LogonGate::GetTicket() {
  krb5_context context = nullptr;
  if (krb5_init_context(&context) != 0) {
    closed_ = "cannot start Kerberos: odd configuration";
    return;
  }
  const krb5_error_code error = FetchTicket(context, options_);
  if (error != 0) {
    const uint32_t code = RefusalOf(error);
    if (code != 0) {
      Refuse(code, options_.domain);
    } else {
      const char* message = krb5_get_error_message(context, error);
      closed_ = OneLine(std::string("no Kerberos ticket: ") + message);
      krb5_free_error_message(context, message);
    }
  } else if (memory_.refusal) {
    memory_.refusal.reset();
  }
  krb5_free_context(context);
}

LdapLogon LogonGate::LogOn(Directory& directory, const std::string& controller) {
  const std::lock_guard lock(mutex_);
  LdapLogon logon;
  if (!closed_.empty()) {
    logon.trouble = closed_;
    return logon;
  }
  if (MillisLeft(until_) == 0) {
    logon.trouble = "no time left for a logon";
    return logon;
  }
  const Stopwatch watch;
  logon = kerberos()
              ? directory.LogOnWithTicket()
              : directory.LogOnWithPassword(options_.account + "@" + options_.domain, password_);
  logon.seconds = watch.seconds();
  if (logon.refused) {
    Refuse(logon.code, controller);
    logon.trouble = closed_;
  } else if (logon.ok && memory_.refusal) {
    memory_.refusal.reset();
  }
  return logon;
}

}  // namespace oppetid::agent
