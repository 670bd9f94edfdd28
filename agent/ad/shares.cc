#include "agent/ad/shares.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <samba-4.0/libsmbclient.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "agent/ad/socket.h"

namespace oppetid::agent {

// The functions of libsmbclient that we use, as its header declares them.
struct Shares::Library {
#define OPPETID_SMB(name) decltype(&::name) name = nullptr;
#define OPPETID_SMB_ALL(X)                                                             \
  X(smbc_new_context)                                                                  \
  X(smbc_init_context)                                                                 \
  X(smbc_free_context)                                                                 \
  X(smbc_setTimeout)                                                                   \
  X(smbc_setDebug)                                                                     \
  X(smbc_setOptionUserData)                                                            \
  X(smbc_getOptionUserData)                                                            \
  X(smbc_setFunctionAuthDataWithContext)                                               \
  X(smbc_setOptionUseKerberos)                                                         \
  X(smbc_setOptionFallbackAfterKerberos)                                               \
  X(smbc_setOptionNoAutoAnonymousLogin)                                                \
  X(smbc_setOptionDebugToStderr) X(smbc_getFunctionOpendir) X(smbc_getFunctionReaddir) \
      X(smbc_getFunctionClosedir) X(smbc_getFunctionOpen) X(smbc_getFunctionRead)      \
          X(smbc_getFunctionClose)
  OPPETID_SMB_ALL(OPPETID_SMB)
#undef OPPETID_SMB

  bool Find(void* handle) {
    bool all = true;
#define OPPETID_SMB(function)                                                  \
  function = reinterpret_cast<decltype(function)>(::dlsym(handle, #function)); \
  all = all && function != nullptr;
    OPPETID_SMB_ALL(OPPETID_SMB)
#undef OPPETID_SMB
#undef OPPETID_SMB_ALL
    return all;
  }

  // libsmbclient calls back with its context alone.
  static inline decltype(&::smbc_getOptionUserData) get_user_data = nullptr;

  SMBCCTX* context = nullptr;
  ShareCredentials credentials;
};

namespace {

// No password is given twice: libsmbclient asks again after a refusal, and each counts.
void GiveCredentials(SMBCCTX* context, ShareCredentials* credentials, char* workgroup,
                     int workgroup_size, char* user, int user_size, char* password,
                     int password_size) {
  (void)context;
  std::snprintf(workgroup, static_cast<size_t>(workgroup_size), "%s", "");
  std::snprintf(user, static_cast<size_t>(user_size), "%s", credentials->user.c_str());
  std::snprintf(password, static_cast<size_t>(password_size), "%s",
                credentials->kerberos ? "" : credentials->password.c_str());
}

std::string ErrorText() {
  // libsmbclient reports a missing share as an odd argument.
  if (errno == EINVAL || errno == ENODEV) return "no such share";
  return std::generic_category().message(errno);
}

}  // namespace

Shares::Shares() : library_(std::make_unique<Library>()) {}

Shares::~Shares() {
  if (library_->context != nullptr) library_->smbc_free_context(library_->context, 1);
}

std::unique_ptr<Shares> Shares::Load(ShareCredentials credentials, Millis timeout,
                                     std::string& trouble) {
  std::unique_ptr<Shares> shares(new Shares());
  Library& library = *shares->library_;
  // Never closed: Samba's libraries do not survive it.
  void* handle = ::dlopen("libsmbclient.so.0", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr || !library.Find(handle)) {
    trouble = "libsmbclient is not installed (or leave `shares` out of `parts`)";
    return nullptr;
  }
  Library::get_user_data = library.smbc_getOptionUserData;
  library.credentials = std::move(credentials);
  library.context = library.smbc_new_context();
  if (library.context == nullptr) {
    trouble = "libsmbclient does not start";
    return nullptr;
  }
  library.smbc_setOptionDebugToStderr(library.context, 1);
  library.smbc_setDebug(library.context, 0);
  library.smbc_setOptionUserData(library.context, &library.credentials);
  library.smbc_setFunctionAuthDataWithContext(
      library.context,
      [](SMBCCTX* context, const char*, const char*, char* workgroup, int workgroup_size,
         char* user, int user_size, char* password, int password_size) {
        auto* given = static_cast<ShareCredentials*>(Library::get_user_data(context));
        GiveCredentials(context, given, workgroup, workgroup_size, user, user_size, password,
                        password_size);
      });
  library.smbc_setOptionUseKerberos(library.context, library.credentials.kerberos ? 1 : 0);
  library.smbc_setOptionFallbackAfterKerberos(library.context, 0);
  library.smbc_setOptionNoAutoAnonymousLogin(library.context, 1);
  library.smbc_setTimeout(library.context, static_cast<int>(timeout.count()));
  if (library.smbc_init_context(library.context) == nullptr) {
    trouble = "libsmbclient does not start: " + ErrorText();
    return nullptr;
  }
  return shares;
}

AdProbe Shares::List(const std::string& url, bool may_be_empty) {
  AdProbe probe;
  const Library& library = *library_;
  const Stopwatch watch;
  SMBCFILE* directory =
      library.smbc_getFunctionOpendir(library.context)(library.context, url.c_str());
  if (directory == nullptr) {
    probe.trouble = ErrorText();
  } else {
    constexpr int kEnough = 3;  // "." and ".." are always there
    int entries = 0;
    while (entries < kEnough && library.smbc_getFunctionReaddir(library.context)(
                                    library.context, directory) != nullptr) {
      ++entries;
    }
    library.smbc_getFunctionClosedir(library.context)(library.context, directory);
    if (entries < kEnough && !may_be_empty) probe.trouble = "empty";
  }
  probe.ok = probe.trouble.empty();
  probe.seconds = watch.seconds();
  return probe;
}

std::optional<std::string> Shares::Read(const std::string& url) {
  const Library& library = *library_;
  SMBCFILE* file =
      library.smbc_getFunctionOpen(library.context)(library.context, url.c_str(), O_RDONLY, 0);
  if (file == nullptr) return std::nullopt;
  std::string content(4096, '\0');  // a GPT.INI has less than 100 bytes
  const ssize_t got = library.smbc_getFunctionRead(library.context)(library.context, file,
                                                                    content.data(), content.size());
  library.smbc_getFunctionClose(library.context)(library.context, file);
  if (got < 0) return std::nullopt;
  content.resize(static_cast<size_t>(got));
  return content;
}

}  // namespace oppetid::agent
