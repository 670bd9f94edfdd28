// The judgements of a look, one a topic, and the limits they share: judge.cc puts them together.
//
// Each adds what it finds, and nothing where the view holds nothing to judge. Pure but for the
// memory, where one is given. Safe from any thread.
#pragma once

#include <string>

#include "agent/ad/findings.h"
#include "agent/ad/memory.h"
#include "agent/ad/view.h"
#include "agent/sensors/ad_options.h"
#include "common/state.h"

namespace oppetid::agent {

// --- Limits (judge.cc); 0 is no limit ---

State OfLimit(int64_t value, const AdLimit& limit);
// Adds the text when the value is beyond the limit.
void JudgeLimit(Findings& findings, int64_t value, const AdLimit& limit, const std::string& text);
// The same for what runs out.
void JudgeLeft(Findings& findings, int64_t left, const AdLimit& limit, const std::string& text);
std::string Days(Millis time);

// --- What the controllers answer (judge_controllers.cc) ---

void JudgeServices(const AdOptions& options, const AdView& view, Findings& findings);
void JudgeLogon(const AdView& view, Findings& findings);
void JudgeRoles(const AdView& view, Findings& findings);
void JudgeClocks(const AdOptions& options, const AdView& view, Findings& findings);
void JudgeCertificates(const AdOptions& options, const AdView& view, Findings& findings);
void JudgeNames(const AdView& view, Findings& findings);
void JudgeShares(const AdOptions& options, const AdView& view, AdMemory& memory,
                 Findings& findings);

// --- What the directory holds (judge_directory.cc) ---

void JudgeOwners(const AdView& view, Findings& findings);
void JudgeListed(const AdOptions& options, const AdView& view, AdMemory& memory,
                 Findings& findings);
void JudgeReplication(const AdOptions& options, const AdView& view, Findings& findings);
void JudgeAccounts(const AdOptions& options, const AdView& view, Findings& findings);
void JudgeDomainAges(const AdOptions& options, const AdView& view, Findings& findings);

}  // namespace oppetid::agent
