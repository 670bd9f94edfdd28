// Renders /metrics and /metrics/carried from a View, chunk by chunk, in the text format 0.0.4.
//
// Prefixes were rendered when series were defined; here only numbers are. Memory is one chunk,
// however many series there are. The output equals prometheus-cpp's TextSerializer's for the same
// values (tested), which itself would need every family in memory.
// Threading: a Renderer is used by one thread at a time; the View is immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/reach.h"
#include "collector/view.h"

namespace oppetid::collector {

// Appends a sample value as the text format has it: shortest decimal that reads back the same,
// NaN as "Nan" and infinities as "+Inf" and "-Inf".
void AppendValue(double value, std::string* out);

class Renderer {
 public:
  enum class Part { kOwn, kCarried };

  // `head` is printed first (the collector's own metrics, already serialised).
  // `reach` narrows to some municipalities' agents.
  Renderer(std::shared_ptr<const View> view, Part part, std::string head, const Reach& reach);

  // Appends the next chunk to `*out`; false when nothing is left. A chunk is about kChunkBytes.
  bool Next(std::string* out);

  static constexpr size_t kChunkBytes = 256'000;

 private:
  struct Piece {  // a run of series of one family in one block
    const SampleBlock* block;
    uint32_t begin, end;
  };
  void Collect(Part part);
  void RenderAgents(std::string* out) const;
  bool NextCheckFamily(std::string* out);
  bool NextPiece(std::string* out);
  static void RenderPiece(const Piece& piece, std::string* out);

  std::shared_ptr<const View> view_;
  Part part_;
  std::string head_;
  std::vector<const AgentView*> agents_;
  std::vector<std::vector<Piece>> families_;  // by index in Families(), or one list when carried
  bool started_ = false;                      // the head and the agents go out first
  size_t check_family_ = 0;                   // then the families of checks, agent by agent
  size_t check_agent_ = 0;
  size_t family_ = 0;  // then the sensors' families, piece by piece
  size_t piece_ = 0;
};

}  // namespace oppetid::collector
