// What the listings of `oppetid` look like: aligned columns of plain text. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::collector {

using Row = std::vector<std::string>;

// The rows with their columns aligned, two blanks between; the first row is the heading.
std::string Table(const std::vector<Row>& rows);

// A member of an answer as text: "-" where it is missing or null, yes or no for a bool.
std::string JsonText(const boost::json::object& object, std::string_view key);

}  // namespace oppetid::collector
