// A ticket in the words of its source, before they are mapped to ours.
//
// Values without behaviour. There is no field for a subject, a text or a person.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/instant.h"

namespace oppetid::collector {

// Something that happened to a ticket, in the source's words; empty where nothing changes.
struct RawEvent {
  Instant at;
  std::string key;    // the source's id of the event; empty where it has none
  int64_t order = 0;  // among events of one instant
  std::string status;
  std::string means;  // the status in our words, where the source's shape says it; wins
  bool responded = false;
  bool removed = false;
  bool customer_reply = false;
  std::string municipality, kind, priority, service;
};

// What a source knows only as it is now, not when it became so.
struct RawNow {
  std::string status;
  std::optional<Instant> at;  // when the ticket was changed last
  Instant as_of{};            // when the source knew it so
};

struct RawAnswer {
  std::string score;
  Instant at;
};

struct RawTicket {
  std::string id;  // the source's own
  int line = 0;    // of its file; 0 where it came from none
  std::string municipality, kind, priority, service, status;  // at its creation
  std::vector<RawEvent> events;                               // the creation among them
  std::optional<RawNow> now;
  std::optional<RawAnswer> answer;
};

}  // namespace oppetid::collector
