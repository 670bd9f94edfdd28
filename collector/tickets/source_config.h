// `tickets:` of collector.yaml: which sources there are, and what their words mean.
//
// Read strictly, all faults at once. Pure.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collector/tickets/mapping.h"
#include "collector/tickets/ticket_source.h"
#include "common/async.h"
#include "common/yaml.h"

namespace oppetid::collector {

// Makes the source; the pool outlives it.
using MakeTicketSource =
    std::function<absl::StatusOr<std::unique_ptr<TicketSource>>(BlockingPool&)>;

struct TicketSourceConfig {
  std::string name;  // prefixes the ids of its tickets
  std::string type;
  Millis every{};
  Instant since;            // nothing older is asked for
  std::string fingerprint;  // of everything configured for it
  TicketMapping mapping;
  MakeTicketSource make;
};

// What a type of source is asked to read of its own; the common keys have been read.
using ReadSourceKeys = MakeTicketSource (*)(YamlMap& map, TicketMapping& mapping);

std::vector<TicketSourceConfig> ReadTicketSources(const Yaml& tickets, Faults& faults);

// Faults for a field that is missing, or that does not say where it comes from. `from_needed`:
// whether the source has no place of its own for it.
void RequireField(YamlMap& map, const char* key, const FieldMapping& field, bool from_needed);

}  // namespace oppetid::collector
