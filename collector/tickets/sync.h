// When a source of tickets is asked, for what, and how far it has been read.
//
// A round reads everything that changed since the cursor, with an overlap, because clocks differ
// and commits of the source may land out of order; storing again changes nothing. Rounds are
// bounded: a source with years of history is caught up with over many of them. Each night the
// tickets that are open here are asked for by id, so that one that was deleted does not stay open
// for ever. Pure: a call for each thing that happens, with its time. Not thread-safe.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "collector/ledger/ledger.h"
#include "collector/tickets/raw_ticket.h"
#include "common/clock.h"

namespace oppetid::collector {

struct TicketQuestion {
  Instant now;
  // Everything that changed at or after this, unless `ids` are asked for.
  Instant changed_since;
  std::string token;     // the source's own word for the place, from its last page
  bool goes_on = false;  // the page before said that there is more
  std::vector<std::string> ids;
};

class SourceSync {
 public:
  // Two clocks that are a few minutes apart lose nothing.
  static constexpr Millis kOverlap{600'000};
  // A source that has years to tell must not keep a helpdesk from its work.
  static constexpr int kPagesPerRound = 20;
  // After a failure the wait doubles from here, up to kLongestWait or the usual interval.
  static constexpr Millis kFirstWait{30'000};
  static constexpr Millis kLongestWait{900'000};
  // When nights begin, UTC: nobody works at a helpdesk then.
  static constexpr Millis kNight{2 * 3'600'000};
  static constexpr size_t kQuestionIds = 50;

  struct Settings {
    std::string source;
    std::string mapping;  // fingerprint; another one than stored begins anew
    Millis every{};
    Instant since;  // nothing before is asked for
  };

  SourceSync(Settings settings, const std::vector<SourceCursor>& stored);

  // Whether the ids of open tickets are wanted, for tonight's scan. Asked before Next.
  bool WantsOpenTickets(Instant now) const;
  void SetOpenTickets(std::vector<std::string> ids);

  // The question to put now; nullopt while there is none, or one is under way.
  std::optional<TicketQuestion> Next(Instant now, Steady at);

  struct Answered {
    Instant changed;
    std::string token;
    bool more = false;
  };
  // The answer to the last question: how far it goes, to be stored with what was read. Stored()
  // follows. A source that says `more` without getting further has failed: nullopt.
  std::optional<SourceCursor> OnAnswer(const Answered& answered);
  void Stored(bool ok, Steady at);
  void Failed(Steady at);

  // Whether the newest question was answered and its answer stored; nullopt before the first.
  std::optional<bool> up() const { return up_; }
  const SourceCursor& cursor() const { return cursor_; }
  // The time up to which everything has been read.
  Instant read_until() const;

 private:
  void Retry(Steady at);

  Settings settings_;
  SourceCursor cursor_;
  SourceCursor pending_;  // becomes cursor_ when it is stored
  bool pending_more_ = false;
  std::optional<TicketQuestion> asked_;
  Instant round_began_;
  Instant read_until_;  // when the last round that was read to its end began
  int pages_ = 0;       // in this round
  bool goes_on_ = false;
  bool caught_up_ = false;
  int failures_ = 0;
  std::optional<bool> up_;
  Steady next_{};
  std::deque<std::string> open_;  // still to be asked for tonight
  bool scanning_ = false;
  bool scan_turn_ = true;  // scan and rounds take turns, so that neither starves
};

}  // namespace oppetid::collector
