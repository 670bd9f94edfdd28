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
      out_ += i == 0 ? "<th scope=\"row\">" + EscapeHtml(row[i]) + "</th>"
                     : "<td>" + EscapeHtml(row[i]) + "</td>";
    }
    out_ += "</tr>\n";
  }
  out_ += "</tbody>\n</table>\n";
}

}  // namespace oppetid::collector
