// How the simulation kills a program between any two things it does: every call through a seam
// passes a fuse, and a burnt fuse throws through the program, which is then thrown away.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

namespace oppetid::simulation {

// The program ends here, in the middle of whatever it was doing. Caught by its actor alone.
struct Crashed {};

class Fuse {
 public:
  // Burns at the `calls`-th call from now on, before or after it has had its effect.
  void Arm(int calls, bool before) {
    left_ = calls;
    before_ = before;
  }
  void Disarm() { left_ = 0; }

  template <typename Op>
  auto Pass(Op op) -> decltype(op()) {
    if (left_ == 0 || --left_ > 0) return op();
    if (before_) throw Crashed{};
    static_cast<void>(op());
    throw Crashed{};
  }

 private:
  int left_ = 0;
  bool before_ = false;
};

// Everything that happens, in the order of its time; things of one instant in the order in which
// they were asked for.
class Scheduler {
 public:
  int64_t now() const { return now_; }  // milliseconds since the beginning
  void In(int64_t ms, std::function<void()> step) {
    steps_.push({now_ + (ms < 0 ? 0 : ms), ++asked_, std::move(step)});
  }
  // Lets the next thing happen if it is not later than `until`.
  bool Next(int64_t until) {
    if (steps_.empty() || steps_.top().at > until) return false;
    auto step = std::move(const_cast<Step&>(steps_.top()).step);
    now_ = steps_.top().at;
    steps_.pop();
    step();
    return true;
  }
  void Run(int64_t until) {
    while (Next(until)) continue;
    now_ = until;
  }

 private:
  struct Step {
    int64_t at;
    uint64_t order;
    std::function<void()> step;
    bool operator<(const Step& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  std::priority_queue<Step> steps_;
  int64_t now_ = 0;
  uint64_t asked_ = 0;
};

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t Bits() { return engine_(); }
  int64_t Below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
  bool OneIn(int64_t n) { return Below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace oppetid::simulation
