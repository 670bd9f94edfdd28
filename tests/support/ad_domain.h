// A real Active Directory of two Samba controllers, and the sensor that asks it. The program must
// run within `tests/support/samba_domain isolate`, whose namespaces end with it.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {

inline constexpr char kScript[] = OPPETID_SOURCE_DIR "/tests/support/samba_domain";
inline constexpr char kDc1[] = "dc1.ad.test";
inline constexpr char kDc2[] = "dc2.ad.test";
inline constexpr char kDomainContext[] = "DC=ad,DC=test";

// The domain that the drills of a suite share; each leaves it whole. It ends with the suite.
class Domain {
 public:
  Domain() {
    ::chmod(directory_.path().c_str(), 0755);  // users' files are in it, served as those users
    Run("start");
    std::istringstream lines(Output("env"));
    for (std::string line; std::getline(lines, line);) {
      const size_t equals = line.find('=');
      facts_[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }

  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;
  ~Domain() { Run("stop"); }

  std::string path() const { return directory_.path() + "/ad"; }
  const std::string& fact(const std::string& name) const { return facts_.at(name); }

  // A verb of the script; fails the test when it fails.
  void Run(const std::string& verb, const std::string& arguments = "") const {
    EXPECT_EQ(Shell(std::string(kScript) + " " + verb + " " + path() + " " + arguments), 0)
        << verb << " " << arguments;
  }
  std::string Output(const std::string& verb, const std::string& arguments = "") const {
    const std::string file = directory_.path() + "/output";
    Run(verb, arguments + " >" + file);
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
  }
  std::string Admin() const { return "-U 'Administrator%" + fact("admin_password") + "'"; }
  static int Shell(const std::string& command) { return std::system(command.c_str()); }

 private:
  TempDir directory_;
  std::map<std::string, std::string> facts_;
};

class AdDomainTest : public SensorFixture {
 protected:
  static void SetUpTestSuite() { domain_ = std::make_unique<Domain>(); }
  static void TearDownTestSuite() { domain_.reset(); }

  std::string WriteSecret(const std::string& content, const std::string& name = "password") const {
    const std::string file = own_.path() + "/" + name;
    std::ofstream(file) << content;
    ::chmod(file.c_str(), 0600);
    return file;
  }

  // A check's keys with an account and its password.
  std::string Config(const std::string& more = "", const std::string& account = "svc-monitor",
                     const std::string& password = domain_->fact("monitor_password")) const {
    return Keys("account: " + account + ", password_file: " + WriteSecret(password) + ", " + more);
  }
  std::string Keys(const std::string& more) const {
    // The machine may be busy with other tests.
    return "{sensor: active_directory, domain: ad.test, controllers: [dc1.ad.test, dc2.ad.test], "
           "deadline: 30s, response: {warning: 1m}, ca: " +
           domain_->fact("ca") + ", memory: " + own_.path() + "/memory, " + more + "}";
  }

  // Asks until this holds, at most for so long; the last answer.
  Answer Until(Sensor& sensor, const std::function<bool(const Answer&)>& holds,
               std::chrono::seconds within = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + within;
    Answer answer = Ask(sensor);
    while (!holds(answer) && std::chrono::steady_clock::now() < end) answer = Ask(sensor);
    return answer;
  }
  // The domain has got over a drill.
  void AwaitHealth() {
    domain_->Run("wait", "60");
    const auto sensor = Make(Config());
    const Answer answer = Until(*sensor, [](const Answer& a) { return a.state == State::kOk; });
    EXPECT_EQ(answer.state, State::kOk) << answer.text;
  }

  static Labels Dc(const char* dc) { return {{"dc", dc}, {"domain", "ad.test"}}; }
  static Labels Probe(const char* dc, const char* probe) {
    return {{"dc", dc}, {"domain", "ad.test"}, {"probe", probe}};
  }
  static Labels Link(const char* dc, const char* partner) {
    return {{"dc", dc}, {"domain", "ad.test"}, {"nc", kDomainContext}, {"partner", partner}};
  }
  static Labels Account(const char* account, const char* state) {
    return {{"account", account}, {"domain", "ad.test"}, {"state", state}};
  }
  static double ProbeOk(const Answer& answer, const char* dc, const char* probe) {
    return Value(answer, "ad_probe_success", Probe(dc, probe)).value_or(-1);
  }
  // Wrong passwords of an account that all controllers together have counted.
  static int WrongPasswords(const std::string& account) {
    int sum = 0;
    for (const char* dc : {"dc1", "dc2"}) {
      const std::string shown =
          domain_->Output("tool", dc + (" user show " + account + " --attributes=badPwdCount"));
      constexpr std::string_view kBefore = "badPwdCount: ";
      const size_t at = shown.find(kBefore);
      if (at != std::string::npos) sum += std::atoi(shown.c_str() + at + kBefore.size());
    }
    return sum;
  }
  void LogOnWrongly(const std::string& account, int times) const {
    for (int i = 0; i < times; ++i) {
      const int refused =
          Domain::Shell("LDAPTLS_CACERT=" + domain_->fact("ca") + " ldapwhoami -x -H ldaps://" +
                        kDc1 + " -D " + account + "@ad.test -w wrong >/dev/null 2>&1");
      EXPECT_NE(refused, 0);
    }
  }

  inline static std::unique_ptr<Domain> domain_;
  TempDir own_;
};

}  // namespace oppetid::agent
