// HTML with everything escaped: text goes in as text, tables know their headers.
//
// Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oppetid::collector {

// `text` for content and attributes: & < > " ' replaced, control characters gone.
std::string EscapeHtml(std::string_view text);

class HtmlWriter {
 public:
  // A heading of a level from 1 to 6, a paragraph, an item of a definition list.
  void Heading(int level, std::string_view text);
  void Paragraph(std::string_view text);
  // Markup that this program wrote itself.
  void Raw(std::string_view markup) { out_ += markup; }

  // A table with a caption; the first cell of each row is its header. No rows: `nothing` instead.
  void Table(std::string_view caption, const std::vector<std::string>& columns,
             const std::vector<std::vector<std::string>>& rows, std::string_view nothing);

  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace oppetid::collector
