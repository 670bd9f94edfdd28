// The agent's side of the stream: when to connect, and which frame to send next. Pure deciding;
// bytes move behind `Link`, time comes in with every call.
//
// At most one frame is with the link at a time, and it is made when the link is free: a Snapshot if
// one is due, else the next facts while fewer than the collector's limit are unacked. So live data
// never waits for backlog, and a slow collector costs no memory.
// Threading: one thread. Spool, source and link must outlive the uplink.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/spool.h"
#include "common/clock.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::agent {

// A stream to a collector. Its events (OnFrame, OnSent, OnClosed) reach the uplink later, never
// from within these calls.
class Link {
 public:
  virtual ~Link() = default;
  // Opens a stream. OnClosed follows if it cannot be, or when it ends.
  virtual void Open(const std::string& address) = 0;
  // Sends one frame; OnSent follows when there is room for the next.
  virtual void Send(const v1::AgentFrame& frame) = 0;
  // Ends the stream; OnClosed follows.
  virtual void Close() = 0;
};

// What the uplink asks for when it needs to speak of the agent itself.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  virtual void FillHello(v1::Hello* hello) = 0;
  virtual void StartStream(const v1::Limits& limits) = 0;
  virtual void FillSnapshot(v1::Snapshot* snapshot) = 0;
  virtual void OnCheckNow(const std::string& check) = 0;
};

class Uplink {
 public:
  using Random = std::function<uint64_t()>;

  Uplink(std::vector<std::string> addresses, Millis interval, Link& link, Spool& spool,
         FrameSource& source, Random random);

  // Connects, reconnects and sends what is due.
  void Tick(Instant wall, Steady now);
  // A check's state changed: a Snapshot goes out with the next Tick.
  void SnapshotSoon() { snapshot_due_ = true; }
  // Sends this frame before anything else, if the stream lives until then.
  void SendFirst(v1::AgentFrame frame) { first_ = std::move(frame); }
  // Ends the stream and opens another.
  void Reconnect();
  // When the next Tick is needed, if nothing happens before.
  Steady Next() const;
  // Ends the stream and opens no other.
  void Stop();

  void OnFrame(const v1::CollectorFrame& frame, Instant wall, Steady now);
  void OnSent(Instant wall, Steady now);
  void OnClosed(const std::string& reason, Steady now);

  bool connected() const { return state_ == State::kWelcomed; }
  // The collector's clock minus the agent's at the last Welcome or Ack.
  Millis clock_offset() const { return clock_offset_; }

 private:
  enum class State { kIdle, kHello, kWelcomed, kStopped };
  void Connect(Instant wall, Steady now);
  void SendNext(Instant wall, Steady now);
  void SendSnapshot(Instant wall, Steady now);
  void OnWelcome(const v1::Welcome& welcome, Instant wall, Steady now);
  Millis Backoff();

  std::vector<std::string> addresses_;
  Millis interval_;
  Link& link_;
  Spool& spool_;
  FrameSource& source_;
  Random random_;

  State state_ = State::kIdle;
  size_t address_ = 0;
  int failures_ = 0;
  Steady connect_at_{};
  Steady welcome_by_ = Steady::max();
  Steady next_snapshot_ = Steady::max();
  std::optional<v1::AgentFrame> first_;
  bool snapshot_due_ = false;
  bool sending_ = false;
  uint32_t unacked_frames_ = 0;
  uint32_t max_unacked_ = 1;
  uint32_t max_facts_ = 1;
  Millis clock_offset_{};
};

}  // namespace oppetid::agent
