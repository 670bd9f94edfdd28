// history.jsonl and tickets.jsonl into facts, line by line, in any order.
//
// The caller feeds lines (from a file, the ledger or a network) and asks for the findings at the
// end. Nothing in a line can crash it; memory grows with the facts, not with the text. Not
// thread-safe.
#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "collector/report/line_object.h"
#include "collector/sla/catalogue.h"

namespace oppetid::collector {

class FactsReader {
 public:
  // `history` and `tickets` are the files' names for messages; they and `facts` must outlive this.
  FactsReader(Findings& history, Findings& tickets, Facts& facts);

  // Lines are counted from 1. Blank lines hold nothing. False: stop, too many faults.
  bool HistoryLine(std::string_view text, int line);
  bool TicketLine(std::string_view text, int line);

  // What can be said only when all is read: revocations of unknown ids, unknown services and
  // municipalities, checks of the catalogue that no span knows.
  void Conclude(const Catalogue& catalogue);

 private:
  void ReadSpan(LineObject& object);
  void ReadBackupRun(LineObject& object);
  void ReadMaintenance(LineObject& object, int line);
  void ReadCorrection(LineObject& object, int line);
  void ReadRevocation(LineObject& object, int line);
  void ReadEvent(LineObject& object, Ticket& ticket);
  bool ReadAnswers(LineObject& object, int line, Ticket& ticket);
  Scope Services(LineObject& object, int line);
  Scope Municipalities(LineObject& object, int line);
  void WarnUnknown(const Catalogue& catalogue);
  void WarnUnmeasured(const Catalogue& catalogue);

  Findings& history_;
  Findings& tickets_;
  Facts& facts_;
  // The first line of each name, for the warnings.
  std::map<std::string, int> history_services_, history_municipalities_;
  std::map<std::string, int> ticket_services_, ticket_municipalities_;
  std::vector<int> revocation_lines_;
};

}  // namespace oppetid::collector
