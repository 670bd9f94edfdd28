// The collector without its edges: streams in, commits out, acks when they are durable, views.
//
// Frames that arrive while a commit is under way share the next one; no timer is involved. Frames
// and completions come as calls; nothing here waits, reads a clock of its own, or touches a socket.
// Threading: one thread. Ledger writer, clock and counters must outlive the hub.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "collector/agent_state.h"
#include "collector/counters.h"
#include "collector/ledger/ledger.h"
#include "collector/take_overs.h"
#include "collector/view.h"
#include "common/clock.h"
#include "common/identity.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::collector {

// An agent's stream, as the hub sees it. Calls do not call back.
class SessionLink {
 public:
  virtual ~SessionLink() = default;
  virtual void Send(const v1::CollectorFrame& frame) = 0;
  // Ends the stream with this status; no frame of it follows.
  virtual void Close(const absl::Status& status) = 0;
};

// Commits batches, one at a time, somewhere else. `done` comes later, on the hub's thread.
class LedgerWriter {
 public:
  virtual ~LedgerWriter() = default;
  virtual void Commit(std::shared_ptr<const Batch> batch, Instant now,
                      std::function<void(absl::Status)> done) = 0;
};

// Who may speak, and what is asked and told about certificates.
class Gate {
 public:
  virtual ~Gate() = default;
  // kAccepted, or why this peer is refused although its certificate is valid.
  virtual Reason Admit(const Peer& peer) = 0;
  // It has been greeted.
  virtual void OnHello(const Peer& peer, const v1::Hello& hello) = 0;
  virtual void OnRenewal(const Peer& peer, const v1::RenewalRequest& request) = 0;
};

class Hub {
 public:
  using SessionId = uint64_t;

  // `stored` is what the ledger knows of agents; their open runs count while they hold. While the
  // clock is far behind `newest_record`, the newest in the ledger, nothing is taken in.
  Hub(const Clock& clock, LedgerWriter& writer, Counters& counters, std::string ledger_id,
      const std::vector<AgentRow>& stored, Instant newest_record = {});

  // Before the first stream; outlives the hub. Without one every authenticated peer is admitted.
  void set_gate(Gate* gate) { gate_ = gate; }

  // A stream of an authenticated peer. It must say Hello first.
  SessionId Open(const Peer& peer, std::shared_ptr<SessionLink> link);
  void OnFrame(SessionId session, const v1::AgentFrame& frame);
  void OnClosed(SessionId session);

  // Writes open runs that lag, retries a failed commit. Call about once a second.
  void Tick();
  // Everything that memory knows becomes durable; then `done`.
  void Flush(std::function<void(absl::Status)> done);

  // Stores something else than agents' facts, in a transaction of its own. `done` comes later: OK
  // when it is durable; after an error nothing of it is stored, and it is not tried again.
  void Store(std::shared_ptr<const Batch> batch, std::function<void(absl::Status)> done);

  // Called with every batch of agents' facts once it is durable.
  void set_on_stored(std::function<void(const Batch&)> on_stored) {
    on_stored_ = std::move(on_stored);
  }

  std::shared_ptr<const View> MakeView() const;
  // Asks the agent to attempt this check now. NotFound when there is no such check, Unavailable
  // when its agent is not connected.
  absl::Status CheckNow(const std::string& host, const std::string& check);

  // Sends to the agent of this host, if it is connected.
  void SendTo(const std::string& host, const v1::CollectorFrame& frame);
  // Ends every stream of this host.
  void EndStreams(const std::string& host, const absl::Status& why);
  // The host has a certificate: it is in the views also before it has ever been seen.
  void Expect(const Identity& identity);
  // From now on the host is in no view. Its history stays.
  void Retire(const std::string& host) { retired_.insert(host); }

  // OK, or why no facts can be taken.
  const absl::Status& writable() const { return writable_; }

 private:
  struct Session {
    Peer peer;
    std::shared_ptr<SessionLink> link;
    Steady opened;
    AgentState* agent = nullptr;  // after Hello
    uint32_t unacked = 0;         // frames of facts
    bool held = false;            // facts were left aside
  };
  struct PendingAck {
    SessionId session;
    uint64_t epoch;
    uint64_t last_sequence;
    uint32_t refused;
    Steady received;
  };
  struct Transaction {
    std::shared_ptr<const Batch> batch;
    std::function<void(absl::Status)> done;
  };

  void OnHello(SessionId id, Session& session, const v1::Hello& hello);
  void OnSnapshot(Session& session, const v1::Snapshot& snapshot);
  void OnFacts(SessionId id, Session& session, const v1::Facts& facts);
  bool MayTakeOver(const std::string& host, uint64_t epoch);
  // Facts that wait for the next commit.
  size_t Waiting() const;
  // Whether as much waits for the ledger as memory may hold.
  bool Full() const;
  // Whether this machine's clock is before what was stored last, so that nothing can be.
  bool OwnClockBehind() const;
  // In the metric that somebody is woken by.
  void TellWritable();
  // Why nothing of the agent can be stored now, whatever it says; kAccepted if there is no reason.
  Reason HoldBack(const AgentState& agent) const;
  void NoticeHang(Steady now);
  // Ends streams whose facts were held back for a reason that is gone, so that they come again.
  void ReleaseHeld();
  void Refuse(SessionId id, Reason reason, std::string_view detail = "");
  void CommitNext();
  // Starts the oldest transaction that waits; false when there is none.
  bool CommitTransaction();
  void OnCommitted(const absl::Status& status);
  void AddRows();
  void RefuseSilent(Steady now);

  const Clock& clock_;
  LedgerWriter& writer_;
  Counters& counters_;
  Gate* gate_ = nullptr;
  std::set<std::string> retired_;
  std::string ledger_id_;
  Steady started_;
  std::map<std::string, std::unique_ptr<AgentState>> agents_;  // by host
  std::map<SessionId, Session> sessions_;
  std::map<std::string, SessionId> session_of_host_;
  TakeOvers take_overs_;
  SessionId next_session_ = 1;

  std::shared_ptr<Batch> next_batch_ = std::make_shared<Batch>();
  std::vector<PendingAck> next_acks_;
  std::vector<std::function<void(absl::Status)>> next_flushes_;
  bool flush_wanted_ = false;  // commit every row that lags, even if there is nothing else
  // Under way, or failed and to be tried again.
  std::shared_ptr<const Batch> batch_;
  Instant batch_at_;
  std::vector<PendingAck> acks_;
  std::vector<std::function<void(absl::Status)>> flushes_;
  bool committing_ = false;
  bool hangs_ = false;  // the commit under way takes longer than a disk may
  std::function<void(const Batch&)> on_stored_ = [](const Batch&) {};
  std::deque<Transaction> transactions_;
  bool facts_turn_ = true;  // facts and transactions take turns, so that neither starves
  Steady commit_started_{};
  Steady next_rows_;
  Instant newest_record_;
  absl::Status writable_;
};

}  // namespace oppetid::collector
