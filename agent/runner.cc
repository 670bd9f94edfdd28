#include "agent/runner.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>

namespace oppetid::agent {

// One check's attempt under way.
struct Runner::Slot {
  explicit Slot(const boost::asio::any_io_executor& executor) : timer(executor) {}
  boost::asio::cancellation_signal cancel;
  boost::asio::steady_timer timer;
  Done done;  // empty once called
  Steady started;
  uint64_t attempt = 0;  // counts, to tell a timer's late word from this attempt's
  bool busy = false;     // the sensor has not let go

  void Finish(Answer answer, Steady now) {
    if (!done) return;
    timer.cancel();
    const Done call = std::exchange(done, nullptr);
    call(std::move(answer), std::chrono::duration_cast<std::chrono::microseconds>(now - started));
  }
};

Runner::Runner(World& world, std::vector<std::unique_ptr<Sensor>>& sensors)
    : world_(world), sensors_(sensors) {
  for (size_t i = 0; i < sensors.size(); ++i) {
    slots_.push_back(std::make_shared<Slot>(world.executor));
  }
}

Runner::~Runner() = default;

void Runner::Ask(size_t check, Millis deadline, Done done) {
  const std::shared_ptr<Slot> slot = slots_[check];
  const State late = sensors_[check]->StateWhenLate();
  if (slot->busy) {
    boost::asio::post(world_.executor, [done = std::move(done), late] {
      done({late, "an earlier attempt still hangs", {}, {}}, {});
    });
    return;
  }
  slot->busy = true;
  slot->done = std::move(done);
  ++slot->attempt;
  slot->started = world_.clock.SteadyNow();
  const Clock& clock = world_.clock;
  slot->timer.expires_after(deadline);
  slot->timer.async_wait([slot, attempt = slot->attempt, &clock, deadline,
                          late](boost::system::error_code error) {
    // A timer that has run out can no more be cancelled; the attempt may have ended, and the next
    // one begun, before its word comes.
    if (error || slot->attempt != attempt) return;
    slot->Finish({late, "no answer within " + FormatDuration(deadline), {}, {}}, clock.SteadyNow());
    slot->cancel.emit(boost::asio::cancellation_type::terminal);
  });
  boost::asio::co_spawn(
      world_.executor, sensors_[check]->Ask(),
      boost::asio::bind_cancellation_slot(
          slot->cancel.slot(), [slot, &clock](std::exception_ptr error, Answer answer) {
            slot->busy = false;
            if (error) {
              // The edge where library exceptions end: a cancelled operation, or a sensor's slip.
              try {
                std::rethrow_exception(error);
              } catch (const std::exception& e) {
                answer = {State::kUnknown, std::string("the sensor failed: ") + e.what(), {}, {}};
              }
            }
            slot->Finish(std::move(answer), clock.SteadyNow());
          }));
}

void Runner::Stop() {
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
