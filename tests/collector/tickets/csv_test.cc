#include "collector/tickets/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/csv_format.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Records as text, "line: a|b", or "line: fault"; read in chunks of `step` bytes.
std::vector<std::string> Records(const std::string& text, size_t step, char delimiter = ';') {
  std::vector<std::string> told;
  CsvReader reader(delimiter);
  const CsvReader::Visit visit = [&](CsvRecord& record) {
    std::string line = std::to_string(record.line) + ":";
    for (const std::string& field : record.fields) line += " " + field + " |";
    told.push_back(record.fault.empty() ? line : std::to_string(record.line) + ": " + record.fault);
    return true;
  };
  for (size_t i = 0; i < text.size(); i += step) {
    if (!reader.Add(text.substr(i, step), visit)) break;
  }
  reader.Finish(visit);
  if (!reader.fault().empty()) told.push_back(reader.fault());
  return told;
}

TEST(Csv, ReadsQuotesNewlinesAndBothLineEnds) {
  const std::string text =
      "id;text\r\n1;\"a;b\"\r\n2;\"line one\nline \"\"two\"\"\"\n\n3;\n4;\"\"\r\n5;last";
  for (const size_t step : {size_t{1}, size_t{3}, text.size()}) {
    EXPECT_THAT(Records(text, step),
                ElementsAre("1: id | text |", "2: 1 | a;b |", "3: 2 | line one\nline \"two\" |",
                            "6: 3 |  |", "7: 4 |  |", "8: 5 | last |"));
  }
  EXPECT_THAT(Records("a,b\n1,\"2,3\"\n", 2, ','), ElementsAre("1: a | b |", "2: 1 | 2,3 |"));
}

TEST(Csv, FaultsARecordAndReadsOn) {
  EXPECT_THAT(Records("1;\"a\"b\n2;c\"d\n3;e\n", 100),
              ElementsAre("1: text after a closing quote",
                          "2: a quote within a field that is not quoted", "3: 3 | e |"));
  EXPECT_THAT(Records(std::string("1\0;a\n2;b\n", 9), 100),
              ElementsAre(HasSubstr("zero byte"), "2: 2 | b |"));
}

TEST(Csv, EndsAtItsBounds) {
  EXPECT_THAT(Records("1;2\n3;\"never closed\n4;5\n", 7),
              ElementsAre("1: 1 | 2 |", "line 2: a quote is not closed by the end of the file"));
  EXPECT_THAT(Records("1\n" + std::string(CsvReader::kMaxFieldBytes + 1, 'x') + "\n3\n", 1000),
              ElementsAre("1: 1 |", HasSubstr("line 2: a field is longer than 65536")));
  EXPECT_THAT(Records(std::string(CsvReader::kMaxFields + 1, ';') + "\n", 1000),
              ElementsAre(HasSubstr("more than 500 fields")));
  std::string wide;
  for (int i = 0; i < 400; ++i) wide += std::string(5'000, 'x') + ";";
  EXPECT_THAT(Records(wide, 1000), ElementsAre(HasSubstr("longer than 1000000 bytes")));
}

TEST(Csv, KeepsNoMoreThanARecordOfTwoGigabytes) {
  // A record a line, and a field that never ends: both are read in bounded memory.
  const std::string chunk = [] {
    std::string text;
    for (int i = 0; i < 1'000; ++i) text += "10001;\"Noe\";2026-11-02\n";
    return text;
  }();
  CsvReader rows(';');
  uint64_t records = 0, bytes = 0;
  constexpr uint64_t kSome = 50'000'000;  // a file of 2 GB is more of the same
  for (; bytes < kSome; bytes += chunk.size()) {
    ASSERT_TRUE(rows.Add(chunk, [&](CsvRecord& record) {
      ++records;
      return record.fields.size() == 3;
    }));
  }
  EXPECT_EQ(records, bytes / chunk.size() * 1'000);
  CsvReader endless(';');
  const std::string quoted = "\"" + std::string(1'000'000, 'x');
  EXPECT_FALSE(endless.Add(quoted, [](CsvRecord&) { return true; }));
}

TEST(Decode, KnowsTheThreeEncodings) {
  EXPECT_EQ(Decode("bl\xC3\xA5", Encoding::kUtf8), "blå");
  EXPECT_EQ(Decode("bl\xE5", Encoding::kUtf8), std::nullopt);
  EXPECT_EQ(Decode("bl\xE5 \x96 \x80", Encoding::kWindows1252), "blå – €");
  EXPECT_EQ(Decode("\x81", Encoding::kWindows1252), std::nullopt);
  EXPECT_EQ(Decode("bl\xE5", Encoding::kLatin1), "blå");
  EXPECT_EQ(Decode("\x96", Encoding::kLatin1), std::nullopt) << "it would be a control character";
  EXPECT_EQ(Decode("a\x01", Encoding::kUtf8), std::nullopt);
}

std::string At(const std::string& text, const std::string& not_before = "") {
  const auto from = not_before.empty()
                        ? std::nullopt
                        : ParseLocalInstant(not_before, ExampleCsvFormat(), std::nullopt);
  const auto at = ParseLocalInstant(text, ExampleCsvFormat(), from);
  return at ? FormatInstant(*at) : "none";
}

TEST(LocalInstant, KnowsTheClockChanges) {
  EXPECT_EQ(At("2.11.2026 08:05"), "2026-11-02T07:05:00.000Z");
  EXPECT_EQ(At("29.03.2026 02:30"), "2026-03-29T01:00:00.000Z") << "does not exist";
  EXPECT_EQ(At("25.10.2026 02:30"), "2026-10-25T00:30:00.000Z") << "the first of two";
  EXPECT_EQ(At("25.10.2026 02:10", "25.10.2026 02:30"), "2026-10-25T01:10:00.000Z")
      << "the second, because what it follows was later than the first";
}

TEST(LocalInstant, RefusesWhatIsNone) {
  EXPECT_EQ(At("29.02.2028 12:00"), "2028-02-29T11:00:00.000Z");
  for (const char* text :
       {"29.02.2026 12:00", "31.04.2026 12:00", "00.01.2026 12:00", "01.13.2026 12:00",
        "01.01.1900 00:00", "01.01.1970 00:00", "01.01.26 12:00", "01.01.2026 24:00",
        "01.01.2026 12:60", "01.01.2026", "01.01.2026 12:00 ", "46000,5", "i dag", ""}) {
    EXPECT_EQ(At(text), "none") << text;
  }
  CsvFormat iso = ExampleCsvFormat();
  iso.instant = "";
  EXPECT_TRUE(ParseLocalInstant("2026-11-02T08:05:00+01:00", iso, std::nullopt));
  EXPECT_FALSE(ParseLocalInstant("02.11.2026 08:05", iso, std::nullopt));
}

// One record against a header that has more columns than are asked for.
std::string Told(const std::vector<std::string>& cells) {
  CsvTickets tickets(ExampleCsvFormat());
  CsvRecord header;
  header.fields = {"Nr",   "Opprettet", "Emne",  "Status", "Svart",
                   "Løst", "Endret",    "Poeng", "Kommune"};
  EXPECT_EQ(tickets.Bind(header), "");
  CsvRecord record;
  record.fields = cells;
  std::string reason;
  const auto ticket = tickets.Read(record, &reason);
  if (!ticket) return reason;
  std::string text = ticket->id + " " + ticket->municipality + " " + ticket->now->status;
  for (const RawEvent& event : ticket->events) text += ", " + event.means;
  if (ticket->answer) text += ", answer " + ticket->answer->score;
  return text;
}

TEST(CsvTickets, ReadsARecord) {
  EXPECT_EQ(Told({"0042", "02.11.2026 08:00", "Ola Nordmann ringte", "Løst", "02.11.2026 08:30",
                  "02.11.2026 11:00", "", "4,0", " Vik "}),
            "0042 Vik Løst, new, open, resolved, answer 4,0");
  EXPECT_EQ(Told({"1", "02.11.2026 08:00", "", "Ny", "", "", "", "", "Vik"}), "1 Vik Ny, new");
}

TEST(CsvTickets, RefusesWithoutRepeatingWhatStoodThere) {
  const auto with = [](size_t cell, const std::string& text) {
    std::vector<std::string> cells = {"1", "02.11.2026 08:00", "", "Ny", "", "", "", "", "Vik"};
    cells[cell] = text;
    return Told(cells);
  };
  EXPECT_EQ(with(0, "=HYPERLINK(\"x\")"), "`Nr`: not the id of a ticket");
  for (const char* id : {"", "+1", "-1", "@1", "a\nb"}) {
    EXPECT_EQ(with(0, id), "`Nr`: not the id of a ticket") << id;
  }
  EXPECT_EQ(with(0, "\xE5"), "`Nr`: not in the configured encoding");
  EXPECT_EQ(with(1, ""), "`Opprettet`: missing");
  EXPECT_EQ(with(1, "29.02.2026 08:00"), "`Opprettet`: not an instant as configured");
  EXPECT_EQ(with(4, "01.11.2026 08:00"), "`Svart`: before what it follows");
  EXPECT_EQ(with(5, "01.11.2026 08:00"), "`Løst`: before what it follows");
  EXPECT_EQ(with(7, "6"), "`Poeng`: not a whole number from 1 to 5");
  EXPECT_EQ(with(7, "4,5"), "`Poeng`: not a whole number from 1 to 5");
  EXPECT_EQ(with(7, "4"), "`Poeng`: an answer without an instant");
  EXPECT_EQ(Told({"1", "2"}), "2 fields where the header has 9");
}

TEST(CsvTickets, WantsItsColumnsOnce) {
  CsvTickets tickets(ExampleCsvFormat());
  CsvRecord header;
  header.fields = {"Nr", "Opprettet"};
  EXPECT_EQ(tickets.Bind(header), "no column `Status` in the header");
  header.fields = {"Nr",   "Nr",     "Opprettet", "Status", "Svart",
                   "Løst", "Endret", "Kommune",   "Poeng"};
  EXPECT_EQ(tickets.Bind(header), "the column `Nr` stands twice in the header");
  header.fields = {"L\xF8st"};
  EXPECT_EQ(tickets.Bind(header), "the header is not in the configured encoding");
}

}  // namespace
}  // namespace oppetid::collector
