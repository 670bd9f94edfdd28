// A source of tickets: Request Tracker 5 over REST2.
//
// Tickets are found by when they were updated last, their events are their transactions, asked for
// many tickets at a time: each request costs a real installation half a second of CPU, because its
// tokens are hashed with bcrypt. Merged and deleted tickets, which a search no longer shows, are
// found by the transactions that made them so. The API's user needs SeeQueue, ShowTicket and
// SeeCustomField, and the time zone UTC: RT reads dates in queries in that user's zone.
#pragma once

#include <memory>
#include <string>

#include "collector/tickets/https_client.h"
#include "collector/tickets/source_config.h"

namespace oppetid::collector {

struct RequestTrackerConfig {
  ApiUrl url;  // of …/REST/2.0
  std::string token_file;
  std::string ca_file;  // empty: the system's authorities
  TicketMapping mapping;
  int page = 50;  // tickets asked for at a time; their transactions come in a few requests more
};

// The pool outlives the source. Fails where the authorities cannot be read.
absl::StatusOr<std::unique_ptr<TicketSource>> MakeRequestTracker(RequestTrackerConfig config,
                                                                 BlockingPool& pool);

// Its keys of the configuration.
MakeTicketSource ReadRequestTrackerKeys(YamlMap& map, TicketMapping& mapping);

}  // namespace oppetid::collector
