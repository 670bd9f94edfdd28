#include "collector/ledger/packing.h"

#include <charconv>
#include <optional>

namespace oppetid::collector {
namespace {

constexpr char kLossMark = '!';

// Takes the text up to the next `end` off the front.
std::string_view Take(std::string_view& text, char end) {
  const size_t at = text.find(end);
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return piece;
}

template <typename T>
std::optional<T> Number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string Pack(const std::vector<StoredOpenRun>& runs, const std::string& mark) {
  std::string packed;
  for (const StoredOpenRun& run : runs) {
    packed += mark + run.check + '\t' + std::string(StateName(run.state)) + '\t' +
              std::to_string(ToUnixMillis(run.since)) + '\t' +
              std::to_string(ToUnixMillis(run.last)) + '\t' +
              std::to_string(run.valid_for.count()) + '\t' + run.text + '\n';
  }
  return packed;
}

std::vector<StoredOpenRun> Unpack(std::string_view packed, bool losses) {
  std::vector<StoredOpenRun> runs;
  while (!packed.empty()) {
    std::string_view line = Take(packed, '\n');
    if (line.starts_with(kLossMark) != losses) continue;
    if (losses) line.remove_prefix(1);
    StoredOpenRun run;
    run.check = Take(line, '\t');
    const auto state = ParseState(Take(line, '\t'));
    const auto since = Number<int64_t>(Take(line, '\t'));
    const auto last = Number<int64_t>(Take(line, '\t'));
    const auto valid_for = Number<int64_t>(Take(line, '\t'));
    if (run.check.empty() || !state || !since || !last || !valid_for) continue;
    run.state = *state;
    run.since = FromUnixMillis(*since);
    run.last = FromUnixMillis(*last);
    run.valid_for = Millis(*valid_for);
    run.text = line;
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace

std::string PackRuns(const std::vector<StoredOpenRun>& runs) { return Pack(runs, ""); }
std::string PackLosses(const std::vector<StoredOpenRun>& losses) {
  return Pack(losses, std::string(1, kLossMark));
}

std::vector<StoredOpenRun> UnpackRuns(std::string_view packed) { return Unpack(packed, false); }
std::vector<StoredOpenRun> UnpackLosses(std::string_view packed) { return Unpack(packed, true); }

std::string PackWatermarks(const std::map<uint64_t, uint64_t>& watermarks) {
  std::string packed;
  for (const auto& [epoch, sequence] : watermarks) {
    packed += std::to_string(epoch) + '\t' + std::to_string(sequence) + '\n';
  }
  return packed;
}

std::map<uint64_t, uint64_t> UnpackWatermarks(std::string_view packed) {
  std::map<uint64_t, uint64_t> watermarks;
  while (!packed.empty()) {
    std::string_view line = Take(packed, '\n');
    const auto epoch = Number<uint64_t>(Take(line, '\t'));
    const auto sequence = Number<uint64_t>(line);
    if (epoch && sequence) watermarks[*epoch] = *sequence;
  }
  return watermarks;
}

}  // namespace oppetid::collector
