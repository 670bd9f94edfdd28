#include "agent/ad/directory.h"

#include <fcntl.h>
#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <sasl/sasl.h>

#include <algorithm>

#include "agent/sensors/ad_decode.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr timeval kTimeout{3,
                           0};  // of each operation; a controller at work answers in milliseconds
constexpr int kPage = 500;      // half of what Active Directory gives at a time
constexpr size_t kMaxValueBytes = 65'536;  // of one value kept; the largest we read has 300 bytes
constexpr size_t kMaxValues = 256;         // of one attribute: partners of a naming context
constexpr char kSystemAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";

// GSSAPI asks for nothing: all is in the credentials cache.
int NothingToAsk(LDAP*, unsigned, void*, void* prompts) {
  for (auto* prompt = static_cast<sasl_interact_t*>(prompts); prompt->id != SASL_CB_LIST_END;
       ++prompt) {
    prompt->result = "";
    prompt->len = 0;
  }
  return LDAP_SUCCESS;
}

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

void SetCommon(LDAP* handle) {
  const int version = LDAP_VERSION3;
  ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &kTimeout);
  ldap_set_option(handle, LDAP_OPT_TIMEOUT, &kTimeout);
  ldap_set_option(handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  ldap_set_option(handle, LDAP_OPT_RESTART, LDAP_OPT_ON);
  // The name is as configured; what its address is called backwards is no service principal.
  ldap_set_option(handle, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
}

}  // namespace

void InitialiseLdap() {
  LDAPAPIInfo info{};
  info.ldapai_info_version = LDAP_API_INFO_VERSION;
  if (ldap_get_option(nullptr, LDAP_OPT_API_INFO, &info) == LDAP_OPT_SUCCESS) {
    ldap_memfree(info.ldapai_vendor_name);
    ber_memvfree(reinterpret_cast<void**>(info.ldapai_extensions));
  }
}

std::string LdapEntry::First(const std::string& attribute) const {
  const auto& all = All(attribute);
  return all.empty() ? "" : all.front();
}

const std::vector<std::string>& LdapEntry::All(const std::string& attribute) const {
  static const std::vector<std::string> kNone;
  const auto found = values.find(attribute);
  return found == values.end() ? kNone : found->second;
}

std::unique_ptr<Directory> Directory::Over(Socket socket, const std::string& name,
                                           const std::string& ca, std::string& trouble) {
  const std::string url = "ldap://" + name;
  LDAP* handle = nullptr;
  // libldap waits for its own timeouts on a blocking socket.
  const int flags = ::fcntl(socket.fd(), F_GETFL);
  ::fcntl(socket.fd(), F_SETFL, flags & ~O_NONBLOCK);
  const int error = ldap_init_fd(socket.fd(), LDAP_PROTO_TCP, url.c_str(), &handle);
  if (error != LDAP_SUCCESS) {
    trouble = ldap_err2string(error);
    return nullptr;
  }
  (void)socket.Release();
  SetCommon(handle);
  const std::string authorities = ca.empty() ? kSystemAuthorities : ca;
  const int demand = LDAP_OPT_X_TLS_DEMAND;
  const int as_client = 0;
  ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, authorities.c_str());
  ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
  ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &as_client);  // last: it takes what is set above
  return std::unique_ptr<Directory>(new Directory(handle));
}

std::unique_ptr<Directory> Directory::Local(const std::string& path, std::string& trouble) {
  std::string url = "ldapi://";
  for (const char c : path) url += c == '/' ? "%2F" : std::string(1, c);
  LDAP* handle = nullptr;
  const int error = ldap_initialize(&handle, url.c_str());
  if (error != LDAP_SUCCESS) {
    trouble = ldap_err2string(error);
    return nullptr;
  }
  SetCommon(handle);
  return std::unique_ptr<Directory>(new Directory(handle));
}

Directory::~Directory() { ldap_unbind_ext_s(handle_, nullptr, nullptr); }

std::string Directory::Trouble(int code) const {
  char* diagnostic = nullptr;
  ldap_get_option(handle_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
  std::string text = ldap_err2string(code);
  if (diagnostic != nullptr && *diagnostic != '\0') text += std::string(": ") + diagnostic;
  ldap_memfree(diagnostic);
  return OneLine(text);
}

LdapLogon Directory::LogOnWithPassword(const std::string& user, const std::string& password) {
  LdapLogon logon;
  // An empty password would be an anonymous logon, and look like success.
  if (password.empty()) {
    logon.trouble = "the password is empty";
    return logon;
  }
  int error = ldap_start_tls_s(handle_, nullptr, nullptr);
  if (error != LDAP_SUCCESS) {
    logon.trouble = "no TLS, so no logon: " + Trouble(error);
    return logon;
  }
  std::string secret = password;
  berval credentials{secret.size(), secret.data()};
  error = ldap_sasl_bind_s(handle_, user.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr,
                           nullptr);
  std::fill(secret.begin(), secret.end(), '\0');
  logon.ok = error == LDAP_SUCCESS;
  if (logon.ok) return logon;
  logon.trouble = Trouble(error);
  logon.refused = error == LDAP_INVALID_CREDENTIALS;
  if (logon.refused) logon.code = ParseRefusal(logon.trouble).value_or(0);
  return logon;
}

LdapLogon Directory::LogOnWithTicket() {
  LdapLogon logon;
  const int error = ldap_sasl_interactive_bind_s(handle_, nullptr, "GSSAPI", nullptr, nullptr,
                                                 LDAP_SASL_QUIET, NothingToAsk, nullptr);
  // A ticket was given already, so no secret can be refused here.
  logon.ok = error == LDAP_SUCCESS;
  if (!logon.ok) logon.trouble = Trouble(error);
  return logon;
}

void Directory::Collect(void* answer, size_t most, LdapResult& result) const {
  auto* message = static_cast<LDAPMessage*>(answer);
  for (LDAPMessage* entry = ldap_first_entry(handle_, message); entry != nullptr;
       entry = ldap_next_entry(handle_, entry)) {
    if (result.entries.size() == most) {
      result.more = true;
      return;
    }
    LdapEntry kept;
    char* dn = ldap_get_dn(handle_, entry);
    if (dn != nullptr) kept.dn = dn;
    ldap_memfree(dn);
    BerElement* position = nullptr;
    for (char* name = ldap_first_attribute(handle_, entry, &position); name != nullptr;
         name = ldap_next_attribute(handle_, entry, position)) {
      auto& values = kept.values[Lower(name)];
      berval** all = ldap_get_values_len(handle_, entry, name);
      for (size_t i = 0; all != nullptr && all[i] != nullptr && i < kMaxValues; ++i) {
        values.emplace_back(all[i]->bv_val, std::min<size_t>(all[i]->bv_len, kMaxValueBytes));
      }
      ldap_value_free_len(all);
      ldap_memfree(name);
    }
    if (position != nullptr) ber_free(position, 0);
    result.entries.push_back(std::move(kept));
  }
}

LdapResult Directory::Search(const std::string& base, LdapScope scope, const std::string& filter,
                             const std::vector<std::string>& attributes, size_t most) {
  LdapResult result;
  std::vector<char*> wanted;
  for (const std::string& name : attributes) wanted.push_back(const_cast<char*>(name.c_str()));
  wanted.push_back(nullptr);
  berval cookie{0, nullptr};
  bool again = true;
  while (again && result.trouble.empty() && !result.more) {
    LDAPControl* page = nullptr;
    LDAPControl* controls[2] = {nullptr, nullptr};
    if (scope == LdapScope::kBelow &&
        ldap_create_page_control(handle_, kPage, &cookie, 0, &page) == LDAP_SUCCESS) {
      controls[0] = page;
    }
    LDAPMessage* answer = nullptr;
    timeval timeout = kTimeout;
    const int error = ldap_search_ext_s(
        handle_, base.c_str(), scope == LdapScope::kBase ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
        filter.c_str(), wanted.data(), 0, controls, nullptr, &timeout, LDAP_NO_LIMIT, &answer);
    ldap_control_free(page);
    if (error != LDAP_SUCCESS) result.trouble = Trouble(error);
    if (answer != nullptr) Collect(answer, most, result);
    again = false;
    LDAPControl** replies = nullptr;
    int code = 0;
    if (error == LDAP_SUCCESS && answer != nullptr &&
        ldap_parse_result(handle_, answer, &code, nullptr, nullptr, nullptr, &replies, 0) ==
            LDAP_SUCCESS) {
      LDAPControl* reply = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, replies, nullptr);
      ber_int_t estimate = 0;
      ber_memfree(cookie.bv_val);
      cookie = {0, nullptr};
      again = reply != nullptr &&
              ldap_parse_pageresponse_control(handle_, reply, &estimate, &cookie) == LDAP_SUCCESS &&
              cookie.bv_len > 0;
      ldap_controls_free(replies);
    }
    ldap_msgfree(answer);
  }
  ber_memfree(cookie.bv_val);
  return result;
}

std::string EscapeFilter(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x80 || byte < 0x20 || c == '*' || c == '(' || c == ')' || c == '\\') {
      constexpr char kHex[] = "0123456789abcdef";
      out += '\\';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace oppetid::agent
