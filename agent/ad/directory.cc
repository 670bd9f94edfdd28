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

// Of each exchange; a controller at work answers in milliseconds.
constexpr auto kPatience = std::chrono::milliseconds(3000);
// Of one message. The largest one asked for has a few hundred links of 300 bytes each; libldap
// alone would take what a server claims, up to 2 GB.
constexpr ber_len_t kMaxMessageBytes = 262'144;
constexpr int kPage = 500;                 // half of what Active Directory gives at a time
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
  ldap_set_option(handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  ldap_set_option(handle, LDAP_OPT_RESTART, LDAP_OPT_ON);
  // The name is as configured; what its address is called backwards is no service principal.
  ldap_set_option(handle, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
  Sockbuf* buffer = nullptr;
  ldap_get_option(handle, LDAP_OPT_SOCKBUF, &buffer);
  ber_len_t most = kMaxMessageBytes;
  ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &most);
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
                                           const std::string& ca, AdDeadline until,
                                           std::string& trouble) {
  const std::string url = "ldap://" + name;
  LDAP* handle = nullptr;
  // On one that does not block, a handshake that stalls would keep a processor busy.
  const int flags = ::fcntl(socket.fd(), F_GETFL);
  ::fcntl(socket.fd(), F_SETFL, flags & ~O_NONBLOCK);
  const int error = ldap_init_fd(socket.fd(), LDAP_PROTO_TCP, url.c_str(), &handle);
  if (error != LDAP_SUCCESS) {
    trouble = ldap_err2string(error);
    return nullptr;
  }
  const int fd = socket.Release();
  SetCommon(handle);
  const std::string authorities = ca.empty() ? kSystemAuthorities : ca;
  const int demand = LDAP_OPT_X_TLS_DEMAND;
  const int as_client = 0;
  ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, authorities.c_str());
  ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
  ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &as_client);  // last: it takes what is set above
  return std::unique_ptr<Directory>(new Directory(handle, fd, until));
}

std::unique_ptr<Directory> Directory::Local(const std::string& path, AdDeadline until,
                                            std::string& trouble) {
  std::string url = "ldapi://";
  for (const char c : path) url += c == '/' ? "%2F" : std::string(1, c);
  LDAP* handle = nullptr;
  int error = ldap_initialize(&handle, url.c_str());
  if (error == LDAP_SUCCESS) {
    SetCommon(handle);
    error = ldap_connect(handle);
  }
  int fd = -1;
  if (error == LDAP_SUCCESS) ldap_get_option(handle, LDAP_OPT_DESC, &fd);
  if (fd >= 0) return std::unique_ptr<Directory>(new Directory(handle, fd, until));
  trouble = path + ": " + ldap_err2string(error);
  if (handle != nullptr) ldap_unbind_ext_s(handle, nullptr, nullptr);
  return nullptr;
}

Directory::~Directory() {
  // A goodbye may wait for the other's.
  watchdog_.Watch(lost_.empty() ? std::min(until_, Within(kPatience)) : Within({}));
  ldap_unbind_ext_s(handle_, nullptr, nullptr);
}

std::string Directory::Begin() {
  if (!lost_.empty()) return lost_;
  if (MillisLeft(until_) == 0) return "no time left";
  watchdog_.Watch(std::min(until_, Within(kPatience)));
  return "";
}

std::string Directory::End(int code) {
  watchdog_.Rest();
  if (code == LDAP_SUCCESS) return "";
  char* diagnostic = nullptr;
  ldap_get_option(handle_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
  std::string text = ldap_err2string(code);
  if (diagnostic != nullptr && *diagnostic != '\0') text += std::string(": ") + diagnostic;
  ldap_memfree(diagnostic);
  if (watchdog_.has_bitten()) text = "no answer in time";
  text = OneLine(text);
  // These are libldap's own, not the server's: the connection is not to be trusted any more.
  if (code < 0) lost_ = text;
  return text;
}

std::string Directory::StartTls() {
  const std::string trouble = Begin();
  return trouble.empty() ? End(ldap_start_tls_s(handle_, nullptr, nullptr)) : trouble;
}

LdapLogon Directory::LogOnWithPassword(const std::string& user, const std::string& password) {
  LdapLogon logon;
  // An empty password would be an anonymous logon, and look like success.
  if (password.empty()) {
    logon.trouble = "the password is empty";
    return logon;
  }
  logon.trouble = Begin();
  if (!logon.trouble.empty()) return logon;
  std::string secret = password;
  berval credentials{secret.size(), secret.data()};
  const int error = ldap_sasl_bind_s(handle_, user.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr,
                                     nullptr, nullptr);
  std::fill(secret.begin(), secret.end(), '\0');
  logon.trouble = End(error);
  logon.ok = error == LDAP_SUCCESS;
  logon.answered = error >= 0;
  logon.refused = error == LDAP_INVALID_CREDENTIALS;
  if (logon.refused) logon.code = ParseRefusal(logon.trouble).value_or(0);
  return logon;
}

LdapLogon Directory::LogOnWithTicket() {
  LdapLogon logon;
  logon.trouble = Begin();
  if (!logon.trouble.empty()) return logon;
  const int error = ldap_sasl_interactive_bind_s(handle_, nullptr, "GSSAPI", nullptr, nullptr,
                                                 LDAP_SASL_QUIET, NothingToAsk, nullptr);
  // A ticket was given already, so no secret can be refused here.
  logon.trouble = End(error);
  logon.ok = error == LDAP_SUCCESS;
  return logon;
}

LdapEntry Directory::ToEntry(void* message) const {
  auto* entry = static_cast<LDAPMessage*>(message);
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
  return kept;
}

struct Directory::Query {
  const std::string& base;
  LdapScope scope;
  const std::string& filter;
  std::vector<char*> attributes;
  size_t most;
  berval cookie;  // of the next page
};

bool Directory::ReadPage(Query& query, LdapResult& result) {
  result.trouble = Begin();
  if (!result.trouble.empty()) return false;
  LDAPControl* page = nullptr;
  LDAPControl* controls[2] = {nullptr, nullptr};
  if (query.scope == LdapScope::kBelow &&
      ldap_create_page_control(handle_, kPage, &query.cookie, 0, &page) == LDAP_SUCCESS) {
    controls[0] = page;
  }
  int id = 0;
  int code = ldap_search_ext(handle_, query.base.c_str(),
                             query.scope == LdapScope::kBase ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
                             query.filter.c_str(), query.attributes.data(), 0, controls, nullptr,
                             nullptr, LDAP_NO_LIMIT, &id);
  ldap_control_free(page);
  bool again = false;
  // Message by message, so that an answer without end is not kept.
  for (int type = 0; code == LDAP_SUCCESS && type != LDAP_RES_SEARCH_RESULT && !result.more;) {
    LDAPMessage* message = nullptr;
    type = ldap_result(handle_, id, LDAP_MSG_ONE, nullptr, &message);
    if (type <= 0) {
      code = LDAP_SERVER_DOWN;
    } else if (type == LDAP_RES_SEARCH_ENTRY && result.entries.size() == query.most) {
      result.more = true;
      ldap_abandon_ext(handle_, id, nullptr, nullptr);
    } else if (type == LDAP_RES_SEARCH_ENTRY) {
      result.entries.push_back(ToEntry(message));
    } else if (type == LDAP_RES_SEARCH_RESULT) {
      LDAPControl** replies = nullptr;
      const int parsed =
          ldap_parse_result(handle_, message, &code, nullptr, nullptr, nullptr, &replies, 0);
      if (parsed != LDAP_SUCCESS) code = parsed;
      LDAPControl* reply = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, replies, nullptr);
      ber_int_t estimate = 0;
      ber_memfree(query.cookie.bv_val);
      query.cookie = {0, nullptr};
      again = reply != nullptr &&
              ldap_parse_pageresponse_control(handle_, reply, &estimate, &query.cookie) ==
                  LDAP_SUCCESS &&
              query.cookie.bv_len > 0;
      ldap_controls_free(replies);
    }
    ldap_msgfree(message);
  }
  result.trouble = End(code);
  return again && result.trouble.empty();
}

LdapResult Directory::Search(const std::string& base, LdapScope scope, const std::string& filter,
                             const std::vector<std::string>& attributes, size_t most) {
  LdapResult result;
  Query query{base, scope, filter, {}, most, {0, nullptr}};
  for (const std::string& name : attributes) {
    query.attributes.push_back(const_cast<char*>(name.c_str()));
  }
  query.attributes.push_back(nullptr);
  while (ReadPage(query, result) && !result.more) {
  }
  ber_memfree(query.cookie.bv_val);
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
