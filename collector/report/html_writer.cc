#include "collector/report/html_writer.h"

#include "common/text.h"

namespace oppetid::collector {

std::string EscapeHtml(std::string_view text) {
  constexpr size_t kMaxShown = 1'000;
  std::string out;
  for (const char c : OneLine(text, kMaxShown)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

namespace {

// Content of a cell, in which no number is parted from its unit.
std::string Cell(std::string_view text) {
  constexpr std::string_view kNoBreak = "\u00a0";
  const std::string escaped = EscapeHtml(text);
  std::string out;
  for (size_t i = 0; i < escaped.size(); ++i) {
    const bool after_digit = i > 0 && escaped[i - 1] >= '0' && escaped[i - 1] <= '9';
    const std::string_view rest = std::string_view(escaped).substr(i);
    const bool unit = rest.starts_with(" %") || rest.starts_with(" d") || rest.starts_with(" t ") ||
                      rest == " t" || rest.starts_with(" min") || rest.starts_with(" s");
    if (after_digit && unit) {
      out += kNoBreak;
    } else {
      out += escaped[i];
    }
  }
  return out;
}

}  // namespace

void HtmlWriter::Heading(int level, std::string_view text) {
  const std::string tag = "h" + std::to_string(level);
  out_ += "<" + tag + ">" + EscapeHtml(text) + "</" + tag + ">\n";
}

void HtmlWriter::Paragraph(std::string_view text) { out_ += "<p>" + EscapeHtml(text) + "</p>\n"; }

void HtmlWriter::Table(std::string_view caption, const std::vector<std::string>& columns,
                       const std::vector<std::vector<std::string>>& rows,
                       std::string_view nothing) {
  if (rows.empty()) {
    Paragraph(nothing);
    return;
  }
  out_ += "<table>\n<caption>" + EscapeHtml(caption) + "</caption>\n<thead><tr>";
  for (const std::string& column : columns) {
    out_ += "<th scope=\"col\">" + EscapeHtml(column) + "</th>";
  }
  out_ += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    out_ += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      out_ +=
          i == 0 ? "<th scope=\"row\">" + Cell(row[i]) + "</th>" : "<td>" + Cell(row[i]) + "</td>";
    }
    out_ += "</tr>\n";
  }
  out_ += "</tbody>\n</table>\n";
}

}  // namespace oppetid::collector
