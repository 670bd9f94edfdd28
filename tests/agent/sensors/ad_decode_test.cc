#include "agent/sensors/ad_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "agent/ad/memory.h"
#include "agent/sensors/ad_kerberos.h"
#include "agent/sensors/ad_options.h"
#include "agent/sensors/ad_smb.h"

namespace oppetid::agent {
namespace {

std::string Sample(const std::string& name) {
  std::ostringstream content;
  content << std::ifstream(OPPETID_SOURCE_DIR "/tests/testdata/ad/" + name).rdbuf();
  EXPECT_NE(content.str(), "") << name;
  return content.str();
}

TEST(AdDecode, LinksAsSambaGivesThem) {
  const auto link = DecodeRepsFrom(Sample("reps_from"));
  ASSERT_TRUE(link);
  EXPECT_EQ(link->source, "bbe3e3c4-846c-463a-a4c9-da7f210480f3");
  EXPECT_EQ(link->last_success, ParseInstant("2026-11-22T07:38:39Z"));
  EXPECT_EQ(link->last_attempt, link->last_success);
  EXPECT_EQ(link->failures, 0U);
  EXPECT_EQ(link->result, 0U);
  const auto failing = DecodeRepsFrom(Sample("reps_from_failing"));
  ASSERT_TRUE(failing);
  EXPECT_EQ(failing->failures, 3U);
  EXPECT_EQ(failing->result, 1225U);
  EXPECT_EQ(failing->last_success, link->last_success);
  EXPECT_EQ(*failing->last_attempt - *failing->last_success, std::chrono::seconds(6));
  EXPECT_EQ(ReplicationResultText(failing->result), "connection refused (1225)");
  const auto never = DecodeRepsFrom(Sample("reps_from_never"));
  ASSERT_TRUE(never);
  EXPECT_EQ(never->last_success, std::nullopt);
  EXPECT_EQ(never->failures, 2U);
}

TEST(AdDecode, LinksAsWindowsGivesThem) {
  const auto link = DecodeNeighbor(Sample("neighbor"));
  ASSERT_TRUE(link);
  EXPECT_EQ(link->source, "5b803a96-e5b3-469c-8e36-a759b1d7aa8f");
  EXPECT_EQ(link->last_success, FromUnixMillis(1'793'400'000'000));
  EXPECT_EQ(link->last_attempt, FromUnixMillis(1'793'403'600'000));
  EXPECT_EQ(link->result, 1722U);
  EXPECT_EQ(link->failures, 4U);
}

TEST(AdDecode, WhatIsCutOffIsNothing) {
  for (const auto& [name, decode, least] : {std::tuple{"reps_from", &DecodeRepsFrom, size_t{208}},
                                            std::tuple{"neighbor", &DecodeNeighbor, size_t{128}}}) {
    const std::string whole = Sample(name);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(decode(std::string_view(whole).substr(0, size)).has_value(), size >= least) << name;
    }
  }
  std::string version = Sample("reps_from");
  version[0] = 3;
  EXPECT_FALSE(DecodeRepsFrom(version));
  version[0] = 2;
  EXPECT_TRUE(DecodeRepsFrom(version));
}

TEST(AdDecode, WhatAControllerAdvertises) {
  const auto flags = DecodeLdapPing(Sample("ldap_ping"));
  ASSERT_TRUE(flags);
  EXPECT_EQ(*flags, kAdvertisesPdc | kAdvertisesGc | kAdvertisesLdap | kAdvertisesDs |
                        kAdvertisesKdc | 0x80 | kAdvertisesWritable | 0x1000);
  EXPECT_FALSE(DecodeLdapPing("\x17"));
  EXPECT_FALSE(DecodeLdapPing(std::string(8, '\x01')));
}

TEST(AdDecode, Times) {
  EXPECT_EQ(ParseGeneralizedTime("20261122073800.0Z"), ParseInstant("2026-11-22T07:38:00Z"));
  EXPECT_EQ(ParseGeneralizedTime("20261122073800.25Z"), ParseInstant("2026-11-22T07:38:00.250Z"));
  EXPECT_EQ(ParseGeneralizedTime("20240229235959Z"), ParseInstant("2024-02-29T23:59:59Z"));
  for (const char* odd : {"", "2026", "20260230000000Z", "20261122073800", "20261122073800.0",
                          "20261122243800Z", "2026112207380xZ", "20261122073800.0+01"}) {
    EXPECT_FALSE(ParseGeneralizedTime(odd)) << odd;
  }
  EXPECT_EQ(ParseFileTime("132223104000000000"), ParseInstant("2020-01-01T00:00:00Z"));
  for (const char* never : {"0", "9223372036854775807", "", "-1", "1x"}) {
    EXPECT_FALSE(ParseFileTime(never)) << never;
  }
}

TEST(AdDecode, TimesOfSntp) {
  const std::string request = BuildSntpRequest(0x0102030405060708);
  EXPECT_EQ(request.size(), 48U);
  std::string reply = request;
  reply[0] = 0x24;
  reply[1] = 2;
  reply.replace(24, 8, request.substr(40));
  reply.replace(40, 8, std::string("\xee\xad\x11\x00\x80\x00\x00\x00", 8));
  EXPECT_EQ(ParseSntpReply(reply, 0x0102030405060708),
            FromUnixMillis((0xeead1100 - 2'208'988'800) * 1000 + 500));
  EXPECT_FALSE(ParseSntpReply(reply, 1)) << "somebody else's";
  EXPECT_FALSE(ParseSntpReply(reply.substr(1), 0x0102030405060708));
  EXPECT_FALSE(ParseSntpReply(request, 0x0102030405060708)) << "a client's";
  reply[1] = 16;
  EXPECT_FALSE(ParseSntpReply(reply, 0x0102030405060708)) << "not synchronised";
  // After 2036 the seconds begin anew.
  reply[1] = 2;
  reply[40] = 0;
  EXPECT_EQ(ParseSntpReply(reply, 0x0102030405060708).value().time_since_epoch() /
                std::chrono::hours(24 * 365),
            66);
}

TEST(AdDecode, SmallThings) {
  EXPECT_EQ(
      FormatGuid(std::string("\x96\x3a\x80\x5b\xb3\xe5\x9c\x46\x8e\x36\xa7\x59\xb1\xd7\xaa\x8f")),
      "5b803a96-e5b3-469c-8e36-a759b1d7aa8f");
  EXPECT_FALSE(FormatGuid("short"));
  EXPECT_NEAR(RidPoolUsed("4611686014132422708").value_or(0), 2100.0 / 1073741823, 1e-6);
  EXPECT_FALSE(RidPoolUsed("17"));
  EXPECT_EQ(ParseGptVersion("[General]\r\nVersion=65537\r\n"), 65537);
  EXPECT_EQ(ParseGptVersion("[General]\nversion=0"), 0);
  EXPECT_FALSE(ParseGptVersion("[General]\nVersion=\n"));
  EXPECT_FALSE(ParseGptVersion("displayName=x"));
}

TEST(AdDecode, WhyALogonWasRefused) {
  const auto code = ParseRefusal(
      "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 775, v1db1");
  ASSERT_TRUE(code);
  EXPECT_EQ(RefusalText(*code), "it is locked");
  EXPECT_FALSE(ParseRefusal("Invalid credentials"));
  EXPECT_FALSE(ParseRefusal("data , v1db1"));
  // What may be a wrong password counts, and so does what we do not know.
  for (const uint32_t counts : {0x52eU, 0x525U, 0U, 0x999U}) EXPECT_TRUE(RefusalCounts(counts));
  for (const uint32_t not_counting : {0x532U, 0x533U, 0x701U, 0x773U, 0x775U}) {
    EXPECT_FALSE(RefusalCounts(not_counting));
  }
}

TEST(AdKerberos, AnswersOfARealCentre) {
  const auto known = ParseKerberosReply(Sample("krb_error_preauth"));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->error, kPreauthRequired);
  ASSERT_TRUE(known->time);
  EXPECT_EQ(std::chrono::floor<std::chrono::minutes>(*known->time),
            *ParseInstant("2026-11-22T08:09:00Z"));
  EXPECT_EQ(ParseKerberosReply(Sample("krb_error_unknown"))->error, kPrincipalUnknown);
}

TEST(AdKerberos, WhatIsNoAnswer) {
  const std::string whole = Sample("krb_error_preauth");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseKerberosReply(std::string_view(whole).substr(0, size))) << size;
  }
  EXPECT_FALSE(ParseKerberosReply("HTTP/1.1 400 Bad Request"));
  EXPECT_FALSE(ParseKerberosReply(BuildAsRequest("a", "A.TEST", 1)));
  EXPECT_EQ(ParseKerberosReply(std::string("\x6b\x00", 2))->error, 0);
}

TEST(AdKerberos, AnErrorAboutTheAccountIsNoneOfTheCentre) {
  for (const int about_the_account : {0, 6, 12, 14, 18, 23, 25}) {
    EXPECT_TRUE(ServesRealm(about_the_account)) << about_the_account;
  }
  for (const int about_the_centre : {7, 29, 60, 68}) {
    EXPECT_FALSE(ServesRealm(about_the_centre)) << about_the_centre;
  }
}

TEST(AdKerberos, TheRequestIsWhatTheOthersSend) {
  // Sent to Samba's centre, which answered as above.
  const std::string request = BuildAsRequest("svc-monitor", "AD.TEST", 0x12345678);
  EXPECT_EQ(request.size(), 136U);
  EXPECT_EQ(static_cast<uint8_t>(request[0]), 0x6a);
  EXPECT_NE(request.find(std::string("\xa7\x06\x02\x04\x12\x34\x56\x78", 8)), std::string::npos);
  const std::string longest = BuildAsRequest(std::string(253, 'a'), std::string(253, 'B'), 0);
  EXPECT_EQ(static_cast<uint8_t>(longest[1]), 0x82);
}

TEST(AdSmb, AnswersOfARealServer) {
  const std::string reply = Sample("smb_negotiate");
  EXPECT_EQ(JudgeSmbReply(reply), "");
  EXPECT_EQ(JudgeSmbReply("SSH-2.0-OpenSSH_9.2"), "no SMB 2 answer");
  std::string refused = reply;
  refused[8] = 5;
  EXPECT_EQ(JudgeSmbReply(refused), "refused with status 5");
  EXPECT_EQ(SmbReplyBytes(std::string("\0\0\0\xe0", 4)), 224U);
  EXPECT_EQ(SmbReplyBytes("SSH-"), 0U);
  EXPECT_EQ(SmbReplyBytes(std::string("\0\xff\xff\xff", 4)), 0U);
  EXPECT_EQ(BuildSmbNegotiate().size(), 4U + 64 + 36 + 8);
}

// --- Memory and options -------------------------------------------------------------------------

TEST(AdMemory, ReadsWhatItWrites) {
  AdMemory memory;
  memory.refusal = AdRefusal{"svc@1.2.3", 0x52e, FromUnixMillis(1'795'332'000'000), "dc1.ad.test"};
  memory.usn["12875486-f334"] = 3840;
  memory.mismatched["dc2.ad.test"] = FromUnixMillis(1'795'332'000'001);
  const std::string text = FormatAdMemory(memory);
  const AdMemory read = ParseAdMemory(text);
  EXPECT_EQ(FormatAdMemory(read), text);
  EXPECT_EQ(read.refusal->code, 0x52eU);
  EXPECT_EQ(read.usn.at("12875486-f334"), 3840);
  EXPECT_FALSE(ParseAdMemory("").refusal);
  EXPECT_TRUE(ParseAdMemory("usn\nusn x\nnoise\n\n").usn.empty());
}

TEST(AdMemory, AWrongPasswordIsNeverTriedAgain) {
  const Instant now = FromUnixMillis(1'795'332'000'000);
  AdMemory memory;
  EXPECT_TRUE(MayLogOn(memory, "a", now));
  memory.refusal = AdRefusal{"a", 0x52e, now, "dc1"};
  EXPECT_FALSE(MayLogOn(memory, "a", now + std::chrono::hours(24 * 365)));
  EXPECT_TRUE(MayLogOn(memory, "b", now)) << "another secret";
  // A file that is damaged still tells of the refusal.
  EXPECT_FALSE(MayLogOn(ParseAdMemory("refused a"), "a", now));
  EXPECT_FALSE(MayLogOn(ParseAdMemory("refused a x y z"), "a", now));
}

TEST(AdMemory, WhatCountsForNothingOrPerhapsIsTriedHourly) {
  const Instant now = FromUnixMillis(1'795'332'000'000);
  for (const uint32_t code : {0x775U, kRefusedRevoked, kRefusedUnanswered}) {
    AdMemory memory;
    memory.refusal = AdRefusal{"a", code, now, "dc1"};
    EXPECT_FALSE(MayLogOn(memory, "a", now + std::chrono::minutes(59)));
    EXPECT_TRUE(MayLogOn(memory, "a", now + std::chrono::hours(1)));
    EXPECT_FALSE(MayLogOn(memory, "a", now - std::chrono::hours(5)));
  }
}

TEST(AdOptionsTest, TravelAsArguments) {
  AdOptions options;
  options.domain = "ad.test";
  options.controllers = {{"dc1.ad.test", "", "/run/ldapi"}, {"dc2.ad.test", "192.0.2.1", ""}};
  options.account = "svc";
  options.password_file = "/x";
  options.memory = "/m";
  options.budget_ms = 1000;
  options.parts = {"services", "dns"};
  options.service_accounts = {"a", "b"};
  options.limits[static_cast<size_t>(AdLimitName::kClockSkew)] = {1, 2};
  const auto arguments = ToArguments(options);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  std::string fault;
  const AdOptions read = FromArguments(pointers, fault);
  EXPECT_EQ(fault, "");
  EXPECT_EQ(ToArguments(read), arguments);
  EXPECT_EQ(read.controllers[0].ldapi, "/run/ldapi");
  EXPECT_EQ(read.controllers[1].address, "192.0.2.1");
  EXPECT_EQ(read.limit(AdLimitName::kClockSkew).critical, 2);
  EXPECT_EQ(read.limit(AdLimitName::kRidPool).warning, 80);
  for (const char* odd : {"domain", "x=1", "expected=-1", "limit.x=1,2", "limit.rid_pool=1",
                          "limit.rid_pool=", "budget_ms=1s"}) {
    const char* one[] = {odd};
    fault.clear();
    FromArguments(one, fault);
    EXPECT_EQ(fault, std::string("not an option: ") + odd);
  }
}

}  // namespace
}  // namespace oppetid::agent
