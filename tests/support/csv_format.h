// The columns of an example helpdesk's CSV files.
#pragma once

#include "collector/tickets/csv_tickets.h"

namespace oppetid::collector {

inline CsvFormat ExampleCsvFormat() {
  CsvFormat format;
  format.zone = Zone::Find("Europe/Oslo");
  format.id = "Nr";
  format.created = "Opprettet";
  format.status = "Status";
  format.responded = "Svart";
  format.resolved = "Løst";
  format.updated = "Endret";
  format.municipality = "Kommune";
  format.score = "Poeng";
  return format;
}

}  // namespace oppetid::collector
