#include "collector/tickets/file_drop.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/contract/ticket_source_contract.h"
#include "tests/support/csv_format.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kHeader[] = "Nr;Opprettet;Status;Svart;Løst;Endret;Kommune;Type;Pri;Poeng\r\n";

CsvFormat Format() {
  CsvFormat format = ExampleCsvFormat();
  format.kind = "Type";
  format.priority = "Pri";
  return format;
}

TicketMapping Mapping() {
  TicketMapping mapping;
  mapping.municipality.words = {{"Fjordvik kommune", "fjordvik"}, {"Åsdal kommune", "aasdal"}};
  mapping.kind.words = {{"Hendelse", "incident"}, {"Bestilling", "request"}};
  mapping.priority.words = {{"1", "P1"}, {"2", "P2"}, {"3", "P3"}};
  mapping.status.words = {
      {"Ny", "new"}, {"Åpen", "open"}, {"Venter", "waiting_customer"}, {"Løst", "resolved"}};
  return mapping;
}

// Files come to lie in a directory as they do on a disk; the source's clock is a minute ahead, so
// that they have settled.
class Drop {
 public:
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(path() + "/" + name, std::ios::binary) << content;
  }
  std::string path() const { return directory_.path(); }
  Instant now() const {
    return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()) + Millis(60'000);
  }
  absl::StatusOr<TicketPage> Read(const std::string& token = "") {
    TicketQuestion question;
    question.now = now();
    question.token = token;
    config.directory = path();
    return ReadFileDrop(config, question);
  }
  // Everything from `token` on: "id id !file:line reason"; and the token at the end.
  std::string ReadAll(std::string* token) {
    std::string told;
    for (int pages = 0; pages < 100; ++pages) {
      const auto page = Read(*token);
      if (!page.ok()) return told + "error " + std::string(page.status().message());
      for (const RawTicket& ticket : page->tickets) {
        told += ticket.id + " ";
        if (ticket.now) {
          EXPECT_GT(ticket.now->as_of, now() - Millis(3'600'000));
        }
      }
      EXPECT_EQ(page->place.empty(), page->tickets.empty() && page->rejected.empty());
      for (const TicketReject& reject : page->rejected) {
        told += absl::StrCat("!", reject.place, ":", reject.line, " ", reject.reason, " ");
      }
      *token = page->token;
      if (!page->more) break;
    }
    return told;
  }
  std::string ReadAll() {
    std::string token;
    return ReadAll(&token);
  }

  FileDropConfig config{"", false, Format(), std::nullopt};

 private:
  TempDir directory_;
};

std::string Row(const std::string& id) {
  return id + ";01.02.2024 08:00;Ny;;;;Fjordvik kommune;Hendelse;2;\r\n";
}

class DropPlace : public TicketPlace {
 public:
  DropPlace() {
    drop_.Write("a.csv",
                std::string(kHeader) +
                    "1;01.02.2024 08:00;Løst;01.02.2024 08:30;01.02.2024 11:00;;Fjordvik kommune;"
                    "Hendelse;2;\r\n"
                    "2;01.02.2024 08:00;Løst;01.02.2024 08:10;02.02.2024 12:00;;Åsdal kommune;"
                    "Hendelse;3;\r\n");
    drop_.Write("b.csv", std::string(kHeader) +
                             "3;05.02.2024 09:00;Løst;05.02.2024 09:05;05.02.2024 14:30;;"
                             "Fjordvik kommune;Hendelse;1;4\r\n" +
                             Row("4"));
  }
  absl::StatusOr<std::unique_ptr<TicketSource>> Make(BlockingPool& pool) override {
    drop_.config.directory = drop_.path();
    return MakeFileDrop(drop_.config, pool);
  }
  const TicketMapping& mapping() const override { return mapping_; }
  Instant since() const override { return Instant(); }
  Instant now() const override { return drop_.now(); }
  std::vector<std::string> ids() const override { return {"1", "2", "3", "4"}; }
  void Break() override { std::filesystem::rename(drop_.path(), drop_.path() + ".away"); }
  void Mend() override { std::filesystem::rename(drop_.path() + ".away", drop_.path()); }

 private:
  Drop drop_;
  TicketMapping mapping_ = Mapping();
};

std::unique_ptr<TicketPlace> MakeDropPlace() { return std::make_unique<DropPlace>(); }
INSTANTIATE_TEST_SUITE_P(FileDrop, TicketSourceContract, testing::Values(&MakeDropPlace));

TEST(FileDrop, TakesEachFileOnceAndAgainWhenItHasChanged) {
  Drop drop;
  drop.Write("a.csv", kHeader + Row("1"));
  drop.Write("b.csv", kHeader + Row("2"));
  drop.Write("c.csv.part", kHeader + Row("9"));
  drop.Write(".d.csv", kHeader + Row("9"));
  std::string token;
  EXPECT_EQ(drop.ReadAll(&token), "1 2 ");
  EXPECT_EQ(drop.ReadAll(&token), "");
  drop.Write("a.csv", kHeader + Row("1") + Row("3"));
  EXPECT_EQ(drop.ReadAll(&token), "1 3 ");
  std::filesystem::rename(drop.path() + "/c.csv.part", drop.path() + "/c.csv");
  EXPECT_EQ(drop.ReadAll(&token), "9 ");
}

TEST(FileDrop, LeavesAFileThatMayStillGrow) {
  Drop drop;
  drop.Write("a.csv", kHeader + Row("1"));
  drop.config.directory = drop.path();
  TicketQuestion question;
  question.now = drop.now() - Millis(60'000);
  const auto page = ReadFileDrop(drop.config, question);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->tickets, IsEmpty());
  EXPECT_FALSE(page->more);
}

TEST(FileDrop, ReadsALargeFilePageByPage) {
  Drop drop;
  std::string text = kHeader;
  for (int i = 1; i <= 2'500; ++i) text += Row(std::to_string(i));
  drop.Write("a.csv", text);
  std::string token;
  std::vector<size_t> sizes;
  std::set<std::string> ids;
  for (;;) {
    const auto page = drop.Read(token);
    ASSERT_TRUE(page.ok()) << page.status();
    if (!page->more) break;
    sizes.push_back(page->tickets.size());
    for (const RawTicket& ticket : page->tickets) ids.insert(ticket.id);
    if (!page->tickets.empty()) {
      EXPECT_EQ(page->tickets.front().line, std::stoi(page->tickets.front().id) + 1);
    }
    token = page->token;
  }
  EXPECT_THAT(sizes, ElementsAre(1'000, 1'000, 500));
  EXPECT_EQ(ids.size(), 2'500U);
}

TEST(FileDrop, RefusesAFileWholeThatIsBeyondTheBounds) {
  Drop drop;
  drop.Write("a.csv", kHeader + Row("1"));
  ASSERT_EQ(::truncate((drop.path() + "/a.csv").c_str(), 2'000'000'000), 0);  // sparse
  EXPECT_EQ(drop.ReadAll(), "!a.csv:0 larger than 512 MB; split it ");
  drop.Write("a.csv", "Nr;Noe\n1;2\n");
  EXPECT_EQ(drop.ReadAll(), "!a.csv:0 no column `Opprettet` in the header ");
  drop.Write("a.csv", kHeader + Row("1") + "2;\"01.02.2024\n");
  EXPECT_THAT(drop.ReadAll(), HasSubstr("!a.csv:0 line 3: a quote is not closed"));
  drop.Write("a.csv", std::string("\xFF\xFEN\0r\0", 6));
  EXPECT_EQ(drop.ReadAll(), "!a.csv:0 UTF-16; save it as UTF-8 ");
  drop.Write("a.csv", "");
  EXPECT_EQ(drop.ReadAll(), "!a.csv:0 no header ");
  std::string rows = kHeader;
  for (int i = 0; i <= kMaxDropRows; ++i) rows += "1\n";
  drop.Write("a.csv", rows);
  EXPECT_EQ(drop.ReadAll(), "!a.csv:0 more than 500000 rows; split it ");
}

TEST(FileDrop, RejectsRowsWithTheirLinesAndTakesTheRest) {
  Drop drop;
  drop.Write("a.csv", "sep=;\r\n" + std::string(kHeader) + Row("1") +
                          "2;29.02.2023 08:00;Ny;;;;Fjordvik kommune;Hendelse;2;\r\n"
                          "\"=cmd|'/C calc'!A0\";01.02.2024 08:00;Ny;;;;x;Hendelse;2;\r\n"
                          "\"4\n5\";01.02.2024 08:00;Ny;;;;x;Hendelse;2;\r\n" +
                          Row("6") + "Sum;5\r\n");
  EXPECT_EQ(drop.ReadAll(),
            "1 6 !a.csv:4 `Opprettet`: not an instant as configured "
            "!a.csv:5 `Nr`: not the id of a ticket !a.csv:6 `Nr`: not the id of a ticket "
            "!a.csv:9 2 fields where the header has 10 ");
}

TEST(FileDrop, ReadsTheConfiguredEncodingOnly) {
  Drop drop;
  drop.config.csv.encoding = Encoding::kWindows1252;
  const std::string header = "Nr;Opprettet;Status;Svart;L\xF8st;Endret;Kommune;Type;Pri;Poeng\n";
  drop.Write("a.csv", header + "1;01.02.2024 08:00;Ny;;;;\xC5sdal kommune;Hendelse;2;\n");
  const auto page = drop.Read();
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->tickets.size(), 1U);
  EXPECT_EQ(page->tickets[0].municipality, "Åsdal kommune");
  drop.config.csv.encoding = Encoding::kUtf8;
  drop.Write("a.csv", "\xEF\xBB\xBF" + std::string(kHeader) + Row("1") +
                          "2;01.02.2024 08:00;Ny;;;;\xC5sdal kommune;Hendelse;2;\n");
  EXPECT_EQ(drop.ReadAll(), "1 !a.csv:3 `Kommune`: not in the configured encoding ");
}

TEST(FileDrop, ReadsLinesOfJson) {
  Drop drop;
  drop.config.json = true;
  const std::string line =
      R"({"type":"ticket","id":"7","municipality":"vik","kind":"incident","priority":"P3",)"
      R"("events":[{"at":"2024-07-02T06:10:00Z","status":"new"}]})";
  drop.Write("a.jsonl", line + "\n\nnothing\n" + line);
  EXPECT_EQ(drop.ReadAll(),
            "7 7 !a.jsonl:3 not one JSON object on one line of at most 1000000 bytes, each key "
            "once ");
  drop.Write("b.csv", kHeader + Row("1"));
  EXPECT_THAT(drop.ReadAll(), testing::Not(HasSubstr("b.csv")));
  drop.Write("a.jsonl", std::string(1'000'001, ' '));
  EXPECT_THAT(drop.ReadAll(), HasSubstr("line 1: longer than 1000000 bytes"));
}

TEST(FileDrop, CountsAsDownWhenNoNewFileComes) {
  Drop drop;
  drop.config.new_file_within = Millis(3'600'000);
  EXPECT_THAT(drop.ReadAll(), HasSubstr("error"));
  drop.Write("a.csv", kHeader + Row("1"));
  std::string token;
  EXPECT_EQ(drop.ReadAll(&token), "1 ");
  TicketQuestion later;
  later.now = drop.now() + Millis(2 * 3'600'000);
  later.token = token;
  const auto page = ReadFileDrop(drop.config, later);
  EXPECT_THAT(std::string(page.status().message()), HasSubstr("no new file for 1h"));
}

TEST(FileDrop, BeginsAnewWhereTheTokenIsNone) {
  Drop drop;
  drop.Write("a.csv", kHeader + Row("1"));
  for (std::string token : {"x", "1/2/3", "9999999999999999999/a", "1/a/x/b/1/1", "////////"}) {
    EXPECT_EQ(drop.ReadAll(&token), "1 ") << token;
  }
}

}  // namespace
}  // namespace oppetid::collector
