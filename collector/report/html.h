// The summary for a steering group: one self-contained, printable page per municipality in bokmål.
//
// Written from the same Report as every other format; everything from outside is escaped. Pure,
// safe from any thread.
#pragma once

#include <string>

#include "collector/report/model.h"

namespace oppetid::collector {

std::string ReportAsHtml(const Report& report);

}  // namespace oppetid::collector
