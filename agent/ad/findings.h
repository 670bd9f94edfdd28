// What was found, gathered into one state and one line, the worst first.
//
// A plain value, used by one thread.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/state.h"
#include "common/text.h"

namespace oppetid::agent {

class Findings {
 public:
  void Add(State state, std::string text) {
    for (const Finding& one : all_) {
      if (one.text == text && Severity(one.state) >= Severity(state)) return;
    }
    all_.push_back({state, std::move(text), 1});
  }

  // Findings that differ in one word become one: "<text> <word>, and 4 more".
  void Group(State state, const std::string& text, const std::string& word) {
    for (Finding& one : all_) {
      if (one.group != text || one.state != state) continue;
      ++one.count;
      return;
    }
    all_.push_back({state, text + " " + word, 1, text});
  }

  bool empty() const { return all_.empty(); }

  State WorstState() const {
    State worst = State::kOk;
    for (const Finding& one : all_) worst = Worse(worst, one.state);
    return worst;
  }

  // At most what a check's text may hold, with the count of what did not fit.
  std::string Text() const {
    std::vector<Finding> sorted = all_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Finding& a, const Finding& b) {
      return Severity(a.state) > Severity(b.state);
    });
    std::string text;
    for (size_t i = 0; i < sorted.size(); ++i) {
      std::string one = sorted[i].text;
      if (sorted[i].count > 1) one += " and " + std::to_string(sorted[i].count - 1) + " more";
      if (i > 0 && text.size() + one.size() > kRoom) {
        text += "; and " + std::to_string(sorted.size() - i) + " more";
        break;
      }
      text += (i == 0 ? "" : "; ") + one;
    }
    return OneLine(text);
  }

 private:
  static constexpr size_t kRoom = 230;  // of 256, leaving some for "; and 12 more"
  struct Finding {
    State state = State::kOk;
    std::string text;
    size_t count = 1;
    std::string group = {};
  };
  std::vector<Finding> all_;
};

}  // namespace oppetid::agent
