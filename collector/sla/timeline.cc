#include "collector/sla/timeline.h"

#include <algorithm>
#include <string_view>

namespace oppetid::collector {
namespace {

constexpr std::string_view kMunicipality = "{municipality}";

// Of two spans with the same `from`: critical before warning before ok before unknown.
int Rank(State state) {
  switch (state) {
    case State::kCritical:
      return 0;
    case State::kWarning:
      return 1;
    case State::kOk:
      return 2;
    case State::kUnknown:
      break;
  }
  return 3;
}

Truth TruthOf(State state) {
  if (state == State::kUnknown) return Truth::kUnknown;
  return state == State::kCritical ? Truth::kDown : Truth::kUp;
}

bool Names(const Expression& expression) {
  return expression.check.find(kMunicipality) != std::string::npos ||
         std::any_of(expression.parts.begin(), expression.parts.end(), Names);
}

// An expression flattened, with the number of its parts that are up and down at an instant: a
// change of a leaf touches only the nodes above it.
class Tree {
 public:
  struct Leaf {
    size_t node;
    const Expression* expression;
  };

  explicit Tree(const Expression& expression) { Add(expression, 0); }

  const std::vector<Leaf>& leaves() const { return leaves_; }
  Truth root() const { return nodes_[0].value; }

  void Set(size_t node, Truth value) {
    while (nodes_[node].value != value) {
      const Truth old = nodes_[node].value;
      nodes_[node].value = value;
      if (node == 0) return;
      node = nodes_[node].parent;
      Node& above = nodes_[node];
      above.up += (value == Truth::kUp) - (old == Truth::kUp);
      above.down += (value == Truth::kDown) - (old == Truth::kDown);
      value = above.up >= above.at_least                  ? Truth::kUp
              : above.down > above.parts - above.at_least ? Truth::kDown
                                                          : Truth::kUnknown;
    }
  }

 private:
  struct Node {
    size_t parent;
    int at_least;
    int parts;
    int up = 0;
    int down = 0;
    Truth value = Truth::kUnknown;
  };

  // The reader of catalogues bounds the depth.
  void Add(const Expression& expression, size_t parent) {
    const size_t self = nodes_.size();
    nodes_.push_back({parent, expression.at_least, static_cast<int>(expression.parts.size())});
    if (expression.parts.empty()) leaves_.push_back({self, &expression});
    for (const Expression& part : expression.parts) Add(part, self);
  }

  std::vector<Node> nodes_;
  std::vector<Leaf> leaves_;
};

}  // namespace

bool Scope::Covers(const std::string& name) const {
  return all || std::find(names.begin(), names.end(), name) != names.end();
}

Steps<Truth> CheckTimeline(std::vector<Span> spans, AsKnownAt as_known_at) {
  if (as_known_at) {
    std::erase_if(spans, [&](const Span& span) {
      return !Known(span.recorded_at, as_known_at) || span.from >= *as_known_at;
    });
    for (Span& span : spans) span.to = std::min(span.to, *as_known_at);
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    if (a.from != b.from) return a.from < b.from;
    if (a.state != b.state) return Rank(a.state) < Rank(b.state);
    return a.to > b.to;
  });
  spans.erase(std::unique(spans.begin(), spans.end(),
                          [](const Span& a, const Span& b) { return a.from == b.from; }),
              spans.end());
  Steps<Truth> out(Truth::kUnknown);
  for (size_t i = 0; i < spans.size(); ++i) {
    out.Append(spans[i].from, TruthOf(spans[i].state));
    const bool last = i + 1 == spans.size();
    if (last || spans[i].to < spans[i + 1].from) out.Append(spans[i].to, Truth::kUnknown);
  }
  return out;
}

std::string ForMunicipality(const std::string& check, const std::string& municipality) {
  std::string out = check;
  for (size_t at = 0; (at = out.find(kMunicipality, at)) != std::string::npos;) {
    out.replace(at, kMunicipality.size(), municipality);
    at += municipality.size();
  }
  return out;
}

Steps<Truth> Evaluate(const Expression& expression, const std::string& municipality,
                      const std::function<const Steps<Truth>&(const std::string&)>& timeline_of) {
  if (expression.parts.empty()) {
    return timeline_of(ForMunicipality(expression.check, municipality));
  }
  struct Change {
    Instant at;
    size_t node;
    Truth value;
  };
  Tree tree(expression);
  std::vector<Change> changes;
  for (const Tree::Leaf& leaf : tree.leaves()) {
    const auto& timeline = timeline_of(ForMunicipality(leaf.expression->check, municipality));
    for (const auto& step : timeline.steps()) changes.push_back({step.from, leaf.node, step.value});
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.at < b.at; });
  Steps<Truth> out(Truth::kUnknown);
  for (size_t i = 0; i < changes.size(); ++i) {
    tree.Set(changes[i].node, changes[i].value);
    if (i + 1 == changes.size() || changes[i + 1].at != changes[i].at) {
      out.Append(changes[i].at, tree.root());
    }
  }
  return out;
}

ServiceStates::ServiceStates(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at)
    : facts_(facts), as_known_at_(as_known_at) {
  for (const Service& service : catalogue.services) services_[service.id] = &service;
}

const Steps<Truth>& ServiceStates::Check(const std::string& name) {
  if (const auto it = checks_.find(name); it != checks_.end()) return it->second;
  const auto spans = facts_.spans.find(name);
  if (spans == facts_.spans.end()) return nothing_;
  return checks_.emplace(name, CheckTimeline(spans->second, as_known_at_)).first->second;
}

bool ServiceStates::PerMunicipality(const Service& service) {
  if (const auto it = per_municipality_.find(service.id); it != per_municipality_.end()) {
    return it->second;
  }
  bool named = Names(service.up_when);
  for (const std::string& below : service.depends_on) {
    named = PerMunicipality(*services_.at(below)) || named;
  }
  return per_municipality_[service.id] = named;
}

const Steps<Truth>& ServiceStates::Of(const std::string& service, const std::string& municipality) {
  const Service& its = *services_.at(service);
  const auto key = std::make_pair(service, PerMunicipality(its) ? municipality : std::string());
  if (const auto it = states_.find(key); it != states_.end()) return it->second;
  Steps<Truth> state =
      Evaluate(its.up_when, municipality,
               [this](const std::string& check) -> const Steps<Truth>& { return Check(check); });
  for (const std::string& below : its.depends_on) state = Zip(state, Of(below, municipality), And);
  return states_.emplace(key, std::move(state)).first->second;
}

}  // namespace oppetid::collector
