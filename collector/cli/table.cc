#include "collector/cli/table.h"

#include <algorithm>
#include <boost/json/parse.hpp>

namespace oppetid::collector {
namespace {

// The number of code points, which is what a terminal shows of the texts we print.
size_t Width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string Words(const boost::json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  std::string list;
  if (value.is_array()) {
    for (const boost::json::value& its : value.get_array()) {
      list += (list.empty() ? "" : ",") + Words(its);
    }
  }
  return list;
}

}  // namespace

const boost::json::value* Cells::Value(std::string_view key) const {
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

std::string Cells::Text(std::string_view key) const {
  const boost::json::value* value = Value(key);
  const std::string text = value == nullptr ? "" : Words(*value);
  return text.empty() ? "-" : text;
}

std::string Cells::Who() const {
  const std::string other = Text("on_behalf_of");
  return other == "-" ? Text("who") : Text("who") + " for " + other;
}

bool Cells::Has(std::string_view key) const {
  const boost::json::value* value = Value(key);
  return value != nullptr && !value->is_null() && !(value->is_bool() && !value->get_bool());
}

boost::json::array Cells::List(std::string_view key) const {
  const boost::json::value* value = Value(key);
  return value != nullptr && value->is_array() ? value->get_array() : boost::json::array();
}

std::optional<boost::json::array> ListOf(std::string_view answer, std::string_view key) {
  boost::system::error_code error;
  const boost::json::value root = boost::json::parse(answer, error);
  const boost::json::value* list = error ? nullptr : Cells(root).Value(key);
  if (list == nullptr || !list->is_array()) return std::nullopt;
  return list->get_array();
}

std::string Table(const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out += std::string(widths[i] - Width(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace oppetid::collector
