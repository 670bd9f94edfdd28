// What part of everything somebody may see.
//
// A value without behaviour but its one question.
#pragma once

#include <set>
#include <string>

namespace oppetid::collector {

struct Reach {
  bool all = false;
  std::set<std::string, std::less<>> municipalities;  // where not all

  static Reach All() { return {true, {}}; }
  static Reach Of(std::string municipality) { return {false, {std::move(municipality)}}; }
  bool Covers(std::string_view municipality) const {
    return all || municipalities.contains(municipality);
  }
  bool operator==(const Reach&) const = default;
};

}  // namespace oppetid::collector
