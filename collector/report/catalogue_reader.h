// catalogue.yaml into a Catalogue: strict, all faults at once.
//
// Pure but for the time zone database. Nothing in the text can crash it.
#pragma once

#include <optional>
#include <string_view>

#include "collector/sla/catalogue.h"
#include "common/yaml.h"

namespace oppetid::collector {

// nullopt where there is a fault.
std::optional<Catalogue> ReadCatalogue(std::string_view text, Faults& faults);

// The parts that catalogue_reader.cc is made of, one a file.
Calendar ReadCalendar(const Yaml& yaml, const Zone& zone, Faults& faults);
Expression ReadExpression(const Yaml& yaml, Faults& faults);
TicketRules ReadTicketRules(const Yaml& yaml, Faults& faults);
// Dates under `key`; a fault reads as absent.
std::optional<LocalDate> ReadDate(YamlMap& map, std::string_view key);

}  // namespace oppetid::collector
