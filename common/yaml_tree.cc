// The tree of a document, from yaml-cpp, which is seen nowhere else.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "common/text.h"
#include "common/yaml.h"

namespace oppetid {
namespace {

constexpr size_t kMaxYamlBytes = 4'000'000;  // a catalogue of a thousand services is 300 kB
constexpr size_t kMaxDepth = 32;             // nested service expressions; recursion stays small

YamlPosition At(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Builds the tree from yaml-cpp's events, which (unlike its nodes) show duplicate keys and anchors.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Faults& faults) : faults_(faults) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Anchor(mark, anchor);
    Yaml node;
    node.at = At(mark);
    Add(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    faults_.Add(At(mark), "an alias; write the value out");
    OnNull(mark, YAML::NullAnchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Anchor(mark, anchor);
    Yaml node;
    node.at = At(mark);
    node.quoted = tag == "!";
    if (!node.quoted && (value == "~" || value == "null")) {
      Add(std::move(node));
      return;
    }
    if (!tag.empty() && tag != "?" && tag != "!") faults_.Add(node.at, "a tag; tags are not used");
    if (!IsUtf8(value) || value.find('\0') != std::string::npos) {
      faults_.Add(node.at, "text that is not valid UTF-8");
    }
    node.kind = Yaml::Kind::kScalar;
    node.scalar = value;
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Start(mark, anchor, Yaml::Kind::kList);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Start(mark, anchor, Yaml::Kind::kMap);
  }
  void OnMapEnd() override { End(); }

  Yaml Take() { return std::move(root_); }

 private:
  struct Open {
    Yaml node;
    std::optional<std::pair<std::string, YamlPosition>> key;  // read, its value still to come
  };

  void Anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) faults_.Add(At(mark), "an anchor; write the value out");
  }

  void Start(const YAML::Mark& mark, YAML::anchor_t anchor, Yaml::Kind kind) {
    Anchor(mark, anchor);
    Open open;
    open.node.kind = kind;
    open.node.at = At(mark);
    if (stack_.size() >= kMaxDepth) {
      // Thrown inside yaml-cpp, caught in ParseYaml: nothing deeper is read.
      throw YAML::ParserException(mark, "nested too deep; at most 32 levels");
    }
    stack_.push_back(std::move(open));
  }

  void End() {
    Yaml node = std::move(stack_.back().node);
    stack_.pop_back();
    Add(std::move(node));
  }

  void Add(Yaml node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& open = stack_.back();
    if (open.node.kind == Yaml::Kind::kList) {
      open.node.list.push_back(std::move(node));
    } else if (!open.key) {
      if (node.kind != Yaml::Kind::kScalar) faults_.Add(node.at, "a key that is not plain text");
      const auto& map = open.node.map;
      if (std::any_of(map.begin(), map.end(), [&](auto& e) { return e.first == node.scalar; })) {
        faults_.Add(node.at, "`" + OneLine(node.scalar, 60) + "` stands twice here; keep one");
      }
      open.key = {std::move(node.scalar), node.at};
    } else {
      open.node.map.emplace_back(std::move(open.key->first), std::move(node));
      open.key.reset();
    }
  }

  Faults& faults_;
  Yaml root_;
  std::vector<Open> stack_;
};

}  // namespace

Yaml ParseYaml(std::string_view text, Faults& faults) {
  if (text.size() > kMaxYamlBytes) {
    faults.Add({}, "the file is larger than 4 MB");
    return {};
  }
  const size_t before = faults.lines().size();
  Builder builder(faults);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Yaml root = builder.Take();
    Builder rest(faults);
    if (parser.HandleNextDocument(rest)) faults.Add({}, "more than one document in the file");
    if (faults.lines().size() != before) return {};
    return root;
  } catch (const YAML::Exception& error) {
    faults.Add(At(error.mark), error.msg);
  } catch (const std::exception& error) {
    faults.Add({}, error.what());
  }
  return {};
}

}  // namespace oppetid
