#include "collector/dictionary.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/families.h"
#include "common/limits.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsName(std::string_view text, bool colons) {
  if (text.empty() || text.size() > limits::kNameBytes) return false;
  const auto first = [&](char c) { return IsLetter(c) || (colons && c == ':'); };
  if (!first(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return first(c) || (c >= '0' && c <= '9'); });
}

// Whether `name` is one of the comma-separated `list`.
bool Lists(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

// Labels that say whose a series is; only the collector gives them.
bool IsOurLabel(std::string_view name) {
  return name == "municipality" || name == "host" || name == "room" || name == "check";
}

}  // namespace

std::string EscapeLabelValue(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Dictionary::Dictionary(std::string municipality, std::string host, std::vector<std::string> checks)
    : municipality_(std::move(municipality)),
      host_(std::move(host)),
      checks_(std::move(checks)),
      table_(std::make_shared<SeriesTable>()) {}

void Dictionary::Reset() {
  table_ = std::make_shared<SeriesTable>();
  index_.clear();
  check_.clear();
  prefixes_.clear();
}

Reason Dictionary::Define(const v1::SeriesDefinition& definition, uint64_t* dropped_labels) {
  if (definition.id() == 0 || definition.id() > limits::kSeriesId) return "series_id";
  if (definition.check() >= checks_.size()) return "check_index";
  if (index_.size() <= definition.id()) index_.resize(definition.id() + 1);
  uint32_t& index = index_[definition.id()];
  if (index != 0) return "series_redefined";
  index = kRefused;
  if (table_->size() >= limits::kSeries) return "too_many_series";
  Series series;
  if (const Reason reason = Render(definition, &series, dropped_labels); reason != kAccepted) {
    return reason;
  }
  if (!prefixes_.insert(std::hash<std::string>()(series.prefix)).second) return "series_twice";
  series.prefix.shrink_to_fit();
  table_->push_back(std::move(series));
  check_.push_back(definition.check());
  index = static_cast<uint32_t>(table_->size());
  return kAccepted;
}

Reason Dictionary::Render(const v1::SeriesDefinition& definition, Series* series,
                          uint64_t* dropped) const {
  const std::string& name = definition.name();
  if (!IsName(name, /*colons=*/true)) return "metric_name";
  if (definition.labels_size() % 2 != 0) return "label_pairs";
  if (static_cast<size_t>(definition.labels_size()) > 2 * limits::kLabels) return "too_many_labels";
  const Family* family = nullptr;
  if (definition.carried()) {
    if (IsReservedName(name)) return "reserved_name";
    series->family = Series::kCarried;
  } else {
    family = FindFamily(name);
    if (family == nullptr) return "unknown_family";
    series->family = static_cast<uint32_t>(family - Families().data());
  }
  std::string prefix = name + "{municipality=\"" + municipality_ + "\",host=\"" + host_ + "\"";
  if (family == nullptr || family->per_check) {
    prefix += ",check=\"" + checks_[definition.check()] + "\"";
  }
  std::string_view previous;
  for (int i = 0; i < definition.labels_size(); i += 2) {
    const std::string& label = definition.labels(i);
    const std::string& value = definition.labels(i + 1);
    if (!IsName(label, /*colons=*/false) || label.starts_with("__")) return "label_name";
    if (i > 0 && label <= previous) return "label_order";
    previous = label;
    // The room is ours too, unless the family is one of a room's sensors.
    const bool listed = family != nullptr && Lists(family->labels, label);
    if (IsOurLabel(label) && !listed) {
      ++*dropped;
      continue;
    }
    if (value.size() > limits::kLabelValueBytes) return "label_too_long";
    if (!IsUtf8(value)) return "label_utf8";
    if (family != nullptr && !listed) return "unknown_label";
    prefix += ',' + label + "=\"" + EscapeLabelValue(value) + '"';
  }
  series->prefix = prefix + "} ";
  return kAccepted;
}

std::shared_ptr<const Layout> Dictionary::MakeLayout(const std::vector<uint32_t>& ids) const {
  auto layout = std::make_shared<Layout>();
  layout->table = table_;
  layout->ids = ids;
  layout->order.resize(ids.size());
  std::iota(layout->order.begin(), layout->order.end(), 0U);
  const auto series = [&](uint32_t i) -> const Series& { return (*table_)[index_[ids[i]] - 1]; };
  std::stable_sort(layout->order.begin(), layout->order.end(),
                   [&](uint32_t a, uint32_t b) { return series(a).family < series(b).family; });
  layout->series.reserve(ids.size());
  for (const uint32_t i : layout->order) {
    const Series& s = series(i);
    const auto position = static_cast<uint32_t>(layout->series.size());
    if (layout->ranges.empty() || layout->ranges.back().family != s.family) {
      layout->ranges.push_back({s.family, position, position});
    }
    layout->ranges.back().end = position + 1;
    layout->series.push_back(&s);
  }
  return layout;
}

Reason Dictionary::Lay(const v1::SampleSet& set, const SampleBlock* previous, Instant valid_until,
                       std::shared_ptr<const SampleBlock>* block, uint64_t* dropped_values) const {
  if (set.series_size() != set.values_size()) return "columns";
  if (set.check() >= checks_.size()) return "check_index";
  auto made = std::make_shared<SampleBlock>();
  made->valid_until = valid_until;
  const auto same_as_before = [&] {
    if (previous == nullptr || previous->layout->table != table_) return false;
    const auto& ids = previous->layout->ids;
    return std::equal(ids.begin(), ids.end(), set.series().begin(), set.series().end());
  };
  const bool finite = std::all_of(set.values().begin(), set.values().end(),
                                  [](double value) { return std::isfinite(value); });
  if (finite && same_as_before()) {
    made->layout = previous->layout;
    made->values.assign(set.values().begin(), set.values().end());
    *block = std::move(made);
    return kAccepted;
  }
  std::vector<uint32_t> ids;
  std::unordered_set<uint32_t> seen;
  for (int i = 0; i < set.series_size(); ++i) {
    const uint32_t id = set.series(i);
    if (id >= index_.size() || index_[id] == 0) return "undefined_series";
    if (index_[id] == kRefused) continue;  // told when it was defined; the others stand
    const uint32_t position = index_[id] - 1;
    if (check_[position] != set.check()) return "series_of_another_check";
    const bool carried = (*table_)[position].family == Series::kCarried;
    if (!seen.insert(id).second || (!carried && !std::isfinite(set.values(i)))) {
      ++*dropped_values;
      continue;
    }
    ids.push_back(id);
    made->values.push_back(set.values(i));
  }
  made->layout = MakeLayout(ids);
  *block = std::move(made);
  return kAccepted;
}

}  // namespace oppetid::collector
