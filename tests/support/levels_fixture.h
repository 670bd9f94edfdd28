// Tests of what reads levels from YAML and judges by them, without a sensor around it, on a clock
// that the test moves.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/sensors/host_levels.h"
#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

class LevelsFixture : public testing::Test {
 protected:
  // What `read` makes of this YAML; its faults are in `faults_` then.
  template <typename Levels>
  Levels Read(Levels (*read)(YamlMap&), const std::string& yaml) {
    Faults faults("test.yaml");
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    Levels levels = read(map);
    map.Finish();
    faults_ = faults.lines();
    return levels;
  }

  // What `judge` says of what was seen so long after the last time.
  template <typename Judge, typename Seen>
  Answer AnswerOf(Judge& judge, Seen seen, Steady::duration after) {
    now_ += after;
    Answer answer;
    Verdict verdict;
    judge.Judge(std::move(seen), now_, verdict, answer);
    answer.state = verdict.state();
    answer.text = verdict.Text();
    return answer;
  }

  std::vector<std::string> faults_;
  Steady now_{std::chrono::hours(1)};
};

}  // namespace oppetid::agent
