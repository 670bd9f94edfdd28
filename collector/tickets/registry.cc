#include "collector/tickets/registry.h"

#include "collector/tickets/file_drop.h"
#include "collector/tickets/request_tracker.h"

namespace oppetid::collector {

std::span<const TicketSourceType> TicketSourceTypes() {
  static constexpr TicketSourceType kTypes[] = {
      {"file_drop", Millis(60'000), ReadFileDropKeys},
      {"request_tracker", Millis(300'000), ReadRequestTrackerKeys},
  };
  return kTypes;
}

}  // namespace oppetid::collector
