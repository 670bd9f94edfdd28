// The report as JSON: keys in a fixed order, one row a line, the same bytes for the same figures.
//
// Pure, safe from any thread.
#pragma once

#include <string>

#include "collector/report/model.h"

namespace oppetid::collector {

std::string ReportAsJson(const Report& report);

}  // namespace oppetid::collector
