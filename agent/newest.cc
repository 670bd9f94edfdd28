#include "agent/newest.h"

#include <algorithm>
#include <utility>

namespace oppetid::agent {
namespace {

// Samples of one frame; leaves room for open runs beneath limits::kFrameBytes.
constexpr size_t kFrameBytes = 3'000'000;
// A definition beside its name and labels: tags, lengths, id; two bytes more for each label text.
constexpr size_t kDefinitionBytes = 32 + 2 * 2 * 32;
constexpr char kSeparator = '\x1f';  // cannot stand in a name and sorts before anything that can

}  // namespace

void Newest::Set(size_t check, Answer&& answer, Instant at) {
  ValueSet& set = sets_[check];
  set.series.clear();
  set.at = at;
  set.dirty = true;
  const auto add = [&](Sample& sample, bool carried) {
    std::sort(sample.labels.begin(), sample.labels.end());
    Series series;
    series.key = std::to_string(check) + (carried ? "c" : "o") + sample.family;
    for (const auto& [name, value] : sample.labels) {
      series.key += kSeparator;
      series.key += name;
      series.key += kSeparator;
      series.key += value;
    }
    series.name = std::move(sample.family);
    series.labels = std::move(sample.labels);
    series.carried = carried;
    series.value = sample.value;
    set.series.push_back(std::move(series));
  };
  for (Sample& sample : answer.samples) add(sample, false);
  for (Sample& sample : answer.carried) add(sample, true);
}

void Newest::StartStream(uint32_t max_series) {
  ids_.clear();
  max_series_ = max_series;
  for (ValueSet& set : sets_) set.dirty = set.at != Instant{};
}

uint32_t Newest::Id(uint32_t check, const Series& series, v1::Snapshot* snapshot) {
  const auto found = ids_.find(series.key);
  if (found != ids_.end()) return found->second;
  if (ids_.size() >= max_series_) return 0;
  const auto id = static_cast<uint32_t>(ids_.size() + 1);
  ids_.emplace(series.key, id);
  v1::SeriesDefinition* definition = snapshot->add_definitions();
  definition->set_id(id);
  definition->set_name(series.name);
  definition->set_check(check);
  definition->set_carried(series.carried);
  for (const auto& [name, value] : series.labels) {
    definition->add_labels(name);
    definition->add_labels(value);
  }
  return id;
}

bool Newest::Fill(v1::Snapshot* snapshot) {
  size_t current = 0;
  size_t unknown = 0;
  for (const ValueSet& set : sets_) {
    current += set.series.size();
    if (!set.dirty) continue;
    for (const Series& series : set.series) unknown += ids_.count(series.key) == 0 ? 1 : 0;
  }
  // Exporters come and go with series; start over rather than be refused for the dead ones.
  if (ids_.size() + unknown > max_series_ && ids_.size() > current - std::min(current, unknown)) {
    StartStream(max_series_);
    snapshot->set_reset_definitions(true);
  }
  left_out_ = 0;
  size_t bytes = 0;
  for (size_t check = 0; check < sets_.size(); ++check) {
    ValueSet& set = sets_[check];
    if (!set.dirty) continue;
    if (bytes > 0 && bytes + Bytes(set) > kFrameBytes)
      return true;  // the next frame takes the rest
    set.dirty = false;
    v1::SampleSet* samples = snapshot->add_samples();
    samples->set_check(static_cast<uint32_t>(check));
    samples->set_at_ms(ToUnixMillis(set.at));
    for (const Series& series : set.series) {
      const size_t more = Bytes(series);
      const uint32_t id =
          bytes + more > kFrameBytes ? 0 : Id(static_cast<uint32_t>(check), series, snapshot);
      if (id == 0) {
        ++left_out_;
        continue;
      }
      bytes += more;
      samples->add_series(id);
      samples->add_values(series.value);
    }
  }
  return false;
}

size_t Newest::Bytes(const Series& series) const {
  const size_t sample = 5 + 8;  // an id as a varint, a double
  return ids_.count(series.key) > 0 ? sample : sample + kDefinitionBytes + series.key.size();
}

size_t Newest::Bytes(const ValueSet& set) const {
  size_t bytes = 0;
  for (const Series& series : set.series) bytes += Bytes(series);
  return bytes;
}

}  // namespace oppetid::agent
