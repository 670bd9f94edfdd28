// A random world as the texts of its files, to be read back.
#pragma once

#include <string>

#include "collector/report/model.h"

namespace oppetid::collector {

std::string CatalogueText(const Catalogue& catalogue);
std::string HistoryText(const Facts& facts);
std::string TicketsText(const Facts& facts);

}  // namespace oppetid::collector
