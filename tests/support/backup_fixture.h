// What the tests of backup sensors share: a directory of their own, a shell for the real tools, and
// answers as of another time, so that old states need no waiting.
#pragma once

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/cancel.h"
#include "tests/support/manual_clock.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {

// The exit code of a shell script; its output goes to the test's own.
inline int Shell(const std::string& script) {
  const int status = std::system(("set -e\nexport TZ=UTC LC_ALL=C.UTF-8\n" + script).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream file(path);
  file << content;
  if (!file.flush()) std::abort();
}

class BackupFixture : public SensorFixture {
 protected:
  // The answer of the sensor if the clock stood so much later.
  Answer AskLater(const std::string& yaml, Millis by) {
    clock_later_.SetWall(clock_.Now() + by);
    Faults faults("test.yaml");
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    const std::string name = map.RequiredString("sensor");
    for (const SensorType& type : SensorTypes()) {
      if (type.name != name) continue;
      const auto sensor = type.make(map, later_);
      map.Finish();
      EXPECT_THAT(faults.lines(), testing::IsEmpty());
      return Ask(*sensor);
    }
    ADD_FAILURE() << "no such sensor";
    return {};
  }
  using SensorFixture::Ask;

  // The sample of this family whatever its labels; the families of a job have one each.
  static std::optional<double> Of(const Answer& answer, std::string_view family) {
    for (const Sample& sample : answer.samples) {
      if (sample.family == family) return sample.value;
    }
    return std::nullopt;
  }
  // The label `result` of backup_last_result.
  static std::string Result(const Answer& answer) {
    for (const Sample& sample : answer.samples) {
      if (sample.family != "backup_last_result") continue;
      for (const auto& [name, value] : sample.labels) {
        if (name == "result") return value;
      }
    }
    return "";
  }

 private:
  ManualClock clock_later_{Instant{}};
  World later_{io_.get_executor(), pool_, clock_later_, ""};
};

// With a directory of repositories, made once for all tests of the suite.
class RepositoryFixture : public BackupFixture {
 protected:
  static void SetUpTestSuite() { directory_ = std::make_unique<TempDir>(); }
  static void TearDownTestSuite() { directory_.reset(); }
  static std::string Dir() { return directory_->path(); }

  // `config` has the program Dir()/slow for `tool`, and four runs: where the question `verb` for
  // their sizes does not end within the deadline, the next attempt gives the rest without it.
  void ExpectSlowSizesHideNothingElse(const std::string& tool, const std::string& verb,
                                      const std::string& config) {
    const std::string slow = Dir() + "/slow", pipe = Dir() + "/big", mark = Dir() + "/sizing";
    std::ofstream(slow) << "#!/bin/sh\ncase \"$*\" in *' " << verb << " '*) if [ -p " << pipe
                        << " ]; then : >" << mark << "; exec cat " << pipe << "; fi;; esac\nexec "
                        << tool << " \"$@\"\n";
    ASSERT_EQ(::chmod(slow.c_str(), 0755), 0);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const auto sensor = Make(config);
    ExpectEndsWhenCancelled(io_, *sensor, [&] { return ::access(mark.c_str(), F_OK) == 0; });
    const Answer without = Ask(*sensor);
    EXPECT_EQ(without.state, State::kUnknown);
    EXPECT_THAT(without.text, testing::StartsWith("size: not within the deadline"));
    EXPECT_NE(Of(without, "backup_last_success_timestamp_seconds"), std::nullopt);
    EXPECT_EQ(without.backup_runs.size(), 4U);
    ASSERT_EQ(::unlink(pipe.c_str()), 0);
    EXPECT_EQ(Ask(*sensor).state, State::kOk) << "it is tried again";
  }

 private:
  inline static std::unique_ptr<TempDir> directory_;
};

}  // namespace oppetid::agent
