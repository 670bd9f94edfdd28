// A sensor whose every attempt is one run of a program, and the judgement of what it said.
//
// Threading: the agent's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "agent/sensors/sensor.h"
#include "agent/sensors/subprocess.h"

namespace oppetid::agent {

class ProgramSensor : public Sensor {
 public:
  ProgramSensor(Command command, World& world, Answer (*judge)(const Finished&))
      : subprocess_(std::move(command), world), judge_(judge) {}

  boost::asio::awaitable<Answer> Ask() override {
    const Finished finished = co_await subprocess_.Run();
    co_return judge_(finished);
  }

 private:
  Subprocess subprocess_;
  Answer (*judge_)(const Finished&);
};

}  // namespace oppetid::agent
