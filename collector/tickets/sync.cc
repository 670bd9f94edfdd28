#include "collector/tickets/sync.h"

#include <algorithm>

namespace oppetid::collector {

SourceSync::SourceSync(Settings settings, const std::vector<SourceCursor>& stored)
    : settings_(std::move(settings)) {
  cursor_.source = settings_.source;
  cursor_.changed = settings_.since;
  for (const SourceCursor& its : stored) {
    if (its.source != settings_.source) continue;
    cursor_.succeeded = its.succeeded;
    cursor_.rescanned = its.rescanned;
    if (its.mapping != settings_.mapping) continue;  // what was left out may have a meaning now
    cursor_.changed = std::max(its.changed, settings_.since);
    cursor_.token = its.token;
  }
  cursor_.mapping = settings_.mapping;
}

bool SourceSync::WantsOpenTickets(Instant now) const {
  const auto night = std::chrono::floor<std::chrono::days>(now - kNight) + kNight;
  return caught_up_ && !scanning_ && !asked_ && cursor_.rescanned < night;
}

void SourceSync::SetOpenTickets(std::vector<std::string> ids) {
  open_.assign(std::make_move_iterator(ids.begin()), std::make_move_iterator(ids.end()));
  scanning_ = true;
}

std::optional<TicketQuestion> SourceSync::Next(Instant now, Steady at) {
  if (asked_ || at < next_) return std::nullopt;
  TicketQuestion question;
  question.now = now;
  if (scanning_ && scan_turn_ && !goes_on_ && failures_ == 0) {
    const size_t count = std::min(open_.size(), kQuestionIds);
    question.ids.assign(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(count));
    if (count == 0) {  // nothing is open: tonight's scan is done with the next answer
      scanning_ = false;
      cursor_.rescanned = now;
    }
  }
  if (question.ids.empty()) {
    if (!goes_on_) round_began_ = now;
    question.goes_on = goes_on_;
    question.token = cursor_.token;
    question.changed_since =
        goes_on_ ? cursor_.changed : std::max(cursor_.changed - kOverlap, settings_.since);
  }
  asked_ = question;
  return question;
}

std::optional<SourceCursor> SourceSync::OnAnswer(const Answered& answered) {
  pending_ = cursor_;
  pending_more_ = answered.more;
  if (!asked_->ids.empty()) {
    pending_more_ = false;
    if (open_.size() <= asked_->ids.size()) pending_.rescanned = asked_->now;
    return pending_;
  }
  const bool stuck = answered.more && asked_->goes_on &&
                     answered.changed <= asked_->changed_since && answered.token == asked_->token;
  if (stuck) return std::nullopt;
  // Within the overlap nothing may be new: the cursor never goes back.
  pending_.changed = answered.more ? answered.changed : std::max(cursor_.changed, answered.changed);
  pending_.token = answered.token;
  if (!answered.more) pending_.succeeded = asked_->now;
  return pending_;
}

void SourceSync::Stored(bool ok, Steady at) {
  if (!ok) return Failed(at);
  cursor_ = pending_;
  up_ = true;
  failures_ = 0;
  if (!asked_->ids.empty()) {
    open_.erase(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(asked_->ids.size()));
    scanning_ = !open_.empty();
    asked_.reset();
    if (++pages_ >= kPagesPerRound) {
      pages_ = 0;
      scan_turn_ = false;
    }
    return;  // the next ids or the round that is due
  }
  asked_.reset();
  goes_on_ = pending_more_;
  ++pages_;
  if (goes_on_ && pages_ < kPagesPerRound) return;
  if (!goes_on_) {
    caught_up_ = true;
    read_until_ = round_began_;
  }
  pages_ = 0;
  scan_turn_ = true;
  next_ = at + settings_.every;
}

void SourceSync::Failed(Steady at) {
  asked_.reset();
  up_ = false;
  pages_ = 0;
  Retry(at);
}

void SourceSync::Retry(Steady at) {
  Millis wait = kFirstWait;
  const Millis longest = std::max(kLongestWait, settings_.every);
  for (int i = 0; i < failures_ && wait < longest; ++i) wait *= 2;
  ++failures_;
  next_ = at + std::min(wait, longest);
}

Instant SourceSync::read_until() const {
  return goes_on_ || !caught_up_ ? cursor_.changed : read_until_;
}

}  // namespace oppetid::collector
