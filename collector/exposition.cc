#include "collector/exposition.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include "collector/dictionary.h"
#include "common/families.h"

namespace oppetid::collector {
namespace {

double UnixSeconds(Instant at) { return static_cast<double>(ToUnixMillis(at)) / 1000.0; }

void Header(std::string_view name, std::string_view type, std::string_view help, std::string* out) {
  *out += "# HELP ";
  *out += name;
  *out += ' ';
  *out += help;
  *out += "\n# TYPE ";
  *out += name;
  *out += ' ';
  *out += type;
  *out += '\n';
}

std::string HostLabels(const AgentView& agent) {
  return "{municipality=\"" + agent.municipality + "\",host=\"" + agent.host + "\"";
}

// A family of one value per agent; agents without one are left out.
struct AgentFamily {
  const char* name;
  const char* type;
  const char* help;
  std::function<std::optional<double>(const AgentView&)> value;
};

const std::vector<AgentFamily>& AgentFamilies() {
  static const auto* families = new std::vector<AgentFamily>{
      {"oppetid_agent_certificate_expiry_timestamp_seconds", "gauge",
       "End of validity of the agent's certificate.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.certificate_expires) return std::nullopt;
         return UnixSeconds(*a.certificate_expires);
       }},
      {"oppetid_agent_clock_offset_seconds", "gauge",
       "The agent's clock minus the collector's, when the last frame came.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.up.value_or(false)) return std::nullopt;
         return static_cast<double>(a.clock_offset_ms) / 1000.0;
       }},
      {"oppetid_agent_duplicate", "gauge",
       "1 when two agents claim this identity and the newer one is being refused.",
       [](const AgentView& a) -> std::optional<double> { return a.duplicate ? 1 : 0; }},
      {"oppetid_agent_gap_seconds_total", "counter",
       "Time that the agent has reported as lost since its start.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.up.value_or(false)) return std::nullopt;
         return static_cast<double>(a.gap_ms) / 1000.0;
       }},
      {"oppetid_agent_last_seen_timestamp_seconds", "gauge",
       "When the last frame of the agent was received.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.last_seen) return std::nullopt;
         return UnixSeconds(*a.last_seen);
       }},
      {"oppetid_agent_spool_bytes", "gauge", "Bytes of the agent's spool on its disk.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.up.value_or(false)) return std::nullopt;
         return static_cast<double>(a.spool_bytes);
       }},
      {"oppetid_agent_spool_frames", "gauge",
       "Facts in the agent's spool that the ledger does not have yet.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.up.value_or(false)) return std::nullopt;
         return static_cast<double>(a.spool_facts);
       }},
      {"oppetid_agent_up", "gauge",
       "1 when a frame of the agent came within its last two intervals and five seconds.",
       [](const AgentView& a) -> std::optional<double> {
         if (!a.up) return std::nullopt;
         return *a.up ? 1 : 0;
       }},
  };
  return *families;
}

// A family of series per check.
struct CheckFamily {
  const char* name;
  const char* type;
  const char* help;
  // `prefix` is everything up to the closing brace.
  void (*print)(const AgentView&, const CheckView&, const std::string& prefix, std::string* out);
};

void PrintLine(const std::string& prefix, double value, std::string* out) {
  *out += prefix;
  *out += "} ";
  AppendValue(value, out);
  *out += '\n';
}

const std::vector<CheckFamily>& CheckFamilies() {
  static const auto* families = new std::vector<CheckFamily>{
      {"oppetid_check_duration_seconds", "gauge", "Duration of the check's newest attempt.",
       [](const AgentView& agent, const CheckView& check, const std::string& prefix,
          std::string* out) {
         if (agent.up.value_or(false) && check.last_observed) {
           PrintLine(prefix, check.duration_seconds, out);
         }
       }},
      {"oppetid_check_last_change_timestamp_seconds", "gauge",
       "Since when the check has been in its state.",
       [](const AgentView&, const CheckView& check, const std::string& prefix, std::string* out) {
         if (check.since) PrintLine(prefix, UnixSeconds(*check.since), out);
       }},
      {"oppetid_check_state", "gauge", "1 for the state the check is in.",
       [](const AgentView&, const CheckView& check, const std::string& prefix, std::string* out) {
         for (const State state : kStates) {
           PrintLine(prefix + ",state=\"" + std::string(StateName(state)) + '"',
                     state == check.state ? 1 : 0, out);
         }
       }},
      {"oppetid_check_unconfirmed_total", "counter",
       "Failures since the agent's start that a re-check contradicted.",
       [](const AgentView& agent, const CheckView& check, const std::string& prefix,
          std::string* out) {
         if (agent.up.value_or(false)) {
           PrintLine(prefix, static_cast<double>(check.unconfirmed_total), out);
         }
       }},
  };
  return *families;
}

}  // namespace

void AppendValue(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "Nan";  // as prometheus-cpp spells it; Prometheus reads it without regard to case
  } else if (std::isinf(value)) {
    *out += value < 0 ? "-Inf" : "+Inf";
  } else {
    char buffer[32];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    out->append(buffer, static_cast<size_t>(end - buffer));
  }
}

Renderer::Renderer(std::shared_ptr<const View> view, Part part, std::string head,
                   const Reach& reach)
    : view_(std::move(view)), part_(part), head_(std::move(head)) {
  for (const auto& agent : view_->agents) {
    if (reach.Covers(agent->municipality)) agents_.push_back(agent.get());
  }
  Collect(part);
}

void Renderer::Collect(Part part) {
  families_.resize(part == Part::kOwn ? Families().size() : 1);
  for (const AgentView* agent : agents_) {
    // Series of an agent that is silent end with it: no metric freezes at its last value.
    if (!agent->up.value_or(false)) continue;
    for (const CheckView& check : agent->checks) {
      const SampleBlock* block = check.samples.get();
      if (block == nullptr || block->valid_until <= view_->at) continue;
      for (const Layout::Range& range : block->layout->ranges) {
        const bool carried = range.family == Series::kCarried;
        if (carried != (part == Part::kCarried)) continue;
        families_[carried ? 0 : range.family].push_back({block, range.begin, range.end});
      }
    }
  }
}

void Renderer::RenderAgents(std::string* out) const {
  for (const AgentFamily& family : AgentFamilies()) {
    Header(family.name, family.type, family.help, out);
    for (const AgentView* agent : agents_) {
      const auto value = family.value(*agent);
      if (!value) continue;
      *out += family.name + HostLabels(*agent) + "} ";
      AppendValue(*value, out);
      *out += '\n';
    }
  }
  Header("oppetid_agent_info", "gauge", "Version and operating system of a connected agent.", out);
  for (const AgentView* agent : agents_) {
    if (!agent->up.value_or(false)) continue;
    *out += "oppetid_agent_info" + HostLabels(*agent) + ",version=\"" +
            EscapeLabelValue(agent->version) + "\",os=\"" + EscapeLabelValue(agent->os) + "\"} 1\n";
  }
}

bool Renderer::NextCheckFamily(std::string* out) {
  const auto& families = CheckFamilies();
  if (check_family_ >= families.size()) return false;
  const CheckFamily& family = families[check_family_];
  if (check_agent_ == 0) Header(family.name, family.type, family.help, out);
  if (check_agent_ < agents_.size()) {
    const AgentView& agent = *agents_[check_agent_++];
    const std::string prefix = family.name + HostLabels(agent) + ",check=\"";
    for (const CheckView& check : agent.checks) {
      family.print(agent, check, prefix + check.check + '"', out);
    }
  } else {
    ++check_family_;
    check_agent_ = 0;
  }
  return true;
}

void Renderer::RenderPiece(const Piece& piece, std::string* out) {
  const Layout& layout = *piece.block->layout;
  for (uint32_t i = piece.begin; i < piece.end; ++i) {
    *out += layout.series[i]->prefix;
    AppendValue(piece.block->values[layout.order[i]], out);
    *out += '\n';
  }
}

bool Renderer::Next(std::string* out) {
  const size_t start = out->size();
  if (!started_) {
    started_ = true;
    if (part_ == Part::kOwn) {
      *out += std::exchange(head_, {});
      RenderAgents(out);
    }
  }
  while (out->size() - start < kChunkBytes) {
    if (part_ == Part::kOwn && NextCheckFamily(out)) continue;
    if (!NextPiece(out)) return out->size() > start;
  }
  return true;
}

bool Renderer::NextPiece(std::string* out) {
  if (family_ >= families_.size()) return false;
  const auto& pieces = families_[family_];
  if (piece_ == 0 && !pieces.empty() && part_ == Part::kOwn) {
    const Family& family = Families()[family_];
    Header(family.name, MetricTypeName(family.type), family.help, out);
  }
  if (piece_ < pieces.size()) {
    RenderPiece(pieces[piece_++], out);
  } else {
    ++family_;
    piece_ = 0;
  }
  return true;
}

}  // namespace oppetid::collector
