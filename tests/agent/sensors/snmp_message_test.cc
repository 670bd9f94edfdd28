#include "agent/sensors/snmp_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/sensors/snmp_tables.h"
#include "agent/sensors/snmp_usm.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

SnmpValue Number(Oid oid, double number) {
  return {std::move(oid), SnmpType::kNumber, number, "", {}};
}

TEST(Ber, NumbersHaveTheirShortestForm) {
  EXPECT_EQ(Hex(ber::Integer(0)), "020100");
  EXPECT_EQ(Hex(ber::Integer(127)), "02017f");
  EXPECT_EQ(Hex(ber::Integer(128)), "02020080");
  EXPECT_EQ(Hex(ber::Integer(-1)), "0201ff");
  EXPECT_EQ(Hex(ber::Integer(-129)), "0202ff7f");
  for (const int64_t value : {INT64_MIN, INT64_MAX, int64_t{-32'769}, int64_t{65'536}}) {
    ber::Reader reader(ber::Integer(value));
    const std::string bytes = ber::Integer(value);
    ber::Reader again(bytes);
    EXPECT_EQ(again.TakeInteger(), value);
    EXPECT_TRUE(again.at_end());
  }
}

TEST(Ber, ObjectIdsGoThereAndBack) {
  EXPECT_EQ(Hex(ber::ObjectId({1, 3, 6, 1, 4, 1, 3854})), "06072b060104019e0e");
  for (const char* text : {"1.3.6.1.2.1.99", "0.0", "2.39.4294967295", ".1.3.128.0"}) {
    const auto oid = ParseOid(text);
    ASSERT_TRUE(oid) << text;
    const std::string bytes = ber::ObjectId(*oid);
    ber::Reader reader(bytes);
    EXPECT_EQ(ber::OidOf(*reader.Take(ber::kOid)), oid);
  }
  for (const char* text : {"", "1", "1.", "1..3", "1.3.x", "3.1", "1.40", "1.3.4294967296"}) {
    EXPECT_FALSE(ParseOid(text)) << text;
  }
  EXPECT_FALSE(ber::OidOf("\x2b\x86")) << "ends within a number";
}

TEST(Ber, LengthsThatLieAreRefused) {
  EXPECT_FALSE(ber::Reader(std::string_view("\x04\x05"
                                            "abc",
                                            5))
                   .Next());
  EXPECT_FALSE(ber::Reader(std::string_view("\x04\x80"
                                            "abc",
                                            5))
                   .Next())
      << "indefinite";
  EXPECT_FALSE(ber::Reader(std::string_view("\x04\x84\xff\xff\xff\xff", 6)).Next());
  const std::string long_text(70'000 % 60'000, 'x');
  const std::string item = ber::Item(ber::kOctets, long_text);
  ber::Reader reader(item);
  EXPECT_EQ(reader.Take(ber::kOctets), long_text);
}

TEST(SnmpMessage, AnswersAreRead) {
  // sysName.0 = "rom", sysUpTime.0 = 4294967295 (unsigned), the next one does not exist.
  const std::string bindings =
      ber::Item(ber::kSequence,
                ber::ObjectId({1, 3, 6, 1, 2, 1, 1, 5, 0}) + ber::Item(ber::kOctets, "rom")) +
      ber::Item(ber::kSequence, ber::ObjectId({1, 3, 6, 1, 2, 1, 1, 3, 0}) +
                                    ber::Item(0x43, std::string("\0\xff\xff\xff\xff", 5))) +
      ber::Item(ber::kSequence, ber::ObjectId({1, 3, 6, 1, 2, 1, 1, 9, 0}) + ber::Item(0x81, ""));
  const std::string message =
      EncodeV2c("public", ber::Item(0xA2, ber::Integer(7) + ber::Integer(0) + ber::Integer(0) +
                                              ber::Item(ber::kSequence, bindings)));
  const auto pdu = DecodeV2c(message);
  ASSERT_TRUE(pdu);
  EXPECT_EQ(pdu->request_id, 7);
  ASSERT_EQ(pdu->values.size(), 3u);
  EXPECT_EQ(pdu->values[0].text, "rom");
  EXPECT_EQ(pdu->values[1].number, 4294967295.0);
  EXPECT_EQ(pdu->values[2].type, SnmpType::kAbsent);
  for (size_t size = 0; size < message.size(); ++size) {
    EXPECT_FALSE(DecodeV2c(std::string_view(message).substr(0, size))) << size;
  }
  // A request is no answer.
  EXPECT_FALSE(DecodeV2c(EncodeV2c("public", EncodePdu({}))));
}

TEST(SnmpMessage, Version3GoesThereAndBack) {
  SnmpV3 envelope;
  envelope.id = 77;
  envelope.flags = SnmpV3::kAuthenticated | SnmpV3::kEncrypted;
  envelope.engine = "\x80\x00\x1f\x88\x80";
  envelope.boots = 3;
  envelope.time = 1'000'000;
  envelope.user = "overvak";
  envelope.mac = std::string(12, '\x11');
  envelope.salt = "saltsalt";
  envelope.body = "encrypted bytes";
  const std::string message = EncodeV3(envelope);
  const auto read = DecodeV3(message);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user, "overvak");
  EXPECT_EQ(read->time, 1'000'000);
  EXPECT_EQ(read->body, "encrypted bytes");
  EXPECT_EQ(message.substr(read->mac_at, 12), envelope.mac);
}

TEST(SnmpUsm, KeysAreThoseOfTheStandard) {
  // RFC 3414, A.3.2.
  const std::string engine("\0\0\0\0\0\0\0\0\0\0\0\2", 12);
  EXPECT_EQ(Hex(UsmKey(UsmAuth::kSha1, "maplesyrup", engine)),
            "6695febc9288e36282235fc7151f128497b38f3f");
  EXPECT_EQ(UsmKey(UsmAuth::kSha1, "", engine), "");
  EXPECT_EQ(UsmMac(UsmAuth::kSha512, "key", "text").size(), 48u);
  const std::string mac = UsmMac(UsmAuth::kSha256, "key", "text");
  EXPECT_TRUE(UsmSameMac(mac, mac));
  EXPECT_FALSE(UsmSameMac(mac, UsmMac(UsmAuth::kSha256, "kez", "text")));
  EXPECT_FALSE(UsmSameMac("", ""));
}

TEST(SnmpUsm, WhatIsEncryptedIsDecrypted) {
  const UsmCipherStart start{1, 2, "saltsalt"};
  const std::string key(20, 'k');
  const auto hidden = UsmEncrypt(key, start, "some text of any length");
  ASSERT_TRUE(hidden);
  EXPECT_NE(*hidden, "some text of any length");
  EXPECT_EQ(UsmDecrypt(key, start, *hidden), "some text of any length");
  EXPECT_FALSE(UsmEncrypt("short", start, "x"));
  EXPECT_FALSE(UsmDecrypt(key, {1, 2, "salt"}, "x"));
}

TEST(SnmpTables, SensorsAreScaled) {
  const Oid base = {1, 3, 6, 1, 2, 1, 99, 1, 1, 1};
  const auto cell = [&](uint32_t column, double value) {
    Oid oid = base;
    oid.insert(oid.end(), {column, 7});
    return Number(oid, value);
  };
  const auto read = [&](double type, double scale, double precision, double value, double status) {
    const std::vector<SnmpValue> values = {cell(1, type), cell(2, scale), cell(3, precision),
                                           cell(4, value), cell(5, status)};
    const auto rows = SensorRows(values);
    return rows.empty() ? std::nullopt : ReadingOf(rows[0], "Door 1");
  };
  EXPECT_EQ(read(8, 9, 1, 226, 1)->value, 22.6);
  EXPECT_EQ(read(8, 8, 0, 22600, 1)->value, 22.6);
  EXPECT_EQ(read(9, 9, 0, 41, 1)->value, 0.41);
  EXPECT_EQ(read(6, 10, 0, 3, 1)->value, 3000);
  EXPECT_EQ(read(12, 9, 0, 1, 1)->value, 1);
  EXPECT_EQ(read(12, 9, 0, 2, 1)->value, 0);
  EXPECT_EQ(read(12, 9, 0, 0, 1)->value, std::nullopt) << "neither true nor false";
  EXPECT_EQ(read(8, 9, 1, 226, 2)->value, std::nullopt);
  EXPECT_EQ(read(8, 99, 1, 226, 1)->value, std::nullopt);
  EXPECT_FALSE(read(10, 9, 0, 1200, 1)) << "a fan's speed";
}

// `only` chooses by name, and what is too many is judged, when all are known.
TEST(SnmpTables, NoSensorOfALargeSwitchIsLeftOut) {
  std::vector<SnmpValue> values;
  for (uint32_t row = 1; row <= 600; ++row) {
    values.push_back(Number({1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 1, row}, 8));
  }
  EXPECT_EQ(SensorRows(values).size(), 600u);
}

TEST(SnmpTables, AUpsIsRead) {
  const auto at = [](std::initializer_list<uint32_t> within, double value) {
    Oid oid = UpsRoot();
    oid.insert(oid.end(), within);
    return Number(oid, value);
  };
  std::vector<SnmpValue> values = {
      at({2, 1, 0}, 3), at({2, 2, 0}, 40),       at({2, 3, 0}, 12),       at({2, 4, 0}, 55),
      at({4, 1, 0}, 5), at({4, 4, 1, 5, 1}, 30), at({4, 4, 1, 5, 2}, 44), at({6, 1, 0}, 1)};
  const auto ups = UpsOf(values);
  ASSERT_TRUE(ups);
  EXPECT_TRUE(ups->on_battery);
  EXPECT_TRUE(ups->low_battery);
  EXPECT_FALSE(ups->alarm) << "running on battery is the alarm";
  EXPECT_EQ(ups->on_battery_seconds, 40);
  EXPECT_EQ(ups->runtime_seconds, 720);
  EXPECT_EQ(ups->load_percent, 44);
  SnmpValue alarm{{1, 3, 6, 1, 2, 1, 33, 1, 6, 2, 1, 2, 1},
                  SnmpType::kOid,
                  0,
                  "",
                  {1, 3, 6, 1, 2, 1, 33, 1, 6, 3, 1}};
  values.push_back(alarm);
  EXPECT_TRUE(UpsOf(values)->replace_battery);
  EXPECT_FALSE(UpsOf({}));
}

TEST(SnmpTables, NumbersInTextsAreNumbers) {
  EXPECT_EQ(NumberOf({{}, SnmpType::kText, 0, "22.5", {}}), 22.5);
  EXPECT_EQ(NumberOf({{}, SnmpType::kText, 0, "22.5 C", {}}), std::nullopt);
  EXPECT_EQ(NumberOf({{}, SnmpType::kAbsent, 0, "", {}}), std::nullopt);
  EXPECT_EQ(NameOf({{}, SnmpType::kText, 0, " Rack\x1b A ", {}}), "Rack  A");
}

}  // namespace
}  // namespace oppetid::agent
