#include <unistd.h>

#include "common/file.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ProcessTest : public SensorFixture {
 protected:
  void UseCaptured() { world_.root = OPPETID_SOURCE_DIR "/tests/testdata/host"; }
};

TEST_F(ProcessTest, CountsByNameWithoutZombies) {
  UseCaptured();
  const Answer answer = Ask("{sensor: process, match: '^cron$'}");
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_EQ(answer.text, "1 process");
  EXPECT_EQ(Value(answer, "process_count"), 1.0);
}

TEST_F(ProcessTest, CriticalWhenTooFewOrTooMany) {
  UseCaptured();
  const Answer few = Ask("{sensor: process, match: '^cron$', at_least: 2}");
  EXPECT_EQ(few.state, State::kCritical);
  EXPECT_EQ(few.text, "1 process, fewer than 2");
  const Answer many = Ask("{sensor: process, match: '.', at_most: 3}");
  EXPECT_EQ(many.state, State::kCritical);
  EXPECT_EQ(many.text, "4 processes, more than 3");
  const Answer none = Ask("{sensor: process, match: '^cryptominer', at_most: 0}");
  EXPECT_EQ(none.state, State::kOk);
  EXPECT_EQ(Value(none, "process_count"), 0.0);
}

TEST_F(ProcessTest, MatchesTheCommandLineWithBlanksBetweenArguments) {
  UseCaptured();
  EXPECT_EQ(Value(Ask("{sensor: process, match: '/cron -f$', against: command}"), "process_count"),
            1.0);
  EXPECT_EQ(Value(Ask("{sensor: process, match: '^kthreadd', against: command}"), "process_count"),
            0.0);
}

TEST_F(ProcessTest, ANameMayLookLikeTheStateOfAZombie) {
  UseCaptured();
  EXPECT_EQ(Value(Ask("{sensor: process, match: 'Z name'}"), "process_count"), 1.0);
}

TEST_F(ProcessTest, FindsItselfInTheRealProc) {
  auto name = ReadFile("/proc/self/comm");
  ASSERT_TRUE(name.ok());
  name->pop_back();
  const Answer by_name = Ask("{sensor: process, match: '^" + *name + "$'}");
  EXPECT_EQ(by_name.state, State::kOk) << by_name.text;
  EXPECT_GE(Value(by_name, "process_count"), 1.0);
  const Answer by_command = Ask("{sensor: process, match: '" + *name + "', against: command}");
  EXPECT_GE(Value(by_command, "process_count"), 1.0);
}

TEST_F(ProcessTest, UnknownWithoutProc) {
  world_.root = "/no-such-directory";
  const Answer answer = Ask("{sensor: process, match: x}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("cannot read /no-such-directory/proc"));
  EXPECT_EQ(Value(answer, "process_count"), std::nullopt);
}

// With hidepid there is a /proc, but process 1 is not in it.
TEST_F(ProcessTest, UnknownWhenOthersProcessesAreHidden) {
  world_.root = OPPETID_SOURCE_DIR "/tests/testdata/host/hidepid";
  const Answer answer = Ask("{sensor: process, match: x}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("hidepid"));
}

TEST_F(ProcessTest, OddConfigurationsAreFaults) {
  EXPECT_THAT(FaultsOf("{sensor: process}"), ElementsAre(HasSubstr("`match` is missing")));
  EXPECT_THAT(FaultsOf("{sensor: process, match: '('}"),
              ElementsAre(HasSubstr("`(` is not a regular expression (RE2 syntax): missing )")));
  EXPECT_THAT(FaultsOf("{sensor: process, match: x, at_least: 3, at_most: 2}"),
              ElementsAre(HasSubstr("`at_most` must not be below `at_least`, which is 3")));
  EXPECT_THAT(FaultsOf("{sensor: process, match: x, at_least: 0}"),
              ElementsAre(HasSubstr("always be ok")));
  EXPECT_THAT(FaultsOf("{sensor: process, match: x, against: args}"),
              ElementsAre(HasSubstr("not one of name, command")));
  EXPECT_THAT(FaultsOf("{sensor: process, match: x, at_lest: 1}"),
              ElementsAre(HasSubstr("did you mean `at_least`?")));
}

}  // namespace
}  // namespace oppetid::agent
