#include "agent/runner.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <exception>

namespace oppetid::agent {

// Who of those that take turns is at it, and who waits.
struct Runner::Turns {
  const Slot* holder = nullptr;
  std::deque<std::shared_ptr<Slot>> waiting;

  void TakeNext();
  void End(const Slot& slot) {
    if (holder != &slot) return;
    holder = nullptr;
    TakeNext();
  }
};

// One check's attempt under way.
struct Runner::Slot : std::enable_shared_from_this<Runner::Slot> {
  Slot(World& world_, Sensor& sensor_, std::shared_ptr<Turns> turns_)
      : world(world_), sensor(sensor_), turns(std::move(turns_)), timer(world.executor) {}

  World& world;
  Sensor& sensor;
  std::shared_ptr<Turns> turns;  // null for those that take none
  boost::asio::cancellation_signal cancel;
  boost::asio::steady_timer timer;
  Done done;  // empty once called
  Millis deadline{};
  Instant started;
  Steady started_steady;
  uint64_t attempt = 0;  // counts, to tell a timer's late word from this attempt's
  bool busy = false;     // the sensor has not let go

  void Finish(Answer answer) {
    if (!done) return;
    const Done call = std::exchange(done, nullptr);
    call(std::move(answer), started,
         std::chrono::duration_cast<std::chrono::microseconds>(world.clock.SteadyNow() -
                                                               started_steady));
  }

  void Begin() {
    busy = true;
    ++attempt;
    started = world.clock.Now();
    started_steady = world.clock.SteadyNow();
    After(deadline, [](Slot& slot) { slot.OnDeadline(); });
    boost::asio::co_spawn(
        world.executor, sensor.Ask(),
        boost::asio::bind_cancellation_slot(
            cancel.slot(), [self = shared_from_this()](std::exception_ptr error, Answer answer) {
              self->OnEnd(error, std::move(answer));
            }));
  }

 private:
  void After(Millis time, void (*then)(Slot&)) {
    timer.expires_after(time);
    timer.async_wait(
        [self = shared_from_this(), then, begun = attempt](boost::system::error_code error) {
          // A timer that has run out can no more be cancelled; the attempt may have ended, and the
          // next one begun, before its word comes.
          if (!error && self->attempt == begun && self->busy) then(*self);
        });
  }

  void OnDeadline() {
    if (turns) After(kLetGoWithin, [](Slot& slot) { slot.turns->End(slot); });
    Finish({sensor.StateWhenLate(), "no answer within " + FormatDuration(deadline), {}, {}});
    cancel.emit(boost::asio::cancellation_type::terminal);
  }

  void OnEnd(const std::exception_ptr& error, Answer answer) {
    busy = false;
    timer.cancel();
    if (error) {
      // The edge where library exceptions end: a cancelled operation, or a sensor's slip.
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        answer = {State::kUnknown, std::string("the sensor failed: ") + e.what(), {}, {}};
      }
    }
    if (turns) turns->End(*this);
    Finish(std::move(answer));
  }
};

void Runner::Turns::TakeNext() {
  if (holder != nullptr || waiting.empty()) return;
  const std::shared_ptr<Slot> next = std::move(waiting.front());
  waiting.pop_front();
  holder = next.get();
  next->Begin();
}

Runner::Runner(World& world, std::vector<std::unique_ptr<Sensor>>& sensors,
               const std::vector<bool>& takes_turns)
    : world_(world), turns_(std::make_shared<Turns>()) {
  for (size_t i = 0; i < sensors.size(); ++i) {
    const bool in_turn = i < takes_turns.size() && takes_turns[i];
    slots_.push_back(std::make_shared<Slot>(world, *sensors[i], in_turn ? turns_ : nullptr));
  }
}

// The slots that wait hold the turns in which they wait.
Runner::~Runner() { turns_->waiting.clear(); }

void Runner::Ask(size_t check, Millis deadline, Done done) {
  const std::shared_ptr<Slot> slot = slots_[check];
  if (slot->busy) {
    const State late = slot->sensor.StateWhenLate();
    boost::asio::post(world_.executor, [done = std::move(done), late, now = world_.clock.Now()] {
      done({late, "an earlier attempt still hangs", {}, {}}, now, {});
    });
    return;
  }
  slot->done = std::move(done);
  slot->deadline = deadline;
  if (slot->turns == nullptr) {
    slot->Begin();
    return;
  }
  turns_->waiting.push_back(slot);
  turns_->TakeNext();
}

void Runner::Stop() {
  turns_->waiting.clear();
  for (const auto& slot : slots_) {
    slot->done = nullptr;
    slot->timer.cancel();
    if (slot->busy) slot->cancel.emit(boost::asio::cancellation_type::terminal);
  }
}

size_t Runner::under_way() const {
  size_t count = 0;
  for (const auto& slot : slots_) count += slot->busy ? 1 : 0;
  return count;
}

}  // namespace oppetid::agent
