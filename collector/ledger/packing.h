// The packed columns of an agent's row: open runs and watermarks as lines of tab-separated text.
// Losses stand in the column of the open runs; their lines begin with a mark that no name has.
//
// Text rather than a binary form, so that `sqlite3 ledger.sqlite` shows an operator what is there.
// Pure functions. Fields never contain tabs or newlines (texts are one line without controls).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "collector/ledger/ledger.h"

namespace oppetid::collector {

std::string PackRuns(const std::vector<StoredOpenRun>& runs);
std::string PackLosses(const std::vector<StoredOpenRun>& losses);
// Of what the two have packed, one after the other. Lines that cannot be read are left out.
std::vector<StoredOpenRun> UnpackRuns(std::string_view packed);
std::vector<StoredOpenRun> UnpackLosses(std::string_view packed);

std::string PackWatermarks(const std::map<uint64_t, uint64_t>& watermarks);
std::map<uint64_t, uint64_t> UnpackWatermarks(std::string_view packed);

}  // namespace oppetid::collector
