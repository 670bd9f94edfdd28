// What the tests of reports share: an agent's reports on a disk in memory, a clock of the test's
// own, and the `report` and `job` sensors over them.
#pragma once

#include <unistd.h>

#include <optional>
#include <string>

#include "agent/reports.h"
#include "tests/support/fake_disk.h"
#include "tests/support/manual_clock.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {

constexpr uid_t kTestUser = 4321;

class ReportsFixture : public testing::Test {
 protected:
  // An agent that starts with these checks, on what the disk holds.
  void Start(std::vector<std::string> checks) {
    reports_.emplace(clock_);
    world_.emplace(World{io_.get_executor(), pool_, clock_, "", &*reports_});
    sensors_.clear();
    for (const std::string& yaml : checks) {
      Faults faults("test.yaml");
      const Yaml root = ParseYaml(yaml, faults);
      YamlMap map(root, faults);
      const std::string name = map.RequiredString("name");
      const std::string sensor = map.RequiredString("sensor");
      for (const SensorType& type : SensorTypes()) {
        if (type.name == sensor) sensors_[name] = type.make(map, *world_);
      }
      map.Finish();
      EXPECT_THAT(faults.lines(), testing::IsEmpty());
    }
    reports_->set_on_news([this](const std::string& check) { news_.push_back(check); });
    ASSERT_TRUE(reports_->Open(disk_).ok());
  }

  Answer Ask(const std::string& check) {
    std::optional<Answer> answer;
    boost::asio::co_spawn(io_, sensors_.at(check)->Ask(), [&](std::exception_ptr error, Answer a) {
      EXPECT_FALSE(error);
      answer = std::move(a);
    });
    io_.restart();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (!answer && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
    EXPECT_TRUE(answer);
    return answer.value_or(Answer{});
  }

  // The reason of the refusal; empty when it was accepted.
  std::string Report(const std::string& line, uid_t user = kTestUser) {
    const std::string reply = reports_->Take(line, user);
    EXPECT_TRUE(reply.ends_with('\n'));
    return ParseReply(reply).value_or("no reply");
  }
  // Of the job `nightly`.
  std::string Job(const std::string& state, const std::string& more = "") {
    return Report(R"({"job":"nightly","state":")" + state + "\"" + more + "}");
  }

  boost::asio::io_context io_{1};
  BlockingPool pool_{"test-pool", 1};
  // 1 July 2026.
  ManualClock clock_{FromUnixMillis(1'782'864'000'000)};
  FakeDisk disk_;
  std::optional<Reports> reports_;
  std::optional<World> world_;
  std::map<std::string, std::unique_ptr<Sensor>> sensors_;
  std::vector<std::string> news_;
};

}  // namespace oppetid::agent
