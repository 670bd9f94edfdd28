#include "collector/tickets/file_drop.h"

namespace oppetid::collector {
namespace {

constexpr Millis kMinNewFile{3'600'000};
constexpr Millis kMaxNewFile{366LL * 86'400'000};

void ReadColumns(YamlMap& map, CsvFormat& csv) {
  auto columns = map.Map("columns");
  if (!columns) {
    if (!map.Has("columns")) {
      map.Fault("columns", "`columns` is missing; expected {id: …, created: …, resolved: …}");
    }
    return;
  }
  csv.id = columns->RequiredString("id");
  csv.created = columns->RequiredString("created");
  csv.responded = columns->String("responded", "");
  csv.resolved = columns->String("resolved", "");
  csv.updated = columns->String("updated", "");
  csv.scored_at = columns->String("scored_at", "");
  columns->Finish();
}

void ReadCsv(YamlMap& map, TicketMapping& mapping, CsvFormat& csv) {
  const std::string delimiter = map.String("delimiter", ";");
  if (delimiter.size() == 1 && delimiter.find_first_of("\"\r\n") == std::string::npos) {
    csv.delimiter = delimiter[0];
  } else {
    map.Fault("delimiter", "`delimiter`: one character, as in \";\" or \"\\t\"");
  }
  const std::string encoding = map.OneOf("encoding", {"utf-8", "windows-1252", "latin1"}, "utf-8");
  csv.encoding = encoding == "windows-1252" ? Encoding::kWindows1252
                 : encoding == "latin1"     ? Encoding::kLatin1
                                            : Encoding::kUtf8;
  const std::string instants = map.String("instants", "%d.%m.%Y %H:%M");
  csv.instant = instants == "rfc3339" ? "" : instants;
  for (size_t i = 0; i < csv.instant.size(); ++i) {
    if (csv.instant[i] != '%') continue;
    if (++i < csv.instant.size() &&
        std::string_view("dmYHMS").find(csv.instant[i]) != std::string_view::npos)
      continue;
    map.Fault("instants", "`instants`: rfc3339, or %d %m %Y %H %M %S and what stands between");
    break;
  }
  const std::string zone = map.String("timezone", "Europe/Oslo");
  csv.zone = Zone::Find(zone);
  if (!csv.zone) map.Fault("timezone", "`timezone`: no such zone, as in Europe/Oslo");
  ReadColumns(map, csv);
  RequireField(map, "municipality", mapping.municipality, true);
  RequireField(map, "kind", mapping.kind, true);
  RequireField(map, "priority", mapping.priority, true);
  RequireField(map, "status", mapping.status, true);
  if (!mapping.service.words.empty()) RequireField(map, "service", mapping.service, true);
  csv.municipality = mapping.municipality.from;
  csv.kind = mapping.kind.from;
  csv.priority = mapping.priority.from;
  csv.status = mapping.status.from;
  csv.service = mapping.service.from;
  csv.score = mapping.satisfaction_from;
  // Without a column for it nobody knows when the customer was answered: then the status says.
  if (csv.responded.empty()) mapping.responded_by_reply = false;
}

}  // namespace

MakeTicketSource ReadFileDropKeys(YamlMap& map, TicketMapping& mapping) {
  FileDropConfig config;
  config.directory = map.RequiredString("directory");
  config.json = map.OneOf("format", {"csv", "jsonl"}, "csv") == "jsonl";
  config.new_file_within = map.Duration("new_file_within", kMinNewFile, kMaxNewFile);
  if (config.json) {
    // A line says everything itself; what is not mapped is in our words.
    for (FieldMapping* field : {&mapping.municipality, &mapping.kind, &mapping.priority,
                                &mapping.status, &mapping.service}) {
      field->as_is = field->words.empty();
    }
    mapping.responded_by_reply = false;
  } else {
    ReadCsv(map, mapping, config.csv);
  }
  return [config](BlockingPool& pool) -> absl::StatusOr<std::unique_ptr<TicketSource>> {
    return MakeFileDrop(config, pool);
  };
}

}  // namespace oppetid::collector
