// Fuzzes what an authenticated agent may send: a stream of frames, each with its length before it,
// into a hub whose ledger commits now and then. Breaks when a batch or a line of /metrics is not
// what the ledger and Prometheus can take.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "collector/exposition.h"
#include "collector/hub.h"
#include "collector/ledger/packing.h"
#include "collector/status_json.h"
#include "common/check.h"
#include "common/text.h"

namespace {

using namespace oppetid;             // NOLINT: a program of one file
using namespace oppetid::collector;  // NOLINT

constexpr int64_t kNowMs = 1'783'072'800'000;

class FuzzClock : public Clock {
 public:
  Instant Now() const override { return FromUnixMillis(kNowMs + passed.count()); }
  Steady SteadyNow() const override { return Steady(passed); }
  Millis passed{0};
};

class FuzzLink : public SessionLink {
 public:
  void Send(const v1::CollectorFrame&) override {
    OPPETID_CHECK(!closed, "nothing is sent on an ended stream");
  }
  void Close(const absl::Status& status) override {
    OPPETID_CHECK(!closed && !status.ok(), "a stream is ended once, with a reason");
    closed = true;
  }
  bool closed = false;
};

void CheckBatch(const Batch& batch) {
  for (const RunWrite& run : batch.runs) {
    OPPETID_CHECK(IsCheckName(run.check) && run.to > run.since, "runs have a name and a length");
  }
  for (const GapWrite& gap : batch.gaps) {
    OPPETID_CHECK(IsCheckName(gap.check) && gap.to > gap.from, "gaps have a name and a length");
    OPPETID_CHECK(FormatInstant(gap.to).size() == 24, "and end in a year of four digits");
    OPPETID_CHECK(gap.reason == OneLine(gap.reason), "and say why in one line");
  }
  for (const AgentRow& row : batch.agents) {
    const std::string packed = PackRuns(row.runs) + PackLosses(row.losses);
    OPPETID_CHECK(UnpackRuns(packed).size() == row.runs.size(), "runs can be packed");
    OPPETID_CHECK(UnpackLosses(packed).size() == row.losses.size(), "losses can be packed");
  }
}

class FuzzWriter : public LedgerWriter {
 public:
  void Commit(std::shared_ptr<const Batch> batch, Instant,
              std::function<void(absl::Status)> done) override {
    OPPETID_CHECK(!done_, "one commit at a time");
    CheckBatch(*batch);
    done_ = std::move(done);
  }
  void Complete(bool well) {
    if (!done_) return;
    std::exchange(done_, nullptr)(well ? absl::OkStatus() : absl::ResourceExhaustedError("full"));
  }

 private:
  std::function<void(absl::Status)> done_;
};

// `name{label="value",…} number`, every quote in a value escaped.
bool IsSampleLine(std::string_view line) {
  const size_t brace = line.find('{');
  if (brace == 0 || brace == std::string_view::npos || line[0] == '#') return false;
  size_t at = brace + 1;
  while (at < line.size() && line[at] != '}') {
    const size_t equals = line.find("=\"", at);
    if (equals == std::string_view::npos || equals == at) return false;
    for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
      if (line[at] == '\\') ++at;
    }
    if (at >= line.size()) return false;
    ++at;
    if (at < line.size() && line[at] == ',') ++at;
  }
  if (line.substr(at, 2) != "} ") return false;
  const std::string number(line.substr(at + 2));
  char* end = nullptr;
  std::strtod(number.c_str(), &end);
  return !number.empty() && end == number.c_str() + number.size();
}

void CheckText(const std::shared_ptr<const View>& view, Renderer::Part part) {
  Renderer renderer(view, part, "", Reach::All());
  std::string text;
  while (renderer.Next(&text)) {
  }
  OPPETID_CHECK(IsUtf8(text), "the exposition is UTF-8");
  std::set<std::string_view> seen;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = rest.find('\n');
    OPPETID_CHECK(end != std::string_view::npos, "lines end");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    OPPETID_CHECK(line.starts_with("# ") || IsSampleLine(line), "lines are valid");
    const std::string_view key = line[0] == '#' ? line : line.substr(0, line.rfind(' '));
    OPPETID_CHECK(seen.insert(key).second, "nothing stands twice");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzClock clock;
  FuzzWriter writer;
  Counters counters(clock);
  Hub hub(clock, writer, counters, "ledger", {});
  Peer peer;
  peer.identity = {"vik", "srv1"};
  auto link = std::make_shared<FuzzLink>();
  Hub::SessionId stream = hub.Open(peer, link);
  // Each frame: what happens besides (a byte), its length (two bytes), its bytes.
  for (size_t at = 0; at + 3 <= size;) {
    const uint8_t besides = data[at];
    const size_t length = std::min<size_t>(size - at - 3, data[at + 1] + data[at + 2] * 256U);
    v1::AgentFrame frame;
    if (frame.ParseFromArray(data + at + 3, static_cast<int>(length))) hub.OnFrame(stream, frame);
    at += 3 + length;
    if ((besides & 1) != 0) writer.Complete((besides & 2) == 0);
    if ((besides & 4) != 0) hub.Tick();
    clock.passed += Millis((besides >> 5) * 20'000);
    if (link->closed || (besides & 8) != 0) {
      link = std::make_shared<FuzzLink>();
      stream = hub.Open(peer, link);
    }
  }
  const auto view = hub.MakeView();
  CheckText(view, Renderer::Part::kOwn);
  CheckText(view, Renderer::Part::kCarried);
  OPPETID_CHECK(IsUtf8(StatusJson(*view, Reach::All())), "the status is UTF-8");
  return 0;
}
