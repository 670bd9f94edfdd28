// Cancels an asking under way, as the runner does at a check's deadline.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>

#include "agent/sensors/sensor.h"

namespace oppetid::agent {

// Asks, runs the loop until `under_way` holds, cancels, and expects the asking to end at once: by
// the system_error of a cancelled operation, or by an answer that claims nothing good.
inline void ExpectEndsWhenCancelled(boost::asio::io_context& io, Sensor& sensor,
                                    const std::function<bool()>& under_way) {
  boost::asio::cancellation_signal signal;
  bool ended = false;
  boost::asio::co_spawn(io, sensor.Ask(),
                        boost::asio::bind_cancellation_slot(
                            signal.slot(), [&](std::exception_ptr error, const Answer& answer) {
                              ended = true;
                              if (!error) {
                                EXPECT_NE(answer.state, State::kOk) << answer.text;
                              }
                            }));
  io.restart();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (!under_way() && !ended && std::chrono::steady_clock::now() < end) io.run_one_until(end);
  ASSERT_TRUE(under_way());
  ASSERT_FALSE(ended) << "it ended before it was cancelled";
  signal.emit(boost::asio::cancellation_type::terminal);
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (!ended && std::chrono::steady_clock::now() < soon) io.run_one_until(soon);
  EXPECT_TRUE(ended) << "cancelling did not end it";
}

}  // namespace oppetid::agent
