// Rows in columns, for people, and the collector's answers that they are made of.
//
// Pure.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::collector {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell, two spaces between them, a line a row.
std::string Table(const std::vector<Row>& rows);

// What the collector tells of one thing, read without trust in its shape.
class Cells {
 public:
  explicit Cells(const boost::json::value& value) : object_(value.if_object()) {}
  explicit Cells(const boost::json::object& object) : object_(&object) {}
  // Text, numbers, yes or no; a list with commas; "-" where there is nothing.
  std::string Text(std::string_view key) const;
  // "drift1", or "drift1 for Kari Nordmann".
  std::string Who() const;
  bool Has(std::string_view key) const;  // and it is neither null nor false
  const boost::json::value* Value(std::string_view key) const;
  boost::json::array List(std::string_view key) const;  // empty where there is none

 private:
  const boost::json::object* object_;
};

// The list that the collector's answer has under this key.
std::optional<boost::json::array> ListOf(std::string_view answer, std::string_view key);

}  // namespace oppetid::collector
