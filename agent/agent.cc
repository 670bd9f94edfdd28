#include "agent/agent.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>

#include "agent/config.h"
#include "agent/core.h"
#include "agent/grpc_link.h"
#include "agent/renewal.h"
#include "agent/report_server.h"
#include "agent/runner.h"
#include "common/file.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

// Blocking calls at a time: look-ups, statvfs (two of which may hang), package lists.
constexpr size_t kPoolThreads = 4;
// What is still under way at the end gets this long; then the program leaves it.
constexpr Millis kStopWithin{5'000};
// The wall clock is looked at this often, even when nothing is due.
constexpr Millis kLongestSleep{30'000};

std::string FirstLineOf(const std::string& path) {
  const auto content = ReadFile(path, 4'096);
  return content.ok() ? OneLine(*content) : "";
}

std::string OsName() {
  const auto content = ReadFile("/etc/os-release", 16'384);
  constexpr std::string_view kKey = "PRETTY_NAME=\"";
  if (!content.ok()) return "Linux";
  const size_t at = content->find(kKey);
  if (at == std::string::npos) return "Linux";
  const std::string_view rest = std::string_view(*content).substr(at + kKey.size());
  return OneLine(rest.substr(0, rest.find('"')));
}

uint64_t RandomBits() {
  static std::random_device device;  // the kernel's generator
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// Reads the file, or tells all its faults and returns nothing.
std::optional<AgentConfig> Load(const std::string& file, World& world) {
  const auto text = ReadFile(file);
  if (!text.ok()) {
    std::cerr << text.status().message() << "\n";
    return std::nullopt;
  }
  Faults faults(file);
  AgentConfig config = ReadAgentConfig(*text, faults, world);
  if (faults.empty()) return config;
  for (const std::string& line : faults.lines()) std::cerr << line << "\n";
  return std::nullopt;
}

class Agent {
 public:
  explicit Agent(const std::string& config_file) : config_file_(config_file) {}

  int Run() {
    auto config = Load(config_file_, world_);
    if (!config) return 2;
    sensors_ = std::move(config->sensors);
    runner_.emplace(world_, sensors_, config->takes_turns);
    if (auto status = Start(*std::move(config)); !status.ok()) {
      LogError("cannot start", {{"error", std::string(status.message())}});
      return 1;
    }
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (!error) Stop();
    });
    Wake();
    io_.run();
    if (runner_->under_way() > 0) {
      LogWarning("leaving calls that hang",
                 {{"calls", static_cast<uint64_t>(runner_->under_way())}});
    }
    LogInfo("stopped");
    // Everything durable is on the disk. gRPC's threads and calls that hang in the kernel may still
    // speak to objects of ours, so these are left as they are rather than destroyed under them.
    std::_Exit(0);
  }

 private:
  absl::Status Start(AgentConfig config) {
    // Others may pass through to report.sock; whatever else is in it is closed by its own mode. If
    // this fails, the lock below says why.
    ::mkdir(config.state.c_str(), 0711);
    auto lock = LockFile::Take(config.state + "/agent.lock");
    if (!lock.ok()) return lock.status();
    lock_.emplace(*std::move(lock));
    auto disk = PosixDisk::Open(config.state + "/spool");
    if (!disk.ok()) return disk.status();
    disk_ = *std::move(disk);
    auto reports_disk = PosixDisk::Open(config.state + "/reports");
    if (!reports_disk.ok()) return reports_disk.status();
    reports_disk_ = *std::move(reports_disk);
    if (auto status = reports_.Open(*reports_disk_); !status.ok()) return status;
    const TlsFiles files{config.ca, config.certificate, config.key};
    link_.emplace(io_.get_executor(), files);
    renewal_.emplace(files, RandomBits);
    link_->set_events({[this](const v1::CollectorFrame& frame) {
                         const Steady now = clock_.SteadyNow();
                         core_->uplink().OnFrame(frame, clock_.Now(), now);
                         const Instant wall = clock_.Now() + core_->uplink().clock_offset();
                         if (frame.has_welcome()) renewal_->OnConnected(wall, now);
                         if (frame.has_certificate()) {
                           renewal_->OnCertificate(frame.certificate(), wall, now);
                         }
                         Wake();
                       },
                       [this] {
                         core_->uplink().OnSent(clock_.Now(), clock_.SteadyNow());
                         Wake();
                       },
                       [this](const std::string& reason) {
                         core_->uplink().OnClosed(reason, clock_.SteadyNow());
                         Wake();
                       }});
    char machine[256] = "";
    ::gethostname(machine, sizeof machine - 1);
    CoreOptions options;
    options.version = OPPETID_VERSION;
    options.os = OsName();
    options.boot_id = FirstLineOf("/proc/sys/kernel/random/boot_id");
    options.machine = machine;
    options.collectors = std::move(config.collectors);
    options.interval = config.interval;
    options.spool = config.spool;
    options.checks = std::move(config.checks);
    options.add_to_hello = [this](v1::Hello* hello) { renewal_->FillHello(hello); };
    for (const CheckSpec& check : options.checks) deadlines_.push_back(check.deadline);
    auto core = Core::Start(std::move(options), *disk_, *link_, RandomBits, clock_.Now(),
                            clock_.SteadyNow());
    if (!core.ok()) return core.status();
    core_ = *std::move(core);
    reports_.set_on_news([this](const std::string& check) {
      core_->OnCheckNow(check);
      Wake();
    });
    // Without it nothing is reported, and what should be becomes unknown; the rest goes on.
    if (auto status = report_server_.Listen(config.report_socket); !status.ok()) {
      LogError("takes no reports", {{"error", std::string(status.message())}});
    }
    LogInfo("started",
            {{"version", OPPETID_VERSION}, {"checks", static_cast<uint64_t>(deadlines_.size())}});
    return absl::OkStatus();
  }

  // Asks what is due and sets the timer for what comes next.
  void Wake() {
    if (stopping_) return;
    Renew();
    for (const size_t check : core_->Tick(clock_.Now(), clock_.SteadyNow())) Ask(check);
    const Steady now = clock_.SteadyNow();
    Steady next = core_->Next();
    if (core_->uplink().connected()) next = std::min(next, renewal_->Next());
    timer_.expires_at(std::clamp(next, now, now + Steady::duration(kLongestSleep)));
    timer_.async_wait([this](boost::system::error_code error) {
      if (!error) Wake();
    });
  }

  // Asks for a new certificate when one is due, and connects anew to use it.
  void Renew() {
    if (!core_->uplink().connected()) return;
    if (auto request = renewal_->Due(clock_.SteadyNow())) {
      v1::AgentFrame frame;
      *frame.mutable_renewal() = *std::move(request);
      core_->uplink().SendFirst(std::move(frame));
    }
    if (renewal_->Reconnect(clock_.SteadyNow())) core_->uplink().Reconnect();
  }

  void Ask(size_t check) {
    runner_->Ask(check, deadlines_[check],
                 [this, check, generation = core_->clock_generation()](
                     Answer answer, Instant started, std::chrono::microseconds duration) {
                   core_->OnAttempt({check, generation, started, duration, std::move(answer)},
                                    clock_.Now(), clock_.SteadyNow());
                   Wake();
                 });
  }

  // One way down: no new attempts, facts on disk, the stream ended, out when no work is left.
  void Stop() {
    stopping_ = true;
    runner_->Stop();
    report_server_.Stop();
    core_->Stop(clock_.Now());
    timer_.expires_after(kStopWithin);
    timer_.async_wait([this](boost::system::error_code error) {
      if (!error) io_.stop();
    });
    AwaitEnd();
  }

  // Polls what has no event of its own: that every sensor has let go.
  void AwaitEnd() {
    if (runner_->under_way() == 0) {
      timer_.cancel();
      return;
    }
    poll_.expires_after(Millis(20));
    poll_.async_wait([this](boost::system::error_code) { AwaitEnd(); });
  }

  std::string config_file_;
  SystemClock clock_;
  BlockingPool pool_{"agent-pool", kPoolThreads};
  boost::asio::io_context io_{1};
  Reports reports_{clock_};
  World world_{io_.get_executor(), pool_, clock_, "", &reports_};
  std::vector<std::unique_ptr<Sensor>> sensors_;
  std::vector<Millis> deadlines_;
  std::optional<LockFile> lock_;
  std::unique_ptr<PosixDisk> disk_;
  std::unique_ptr<PosixDisk> reports_disk_;
  ReportServer report_server_{io_.get_executor(), clock_, reports_};
  std::optional<GrpcLink> link_;
  std::optional<Renewal> renewal_;
  std::unique_ptr<Core> core_;
  std::optional<Runner> runner_;
  // A terminal that is closed is no crash.
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  boost::asio::steady_timer timer_{io_};
  boost::asio::steady_timer poll_{io_};
  bool stopping_ = false;
};

}  // namespace

int RunAgent(const std::string& config_file) {
  std::signal(SIGPIPE, SIG_IGN);
  Agent agent(config_file);
  return agent.Run();
}

int CheckAgentConfig(const std::string& config_file) {
  SystemClock clock;
  boost::asio::io_context io(1);
  BlockingPool pool("agent-pool", 1);
  World world{io.get_executor(), pool, clock, ""};
  if (!Load(config_file, world)) return 2;
  std::cout << config_file << ": fine\n";
  return 0;
}

}  // namespace oppetid::agent
