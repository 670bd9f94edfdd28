// report: what did a program on this machine say itself? A passive check: the answer is the newest
// report (`oppetid-agent report`) from one of `users`. Nothing heard for `every` and `grace` is
// unknown, never the last good word.
#include <algorithm>

#include "agent/reports.h"
#include "agent/sensors/backup_job.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/report_users.h"
#include "common/limits.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kLeastGrace{10'000};
constexpr Millis kMostGrace{3'600'000};

class ReportSensor : public Sensor {
 public:
  ReportSensor(std::string check, Millis every, World& world)
      : check_(std::move(check)), every_(every), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    Answer answer;
    if (world_.reports == nullptr) {
      answer.text = "nothing takes reports here";
      co_return answer;
    }
    if (const PassiveReport* newest = world_.reports->Newest(check_)) {
      answer.state = newest->state;
      answer.text = newest->text.empty() ? "reported without a text" : newest->text;
      co_return answer;
    }
    const PassiveReport* last = world_.reports->Last(check_);
    answer.text = last == nullptr ? "nothing reported yet"
                                  : "nothing reported for " +
                                        RoughDuration(std::chrono::duration_cast<Millis>(
                                            world_.clock.SteadyNow() - last->heard)) +
                                        " (expected every " + FormatDuration(every_) + ")";
    co_return answer;
  }

 private:
  std::string check_;
  Millis every_;
  World& world_;
};

}  // namespace

std::unique_ptr<Sensor> MakeReportSensor(YamlMap& config, World& world) {
  const std::string check = config.String("name", "");
  if (!config.Has("every")) {
    config.Fault("every", "`every` is missing: how often a report is expected, e.g. 1h");
  }
  // An odd one is told where the common keys are read.
  const Millis every =
      config.Duration("every", limits::kMinEvery, limits::kMaxEvery, std::chrono::hours(1));
  const Millis grace = config.Duration("grace", Millis(0), limits::kMaxEvery,
                                       std::clamp(every / 2, kLeastGrace, kMostGrace));
  std::set<uid_t> users = ReadReportUsers(config);
  if (world.reports != nullptr) world.reports->AddCheck(check, std::move(users), every + grace);
  return std::make_unique<ReportSensor>(check, every, world);
}

}  // namespace oppetid::agent
