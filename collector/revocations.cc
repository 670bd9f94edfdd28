#include "collector/revocations.h"

#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/text.h"
#include "common/token.h"

namespace oppetid::collector {
namespace {

constexpr char kRevoked[] = "revoked";
constexpr char kRetired[] = "retired";

}  // namespace

absl::StatusOr<Revocations> Revocations::Open(std::string path) {
  Revocations list(std::move(path));
  const auto text = ReadFile(list.path_);
  if (absl::IsNotFound(text.status())) return list;
  if (!text.ok()) return text.status();
  list.text_ = *text;
  std::istringstream lines(*text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    HostEnd one;
    std::string at, what, more;
    words >> one.id >> at >> what >> one.host;
    const auto instant = ParseInstant(at);
    if (!IsTokenId(one.id) || !instant || (what != kRevoked && what != kRetired) ||
        !IsId(one.host) || words >> more) {
      return absl::DataLossError(absl::StrCat(list.path_, ":", number,
                                              ": not a line of this list; restore it from a backup "
                                              "or correct it, since what it says must hold"));
    }
    one.at = *instant;
    one.retired = what == kRetired;
    list.all_.push_back(std::move(one));
  }
  return list;
}

absl::Status Revocations::Append(const HostEnd& revocation) {
  const std::string longer =
      absl::StrCat(text_, revocation.id, " ", FormatInstant(revocation.at), " ",
                   revocation.retired ? kRetired : kRevoked, " ", revocation.host, "\n");
  if (auto status = ReplaceFile(path_, longer); !status.ok()) return status;
  text_ = longer;
  all_.push_back(revocation);
  return absl::OkStatus();
}

}  // namespace oppetid::collector
