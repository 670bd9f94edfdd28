#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
extern "C" {  // glibc 2.36 forgot to say so itself
#include <sys/pidfd.h>
}

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <filesystem>
#include <fstream>
#include <future>

#include "agent/sensors/file_trust.h"
#include "agent/sensors/subprocess.h"
#include "common/text.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr int kPatienceMs = 120'000;

// Whether this process, a child or not, is dead or dies in time.
bool Dies(pid_t pid) {
  const int pidfd = ::pidfd_open(pid, 0);
  if (pidfd < 0) return errno == ESRCH;
  pollfd poll_fd{pidfd, POLLIN, 0};
  const bool dead = ::poll(&poll_fd, 1, kPatienceMs) == 1;
  ::close(pidfd);
  return dead;
}

class ExecTest : public SensorFixture {
 protected:
  ExecTest() {
    std::string pattern = testing::TempDir() + "/exec_test_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ExecTest() override { std::filesystem::remove_all(directory_); }

  // Writes a shell script and gives its path.
  std::string Script(const std::string& body, mode_t mode = 0755) {
    const std::string path = directory_ + "/script" + std::to_string(++scripts_);
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    ::chmod(path.c_str(), mode);
    return path;
  }

  static std::string Config(const std::string& path) {
    return "{sensor: exec, command: ['" + path + "']}";
  }
  Answer Run(const std::string& body) { return Ask(Config(Script(body))); }

  std::string directory_;
  int scripts_ = 0;
};

TEST_F(ExecTest, ExitCodesAreStates) {
  for (const State state : kStates) {
    const std::string code = std::to_string(static_cast<int>(state));
    const Answer answer =
        Ask("{sensor: exec, command: [/usr/lib/nagios/plugins/check_dummy, '" + code + "', hei]}");
    EXPECT_EQ(answer.state, state);
    EXPECT_THAT(answer.text, HasSubstr(": hei"));
  }
}

TEST_F(ExecTest, RealPluginsGiveValuesAndThresholds) {
  const Answer load =
      Ask("{sensor: exec, command: [/usr/lib/nagios/plugins/check_load, -w, '9000', -c, '9900']}");
  EXPECT_EQ(load.state, State::kOk);
  EXPECT_GE(Value(load, "plugin_value", {{"label", "load1"}, {"unit", ""}}), 0.0);
  EXPECT_EQ(Value(load, "plugin_warning", {{"bound", "upper"}, {"label", "load15"}, {"unit", ""}}),
            9000.0);
  EXPECT_EQ(Value(load, "plugin_critical", {{"bound", "upper"}, {"label", "load5"}, {"unit", ""}}),
            9900.0);
  EXPECT_EQ(Value(load, "plugin_values_ignored"), 0.0);

  const Answer processes =
      Ask("{sensor: exec, command: [/usr/lib/nagios/plugins/check_procs, -c, '1:']}");
  EXPECT_EQ(processes.state, State::kOk);
  EXPECT_GE(Value(processes, "plugin_value", {{"label", "procs"}, {"unit", ""}}), 1.0);
  EXPECT_EQ(
      Value(processes, "plugin_critical", {{"bound", "lower"}, {"label", "procs"}, {"unit", ""}}),
      1.0);

  const Answer disk = Ask(
      "{sensor: exec, command: [/usr/lib/nagios/plugins/check_disk, -w, '0%', -c, '0%', -p, /]}");
  EXPECT_EQ(disk.state, State::kOk) << disk.text;
  EXPECT_GT(Value(disk, "plugin_value", {{"label", "/"}, {"unit", "bytes"}}), 0.0);
}

TEST_F(ExecTest, TheWorldOfAPluginIsClean) {
  ::setenv("OPPETID_TEST_SECRET", "hunter2", 1);
  const Answer answer =
      Ask("{sensor: exec, command: [/usr/bin/env, '-0'], environment: {TOKEN: 'a b'}}");
  EXPECT_EQ(answer.text,
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "
            "TOKEN=a b ");
  const Answer own =
      Ask("{sensor: exec, command: [/usr/bin/env, '-0'], environment: {PATH: /bin, LANG: nb_NO}}");
  EXPECT_EQ(own.text, "PATH=/bin LANG=nb_NO ");

  const int leak = ::fcntl(0, F_DUPFD, 77);  // without CLOEXEC
  ASSERT_GE(leak, 77);
  const std::string fd = std::to_string(leak);
  const Answer closed =
      Run("[ -e /proc/$$/fd/" + fd + " ] && echo leaked || echo closed in $(pwd)");
  ::close(leak);
  EXPECT_EQ(closed.text, "closed in /");
  EXPECT_EQ(Run("cat; echo end of input").text, "end of input");
}

TEST_F(ExecTest, SignalsIgnoredHereAreNotIgnoredThere) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(Run("kill -PIPE $$; echo survived").text, "died of signal 13");
  ::signal(SIGPIPE, before);
}

TEST_F(ExecTest, OtherEndsAreUnknownAndSayWhich) {
  const Answer code = Run("echo all is well; exit 42");
  EXPECT_EQ(code.state, State::kUnknown);
  EXPECT_EQ(code.text, "exit code 42 is none of 0 to 3: all is well");
  const Answer signal = Run("kill -9 $$");
  EXPECT_EQ(signal.state, State::kUnknown);
  EXPECT_EQ(signal.text, "died of signal 9");
  EXPECT_EQ(Run("kill -SEGV $$").text, "died of signal 11");
}

TEST_F(ExecTest, StandardErrorSpeaksWhenStandardOutputIsSilent) {
  EXPECT_EQ(Run("echo; echo '  no route' >&2; exit 2").text, "no route");
  EXPECT_EQ(Run("echo fine; echo noise >&2").text, "fine");
  const Answer silent = Run("exit 2");
  EXPECT_EQ(silent.state, State::kCritical);
  EXPECT_EQ(silent.text, "no output, exit code 2");
}

TEST_F(ExecTest, WhatCannotRunIsUnknown) {
  const Answer missing = Ask(Config(directory_ + "/no-such-plugin"));
  EXPECT_EQ(missing.state, State::kUnknown);
  EXPECT_THAT(missing.text, HasSubstr("No such file or directory"));
  EXPECT_THAT(missing.samples, IsEmpty());

  const Answer not_executable = Ask(Config(Script("echo hi", 0644)));
  EXPECT_EQ(not_executable.state, State::kUnknown);
  EXPECT_THAT(not_executable.text, HasSubstr("Permission denied"));

  const Answer folder = Ask(Config(directory_));
  EXPECT_EQ(folder.state, State::kUnknown);
  EXPECT_THAT(folder.text, HasSubstr("not a regular file"));
}

TEST_F(ExecTest, WhatOthersCanChangeIsRefused) {
  const std::string script = Script("echo hi", 0757);
  EXPECT_THAT(FaultsOf(Config(script)), ElementsAre(HasSubstr("script1` is writable by others")));
  ::chmod(script.c_str(), 0775);
  EXPECT_THAT(FaultsOf(Config(script)), ElementsAre(HasSubstr("writable by others")));

  // Changed after the start of the agent: refused then.
  ::chmod(script.c_str(), 0755);
  auto sensor = Make(Config(script));
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  ::chmod(directory_.c_str(), 0777);
  const Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, StartsWith("refused to run: "));
  EXPECT_THAT(answer.text, HasSubstr("writable by others (chmod go-w)"));
  ::chmod(directory_.c_str(), 0700);
}

TEST_F(ExecTest, LinksDoNotHideAWritableDirectory) {
  std::filesystem::create_directory(directory_ + "/open");
  std::filesystem::create_directory(directory_ + "/shut");
  ::chmod((directory_ + "/open").c_str(), 0777);
  std::filesystem::rename(Script("echo hi"), directory_ + "/open/plugin");
  std::filesystem::create_symlink("../open/plugin", directory_ + "/shut/link");
  EXPECT_TRUE(ExamineProgram(directory_ + "/shut/link").writable_by_others);
  EXPECT_TRUE(ExamineProgram(directory_ + "/open/../shut/link").writable_by_others);
  ::chmod((directory_ + "/open").c_str(), 0755);
  EXPECT_THAT(ExamineProgram(directory_ + "/shut/link").reason, IsEmpty());
  EXPECT_EQ(Ask(Config(directory_ + "/shut/link")).text, "hi");

  std::filesystem::create_symlink("loop", directory_ + "/loop");
  EXPECT_THAT(ExamineProgram(directory_ + "/loop").reason, HasSubstr("too many links"));
}

TEST_F(ExecTest, KeepsAFewOfTenMillionBytes) {
  const Answer answer = Run("head -c 10000000 /dev/zero | tr '\\0' x; exit 1");
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_EQ(answer.text, std::string(256, 'x'));
  Subprocess subprocess({{Script("head -c 10000000 /dev/zero")}, {}}, world_);
  std::optional<Finished> finished;
  boost::asio::co_spawn(io_, subprocess.Run(),
                        [&](std::exception_ptr, Finished f) { finished = std::move(f); });
  io_.restart();
  io_.run();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->output.size(), kMaxStdoutBytes);
  EXPECT_TRUE(finished->output_cut);
}

TEST_F(ExecTest, HostileTextIsMadeSafe) {
  const Answer answer =
      Run(R"(printf '\033[31mred\007 \377\376 \303|\047l\001\377\047=1;;;; b=2\n')");
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_TRUE(IsUtf8(answer.text));
  EXPECT_EQ(answer.text, " [31mred  \xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD");
  EXPECT_EQ(Value(answer, "plugin_value", {{"label", "l \xEF\xBF\xBD"}, {"unit", ""}}), 1.0);
  EXPECT_EQ(Value(answer, "plugin_value", {{"label", "b"}, {"unit", ""}}), 2.0);
}

TEST_F(ExecTest, AGrandchildThatKeepsTheOutputOpenDelaysNothingAndDies) {
  const Answer answer = Run("sleep 1000 & echo $!");
  EXPECT_EQ(answer.state, State::kOk);
  const pid_t grandchild = static_cast<pid_t>(std::stol(answer.text));
  EXPECT_TRUE(Dies(grandchild));
}

// A sensor whose plugin hangs, with a child, after it has told its process ids.
class HangTest : public ExecTest {
 protected:
  HangTest() {
    const std::string fifo = directory_ + "/fifo";
    ::mkfifo(fifo.c_str(), 0600);
    fifo_ = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);  // also to write: there is no end of file
    script_ = Script("trap '' TERM HUP INT\nsleep 1000 & echo $$ $! > " + fifo + "\nwait");
  }
  ~HangTest() override { ::close(fifo_); }

  // Runs `io` until the plugin has told its ids.
  void RunUntilItHangs(boost::asio::io_context& io) {
    boost::asio::posix::stream_descriptor reader(io, ::dup(fifo_));
    std::string line;
    bool told = false;
    boost::asio::async_read_until(reader, boost::asio::dynamic_buffer(line), '\n',
                                  [&](boost::system::error_code, size_t) { told = true; });
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (!told && std::chrono::steady_clock::now() < end) io.run_one_until(end);
    ASSERT_TRUE(told);
    std::istringstream(line) >> parent_ >> child_;
    ASSERT_GT(child_, 1);
  }

  std::string script_;
  int fifo_ = -1;
  pid_t parent_ = 0;
  pid_t child_ = 0;
};

TEST_F(HangTest, CancellingKillsTheGroupAndReaps) {
  auto sensor = Make(Config(script_));
  boost::asio::cancellation_signal cancel;
  bool ended = false;
  std::optional<Answer> too_early;
  const auto on_end = [&](std::exception_ptr error, const Answer&) {
    ended = true;
    EXPECT_TRUE(error);
    // Asked again before the loop could reap: no second one beside the first.
    boost::asio::co_spawn(io_, sensor->Ask(),
                          [&](std::exception_ptr, Answer a) { too_early = std::move(a); });
  };
  boost::asio::co_spawn(io_, sensor->Ask(),
                        boost::asio::bind_cancellation_slot(cancel.slot(), on_end));
  ASSERT_NO_FATAL_FAILURE(RunUntilItHangs(io_));
  EXPECT_FALSE(ended);
  cancel.emit(boost::asio::cancellation_type::terminal);
  // The start may not have been reported yet, which gives the loop no work to wait for.
  const auto work = boost::asio::make_work_guard(io_);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (::kill(parent_, 0) == 0 && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
  EXPECT_TRUE(ended);
  EXPECT_TRUE(Dies(child_));
  EXPECT_EQ(::kill(parent_, 0), -1) << "not reaped";
  ASSERT_TRUE(too_early);
  EXPECT_EQ(too_early->state, State::kUnknown);
  EXPECT_THAT(too_early->text, HasSubstr("has not ended yet"));

  // And now it may run again.
  std::ofstream(script_) << "#!/bin/sh\necho again\n";
  EXPECT_EQ(Ask(*sensor).text, "again");
}

TEST_F(ExecTest, CancellingAStartThatHangsStartsNoSecondOne) {
  std::optional<BlockingPool> pool(std::in_place, "test-busy", 1);
  std::promise<void> release;
  pool->Post([busy = release.get_future().share()] { busy.wait(); });
  World world{io_.get_executor(), *pool, clock_, ""};
  Subprocess subprocess({{Script("echo hi; exec sleep 60")}, {}}, world);
  boost::asio::cancellation_signal cancel;
  bool failed = false;
  const auto on_end = [&](std::exception_ptr error, const Finished&) { failed = error != nullptr; };
  boost::asio::co_spawn(io_, subprocess.Run(),
                        boost::asio::bind_cancellation_slot(cancel.slot(), on_end));
  io_.poll();
  cancel.emit(boost::asio::cancellation_type::terminal);
  io_.restart();
  io_.poll();
  EXPECT_TRUE(failed);
  std::optional<Finished> second;
  boost::asio::co_spawn(io_, subprocess.Run(),
                        [&](std::exception_ptr, Finished f) { second = std::move(f); });
  io_.restart();
  io_.poll();
  ASSERT_TRUE(second);
  EXPECT_THAT(second->fault, HasSubstr("has not ended yet"));

  // The start that nobody waits for any more happens after all, and is undone.
  release.set_value();
  pool.reset();
  io_.restart();
  io_.poll();
  siginfo_t info{};
  const bool reaped = ::waitid(P_ALL, 0, &info, WEXITED) != 0 && errno == ECHILD;
  EXPECT_TRUE(reaped || info.si_code == CLD_KILLED);
}

TEST_F(HangTest, DestroyingTheLoopKillsTheGroup) {
  std::unique_ptr<Sensor> sensor;
  {
    boost::asio::io_context io;
    BlockingPool pool("test-loop", 1);  // ends before its loop, as in the agent
    World world{io.get_executor(), pool, clock_, ""};
    Faults faults("test.yaml");
    const Yaml yaml = ParseYaml("{command: ['" + script_ + "']}", faults);
    YamlMap map(yaml, faults);
    sensor = MakeExecSensor(map, world);
    boost::asio::co_spawn(io, sensor->Ask(), [](std::exception_ptr, const Answer&) {});
    ASSERT_NO_FATAL_FAILURE(RunUntilItHangs(io));
  }
  EXPECT_TRUE(Dies(parent_));
  EXPECT_TRUE(Dies(child_));
}

TEST_F(ExecTest, OddConfigurationsAreFaults) {
  EXPECT_THAT(FaultsOf("{sensor: exec}"), ElementsAre(HasSubstr("expected a list")));
  EXPECT_THAT(FaultsOf("{sensor: exec, command: [check_load]}"),
              ElementsAre(HasSubstr("absolute path")));
  EXPECT_THAT(FaultsOf("{sensor: exec, command: '/bin/ls -l'}"),
              ElementsAre(HasSubstr("no shell")));
  EXPECT_THAT(FaultsOf("{sensor: exec, command: [/bin/ls, " + std::string(9000, 'x') + "]}"),
              ElementsAre(HasSubstr("at most 256 arguments of at most 8192 bytes")));
  EXPECT_THAT(FaultsOf("{sensor: exec, command: [/bin/ls], environment: {A-B: x}}"),
              ElementsAre(HasSubstr("NAME: value")));
  EXPECT_THAT(FaultsOf("{sensor: exec, command: [/bin/ls], environment: [x]}"),
              ElementsAre(HasSubstr("mapping")));
  EXPECT_THAT(FaultsOf("{sensor: exec, command: [/bin/ls], shell: true}"),
              ElementsAre(HasSubstr("unknown key `shell`")));
}

}  // namespace
}  // namespace oppetid::agent
