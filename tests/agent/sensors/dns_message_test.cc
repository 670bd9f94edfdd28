#include "agent/sensors/dns_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/sensors/dns_bytes.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

std::vector<std::string> ValuesOf(std::string_view hex) {
  const auto reply = ParseDnsReply(FromHex(hex));
  EXPECT_TRUE(reply);
  std::vector<std::string> values;
  if (reply) {
    for (const DnsRecord& record : reply->answers) values.push_back(record.value);
  }
  return values;
}

TEST(ParseDnsReply, ReadsEveryTypeAsBindSendsIt) {
  EXPECT_THAT(ValuesOf(kReplyA), ElementsAre("192.0.2.1"));
  EXPECT_THAT(ValuesOf(kReplyCnameA), ElementsAre("example.org", "192.0.2.1"));
  EXPECT_THAT(ValuesOf(kReplyAaaa), ElementsAre("2001:db8::1"));
  EXPECT_THAT(ValuesOf(kReplyMx), ElementsAre("20 mail2.example.org", "10 mail.example.org"));
  EXPECT_THAT(ValuesOf(kReplyNs), ElementsAre("ns1.example.org", "ns2.example.net"));
  EXPECT_THAT(ValuesOf(kReplyTxt), ElementsAre("v=spf1 -all"));
  EXPECT_THAT(ValuesOf(kReplySoa), ElementsAre("ns1.example.org hostmaster.example.org 2026070101 "
                                               "7200 3600 1209600 300"));
  EXPECT_THAT(ValuesOf(kReplySrv), ElementsAre("0 100 389 dc1.example.org"));
  EXPECT_THAT(ValuesOf(kReplyPtr), ElementsAre("www.example.org"));
}

TEST(ParseDnsReply, ReadsHeaderAndQuestion) {
  const auto reply = ParseDnsReply(FromHex(kReplyA));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->id, 0x1234);
  EXPECT_FALSE(reply->truncated);
  EXPECT_EQ(reply->question, "example.org");
  EXPECT_EQ(reply->question_type, 1);
  EXPECT_EQ(ParseDnsReply(FromHex(kReplyNoSuchName))->rcode, 3);
  EXPECT_EQ(ParseDnsReply(FromHex(kReplyRefused))->rcode, 5);
  const auto cut = ParseDnsReply(FromHex(kReplyTruncated));
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->truncated);
  EXPECT_THAT(cut->answers, SizeIs(1));
}

TEST(ParseDnsReply, EveryProperPrefixIsRefused) {
  for (const std::string_view hex : {kReplyCnameA, kReplyMx, kReplyTxt, kReplySoa, kReplySrv}) {
    const auto whole = FromHex(hex);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(ParseDnsReply(std::span(whole).first(size))) << hex << " cut at " << size;
    }
  }
}

TEST(ParseDnsReply, EveryFlippedByteIsReadOrRefusedWithinBounds) {
  for (const std::string_view hex : {kReplyCnameA, kReplyMx, kReplyTxt, kReplySoa, kReplySrv}) {
    auto bytes = FromHex(hex);
    for (uint8_t& byte : bytes) {
      const uint8_t original = byte;
      for (int value = 0; value < 256; ++value) {
        byte = static_cast<uint8_t>(value);
        const auto reply = ParseDnsReply(bytes);
        if (reply) {
          EXPECT_LE(reply->answers.size(), 256u);
        }
      }
      byte = original;
    }
  }
}

TEST(ParseDnsReply, RefusesPointersThatDoNotPointBackwards) {
  // The answer's owner at offset 29 points to itself, then forward, then a mutual pair.
  const std::string head = "123485000001000100000000076578616d706c65036f72670000010001";
  const std::string rest = "000100010000012c0004c0000201";
  ASSERT_TRUE(ParseDnsReply(FromHex(head + "c00c" + rest)));
  EXPECT_FALSE(ParseDnsReply(FromHex(head + "c01d" + rest)));
  EXPECT_FALSE(ParseDnsReply(FromHex(head + "c01f" + rest)));
  EXPECT_FALSE(ParseDnsReply(FromHex(head + "c0ff" + rest)));
  EXPECT_FALSE(ParseDnsReply(FromHex("123485000001000100000000c00e c00c00010001")));
}

TEST(ParseDnsReply, RefusesNamesThatAreTooLongAndOddLabels) {
  std::string name;
  for (int i = 0; i < 127; ++i) name += "0161";
  ASSERT_TRUE(ParseDnsReply(FromHex("123485000001000000000000" + name + "0000010001")));
  EXPECT_FALSE(ParseDnsReply(FromHex("123485000001000000000000" + name + "01610000010001")));
  EXPECT_FALSE(
      ParseDnsReply(FromHex("123485000001000000000000"
                            "4161"
                            "0000010001")));
}

TEST(ParseDnsReply, RefusesQuestionsAndOtherOperations) {
  EXPECT_FALSE(ParseDnsReply(BuildDnsQuery(1, "example.org", DnsType::kA)));
  EXPECT_FALSE(
      ParseDnsReply(FromHex("1234a8000001000000000000076578616d706c65036f72670000060001")));
  EXPECT_FALSE(ParseDnsReply(FromHex("123485000000000000000000")));
  EXPECT_TRUE(ParseDnsReply(FromHex("123485010000000000000000"))) << "an error need not repeat";
}

TEST(ParseDnsReply, ReadsAtMostSoManyAnswers) {
  std::string message = "12348500000103e800000000076578616d706c65036f72670000010001";
  for (int i = 0; i < 1000; ++i) message += "c00c000100010000012c0004c0000201";
  EXPECT_THAT(ParseDnsReply(FromHex(message))->answers, SizeIs(256));
}

TEST(BuildDnsQuery, IsWhatTheStandardSays) {
  EXPECT_EQ(BuildDnsQuery(0x1234, "example.org", DnsType::kMx),
            FromHex("123401000001000000000000076578616d706c65036f726700000f0001"));
  EXPECT_EQ(BuildDnsQuery(1, ".", DnsType::kNs), FromHex("000101000001000000000000000002 0001"));
}

TEST(NormalDnsName, LowersAndChecks) {
  EXPECT_EQ(NormalDnsName("WWW.Example.ORG."), "www.example.org");
  EXPECT_EQ(NormalDnsName("_ldap._tcp.x"), "_ldap._tcp.x");
  EXPECT_EQ(NormalDnsName("."), ".");
  EXPECT_FALSE(NormalDnsName(""));
  EXPECT_FALSE(NormalDnsName("a..b"));
  EXPECT_FALSE(NormalDnsName(".a"));
  EXPECT_FALSE(NormalDnsName("a b"));
  EXPECT_TRUE(NormalDnsName(std::string(63, 'a')));
  EXPECT_FALSE(NormalDnsName(std::string(64, 'a')));
}

TEST(ReverseDnsName, TurnsAddressesRound) {
  EXPECT_EQ(ReverseDnsName("192.0.2.1"), "1.2.0.192.in-addr.arpa");
  EXPECT_EQ(ReverseDnsName("2001:db8::1"),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  EXPECT_EQ(ReverseDnsName("x.example"), "x.example");
}

}  // namespace
}  // namespace oppetid::agent
