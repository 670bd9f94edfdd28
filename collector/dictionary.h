// One stream's dictionary of series: definitions in, printable prefixes and layouts out.
//
// Here every name, label and value of an agent is checked, once, when it is defined, so that
// rendering /metrics trusts what it prints. A refusal names its reason (a label of
// oppetid_collector_rejected_total) and leaves everything else as it was.
// Threading: one thread; the tables and layouts it hands out may be read from any.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "collector/view.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::collector {

// Why something was refused; a constant text, used as the value of the label `reason`.
using Reason = const char*;
inline constexpr Reason kAccepted = nullptr;

class Dictionary {
 public:
  // `checks` are the names of the agent's checks, in the order of its Hello.
  Dictionary(std::string municipality, std::string host, std::vector<std::string> checks);

  // Adds a definition; one that is refused costs its own values, not those beside them.
  // `*dropped_labels` counts payload labels that claimed to be ours.
  Reason Define(const v1::SeriesDefinition& definition, uint64_t* dropped_labels);
  // Forgets all definitions; what was laid out before stays printable.
  void Reset();

  // The samples as a block, or why not. `previous` is the check's block so far: its layout is
  // shared if the series are the same. `*dropped_values` counts values of our own families that are
  // not finite and series named twice.
  Reason Lay(const v1::SampleSet& set, const SampleBlock* previous, Instant valid_until,
             std::shared_ptr<const SampleBlock>* block, uint64_t* dropped_values) const;

  size_t size() const { return table_->size(); }

 private:
  static constexpr uint32_t kRefused = UINT32_MAX;

  Reason Render(const v1::SeriesDefinition& definition, Series* series, uint64_t* dropped) const;
  std::shared_ptr<const Layout> MakeLayout(const std::vector<uint32_t>& ids) const;

  std::string municipality_, host_;
  std::vector<std::string> checks_;
  std::shared_ptr<SeriesTable> table_;
  std::vector<uint32_t> index_;          // id -> position in the table + 1, kRefused; 0: undefined
  std::vector<uint32_t> check_;          // position -> the check it was defined with
  std::unordered_set<size_t> prefixes_;  // hashes: no series stands twice on /metrics
};

// `text` as a label value of the exposition format 0.0.4: \\, \n and \" escaped.
std::string EscapeLabelValue(std::string_view text);

}  // namespace oppetid::collector
