// What the sensor active_directory asks of its program oppetid-ad-probe, and the form in which it
// travels: one argument `key=value` per option. No secret is among them, only the files with them.
//
// Pure functions, safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

inline constexpr size_t kMaxAdControllers = 16;  // a municipality has two to four
inline constexpr size_t kMaxAdAccounts = 50;     // listed service accounts

struct AdController {
  std::string name;     // its DNS name, as its certificate and its service principals say it
  std::string address;  // where to connect; empty: what the name resolves to
  std::string ldapi;    // a local socket for LDAP in place of port 389, on the controller itself
};

// When a measured value becomes a warning, and when critical; 0 is never.
struct AdLimit {
  int64_t warning = 0;
  int64_t critical = 0;
};

enum class AdLimitName : size_t {
  kCertificate,  // time left
  kClockSkew,
  kGpoMismatch,
  kKrbtgtAge,
  kLockedAccounts,
  kMachinePasswordAge,
  kPasswordExpiry,  // time left
  kReplicationAge,
  kReplicationFailures,
  kResponse,
  kRidPool,
  kTombstone,
};
enum class AdLimitKind { kDuration, kNumber, kPercent };
struct AdLimitRule {
  std::string_view key;
  AdLimitKind kind;
  AdLimit preset;  // durations in milliseconds
};
inline constexpr int64_t kSecondMs = 1000;
inline constexpr int64_t kHourMs = 3600 * kSecondMs;
inline constexpr int64_t kDayMs = 24 * kHourMs;
// In the order of AdLimitName. Critical is an outage in the account, so what is only hygiene (ages
// of passwords, counts of lock-outs) has no critical limit unless it is configured.
inline constexpr std::array<AdLimitRule, 12> kAdLimits = {{
    {"certificate", AdLimitKind::kDuration, {30 * kDayMs, 7 * kDayMs}},
    // Kerberos refuses at five minutes.
    {"clock_skew", AdLimitKind::kDuration, {60 * kSecondMs, 240 * kSecondMs}},
    {"gpo_mismatch", AdLimitKind::kDuration, {kHourMs, 0}},
    {"krbtgt_age", AdLimitKind::kDuration, {180 * kDayMs, 0}},
    {"locked_accounts", AdLimitKind::kNumber, {10, 0}},
    {"machine_password_age", AdLimitKind::kDuration, {60 * kDayMs, 0}},
    {"password_expiry", AdLimitKind::kDuration, {14 * kDayMs, 0}},
    {"replication_age", AdLimitKind::kDuration, {kHourMs, kDayMs}},
    // Counted towards warning only: it is the age that tells how far apart the databases are.
    {"replication_failures", AdLimitKind::kNumber, {3, 0}},
    {"response", AdLimitKind::kDuration, {kSecondMs, 0}},
    {"rid_pool", AdLimitKind::kPercent, {80, 95}},
    // Of the tombstone lifetime, after which a partner must never replicate again.
    {"tombstone", AdLimitKind::kPercent, {25, 50}},
}};

// What can be asked. The first ones (ports, rootDSE, Kerberos, SMB, clocks …) need no account;
// `sntp` must be asked for, since Samba has no time service.
inline constexpr std::array<std::string_view, 8> kAdParts = {
    "services", "dns", "certificates", "sntp", "directory", "replication", "accounts", "shares"};
inline constexpr size_t kAdPartsWithoutAccount = 4;

struct AdOptions {
  AdOptions();
  bool Asks(std::string_view part) const;
  // Whether anything is asked for that only an account can see.
  bool NeedsLogon() const;
  const AdLimit& limit(AdLimitName name) const { return limits[static_cast<size_t>(name)]; }

  std::string domain;
  std::vector<AdController> controllers;
  std::string account;        // without the domain
  std::string password_file;  // or
  std::string keytab;
  std::string ca;      // PEM; empty for the system's authorities
  std::string memory;  // file for what must be remembered from one look to the next
  int64_t expected = 0;
  int64_t budget_ms = 0;  // within which the look must be over
  std::vector<std::string> service_accounts;
  std::vector<std::string> parts;
  std::array<AdLimit, kAdLimits.size()> limits;
};

std::vector<std::string> ToArguments(const AdOptions& options);

// Reads them back. `fault` says what is wrong, or stays empty.
AdOptions FromArguments(std::span<const char* const> arguments, std::string& fault);

}  // namespace oppetid::agent
