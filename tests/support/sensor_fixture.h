// Asks one sensor, made from a line of YAML as an operator would write it, and waits for the
// answer.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>

#include "agent/sensors/registry.h"
#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

// Owns the loop, the pool and the clock that a sensor needs. Use as a test fixture's base.
class SensorFixture : public testing::Test {
 protected:
  // The sensor of `yaml`, e.g. "{sensor: tcp, target: '127.0.0.1:22'}"; fails the test on a fault.
  std::unique_ptr<Sensor> Make(const std::string& yaml) {
    Faults faults("test.yaml");
    auto sensor = MakeWithFaults(yaml, faults);
    EXPECT_THAT(faults.lines(), testing::IsEmpty());
    return sensor;
  }

  // The faults that `yaml` gives, one a line.
  std::vector<std::string> FaultsOf(const std::string& yaml) {
    Faults faults("test.yaml");
    MakeWithFaults(yaml, faults);
    return faults.lines();
  }

  // Runs the loop until the sensor has answered; fails the test after `limit`.
  Answer Ask(Sensor& sensor, std::chrono::seconds limit = std::chrono::seconds(120)) {
    std::optional<Answer> answer;
    boost::asio::co_spawn(io_, sensor.Ask(), [&](std::exception_ptr error, Answer a) {
      EXPECT_FALSE(error) << "a sensor must not throw";
      answer = std::move(a);
    });
    io_.restart();
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!answer && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
    EXPECT_TRUE(answer) << "no answer in time";
    return answer.value_or(Answer{});
  }

  Answer Ask(const std::string& yaml) {
    auto sensor = Make(yaml);
    return sensor ? Ask(*sensor) : Answer{};
  }

  // The value of the sample with this family and these labels; nullopt when there is none.
  static std::optional<double> Value(const Answer& answer, std::string_view family,
                                     const Labels& labels = {}) {
    for (const Sample& sample : answer.samples) {
      if (sample.family == family && sample.labels == labels) return sample.value;
    }
    return std::nullopt;
  }

  boost::asio::io_context io_{1};
  BlockingPool pool_{"test-pool", 2};
  SystemClock clock_;
  World world_{io_.get_executor(), pool_, clock_, ""};

 private:
  std::unique_ptr<Sensor> MakeWithFaults(const std::string& yaml, Faults& faults) {
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    const std::string name = map.RequiredString("sensor");
    for (const SensorType& type : SensorTypes()) {
      if (type.name != name) continue;
      auto sensor = type.make(map, world_);
      map.Finish();
      return sensor;
    }
    faults.Add({}, "no such sensor");
    return nullptr;
  }
};

}  // namespace oppetid::agent
