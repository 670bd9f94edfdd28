// Text from outside made safe, and small helpers for messages that tell people what to do.
//
// Pure functions, safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oppetid {

// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

// The first line of `text`, at most `limit` bytes, well-formed UTF-8 without control characters:
// ill-formed bytes become U+FFFD, control characters a space, and no code point is cut in two.
std::string OneLine(std::string_view text, size_t limit = 256);

// The candidate nearest to `word` by edit distance, or empty when none is near enough to be meant.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// The nearest candidate as a hint: " (did you mean `x`?)", or empty.
std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates);

// A host or municipality id: 1 to 63 of [a-z0-9.-], first and last a letter or digit.
bool IsId(std::string_view text);

// A check's own name: 1 to 100 of [A-Za-z0-9_.:-], first a letter or digit.
bool IsCheckName(std::string_view text);

// `text` as a JSON string, quotes included (RFC 8259); ill-formed UTF-8 becomes U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace oppetid
