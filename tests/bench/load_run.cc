#include "tests/bench/load_run.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "tests/bench/load_stream.h"
#include "tests/support/collector_process.h"

namespace oppetid::load {
namespace {

// Handshakes under way at a time; a server gives each ten seconds.
constexpr int kConnecting = 32;
// Frames a stream may lag behind before a Snapshot is left out.
constexpr size_t kMaxWaiting = 4;
// A state change of each agent this often.
constexpr Millis kChangeEvery{60'000};
// For a phase that waits for acks, beside what every agent may take.
constexpr Millis kPhaseWithin{60'000}, kPhasePerAgent{100};
constexpr Millis kCloseWithin{10'000};
// Acks whose time is kept: an hour of 2,000 a second.
constexpr size_t kMaxAcks = 7'200'000;

struct Agent {
  Agent(const Shape& shape, int number, uint64_t seed, boost::asio::io_context& io)
      : payload(shape, number, seed), timer(io) {}
  Payload payload;
  boost::asio::steady_timer timer;
  TestCertificate certificate;
  std::shared_ptr<Stream> stream;
  std::deque<Steady> unacked;  // when each fact was sent
  Steady next_tick, next_change;
  bool open = false;  // has its Welcome
};

class Session {
 public:
  Session(const Plan& plan, const Target& target) : plan_(plan), target_(target) {}

  absl::StatusOr<Figures> Go() {
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (!error) Interrupt();
    });
    absl::Status status = Phases();
    Close();
    std::sort(figures_.ack_ms.begin(), figures_.ack_ms.end());
    if (!status.ok()) return status;
    return std::move(figures_);
  }

  // Streams that have not ended.
  size_t streams() const { return streams_; }

 private:
  absl::Status Phases() {
    const double counted_before = target_.SamplesTaken();
    auto before = target_.MemoryBytes();
    if (!before.ok()) return before.status();
    if (auto status = ConnectAll(); !status.ok()) return status;
    auto connected = target_.MemoryBytes();
    if (!connected.ok()) return connected.status();
    if (auto status = DefineAll(); !status.ok()) return status;
    figures_.agent_bytes = (*connected - *before) / plan_.agents;
    if (plan_.hold) {
      if (auto status = Hold(); !status.ok()) return status;
    } else if (auto status = Measure(); !status.ok()) {
      return status;
    }
    auto after = target_.MemoryBytes();
    if (!after.ok()) return after.status();
    figures_.series_bytes = (*after - *connected) / (1.0 * plan_.agents * plan_.shape.series);
    if (counted_before >= 0) {
      const auto sent = static_cast<double>(
          figures_.samples + static_cast<uint64_t>(plan_.agents * plan_.shape.series));
      figures_.uncounted =
          static_cast<uint64_t>(std::max(0.0, sent - (target_.SamplesTaken() - counted_before)));
    }
    return absl::OkStatus();
  }

  absl::Status ConnectAll() {
    const uint64_t seed = std::random_device()();
    const std::string ca = target_.ca().certificate();
    for (int i = 0; i < plan_.agents; ++i) {
      agents_.push_back(std::make_unique<Agent>(plan_.shape, i, seed, io_));
      char host[32];
      std::snprintf(host, sizeof host, "load-%04d", i + 1);
      agents_.back()->certificate = AgentCertificate(target_.ca(), "load", host);
    }
    ca_ = ca;
    waiting_for_ = agents_.size();
    for (int i = 0; i < kConnecting; ++i) ConnectNext();
    return Await("connecting");
  }

  void ConnectNext() {
    if (next_to_connect_ == agents_.size()) return;
    Agent& agent = *agents_[next_to_connect_++];
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = ca_;
    tls.pem_cert_chain = agent.certificate.certificate;
    tls.pem_private_key = agent.certificate.key;
    agent.stream =
        Stream::Open(io_.get_executor(), target_.grpc(), tls,
                     {[this, &agent](const v1::CollectorFrame& frame) { OnFrame(agent, frame); },
                      [this, &agent](const std::string& why) { OnClosed(agent, why); }});
    ++streams_;
    agent.stream->Send(agent.payload.Hello(clock_.Now()));
  }

  absl::Status DefineAll() {
    waiting_for_ = agents_.size();
    for (const auto& agent : agents_) {
      agent->stream->Send(agent->payload.Definitions(clock_.Now()));
      SendChange(*agent);
    }
    return Await("defining series");
  }

  absl::Status Measure() {
    const auto cpu_before = target_.CpuSeconds();
    if (!cpu_before.ok()) return cpu_before.status();
    measuring_ = true;
    const Steady start = clock_.SteadyNow();
    end_ = start + plan_.length;
    for (size_t i = 0; i < agents_.size(); ++i) {
      // Spread over the interval and the minute, as a fleet's agents are.
      const auto part = [&](Millis whole) {
        return whole * static_cast<int64_t>(i) / static_cast<int64_t>(agents_.size());
      };
      agents_[i]->next_tick = start + part(plan_.shape.interval);
      agents_[i]->next_change = start + part(kChangeEvery);
      Tick(*agents_[i]);
    }
    RunUntil(end_);
    measuring_ = false;
    if (!failure_.ok()) return failure_;  // a stream has ended; what was measured means nothing
    waiting_for_ = 0;
    for (const auto& agent : agents_) {
      agent->timer.cancel();
      SendChange(*agent);
      ++waiting_for_;
    }
    if (auto status = Await("the last acks"); !status.ok()) return status;
    const auto cpu_after = target_.CpuSeconds();
    if (!cpu_after.ok()) return cpu_after.status();
    figures_.cpu_seconds = *cpu_after - *cpu_before;
    figures_.wall_seconds = std::chrono::duration<double>(clock_.SteadyNow() - start).count();
    return absl::OkStatus();
  }

  absl::Status Hold() {
    std::fprintf(stderr, "holding %d agents with %d series each\n", plan_.agents,
                 plan_.shape.series);
    RunUntil(clock_.SteadyNow() + plan_.length);
    return failure_;
  }

  void Tick(Agent& agent) {
    if (!measuring_ || agent.stream == nullptr) return;
    const Steady now = clock_.SteadyNow();
    if (now < agent.next_tick) {
      Later(agent);
      return;
    }
    if (agent.stream->waiting() > kMaxWaiting) {
      ++figures_.skipped;
    } else {
      agent.stream->Send(agent.payload.Next(clock_.Now()));
      figures_.samples += static_cast<uint64_t>(agent.payload.samples());
    }
    const bool closed_loop = plan_.shape.interval.count() == 0;
    if (closed_loop || now >= agent.next_change) {
      SendChange(agent);
      agent.next_change = now + kChangeEvery;
    }
    if (closed_loop) return;  // the ack calls the next one
    agent.next_tick = std::max(agent.next_tick + plan_.shape.interval, now);
    Later(agent);
  }

  void Later(Agent& agent) {
    agent.timer.expires_at(agent.next_tick);
    agent.timer.async_wait([this, &agent](boost::system::error_code error) {
      if (!error) Tick(agent);
    });
  }

  void SendChange(Agent& agent) {
    agent.unacked.push_back(clock_.SteadyNow());
    agent.stream->Send(agent.payload.Change(clock_.Now()));
    ++figures_.sent;
  }

  void OnFrame(Agent& agent, const v1::CollectorFrame& frame) {
    if (frame.has_welcome()) {
      agent.open = true;
      agent.stream->Send(agent.payload.Next(clock_.Now(), /*bare=*/true));
      SendChange(agent);
      ConnectNext();
    }
    if (!frame.has_ack()) return;
    const Steady now = clock_.SteadyNow();
    const uint64_t left = agent.payload.last_sequence() - frame.ack().last_sequence();
    while (agent.unacked.size() > left) {
      // Not the last ones, which all come at once.
      if (measuring_ && figures_.ack_ms.size() < kMaxAcks) {
        figures_.ack_ms.push_back(
            std::chrono::duration<double, std::milli>(now - agent.unacked.front()).count());
      }
      agent.unacked.pop_front();
      ++figures_.acked;
    }
    if (frame.ack().refused() > 0) Fail("the collector refused a fact");
    if (left > 0) return;
    if (measuring_ && plan_.shape.interval.count() == 0) {
      Tick(agent);
    } else if (!measuring_ && waiting_for_ > 0 && --waiting_for_ == 0) {
      io_.stop();
    }
  }

  void OnClosed(Agent& agent, const std::string& why) {
    --streams_;
    if (!closing_) Fail(absl::StrCat("a stream ended: ", why));
    agent.stream.reset();
    if (closing_ && streams_ == 0) io_.stop();
  }

  void Fail(const std::string& why) {
    if (failure_.ok()) failure_ = absl::UnavailableError(why);
    io_.stop();
  }

  void Interrupt() {
    interrupted_ = true;
    if (!measuring_ && !plan_.hold) Fail("interrupted before anything was measured");
    io_.stop();
  }

  void RunUntil(Steady end) {
    io_.restart();
    if (failure_.ok() && !interrupted_) io_.run_until(end);
  }

  // Runs until every agent has its ack.
  absl::Status Await(const char* what) {
    RunUntilAcked();
    if (!failure_.ok()) return failure_;
    if (waiting_for_ == 0) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat(what, " took too long; ", waiting_for_, " agents have no ack"));
  }
  void RunUntilAcked() {
    if (!failure_.ok() || waiting_for_ == 0) return;
    io_.restart();
    io_.run_until(clock_.SteadyNow() + kPhaseWithin + plan_.agents * kPhasePerAgent);
  }

  void Close() {
    closing_ = true;
    for (const auto& agent : agents_) {
      agent->timer.cancel();
      if (agent->stream != nullptr) agent->stream->Cancel();
    }
    if (streams_ == 0) return;
    io_.restart();
    io_.run_until(clock_.SteadyNow() + kCloseWithin);
  }

  const Plan plan_;
  const Target& target_;
  SystemClock clock_;
  boost::asio::io_context io_{1};
  // What comes next comes from gRPC's threads.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
  std::string ca_;
  std::vector<std::unique_ptr<Agent>> agents_;
  size_t next_to_connect_ = 0, streams_ = 0;
  size_t waiting_for_ = 0;  // agents of this phase without their ack
  bool measuring_ = false, closing_ = false, interrupted_ = false;
  Steady end_;
  absl::Status failure_;
  Figures figures_;
};

}  // namespace

absl::StatusOr<Figures> Run(const Plan& plan, const Target& target) {
  auto session = std::make_unique<Session>(plan, target);
  auto figures = session->Go();
  // gRPC may still call streams that did not end in time; then the session stays until exit.
  if (session->streams() > 0) (void)session.release();
  return figures;
}

double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace oppetid::load
