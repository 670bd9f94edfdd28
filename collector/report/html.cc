#include "collector/report/html.h"

namespace oppetid::collector {

std::string ReportAsHtml(const Report&) { return ""; }

}  // namespace oppetid::collector
