// A picture of two municipalities for tests of what is rendered from it: agents up, down and not
// yet known; samples of our own families and carried ones; labels that need escaping.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collector/dictionary.h"
#include "collector/view.h"

namespace oppetid::collector {

// 2026-07-03T10:00:00Z; all instants of these views are around it.
inline constexpr Instant kViewAt = FromUnixMillis(1'783'072'800'000);

v1::SeriesDefinition Definition(uint32_t id, const std::string& name,
                                const std::vector<std::string>& labels = {}, uint32_t check = 0,
                                bool carried = false);
v1::SampleSet Samples(uint32_t check, const std::vector<std::pair<uint32_t, double>>& values);

// Everything of the set laid out by the dictionary; fails the test when it is refused.
std::shared_ptr<const SampleBlock> LaidOut(const Dictionary& dictionary, const v1::SampleSet& set,
                                           Instant valid_until);

std::shared_ptr<View> ExampleView();

}  // namespace oppetid::collector
