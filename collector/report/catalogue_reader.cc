#include "collector/report/catalogue_reader.h"

#include <algorithm>
#include <set>

#include "collector/report/line_object.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr Millis kMaxDuration = std::chrono::hours(24 * 36'525);  // 100 years, as ParseDuration
// Norway has 357 municipalities; a room's catalogue some dozens of services. The rows of a report
// are their product, and dependencies are followed to their depth.
constexpr size_t kMaxMunicipalities = 2'000;
constexpr size_t kMaxServices = 2'000;

std::string Quote(std::string_view text) { return "`" + OneLine(text, 60) + "`"; }

// An id: 1 to 100 bytes without spaces, slashes or control characters, and not "*".
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 100 && text != "*" &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; });
}

std::string ReadName(YamlMap& map, std::string_view key) {
  std::string name = map.RequiredString(key);
  if (!name.empty() && !IsName(name)) {
    map.Fault(key, "`" + std::string(key) + "`: " + Quote(name) +
                       " cannot be a name; allowed: 1 to 100 characters without spaces, not `*`");
  }
  return name;
}

Percent ReadTarget(YamlMap& map) {
  if (!map.Has("target")) map.Fault("target", "`target` is missing; allowed: as in 99.9 %");
  const auto target = map.PercentOf("target");
  if (target && target->millionths == 0) {
    map.Fault("target", "`target`: 0 % asks for nothing; allowed: above 0 %, at most 100 %");
  }
  return target.value_or(Percent{});
}

Membership ReadMembership(YamlMap& map) {
  Membership membership{ReadDate(map, "from"), ReadDate(map, "until")};
  if (membership.from && membership.until && *membership.from > *membership.until) {
    map.Fault("from", "`from` " + FormatDate(*membership.from) + " is after `until` " +
                          FormatDate(*membership.until) + "; allowed: from at or before until");
  }
  return membership;
}

class Reader {
 public:
  Reader(Catalogue& catalogue, Faults& faults) : catalogue_(catalogue), faults_(faults) {}

  void Read(YamlMap& map) {
    ReadMunicipalities(map);
    ReadCalendars(map);
    ReadServices(map);
    ReadBackups(map);
    if (const Yaml* tickets = map.Raw("tickets"); tickets != nullptr) {
      catalogue_.tickets = ReadTicketRules(*tickets, faults_);
      CheckCalendar(catalogue_.tickets.calendar, *tickets, "calendar");
      for (size_t i = 0; i < catalogue_.tickets.targets.size(); ++i) {
        const std::string& name = catalogue_.tickets.targets[i].calendar;
        if (!name.empty()) CheckCalendar(name, *tickets, "targets[" + std::to_string(i) + "]");
      }
    }
    map.Finish();
    for (const Yaml* service : service_yaml_) CheckDependencies(*service);
    CheckCycles();
  }

 private:
  // Enough faults for a person; the search for the nearest name is dear.
  bool Full() const { return faults_.lines().size() > kMaxFaults; }

  void ReadMunicipalities(YamlMap& map) {
    std::vector<YamlMap> all = map.Maps("municipalities");
    if (all.size() > kMaxMunicipalities) {
      map.Fault("municipalities", "more than " + std::to_string(kMaxMunicipalities));
      return;
    }
    for (YamlMap& its : all) {
      Municipality municipality;
      municipality.id = ReadName(its, "id");
      municipality.name = its.String("name", municipality.id);
      municipality.language = its.OneOf("language", {"nb", "nn", "en"}, "nb");
      municipality.membership = ReadMembership(its);
      municipality.merged_into = its.String("merged_into", "");
      its.Finish();
      if (!municipality_ids_.insert(municipality.id).second) {
        its.Fault("id", "municipality " + Quote(municipality.id) + " stands twice; keep one");
      }
      catalogue_.municipalities.push_back(std::move(municipality));
    }
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string& into = catalogue_.municipalities[i].merged_into;
      if (into.empty()) continue;
      if (!municipality_ids_.contains(into)) {
        all[i].Fault("merged_into", UnknownMunicipality("merged_into", into));
      } else if (MergesInto(catalogue_.municipalities[i])) {
        all[i].Fault("merged_into", "`merged_into`: " + Quote(catalogue_.municipalities[i].id) +
                                        " ends up merged into itself");
      }
    }
  }

  // Whether following `merged_into` leads back to the same municipality.
  bool MergesInto(const Municipality& start) const {
    std::string at = start.merged_into;
    for (size_t hops = 0; hops <= catalogue_.municipalities.size() && !at.empty(); ++hops) {
      if (at == start.id) return true;
      const auto next =
          std::find_if(catalogue_.municipalities.begin(), catalogue_.municipalities.end(),
                       [&](const Municipality& its) { return its.id == at; });
      if (next == catalogue_.municipalities.end()) return false;
      at = next->merged_into;
    }
    return false;
  }

  std::string UnknownMunicipality(std::string_view key, const std::string& name) const {
    const std::vector<std::string_view> known(municipality_ids_.begin(), municipality_ids_.end());
    return "`" + std::string(key) + "`: municipality " + Quote(name) + " is not in the catalogue" +
           DidYouMean(name, known) + "; allowed: the ids under `municipalities`";
  }

  void ReadCalendars(YamlMap& map) {
    catalogue_.calendars["always"].always = true;
    const Yaml* all = map.Raw("calendars");
    if (all == nullptr) return;
    if (all->kind != Yaml::Kind::kMap) {
      faults_.Add(all->at, "`calendars`: expected a mapping of names to calendars");
      return;
    }
    for (const auto& [name, yaml] : all->map) {
      Calendar calendar = ReadCalendar(yaml, catalogue_.zone, faults_);
      if (name == "always" && !calendar.always) {
        faults_.Add(yaml.at, "`always` is built in and means always; name this one otherwise");
      }
      catalogue_.calendars[name] = std::move(calendar);
    }
  }

  void CheckCalendar(const std::string& name, const Yaml& parent, const std::string& key) {
    if (catalogue_.calendars.contains(name)) return;
    std::vector<std::string_view> known;
    for (const auto& [its, calendar] : catalogue_.calendars) known.push_back(its);
    YamlPosition at = parent.at;
    for (const auto& [its, value] : parent.map) {
      if (its == key) at = value.at;
    }
    faults_.Add(at, "`" + key + "`: calendar " + Quote(name) + " is not in the catalogue" +
                        DidYouMean(name, known) +
                        "; allowed: always and the names under "
                        "`calendars`");
  }

  // A list of names or {id, from, until}; each at most once.
  std::vector<ServiceMember> ReadMembers(YamlMap& map, bool dated) {
    std::vector<ServiceMember> members;
    const Yaml* list = map.Raw("municipalities");
    if (list == nullptr || list->kind != Yaml::Kind::kList || list->list.empty()) {
      map.Fault("municipalities", "`municipalities`: expected a list of at least one id");
      return members;
    }
    std::set<std::string> seen;
    for (const Yaml& element : list->list) {
      if (Full()) break;
      ServiceMember member;
      if (element.kind == Yaml::Kind::kScalar) {
        member.municipality = element.scalar;
      } else if (dated) {
        YamlMap entry(element, faults_);
        member.municipality = entry.RequiredString("id");
        member.membership = ReadMembership(entry);
        entry.Finish();
        if (member.municipality.empty()) continue;
      } else {
        faults_.Add(element.at, "`municipalities`: expected ids; membership plays no part here");
        continue;
      }
      if (!municipality_ids_.contains(member.municipality)) {
        faults_.Add(element.at, UnknownMunicipality("municipalities", member.municipality));
      } else if (!seen.insert(member.municipality).second) {
        faults_.Add(element.at, "`municipalities`: " + Quote(member.municipality) +
                                    " stands twice in the list; keep one");
      }
      members.push_back(std::move(member));
    }
    return members;
  }

  std::map<std::string, std::string> ReadNames(YamlMap& map, const std::string& id) {
    std::map<std::string, std::string> names;
    const Yaml* raw = map.Raw("name");
    if (raw != nullptr && raw->kind == Yaml::Kind::kScalar) {
      names["nb"] = raw->scalar;
    } else if (auto its = map.Map("name")) {
      for (const char* language : {"nb", "nn", "en"}) {
        if (const auto name = its->String(language)) names[language] = *name;
      }
      its->Finish();
    }
    if (names.empty()) names["nb"] = id;
    return names;
  }

  void ReadServices(YamlMap& map) {
    const Yaml* raw = map.Raw("services");
    std::vector<YamlMap> all = map.Maps("services");
    if (all.size() > kMaxServices) {
      map.Fault("services", "more than " + std::to_string(kMaxServices));
      return;
    }
    for (size_t i = 0; i < all.size(); ++i) {
      YamlMap& its = all[i];
      Service service;
      service.id = ReadName(its, "id");
      service.names = ReadNames(its, service.id);
      service.members = ReadMembers(its, true);
      service.calendar = its.String("hours", "always");
      CheckCalendar(service.calendar, raw->list[i], "hours");
      service.target = ReadTarget(its);
      const std::string unknown =
          its.OneOf("unknown", {"bounds", "exclude", "down", "up"}, "bounds");
      service.unknown = unknown == "exclude" ? UnknownMode::kExclude
                        : unknown == "down"  ? UnknownMode::kDown
                        : unknown == "up"    ? UnknownMode::kUp
                                             : UnknownMode::kBounds;
      service.longest_down = its.Duration("longest_down", Millis(0), kMaxDuration);
      service.notice = its.Duration("maintenance_notice", Millis(0), kMaxDuration, service.notice);
      if (const Yaml* up_when = its.Raw("up_when"); up_when != nullptr) {
        service.up_when = ReadExpression(*up_when, faults_);
      } else {
        its.Fault("up_when", "`up_when` is missing; allowed: a check, or all, any or at_least");
      }
      // Read again, element by element, by CheckDependencies, when all services are known.
      if (its.Raw("depends_on") != nullptr) service.depends_on = its.Strings("depends_on");
      its.Finish();
      if (!service_ids_.insert(service.id).second) {
        its.Fault("id", "service " + Quote(service.id) + " stands twice; keep one");
      }
      catalogue_.services.push_back(std::move(service));
      service_yaml_.push_back(&raw->list[i]);
    }
  }

  void CheckDependencies(const Yaml& service) {
    const std::vector<std::string_view> known(service_ids_.begin(), service_ids_.end());
    const auto check = [&](const Yaml& its) {
      if (Full() || its.kind != Yaml::Kind::kScalar || service_ids_.contains(its.scalar)) return;
      faults_.Add(its.at, "`depends_on`: service " + Quote(its.scalar) +
                              " is not in the catalogue" + DidYouMean(its.scalar, known) +
                              "; allowed: the ids under `services`");
    };
    for (const auto& [key, value] : service.map) {
      if (key != "depends_on") continue;
      check(value);
      for (const Yaml& element : value.list) check(element);
    }
  }

  // One fault for each cycle of dependencies that a walk in the file's order closes.
  void CheckCycles() {
    std::map<std::string, size_t> index;
    for (size_t i = 0; i < catalogue_.services.size(); ++i) index[catalogue_.services[i].id] = i;
    std::vector<int> state(catalogue_.services.size(), 0);  // 1: on the path, 2: done
    std::vector<std::pair<size_t, size_t>> path;            // service, its next dependency
    for (size_t start = 0; start < state.size(); ++start) {
      if (state[start] == 0) path.push_back({start, 0});
      while (!path.empty()) {
        auto& [service, next] = path.back();
        state[service] = 1;
        const auto& below = catalogue_.services[service].depends_on;
        if (next == below.size()) {
          state[service] = 2;
          path.pop_back();
          continue;
        }
        const auto it = index.find(below[next++]);
        if (it == index.end()) continue;
        if (state[it->second] == 0) {
          path.push_back({it->second, 0});
        } else if (state[it->second] == 1) {
          std::string text;
          bool on = false;
          for (const auto& [its, unused] : path) {
            on = on || its == it->second;
            if (on) text += catalogue_.services[its].id + " -> ";
          }
          faults_.Add(
              service_yaml_[it->second]->at,
              "`depends_on`: a cycle: " + OneLine(text + catalogue_.services[it->second].id) +
                  "; a service cannot depend on itself");
        }
      }
    }
  }

  void ReadBackups(YamlMap& map) {
    std::set<std::pair<std::string, std::string>> seen;
    for (YamlMap& its : map.Maps("backups")) {
      BackupJob job;
      job.job = its.RequiredString("job");
      for (ServiceMember& member : ReadMembers(its, false)) {
        if (!seen.insert({job.job, member.municipality}).second) {
          its.Fault("job", "job " + Quote(job.job) + " stands twice for " +
                               Quote(member.municipality) + "; keep one");
        }
        job.municipalities.push_back(std::move(member.municipality));
      }
      if (!its.Has("rpo")) its.Fault("rpo", "`rpo` is missing; allowed: a duration such as 26h");
      job.rpo = its.Duration("rpo", Millis(1), kMaxDuration, Millis(0));
      job.target = ReadTarget(its);
      job.restore_test_every = its.Duration("restore_test_every", Millis(1), kMaxDuration);
      its.Finish();
      catalogue_.backups.push_back(std::move(job));
    }
  }

  Catalogue& catalogue_;
  Faults& faults_;
  std::set<std::string> municipality_ids_;
  std::set<std::string> service_ids_;
  std::vector<const Yaml*> service_yaml_;
};

}  // namespace

Expression ReadExpression(const Yaml& yaml, Faults& faults) {
  Expression out;
  if (yaml.kind == Yaml::Kind::kScalar) {
    const size_t slash = yaml.scalar.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == yaml.scalar.size() ||
        yaml.scalar.find('/', slash + 1) != std::string::npos) {
      faults.Add(yaml.at, "`up_when`: " + Quote(yaml.scalar) +
                              " is not the name of a check; allowed: <host>/<check>, all, any, or "
                              "{at_least: n, of: […]}");
    }
    out.check = yaml.scalar;
    return out;
  }
  YamlMap map(yaml, faults);
  const bool all = map.Has("all"), any = map.Has("any"), at_least = map.Has("at_least");
  const char* key = all ? "all" : any ? "any" : "of";
  const Yaml* list = map.Raw(key);
  if (all + any + at_least != 1 || list == nullptr || list->kind != Yaml::Kind::kList ||
      list->list.empty()) {
    faults.Add(yaml.at,
               "`up_when`: expected one of all: […], any: […] or {at_least: n, of: […]} with a "
               "list of at least one part");
    return out;
  }
  for (const Yaml& part : list->list) out.parts.push_back(ReadExpression(part, faults));
  const auto k = static_cast<int64_t>(out.parts.size());
  out.at_least = static_cast<int>(all ? k : any ? 1 : map.Int("at_least", 1, k, 1));
  map.Finish();
  return out;
}

std::optional<Catalogue> ReadCatalogue(std::string_view text, Faults& faults) {
  const size_t before = faults.lines().size();
  const Yaml root = ParseYaml(text, faults);
  if (faults.lines().size() != before) return std::nullopt;
  YamlMap map(root, faults);
  const std::string timezone = map.String("timezone", "Europe/Oslo");
  auto zone = Zone::Find(timezone);
  if (!zone) {
    map.Fault("timezone", "`timezone`: " + Quote(timezone) +
                              " is not in the system's time zone database; allowed: names such as "
                              "Europe/Oslo (is the package tzdata installed?)");
    zone = Zone::Find("UTC");  // to go on and tell the other faults too
    if (!zone) return std::nullopt;
  }
  Catalogue catalogue(*zone);
  catalogue.timezone = timezone;
  Reader(catalogue, faults).Read(map);
  if (faults.lines().size() != before) return std::nullopt;
  return catalogue;
}

}  // namespace oppetid::collector
