#include "agent/ad/logon.h"

#include <krb5.h>
#include <sys/stat.h>

#include <cstring>
#include <future>
#include <vector>

#include "agent/ad/probes.h"
#include "agent/sensors/ad_decode.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr uint32_t kWrongPassword = 0x52e;
constexpr uint32_t kNoSuchAccount = 0x525;
constexpr uint32_t kPasswordExpired = 0x532;

// What libkrb5 says of a refused logon, as the directory would; 0 for any other trouble.
uint32_t RefusalOf(krb5_error_code error) {
  switch (error) {
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY:
      return kWrongPassword;
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
      return kNoSuchAccount;
    case KRB5KDC_ERR_CLIENT_REVOKED:
      return kRefusedRevoked;
    case KRB5KDC_ERR_KEY_EXP:
      return kPasswordExpired;
    default:
      return 0;
  }
}

// Where a Kerberos service answers; empty when none does. libkrb5 would ask each of the silent ones
// for longer than a look takes.
std::string FindCentre(const AdOptions& options) {
  constexpr auto kCentrePatience = std::chrono::milliseconds(1500);
  const AdDeadline until =
      Within(std::min(kCentrePatience, std::chrono::milliseconds(options.budget_ms / 2)));
  std::vector<std::future<bool>> answers;
  for (const AdController& controller : options.controllers) {
    answers.push_back(std::async(std::launch::async, [&options, &controller, until] {
      std::string trouble;
      const auto addresses = ResolveAddresses(
          controller.address.empty() ? controller.name : controller.address, until, trouble);
      return !addresses.empty() &&
             ProbeKerberos(addresses.front(), options.account, RealmOf(options.domain), until)
                 .probe.ok;
    }));
  }
  std::string centre;
  for (size_t i = 0; i < answers.size(); ++i) {
    const AdController& controller = options.controllers[i];
    if (!answers[i].get() || !centre.empty()) continue;
    centre = controller.address.empty() ? controller.name : controller.address;
    if (centre.find(':') != std::string::npos) centre.insert(0, "[").append("]");
  }
  return centre;
}

// Kerberos takes its settings from a file. Ours asks one centre, and that over TCP: a request that
// is repeated, there or elsewhere, would count twice. The host's own settings are left alone.
std::string SetUpKerberos(const AdOptions& options, const std::string& centre) {
  const std::string realm = RealmOf(options.domain);
  const std::string file = options.memory + kAdKerberosSettings;
  const auto written = ReplaceFile(
      file, "[libdefaults]\n default_realm = " + realm +
                "\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n"
                " dns_canonicalize_hostname = false\n udp_preference_limit = 1\n"
                "[realms]\n " +
                realm + " = {\n  kdc = " + centre + "\n }\n[domain_realm]\n ." + options.domain +
                " = " + realm + "\n " + options.domain + " = " + realm + "\n");
  return written.ok() ? "" : std::string(written.message());
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
    const std::string why(content.status().message());
    closed_ = absl::IsPermissionDenied(content.status()) ? why : "cannot " + why;
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
  const bool answered = refusal.code != kRefusedUnanswered;
  std::string line = "logon of " + options_.account +
                     (answered ? " refused at " : " not answered at ") + FormatInstant(refusal.at) +
                     ": " + RefusalText(refusal.code) + "; ";
  return line + (RefusalCounts(refusal.code)
                     ? "not tried again until its secret file changes"
                     : "tried again hourly, or when its secret file changes");
}

// Nobody logs on who could not remember a refusal.
bool LogonGate::Remember(uint32_t code, const std::string& controller) {
  memory_.refusal = AdRefusal{secret_, code, clock_.Now(), controller};
  const std::string unsaved = save_(memory_);
  if (!unsaved.empty()) closed_ = "no logon without a memory: " + unsaved;
  return unsaved.empty();
}

void LogonGate::Refuse(uint32_t code, const std::string& controller) {
  if (Remember(code, controller)) closed_ = RefusalLine();
}

// The secret did not turn out wrong. What was known of it `earlier` stays, unless it was accepted.
void LogonGate::Forget(std::optional<AdRefusal> earlier) {
  memory_.refusal = std::move(earlier);
  const std::string unsaved = save_(memory_);
  if (!unsaved.empty()) closed_ = "no logon without a memory: " + unsaved;
}

void LogonGate::GetTicket() {
  const std::string centre = FindCentre(options_);
  if (centre.empty()) {
    closed_ = "no Kerberos ticket: no controller's Kerberos answers";
    return;
  }
  const std::string trouble = SetUpKerberos(options_, centre);
  krb5_context context = nullptr;
  if (!trouble.empty() || krb5_init_context(&context) != 0) {
    closed_ = "cannot start Kerberos: " + (trouble.empty() ? "odd configuration" : trouble);
    return;
  }
  const auto earlier = memory_.refusal;
  if (Remember(kRefusedUnanswered, centre)) {
    const krb5_error_code error = FetchTicket(context, options_);
    const uint32_t code = RefusalOf(error);
    if (code != 0) {
      Refuse(code, centre);
    } else if (error == KRB5_KDC_UNREACH) {
      closed_ = RefusalLine();
    } else {
      Forget(error == 0 ? std::nullopt : earlier);
    }
    if (error != 0 && closed_.empty()) {
      const char* message = krb5_get_error_message(context, error);
      closed_ = OneLine(std::string("no Kerberos ticket: ") + message);
      krb5_free_error_message(context, message);
    }
  }
  krb5_free_context(context);
}

LdapLogon LogonGate::LogOn(Directory& directory, const std::string& controller) {
  LdapLogon logon;
  // Before it is anybody's turn, since nothing secret is sent yet: one that stalls holds up no
  // other.
  if (!kerberos() && closed().empty()) logon.trouble = directory.StartTls();
  if (!logon.trouble.empty()) {
    logon.trouble = "no TLS, so no logon: " + logon.trouble;
    return logon;
  }
  const std::lock_guard lock(mutex_);
  if (!closed_.empty()) {
    logon.trouble = closed_;
    return logon;
  }
  if (MillisLeft(until_) == 0) {
    logon.trouble = "no time left for a logon";
    return logon;
  }
  const auto earlier = memory_.refusal;
  // A ticket is no secret that could be wrong, nor is a password that was accepted a moment ago.
  const bool at_risk = !kerberos() && !accepted_;
  if (at_risk && !Remember(kRefusedUnanswered, controller)) {
    logon.trouble = closed_;
    return logon;
  }
  const Stopwatch watch;
  logon = kerberos()
              ? directory.LogOnWithTicket()
              : directory.LogOnWithPassword(options_.account + "@" + options_.domain, password_);
  logon.seconds = watch.seconds();
  accepted_ = accepted_ || logon.ok;
  if (logon.refused) {
    Refuse(logon.code, controller);
  } else if (at_risk && !logon.answered) {
    closed_ = RefusalLine();
  } else if (at_risk) {
    Forget(logon.ok ? std::nullopt : earlier);
  }
  if (!logon.ok && !closed_.empty()) logon.trouble = closed_;
  return logon;
}

}  // namespace oppetid::agent
