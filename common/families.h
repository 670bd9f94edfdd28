// The table of metric families: every name, type, help text and label that Oppetid itself exposes
// for agents' sensors. Sensors emit by it, the collector validates by it, /metrics prints from it.
//
// It stands on both sides, and not in the stream, so that no agent can give a family another type
// or help text than everybody else's. A collector refuses families it does not know (an agent newer
// than its collector), counted: upgrade the collector first.
#pragma once

#include <span>
#include <string_view>

namespace oppetid {

enum class MetricType { kGauge, kCounter, kUntyped };

constexpr std::string_view MetricTypeName(MetricType type) {
  switch (type) {
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kCounter:
      return "counter";
    case MetricType::kUntyped:
      break;
  }
  return "untyped";
}

struct Family {
  std::string_view name;
  MetricType type;
  std::string_view help;
  // Label names a sensor may give, comma-separated; municipality and host come from the
  // certificate.
  std::string_view labels;
  // Whether the collector adds `check`, because several checks may give this family on one host.
  bool per_check;
};

// Sorted by name.
std::span<const Family> Families();

// nullptr when there is no such family.
const Family* FindFamily(std::string_view name);

// Whether an exporter's series of this name must be refused, because it could be taken for one of
// Oppetid's own (our prefixes: oppetid_, host_, probe_, backup_, ad_, room_, …).
bool IsReservedName(std::string_view name);

}  // namespace oppetid
