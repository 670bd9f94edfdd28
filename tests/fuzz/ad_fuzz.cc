// Fuzzes what Active Directory sends, and what we keep about it. The first byte says which form.
// Breaks when a promise of ad_decode.h, ad_kerberos.h, ad_smb.h or memory.h does not hold.
#include <cmath>
#include <cstdint>

#include "agent/ad/memory.h"
#include "agent/sensors/ad_decode.h"
#include "agent/sensors/ad_kerberos.h"
#include "agent/sensors/ad_options.h"
#include "agent/sensors/ad_smb.h"
#include "common/check.h"

namespace {

using oppetid::agent::ReplicationLink;

void CheckLink(const std::optional<ReplicationLink>& link) {
  if (!link) return;
  OPPETID_CHECK(link->source.size() == 36, "a partner has a GUID");
  OPPETID_CHECK(!link->last_success || oppetid::FormatInstant(*link->last_success).size() >= 24,
                "an instant can be written");
}

void CheckTexts(std::string_view text) {
  using namespace oppetid::agent;
  const auto time = ParseGeneralizedTime(text);
  OPPETID_CHECK(!time || time->time_since_epoch().count() > -12'000'000'000'000, "after 1600");
  (void)ParseFileTime(text);
  (void)ParseGptVersion(text);
  const auto used = RidPoolUsed(text);
  OPPETID_CHECK(!used || std::isfinite(*used), "a share is finite");
  if (const auto code = ParseRefusal(text)) {
    OPPETID_CHECK(!RefusalText(*code).empty(), "a refusal has words");
  }
}

void CheckMemory(std::string_view text) {
  using namespace oppetid::agent;
  const AdMemory memory = ParseAdMemory(text);
  OPPETID_CHECK(memory.usn.size() <= kMaxAdMemoryEntries, "a memory is bounded");
  OPPETID_CHECK(memory.mismatched.size() <= kMaxAdMemoryEntries, "a memory is bounded");
  const std::string written = FormatAdMemory(memory);
  OPPETID_CHECK(FormatAdMemory(ParseAdMemory(written)) == written, "it reads what it writes");
  if (memory.refusal && RefusalCounts(memory.refusal->code)) {
    OPPETID_CHECK(!MayLogOn(memory, memory.refusal->secret, oppetid::Instant::max()),
                  "a wrong password is never tried again");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace oppetid::agent;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 0:
      CheckLink(DecodeRepsFrom(input));
      break;
    case 1:
      CheckLink(DecodeNeighbor(input));
      break;
    case 2:
      (void)DecodeLdapPing(input);
      (void)FormatGuid(input);
      if (const auto time = ParseSntpReply(input, 0)) {
        OPPETID_CHECK(oppetid::FormatInstant(*time).size() >= 24, "an instant can be written");
      }
      break;
    case 3:
      if (const auto reply = ParseKerberosReply(input)) {
        OPPETID_CHECK(reply->error >= 0, "errors are numbers");
      }
      break;
    case 4:
      OPPETID_CHECK(SmbReplyBytes(input) <= kMaxSmbReplyBytes, "a reply is bounded");
      (void)JudgeSmbReply(input);
      break;
    case 5:
      CheckTexts(input);
      break;
    case 6:
      CheckMemory(input);
      break;
    default: {
      const std::string argument(input);
      const char* const arguments[] = {argument.c_str()};
      std::string fault;
      const AdOptions options = FromArguments(arguments, fault);
      OPPETID_CHECK(!fault.empty(), "one option alone is never enough");
      OPPETID_CHECK(options.controllers.size() <= 1, "one argument, one controller");
    }
  }
  return 0;
}
