#include "agent/sensors/file_trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr int kMaxLinks = 40;           // as the kernel's own limit
constexpr size_t kMaxNameInText = 120;  // leaves room for the reason in 256 bytes

std::string ErrorText(int error) { return std::generic_category().message(error); }

std::string WhyWritable(const std::string& path, const struct stat& st) {
  const std::string name = "`" + OneLine(path, kMaxNameInText) + "`";
  if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
    return name + " belongs to another user (expected root or the agent's own)";
  }
  if (S_ISLNK(st.st_mode)) return "";  // its mode means nothing
  if (S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) != 0) return "";
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0) return "";
  return name + " is writable by others (chmod go-w)";
}

// Puts the components of `path` on the stack, the first one on top.
void PushComponents(std::string_view path, std::vector<std::string>& stack) {
  while (!path.empty()) {
    const size_t slash = path.rfind('/');
    const size_t from = slash == std::string_view::npos ? 0 : slash + 1;
    stack.emplace_back(path.substr(from));
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
}

}  // namespace

FileTrust ExamineProgram(const std::string& path) {
  const std::string name = "`" + OneLine(path, kMaxNameInText) + "`";
  if (!path.starts_with('/')) return {false, name + " is not an absolute path"};
  std::vector<std::string> pending;
  PushComponents(path, pending);
  std::string at;  // what is resolved so far, without a slash at its end
  struct stat st {};
  for (int links = 0;;) {
    if (::lstat(at.empty() ? "/" : at.c_str(), &st) != 0) {
      return {false, "cannot run " + name + ": " + ErrorText(errno)};
    }
    if (std::string why = WhyWritable(at.empty() ? "/" : at, st); !why.empty()) return {true, why};
    if (S_ISLNK(st.st_mode)) {
      std::array<char, 4096> target{};
      const ssize_t size = ::readlink(at.c_str(), target.data(), target.size());
      if (size < 0) return {false, "cannot run " + name + ": " + ErrorText(errno)};
      if (++links > kMaxLinks) return {false, "cannot run " + name + ": too many links"};
      const std::string_view text(target.data(), static_cast<size_t>(size));
      PushComponents(text, pending);
      at = text.starts_with('/') ? "" : at.substr(0, at.rfind('/'));
      continue;
    }
    while (!pending.empty() && (pending.back().empty() || pending.back() == ".")) {
      pending.pop_back();
    }
    if (pending.empty()) break;
    if (!S_ISDIR(st.st_mode)) return {false, "cannot run " + name + ": " + ErrorText(ENOTDIR)};
    if (pending.back() == "..") {
      at = at.substr(0, at.empty() ? 0 : at.rfind('/'));
    } else {
      at += "/" + pending.back();
    }
    pending.pop_back();
  }
  if (!S_ISREG(st.st_mode)) return {false, "cannot run " + name + ": it is not a regular file"};
  return {};
}

}  // namespace oppetid::agent
