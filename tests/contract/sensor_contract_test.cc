// What every registered sensor promises, tried on the example that is shipped for it.
//
// Wherever this runs, most targets of the example are not there: that is the point. A sensor
// answers by its deadline all the same, with one line for people and with samples of families it
// may give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <set>

#include "agent/config.h"
#include "agent/reports.h"
#include "agent/runner.h"
#include "agent/sensors/registry.h"
#include "common/families.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using testing::HasSubstr;

constexpr Millis kDeadline{3'000};
// Everything that was asked has let go by then, however busy the machine is.
constexpr auto kPatience = std::chrono::seconds(60);

class SensorContract : public testing::Test {
 protected:
  SensorContract() {
    const auto text = ReadFile(std::string(OPPETID_SOURCE_DIR) + "/deploy/agent.example.yaml");
    EXPECT_TRUE(text.ok()) << text.status();
    if (text.ok()) example_ = *text;
  }
  AgentConfig Read(const std::string& text, std::vector<std::string>* faults) {
    Faults found("agent.yaml");
    AgentConfig config = ReadAgentConfig(text, found, world_);
    *faults = found.lines();
    return config;
  }
  // The example's checks, a line each.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (size_t at = 0; at < example_.size();) {
      const size_t end = std::min(example_.find('\n', at), example_.size());
      const std::string line = example_.substr(at, end - at);
      if (line.rfind("  - {name:", 0) == 0) lines.push_back(line);
      at = end + 1;
    }
    return lines;
  }

  boost::asio::io_context io_{1};
  BlockingPool pool_{"test-pool", 4};
  SystemClock clock_;
  Reports reports_{clock_};
  World world_{io_.get_executor(), pool_, clock_, "", &reports_};
  std::string example_;
};

TEST_F(SensorContract, EachHasAnExample) {
  std::vector<std::string> faults;
  const AgentConfig config = Read(example_, &faults);
  EXPECT_THAT(faults, testing::IsEmpty());
  std::set<std::string_view> shown;
  for (const CheckSpec& check : config.checks) shown.insert(check.sensor);
  for (const SensorType& type : SensorTypes()) EXPECT_TRUE(shown.contains(type.name)) << type.name;
}

TEST_F(SensorContract, EachRefusesAKeyItDoesNotKnow) {
  ASSERT_GE(Lines().size(), SensorTypes().size());
  for (std::string line : Lines()) {
    line.insert(line.rfind('}'), ", no_such_key: 1");
    std::vector<std::string> faults;
    Read("collector: [\"c:1\"]\nstate: /s\nchecks:\n" + line + "\n", &faults);
    EXPECT_THAT(faults, testing::ElementsAre(HasSubstr("`no_such_key`"))) << line;
  }
}

void ExpectWellFormed(const std::string& sensor, const Answer& answer) {
  EXPECT_FALSE(answer.text.empty()) << sensor;
  EXPECT_EQ(OneLine(answer.text), answer.text) << sensor << ": one line, UTF-8, 256 bytes";
  for (const Sample& sample : answer.samples) {
    const Family* family = FindFamily(sample.family);
    ASSERT_NE(family, nullptr) << sensor << ": " << sample.family;
    for (const auto& [label, value] : sample.labels) {
      EXPECT_THAT("," + std::string(family->labels) + ",", HasSubstr("," + label + ","))
          << sensor << ": " << sample.family;
      EXPECT_TRUE(IsUtf8(value)) << sensor << ": " << sample.family;
    }
  }
}

TEST_F(SensorContract, EachAnswersInTimeWhateverIsThere) {
  std::vector<std::string> faults;
  AgentConfig config = Read(example_, &faults);
  ASSERT_THAT(faults, testing::IsEmpty());
  Runner runner(world_, config.sensors);
  size_t answered = 0;
  for (size_t i = 0; i < config.sensors.size(); ++i) {
    const std::string sensor = config.checks[i].sensor;
    runner.Ask(i, kDeadline,
               [&answered, sensor](const Answer& answer, Instant, std::chrono::microseconds) {
                 ++answered;
                 ExpectWellFormed(sensor, answer);
               });
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (runner.under_way() > 0 && std::chrono::steady_clock::now() < end) {
    io_.run_one_for(Millis(100));
  }
  EXPECT_EQ(answered, config.sensors.size());
  EXPECT_EQ(runner.under_way(), 0U) << "somebody does not let go";
}

}  // namespace
}  // namespace oppetid::agent
