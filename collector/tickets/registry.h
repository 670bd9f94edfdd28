// Every type of ticket source, one line each.
#pragma once

#include <span>
#include <string_view>

#include "collector/tickets/source_config.h"

namespace oppetid::collector {

struct TicketSourceType {
  std::string_view name;  // as `type:` says it
  Millis every;           // unless configured
  ReadSourceKeys read;
};

std::span<const TicketSourceType> TicketSourceTypes();

}  // namespace oppetid::collector
