// How backup tools are run, shown on a shell; what each tool says is its own sensor's test.
#include "agent/sensors/backup_tool.h"

#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

class BackupToolTest : public SensorFixture {
 protected:
  Finished Run(const std::string& script) {
    Finished finished;
    bool ended = false;
    Command command{{"/bin/sh", "-c", script}, {}};
    command.gentle = true;
    boost::asio::co_spawn(io_, RunTool(world_, std::move(command)),
                          [&](const std::exception_ptr& error, Finished result) {
                            EXPECT_FALSE(error);
                            finished = std::move(result);
                            ended = true;
                          });
    io_.restart();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (!ended && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
    EXPECT_TRUE(ended) << "not ended in time";
    return finished;
  }
};

TEST_F(BackupToolTest, GivesWayToEverythingElse) {
  // Lowered just after the start, so it waits until it is.
  const Finished finished =
      Run("until [ \"$(nice)\" = 10 ] && [ \"$(ionice -p $$)\" = 'best-effort: prio 7' ]; do :; "
          "done; echo lowered");
  EXPECT_EQ(finished.output, "lowered\n");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(RunFault(finished), "");
}

TEST_F(BackupToolTest, WhatNoToolCouldSayIsSaid) {
  EXPECT_EQ(RunFault(Run("kill -9 $$")), "it died of signal 9");
  EXPECT_EQ(RunFault(Run("exit 3")), "") << "an exit code is the tool's own word";
}

}  // namespace
}  // namespace oppetid::agent
