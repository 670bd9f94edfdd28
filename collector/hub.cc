#include "collector/hub.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

// Open runs may lag this much in the ledger: every Snapshot brings them again.
constexpr Millis kRowsEvery{60'000};
constexpr Millis kHelloWithin{10'000};
// Facts waiting for a ledger that cannot be written, 30 MB; beyond this streams end until it can.
constexpr size_t kMaxWaiting = 200'000;
// A commit that takes longer will not end: the ledger counts as not writable until it does.
constexpr Millis kCommitWithin{30'000};
// Acts of people and rounds of ticket sources that wait for the ledger.
constexpr size_t kMaxTransactions = 64;

}  // namespace

Hub::Hub(const Clock& clock, LedgerWriter& writer, Counters& counters, std::string ledger_id,
         const std::vector<AgentRow>& stored, Instant newest_record)
    : clock_(clock),
      writer_(writer),
      counters_(counters),
      ledger_id_(std::move(ledger_id)),
      started_(clock.SteadyNow()),
      next_rows_(started_ + kRowsEvery),
      newest_record_(newest_record) {
  for (const AgentRow& row : stored) {
    agents_.emplace(row.host, std::make_unique<AgentState>(row, counters));
  }
  TellWritable();
}

Hub::SessionId Hub::Open(const Peer& peer, std::shared_ptr<SessionLink> link) {
  const SessionId id = next_session_++;
  sessions_.emplace(id, Session{peer, std::move(link), clock_.SteadyNow(), nullptr});
  counters_.streams.Set(static_cast<double>(sessions_.size()));
  return id;
}

void Hub::OnClosed(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  AgentState* agent = found->second.agent;
  if (agent != nullptr && session_of_host_[agent->host()] == id) {
    session_of_host_.erase(agent->host());
    agent->set_connected(false);
  }
  sessions_.erase(found);
  counters_.streams.Set(static_cast<double>(sessions_.size()));
}

void Hub::Refuse(SessionId id, Reason reason, std::string_view detail) {
  Session& session = sessions_.at(id);
  counters_.Reject(reason, session.peer.identity.host, detail);
  session.link->Close(absl::InvalidArgumentError(absl::StrCat("refused: ", reason)));
  OnClosed(id);
}

size_t Hub::Waiting() const {
  return next_batch_->runs.size() + next_batch_->gaps.size() + next_batch_->backups.size();
}

bool Hub::Full() const { return Waiting() > kMaxWaiting; }

bool Hub::OwnClockBehind() const { return clock_.Now() + limits::kClockAhead < newest_record_; }

void Hub::TellWritable() {
  counters_.ledger_writable.Set(writable_.ok() && !OwnClockBehind() ? 1 : 0);
}

Reason Hub::HoldBack(const AgentState& agent) const {
  if (!writable_.ok()) return "ledger_not_writable";
  // Long before streams must end for what their Snapshots bring.
  if (Waiting() > kMaxWaiting / 2) return "ledger_busy";
  if (agent.clock_ahead()) return "clock_ahead";
  if (OwnClockBehind()) return "own_clock_behind";
  return kAccepted;
}

void Hub::OnFrame(SessionId id, const v1::AgentFrame& frame) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;  // a frame that crossed with our closing
  Session& session = found->second;
  counters_.frames.Increment();
  if (Full()) {
    Refuse(id, "ledger_not_writable");
    return;
  }
  if (frame.has_hello() != (session.agent == nullptr)) {
    Refuse(id, session.agent == nullptr ? "hello_missing" : "hello_twice");
    return;
  }
  if (frame.has_hello()) {
    OnHello(id, session, frame.hello());
  } else if (frame.has_snapshot()) {
    session.agent->Seen(clock_.Now(), clock_.SteadyNow());
    OnSnapshot(session, frame.snapshot());
  } else if (frame.has_facts()) {
    session.agent->Seen(clock_.Now(), clock_.SteadyNow());
    OnFacts(id, session, frame.facts());
  } else if (frame.has_renewal() && gate_ != nullptr) {
    gate_->OnRenewal(session.peer, frame.renewal());
  } else {
    counters_.Reject("unknown_frame", session.peer.identity.host);
  }
  CommitNext();
}

void Hub::OnHello(SessionId id, Session& session, const v1::Hello& hello) {
  const Identity& identity = session.peer.identity;
  if (const Reason reason = AgentState::Validate(hello); reason != kAccepted) {
    Refuse(id, reason);
    return;
  }
  const Reason unwelcome = gate_ == nullptr ? kAccepted : gate_->Admit(session.peer);
  if (unwelcome != kAccepted) {
    Refuse(id, unwelcome);
    return;
  }
  auto& agent = agents_[identity.host];
  if (agent == nullptr) {
    agent = std::make_unique<AgentState>(identity.municipality, identity.host, counters_);
  } else if (agent->municipality() != identity.municipality) {
    Refuse(id, "host_of_another_municipality", agent->municipality());
    return;
  }
  const auto other = session_of_host_.find(identity.host);
  if (other != session_of_host_.end()) {
    if (!MayTakeOver(identity.host, hello.epochs(hello.epochs_size() - 1).epoch())) {
      Refuse(id, "duplicate_identity");
      return;
    }
    const SessionId old = other->second;
    sessions_.at(old).link->Close(absl::AbortedError("a newer stream of this agent took over"));
    OnClosed(old);
  }
  agent->set_duplicate(false);
  session.agent = agent.get();
  session_of_host_[identity.host] = id;
  const Instant now = clock_.Now();
  agent->Seen(now, clock_.SteadyNow());
  agent->OnHello(hello, session.peer, now, next_batch_.get());
  v1::CollectorFrame frame;
  v1::Welcome* welcome = frame.mutable_welcome();
  welcome->set_ledger_id(ledger_id_);
  welcome->set_now_ms(ToUnixMillis(now));
  welcome->mutable_limits()->set_series(limits::kSeries);
  welcome->mutable_limits()->set_frames_unacked(limits::kFramesUnacked);
  welcome->mutable_limits()->set_facts_per_frame(limits::kFactsPerFrame);
  for (v1::Watermark& mark : agent->Watermarks(hello)) {
    *welcome->add_watermarks() = std::move(mark);
  }
  session.link->Send(frame);
  LogInfo("agent connected", {{"municipality", identity.municipality},
                              {"host", identity.host},
                              {"version", hello.version()},
                              {"checks", hello.checks_size()}});
  if (gate_ != nullptr) gate_->OnHello(session.peer, hello);
}

void Hub::Expect(const Identity& identity) {
  auto& agent = agents_[identity.host];
  if (agent != nullptr) return;
  agent = std::make_unique<AgentState>(identity.municipality, identity.host, counters_);
}

bool Hub::MayTakeOver(const std::string& host, uint64_t epoch) {
  const Steady now = clock_.SteadyNow();
  if (take_overs_.Refused(host, now)) return false;
  if (take_overs_.Note(host, epoch, now)) return true;
  agents_.at(host)->set_duplicate(true);
  LogError("two agents claim one identity; the newer is refused for five minutes",
           {{"host", host}});
  return false;
}

void Hub::OnSnapshot(Session& session, const v1::Snapshot& snapshot) {
  if (OwnClockBehind()) {
    counters_.Reject("own_clock_behind", session.agent->host());
    return;
  }
  session.agent->OnSnapshot(snapshot, clock_.Now(), next_batch_.get());
}

void Hub::OnFacts(SessionId id, Session& session, const v1::Facts& facts) {
  if (session.held) return;  // what follows cannot be taken before it
  if (const Reason reason = HoldBack(*session.agent); reason != kAccepted) {
    // Neither applied nor acked, so nothing is lost: the agent keeps them.
    counters_.Reject(reason, session.agent->host());
    session.held = true;
    return;
  }
  if (session.unacked >= limits::kFramesUnacked) {
    Refuse(id, "too_many_unacked");
    return;
  }
  PendingAck ack{id, facts.epoch(), 0, 0, clock_.SteadyNow()};
  const Reason reason =
      session.agent->OnFacts(facts, clock_.Now(), next_batch_.get(), &ack.refused);
  if (reason != kAccepted) {
    Refuse(id, reason);
    return;
  }
  ack.last_sequence = facts.first_sequence() + static_cast<uint64_t>(facts.facts_size()) - 1;
  next_acks_.push_back(ack);
  ++session.unacked;
}

void Hub::Store(std::shared_ptr<const Batch> batch, std::function<void(absl::Status)> done) {
  if (transactions_.size() >= kMaxTransactions) {
    done(absl::ResourceExhaustedError("too much waits for the ledger; try again"));
    return;
  }
  transactions_.push_back({std::move(batch), std::move(done)});
  CommitNext();
}

bool Hub::CommitTransaction() {
  if (transactions_.empty()) return false;
  facts_turn_ = true;
  Transaction next = std::move(transactions_.front());
  transactions_.pop_front();
  committing_ = true;
  commit_started_ = clock_.SteadyNow();
  writer_.Commit(next.batch, clock_.Now(), [this, done = next.done](const absl::Status& status) {
    committing_ = false;
    // The next commit of facts says whether the ledger can be written again.
    if (std::exchange(hangs_, false)) flush_wanted_ = true;
    done(status);
    CommitNext();
  });
  return true;
}

void Hub::CommitNext() {
  if (committing_) return;
  if (!facts_turn_ && CommitTransaction()) return;
  if (batch_ == nullptr) {
    if (next_batch_->runs.empty() && next_batch_->gaps.empty() && next_acks_.empty() &&
        !flush_wanted_) {
      CommitTransaction();
      return;
    }
    // Watermarks, and what open runs reach to, go into one transaction with what they stand for.
    AddRows();
    batch_ = std::exchange(next_batch_, std::make_shared<Batch>());
    acks_ = std::exchange(next_acks_, {});
    flushes_ = std::exchange(next_flushes_, {});
    flush_wanted_ = false;
  }
  committing_ = true;
  facts_turn_ = false;
  commit_started_ = clock_.SteadyNow();
  batch_at_ = clock_.Now();
  writer_.Commit(batch_, batch_at_, [this](const absl::Status& status) { OnCommitted(status); });
}

void Hub::AddRows() {
  for (const auto& [host, agent] : agents_) {
    if (!agent->row_due() && !(flush_wanted_ && agent->dirty())) continue;
    next_batch_->agents.push_back(agent->Row());
    agent->set_clean();
  }
  if (flush_wanted_) next_rows_ = clock_.SteadyNow() + kRowsEvery;
}

void Hub::OnCommitted(const absl::Status& status) {
  committing_ = hangs_ = false;
  const Steady now = clock_.SteadyNow();
  counters_.commit_seconds.Observe(std::chrono::duration<double>(now - commit_started_).count());
  if (!status.ok()) {
    counters_.ledger_rollback.Increment();
    if (writable_.ok())
      LogError("cannot write the ledger", {{"error", std::string(status.message())}});
    writable_ = status;
    TellWritable();
    for (auto& done : std::exchange(flushes_, {})) done(status);
    for (auto& done : std::exchange(next_flushes_, {})) done(status);
    CommitTransaction();
    return;  // Tick tries again
  }
  if (!writable_.ok()) LogInfo("the ledger can be written again");
  writable_ = absl::OkStatus();
  TellWritable();
  for (const AgentRow& row : batch_->agents) agents_.at(row.host)->Stored(row);
  if (!batch_->empty()) newest_record_ = std::max(newest_record_, batch_at_);
  on_stored_(*batch_);
  batch_.reset();
  for (const PendingAck& pending : std::exchange(acks_, {})) {
    const auto session = sessions_.find(pending.session);
    if (session == sessions_.end()) continue;
    --session->second.unacked;
    v1::CollectorFrame frame;
    frame.mutable_ack()->set_epoch(pending.epoch);
    frame.mutable_ack()->set_last_sequence(pending.last_sequence);
    frame.mutable_ack()->set_refused(pending.refused);
    frame.mutable_ack()->set_now_ms(ToUnixMillis(clock_.Now()));
    session->second.link->Send(frame);
    counters_.ack_seconds.Observe(std::chrono::duration<double>(now - pending.received).count());
  }
  for (auto& done : std::exchange(flushes_, {})) done(absl::OkStatus());
  CommitNext();
}

void Hub::Tick() {
  const Steady now = clock_.SteadyNow();
  // What waits is kept: its facts count as taken in.
  while (Full() && !sessions_.empty()) Refuse(sessions_.begin()->first, "ledger_not_writable");
  for (const std::string& host : take_overs_.Expire(now)) agents_.at(host)->set_duplicate(false);
  if (now >= next_rows_) flush_wanted_ = true;
  NoticeHang(now);
  TellWritable();
  ReleaseHeld();
  RefuseSilent(now);
  double series = 0;
  for (const auto& [host, agent] : agents_) series += static_cast<double>(agent->series());
  counters_.series.Set(series);
  CommitNext();
}

void Hub::ReleaseHeld() {
  std::vector<SessionId> released;
  for (const auto& [id, session] : sessions_) {
    if (session.held && HoldBack(*session.agent) == kAccepted) released.push_back(id);
  }
  for (const SessionId id : released) {
    sessions_.at(id).link->Close(absl::AbortedError("facts are taken in again"));
    OnClosed(id);
  }
}

void Hub::NoticeHang(Steady now) {
  if (!committing_ || hangs_ || now - commit_started_ < kCommitWithin) return;
  hangs_ = true;
  writable_ = absl::DeadlineExceededError("a write of the ledger does not end");
  TellWritable();
  LogError("a write of the ledger does not end; no facts are taken in until it does");
}

// A stream that never says Hello costs memory and tells nothing.
void Hub::RefuseSilent(Steady now) {
  std::vector<SessionId> silent;
  for (const auto& [id, session] : sessions_) {
    if (session.agent == nullptr && now - session.opened > kHelloWithin) silent.push_back(id);
  }
  for (const SessionId id : silent) Refuse(id, "hello_missing");
}

void Hub::Flush(std::function<void(absl::Status)> done) {
  next_flushes_.push_back(std::move(done));
  flush_wanted_ = true;
  CommitNext();
}

std::shared_ptr<const View> Hub::MakeView() const {
  auto view = std::make_shared<View>();
  view->at = clock_.Now();
  const Steady now = clock_.SteadyNow();
  for (const auto& [host, agent] : agents_) {
    if (retired_.count(host) > 0) continue;
    view->agents.push_back(agent->MakeView(view->at, now, started_));
  }
  std::stable_sort(view->agents.begin(), view->agents.end(),
                   [](const auto& a, const auto& b) { return a->municipality < b->municipality; });
  return view;
}

absl::Status Hub::CheckNow(const std::string& host, const std::string& check) {
  const auto agent = agents_.find(host);
  if (agent == agents_.end() || !agent->second->HasCheck(check)) {
    return absl::NotFoundError(absl::StrCat("no check ", host, "/", check));
  }
  const auto session = session_of_host_.find(host);
  if (session == session_of_host_.end()) {
    return absl::UnavailableError(absl::StrCat("the agent of ", host, " is not connected"));
  }
  v1::CollectorFrame frame;
  frame.mutable_check_now()->set_check(check);
  sessions_.at(session->second).link->Send(frame);
  return absl::OkStatus();
}

void Hub::SendTo(const std::string& host, const v1::CollectorFrame& frame) {
  const auto session = session_of_host_.find(host);
  if (session != session_of_host_.end()) sessions_.at(session->second).link->Send(frame);
}

void Hub::EndStreams(const std::string& host, const absl::Status& why) {
  std::vector<SessionId> ended;
  for (const auto& [id, session] : sessions_) {
    if (session.peer.identity.host == host) ended.push_back(id);
  }
  for (const SessionId id : ended) {
    sessions_.at(id).link->Close(why);
    OnClosed(id);
  }
}

}  // namespace oppetid::collector
