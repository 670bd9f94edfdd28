// What decided one instant of one service for one municipality: in words, with ids.
//
// The same functions as the account decide it; this only says which fact they went by. Pure, safe
// from any thread.
#pragma once

#include <string>

#include "collector/sla/catalogue.h"
#include "collector/sla/facts.h"

namespace oppetid::collector {

// The service and the municipality are those of the catalogue, the one delivered to the other; the
// facts hold everything that touches `at`. Lines of text, the verdict of the instant first.
std::string Explain(const Catalogue& catalogue, const Facts& facts, const Service& service,
                    const ServiceMember& member, Instant at);

}  // namespace oppetid::collector
