#include "agent/uplink.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "common/log.h"

namespace oppetid::agent {
namespace {

// A collector that takes our Hello and says nothing is no collector.
constexpr Millis kWelcomeWithin{10'000};
// Reconnecting: full jitter, so that a fleet does not come back as a herd.
constexpr Millis kBackoffMin{200};
constexpr Millis kBackoffFirst{2'000};
constexpr Millis kBackoffMax{30'000};

}  // namespace

Uplink::Uplink(std::vector<std::string> addresses, Millis interval, Link& link, Spool& spool,
               FrameSource& source, Random random)
    : addresses_(std::move(addresses)),
      interval_(interval),
      link_(link),
      spool_(spool),
      source_(source),
      random_(std::move(random)) {
  OPPETID_CHECK(!addresses_.empty(), "the configuration names at least one collector");
}

void Uplink::Tick(Instant wall, Steady now) {
  if (state_ == State::kIdle && now >= connect_at_) Connect(wall, now);
  if (state_ == State::kHello && now >= welcome_by_) {
    LogWarning("no Welcome from the collector", {{"collector", addresses_[address_]}});
    welcome_by_ = Steady::max();
    link_.Close();
  }
  SendNext(wall, now);
}

void Uplink::Connect(Instant wall, Steady now) {
  state_ = State::kHello;
  welcome_by_ = now + kWelcomeWithin;
  unacked_frames_ = 0;
  link_.Open(addresses_[address_]);
  v1::AgentFrame frame;
  source_.FillHello(frame.mutable_hello());
  frame.mutable_hello()->set_now_ms(ToUnixMillis(wall));
  frame.mutable_hello()->set_interval_ms(interval_.count());
  frame.mutable_hello()->set_ledger_id(spool_.ledger_id());
  for (v1::EpochRange& epoch : spool_.Epochs()) {
    *frame.mutable_hello()->add_epochs() = std::move(epoch);
  }
  sending_ = true;
  link_.Send(frame);
}

void Uplink::SendNext(Instant wall, Steady now) {
  if (state_ != State::kWelcomed || sending_) return;
  if (first_) {
    sending_ = true;
    link_.Send(*std::exchange(first_, std::nullopt));
    return;
  }
  if (snapshot_due_ || now >= next_snapshot_) {
    SendSnapshot(wall, now);
    return;
  }
  if (unacked_frames_ >= max_unacked_) return;
  auto facts = spool_.NextFrame(max_facts_);
  if (!facts) return;
  v1::AgentFrame frame;
  *frame.mutable_facts() = std::move(*facts);
  ++unacked_frames_;
  sending_ = true;
  link_.Send(frame);
}

void Uplink::SendSnapshot(Instant wall, Steady now) {
  snapshot_due_ = false;
  // The beat is kept whatever else was sent in between; a beat missed is not made up for.
  next_snapshot_ = next_snapshot_ <= now && next_snapshot_ + interval_ > now
                       ? next_snapshot_ + interval_
                       : now + interval_;
  v1::AgentFrame frame;
  v1::Snapshot* snapshot = frame.mutable_snapshot();
  snapshot->set_now_ms(ToUnixMillis(wall));
  source_.FillSnapshot(snapshot);
  const SpoolStats stats = spool_.stats();
  snapshot->mutable_spool()->set_facts(stats.unacked_facts);
  snapshot->mutable_spool()->set_bytes(stats.bytes);
  snapshot->mutable_spool()->set_gap_ms(stats.gap_ms);
  sending_ = true;
  link_.Send(frame);
}

void Uplink::OnFrame(const v1::CollectorFrame& frame, Instant wall, Steady now) {
  if (frame.has_welcome() && state_ == State::kHello) {
    OnWelcome(frame.welcome(), wall, now);
  } else if (frame.has_ack() && state_ == State::kWelcomed) {
    const v1::Ack& ack = frame.ack();
    spool_.OnAck(ack.epoch(), ack.last_sequence());
    if (ack.refused() > 0) {
      LogWarning("the collector refused facts for their content; gaps stand for them",
                 {{"facts", static_cast<uint64_t>(ack.refused())}});
    }
    clock_offset_ = FromUnixMillis(ack.now_ms()) - wall;
    if (unacked_frames_ > 0) --unacked_frames_;
  } else if (frame.has_check_now() && state_ == State::kWelcomed) {
    source_.OnCheckNow(frame.check_now().check());
  }
  SendNext(wall, now);
}

void Uplink::OnWelcome(const v1::Welcome& welcome, Instant wall, Steady now) {
  state_ = State::kWelcomed;
  welcome_by_ = Steady::max();
  failures_ = 0;
  clock_offset_ = FromUnixMillis(welcome.now_ms()) - wall;
  max_unacked_ = std::clamp<uint32_t>(welcome.limits().frames_unacked(), 1, limits::kFramesUnacked);
  max_facts_ = std::clamp<uint32_t>(welcome.limits().facts_per_frame(), 1, limits::kFactsPerFrame);
  spool_.OnWelcome(welcome);
  source_.StartStream(welcome.limits());
  snapshot_due_ = true;
  next_snapshot_ = now + interval_;
  LogInfo("connected", {{"collector", addresses_[address_]},
                        {"ledger", welcome.ledger_id()},
                        {"clock_offset_ms", static_cast<int64_t>(clock_offset_.count())}});
}

void Uplink::OnSent(Instant wall, Steady now) {
  sending_ = false;
  SendNext(wall, now);
}

void Uplink::OnClosed(const std::string& reason, Steady now) {
  if (state_ == State::kStopped) return;
  const bool was_connected = state_ == State::kWelcomed;
  // Once per change, not once per try.
  if (was_connected || failures_ == 0) {
    LogWarning(was_connected ? "disconnected" : "cannot connect",
               {{"collector", addresses_[address_]}, {"reason", reason}});
  }
  state_ = State::kIdle;
  sending_ = false;
  first_.reset();
  welcome_by_ = Steady::max();
  next_snapshot_ = Steady::max();
  if (!was_connected) address_ = (address_ + 1) % addresses_.size();
  connect_at_ = now + Backoff();
}

Millis Uplink::Backoff() {
  const int doublings = std::min(failures_++, 4);
  const Millis ceiling = std::min(kBackoffFirst * (1 << doublings), kBackoffMax);
  const auto spread = static_cast<uint64_t>((ceiling - kBackoffMin).count());
  return kBackoffMin + Millis(static_cast<int64_t>(random_() % (spread + 1)));
}

Steady Uplink::Next() const {
  switch (state_) {
    case State::kIdle:
      return connect_at_;
    case State::kHello:
      return welcome_by_;
    case State::kWelcomed:
      if (sending_) return Steady::max();
      return snapshot_due_ || first_ ? Steady::min() : next_snapshot_;
    case State::kStopped:
      break;
  }
  return Steady::max();
}

void Uplink::Reconnect() {
  if (state_ == State::kWelcomed) link_.Close();
}

void Uplink::Stop() {
  const bool open = state_ == State::kHello || state_ == State::kWelcomed;
  state_ = State::kStopped;
  if (open) link_.Close();
}

}  // namespace oppetid::agent
