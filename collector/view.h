// The immutable picture of everything at one moment, from which /metrics and status are rendered.
//
// The hub makes new pieces when something changed and shares the others, so taking a picture costs
// pointers, and a slow reader holds nothing up. Safe to read from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/instant.h"
#include "common/state.h"

namespace oppetid::collector {

// A series as it will be printed: `name{labels} `, rendered once, when it is defined.
struct Series {
  std::string prefix;
  uint32_t family = 0;  // index into Families(); kCarried for a foreign exporter's
  static constexpr uint32_t kCarried = UINT32_MAX;
};

// All series of one stream's dictionary. Grows at its end while readers read what they know.
using SeriesTable = std::deque<Series>;

// Which series a check's set of samples has; shared by set after set as long as they are the same.
struct Layout {
  std::shared_ptr<const SeriesTable> table;
  std::vector<uint32_t> ids;          // as the agent sent them
  std::vector<const Series*> series;  // by family, then as sent
  std::vector<uint32_t> order;        // series[i]'s value is values[order[i]]
  struct Range {
    uint32_t family = 0;
    uint32_t begin = 0, end = 0;  // in `series`
  };
  std::vector<Range> ranges;
};

// The newest samples of one check.
struct SampleBlock {
  std::shared_ptr<const Layout> layout;
  std::vector<double> values;
  Instant valid_until;
};

struct CheckView {
  std::string check;  // own name
  State state = State::kUnknown;
  std::optional<Instant> since;  // nothing was ever observed without it
  std::optional<Instant> last_observed;
  std::optional<Instant> valid_until;
  // The newest run itself, as far as it is believed; it may have run out.
  State run_state = State::kUnknown;
  std::optional<Instant> run_since;
  std::string text;
  double duration_seconds = 0;
  uint64_t unconfirmed_total = 0;
  std::shared_ptr<const SampleBlock> samples;
};

struct AgentView {
  std::string municipality;
  std::string host;
  std::string version;
  std::string os;
  std::optional<bool> up;  // not known yet shortly after a start of the collector
  bool connected = false;
  std::optional<Instant> last_seen;
  int64_t clock_offset_ms = 0;
  uint64_t spool_facts = 0;
  uint64_t spool_bytes = 0;
  uint64_t gap_ms = 0;
  uint64_t gaps = 0;
  std::optional<Instant> certificate_expires;
  bool duplicate = false;
  std::vector<CheckView> checks;  // in the agent's order
};

struct View {
  Instant at;
  std::vector<std::shared_ptr<const AgentView>> agents;  // by municipality and host
};

}  // namespace oppetid::collector
