#include "agent/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <stdexcept>

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Millis kShort{20};     // a deadline that is meant to pass
constexpr Millis kLong{60'000};  // one that is not
constexpr std::chrono::seconds kTestLimit{30};

// What a fake sensor does when asked.
enum class Manner { kAnswers, kHolds, kHeedsCancel, kHangs, kThrows };

class FakeSensor : public Sensor {
 public:
  FakeSensor(Manner manner, const asio::any_io_executor& executor)
      : manner_(manner), gate_(executor, Steady::max()) {}

  asio::awaitable<Answer> Ask() override {
    ++asked;
    if (manner_ == Manner::kThrows) throw std::runtime_error("broken inside");
    if (manner_ == Manner::kHangs) {
      // As a call in the kernel: cancelling does not reach it.
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
    if (manner_ != Manner::kAnswers) {
      boost::system::error_code error;
      co_await gate_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (manner_ == Manner::kHeedsCancel) throw boost::system::system_error(error);
    }
    co_return Answer{State::kOk, "fine", {}, {}};
  }
  State StateWhenLate() const override { return State::kCritical; }

  // Lets go of everything that hangs.
  void LetGo() { gate_.cancel(); }

  int asked = 0;

 private:
  Manner manner_;
  asio::steady_timer gate_;
};

// Answers after a while of its own.
class SlowSensor : public Sensor {
 public:
  SlowSensor(Millis takes, const asio::any_io_executor& executor)
      : takes_(takes), timer_(executor) {}
  asio::awaitable<Answer> Ask() override {
    timer_.expires_after(takes_);
    co_await timer_.async_wait(asio::use_awaitable);
    co_return Answer{State::kOk, "fine", {}, {}};
  }
  State StateWhenLate() const override { return State::kCritical; }

 private:
  Millis takes_;
  asio::steady_timer timer_;
};

class RunnerTest : public testing::Test {
 protected:
  FakeSensor* Make(Manner manner) {
    auto sensor = std::make_unique<FakeSensor>(manner, io_.get_executor());
    FakeSensor* raw = sensor.get();
    sensors_.push_back(std::move(sensor));
    runner_.emplace(world_, sensors_);
    return raw;
  }
  void Ask(Millis deadline) { AskCheck(0, deadline); }
  void AskCheck(size_t check, Millis deadline) {
    runner_->Ask(check, deadline,
                 [this, check](Answer answer, Instant, std::chrono::microseconds duration) {
                   answered_.push_back(check);
                   answers_.push_back(std::move(answer));
                   durations_.push_back(duration);
                 });
  }
  // Runs the loop until there are `count` answers.
  void Await(size_t count) {
    io_.restart();
    const auto end = std::chrono::steady_clock::now() + kTestLimit;
    while (answers_.size() < count && std::chrono::steady_clock::now() < end) {
      io_.run_one_until(end);
    }
    ASSERT_EQ(answers_.size(), count) << "no answer in time";
  }
  // Runs the loop until nothing is left in it.
  void Drain() {
    io_.restart();
    io_.run_for(kTestLimit);
    EXPECT_EQ(runner_->under_way(), 0u);
  }

  asio::io_context io_{1};
  BlockingPool pool_{"test-pool", 1};
  SystemClock clock_;
  World world_{io_.get_executor(), pool_, clock_, ""};
  std::vector<std::unique_ptr<Sensor>> sensors_;
  std::optional<Runner> runner_;
  std::vector<size_t> answered_;  // whose answers these are
  std::vector<Answer> answers_;
  std::vector<std::chrono::microseconds> durations_;
};

TEST_F(RunnerTest, AnAnswerIsHandedOnButNeverFromWithinTheCall) {
  Make(Manner::kAnswers);
  Ask(kLong);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(runner_->under_way(), 1u);
  Await(1);
  EXPECT_EQ(answers_[0].state, State::kOk);
  EXPECT_EQ(answers_[0].text, "fine");
  EXPECT_EQ(runner_->under_way(), 0u);
  Drain();
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(RunnerTest, ThePassedDeadlineIsTheAnswerAndCancelsTheSensor) {
  Make(Manner::kHeedsCancel);
  Ask(kShort);
  Await(1);
  EXPECT_EQ(answers_[0].state, State::kCritical);
  EXPECT_EQ(answers_[0].text, "no answer within " + FormatDuration(kShort));
  EXPECT_GE(durations_[0], kShort);
  Drain();
  EXPECT_EQ(answers_.size(), 1u) << "the cancelled sensor's end is no second answer";
}

TEST_F(RunnerTest, ASensorThatHangsIsAnsweredForAndNotAskedTwice) {
  FakeSensor* sensor = Make(Manner::kHangs);
  Ask(kShort);
  Await(1);
  EXPECT_EQ(answers_[0].state, State::kCritical);
  EXPECT_EQ(runner_->under_way(), 1u) << "it has not let go";
  Ask(kLong);
  EXPECT_EQ(answers_.size(), 1u) << "never from within the call";
  Await(2);
  EXPECT_EQ(answers_[1].state, State::kCritical);
  EXPECT_THAT(answers_[1].text, HasSubstr("still hangs"));
  EXPECT_EQ(sensor->asked, 1);

  sensor->LetGo();
  Drain();
  EXPECT_EQ(answers_.size(), 2u) << "an answer after the deadline is ignored";
  Ask(kShort);
  Await(3);
  EXPECT_EQ(sensor->asked, 2) << "once it has let go, it is asked again";
  sensor->LetGo();
  Drain();
}

TEST_F(RunnerTest, AnExceptionIsUnknown) {
  Make(Manner::kThrows);
  for (size_t i = 1; i <= 2; ++i) {
    Ask(kLong);
    Await(i);
    EXPECT_EQ(answers_.back().state, State::kUnknown);
    EXPECT_THAT(answers_.back().text, HasSubstr("broken inside"));
  }
}

TEST_F(RunnerTest, AfterStopNobodyIsCalled) {
  Make(Manner::kHeedsCancel);
  Ask(kLong);
  io_.poll();
  runner_->Stop();
  Drain();
  EXPECT_TRUE(answers_.empty());
}

TEST_F(RunnerTest, TheDeadlineOfOneAttemptNeverEndsTheNext) {
  // The sensor answers before its deadline, but the loop was busy past both: the deadline's
  // timer has run out already when the answer comes, and the next attempt begins at once.
  constexpr Millis kTakes{1}, kDeadline{300}, kBusy{400};
  sensors_.push_back(std::make_unique<SlowSensor>(kTakes, io_.get_executor()));
  runner_.emplace(world_, sensors_);
  runner_->Ask(0, kDeadline, [this](Answer answer, Instant, std::chrono::microseconds) {
    answers_.push_back(std::move(answer));
    Ask(kLong);
  });
  boost::asio::post(io_, [kBusy] {
    const auto end = std::chrono::steady_clock::now() + kBusy;
    while (std::chrono::steady_clock::now() < end) {
    }
  });
  Await(2);
  EXPECT_EQ(answers_[0].state, State::kOk);
  EXPECT_EQ(answers_[1].state, State::kOk) << answers_[1].text;
}

// Three that take turns, and one that does not.
class TurnsTest : public RunnerTest {
 protected:
  void MakeAll(const std::vector<Manner>& manners) {
    for (const Manner manner : manners) {
      auto sensor = std::make_unique<FakeSensor>(manner, io_.get_executor());
      fakes_.push_back(sensor.get());
      sensors_.push_back(std::move(sensor));
    }
    runner_.emplace(world_, sensors_, std::vector<bool>{true, true, true});
  }
  // How often each was asked.
  std::vector<int> Asked() const {
    std::vector<int> counts;
    for (const FakeSensor* fake : fakes_) counts.push_back(fake->asked);
    return counts;
  }
  // Runs the loop until nothing more can be done without the sensors or a timer.
  void Poll() {
    io_.restart();
    io_.poll();
  }

  std::vector<FakeSensor*> fakes_;
};

TEST_F(TurnsTest, OneAtATimeInTheOrderAskedAndTheOthersBesides) {
  MakeAll({Manner::kHolds, Manner::kHolds, Manner::kHolds, Manner::kHolds});
  for (const size_t check : {2, 0, 1, 3}) AskCheck(check, kLong);
  Poll();
  EXPECT_THAT(Asked(), ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(runner_->under_way(), 2u);
  fakes_[2]->LetGo();
  Poll();
  EXPECT_THAT(Asked(), ElementsAre(1, 0, 1, 1));
  fakes_[0]->LetGo();
  Poll();
  EXPECT_THAT(Asked(), ElementsAre(1, 1, 1, 1));
  fakes_[3]->LetGo();
  fakes_[1]->LetGo();
  Await(4);
  EXPECT_THAT(answered_, testing::UnorderedElementsAre(2, 0, 3, 1));
  for (const Answer& answer : answers_) EXPECT_EQ(answer.state, State::kOk);
  Drain();
}

TEST_F(TurnsTest, WaitingCostsNothingOfADeadline) {
  MakeAll({Manner::kHolds, Manner::kAnswers});
  AskCheck(0, kLong);
  AskCheck(1, kShort);
  io_.run_for(3 * kShort);
  EXPECT_TRUE(answers_.empty());
  fakes_[0]->LetGo();
  Await(2);
  EXPECT_EQ(answers_[1].state, State::kOk) << answers_[1].text;
  EXPECT_LT(durations_[1], 3 * kShort) << "the wait is no part of how long it took";
  Drain();
}

TEST_F(TurnsTest, ADeadlineHandsTheTurnOnOnceTheSensorLetsGo) {
  MakeAll({Manner::kHeedsCancel, Manner::kAnswers});
  AskCheck(0, kShort);
  AskCheck(1, kLong);
  Await(2);
  EXPECT_THAT(answered_, ElementsAre(0, 1));
  EXPECT_EQ(answers_[0].state, State::kCritical);
  EXPECT_EQ(answers_[1].state, State::kOk);
  Drain();
}

TEST_F(TurnsTest, OneThatHangsKeepsTheOthersWaitingForAWhileOnly) {
  MakeAll({Manner::kHangs, Manner::kHolds, Manner::kAnswers});
  AskCheck(0, kShort);
  AskCheck(1, kLong);
  AskCheck(2, kLong);
  Await(1);
  EXPECT_THAT(Asked(), ElementsAre(1, 0, 0)) << "it may still let go";
  const auto end = std::chrono::steady_clock::now() + kTestLimit;
  while (fakes_[1]->asked == 0 && std::chrono::steady_clock::now() < end) io_.run_one_until(end);
  EXPECT_THAT(Asked(), ElementsAre(1, 1, 0));
  fakes_[0]->LetGo();
  Poll();
  EXPECT_THAT(Asked(), ElementsAre(1, 1, 0)) << "its late end is not the end of another's turn";
  fakes_[1]->LetGo();
  Await(3);
  EXPECT_THAT(answered_, ElementsAre(0, 1, 2));
  Drain();
}

TEST_F(TurnsTest, AfterStopNoTurnBegins) {
  MakeAll({Manner::kHeedsCancel, Manner::kAnswers});
  AskCheck(0, kLong);
  AskCheck(1, kLong);
  Poll();
  runner_->Stop();
  Drain();
  EXPECT_THAT(Asked(), ElementsAre(1, 0));
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace oppetid::agent
