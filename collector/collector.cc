#include "collector/collector.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "collector/account/agreements.h"
#include "collector/account_api.h"
#include "collector/acts.h"
#include "collector/admin_api.h"
#include "collector/api.h"
#include "collector/config.h"
#include "collector/grpc_server.h"
#include "collector/hub.h"
#include "collector/identities.h"
#include "collector/ledger/sqlite.h"
#include "collector/ledger_thread.h"
#include "collector/live_sla.h"
#include "collector/tickets/desk.h"
#include "collector/web/http_server.h"
#include "common/file.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

// Scrapes being rendered and exports being read at a time.
constexpr size_t kHttpThreads = 2;
constexpr Millis kTickEvery{1'000};
// What decoding big frames leaves between long-lived strings goes back to the system this often:
// after a fleet has reconnected, it is as much as the series themselves.
constexpr Millis kUpkeepEvery{60'000};
// Everything after a signal must be done by then.
constexpr Millis kStopWithin{10'000};
// A descriptor per agent and per waiting connection.
constexpr rlim_t kDescriptors = 65'536;

struct Configured {
  CollectorConfig config;
  std::vector<TicketSourceConfig> ticket_sources;
};

std::optional<Configured> Load(const std::string& file) {
  const auto text = ReadFile(file);
  if (!text.ok()) {
    std::cerr << text.status().message() << "\n";
    return std::nullopt;
  }
  Faults faults(file);
  CollectorConfig config = ReadCollectorConfig(*text, faults);
  auto ticket_sources = ReadTicketSources(config.tickets, faults);
  if (faults.empty()) return Configured{std::move(config), std::move(ticket_sources)};
  for (const std::string& line : faults.lines()) std::cerr << line << "\n";
  return std::nullopt;
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min(std::max(limit.rlim_cur, kDescriptors), limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) LogWarning("cannot raise the limit of open files");
}

class Collector {
 public:
  explicit Collector(Configured configured)
      : config_(std::move(configured.config)),
        ticket_sources_(std::move(configured.ticket_sources)),
        counters_(clock_) {}

  int Run() {
    if (const absl::Status status = Start(); !status.ok()) {
      LogError("cannot start", {{"error", std::string(status.message())}});
      return 1;
    }
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (!error) Stop();
    });
    Tick();
    io_.run();
    LogInfo("stopped");
    // Everything durable is on the disk. gRPC's threads, and a scrape being rendered, may still
    // speak to objects of ours, so these are left as they are rather than destroyed under them.
    std::_Exit(0);
  }

 private:
  absl::Status Start() {
    RaiseDescriptorLimit();
    ::mkdir(config_.state.c_str(), 0700);  // if that fails, the lock below says why
    auto lock = LockFile::Take(config_.state + "/collector.lock");
    if (!lock.ok()) return lock.status();
    lock_.emplace(*std::move(lock));
    auto ledger = OpenSqliteLedger(config_.state + "/ledger.sqlite");
    if (!ledger.ok()) return ledger.status();
    ledger_ = *std::move(ledger);
    auto reader = ledger_->OpenReader();
    if (!reader.ok()) return reader.status();
    const auto stored = (*reader)->Agents();
    if (!stored.ok()) return stored.status();
    ledger_thread_.emplace(*ledger_, io_.get_executor());
    hub_.emplace(clock_, *ledger_thread_, counters_, ledger_->id(), *stored,
                 ledger_->newest_record());
    acts_.emplace(*hub_, clock_);
    auto identities =
        Identities::Open(config_, *hub_, *acts_, counters_, clock_, io_.get_executor());
    if (!identities.ok()) return identities.status();
    identities_ = *std::move(identities);
    tokens_.emplace(*acts_);
    acts_->AddView([this](const Act& act) {
      agreements_.Tell(act);
      if (live_sla_) live_sla_->OnAgreed();
      if (tickets_) tickets_->OnAgreed();
    });
    if (auto status = acts_->Load(**reader); !status.ok()) return status;
    if (auto status = identities_->Settle(*stored); !status.ok()) return status;
    api_.emplace(*hub_, *ledger_, counters_, clock_, *tokens_, config_.anonymous);
    AddTokenPages(*api_, *tokens_);
    tickets_.emplace(*hub_, *ledger_, clock_, pool_, io_.get_executor());
    if (auto status = tickets_->Start(ticket_sources_, **reader); !status.ok()) return status;
    tickets_->AddPages(*api_);
    tickets_->FollowCatalogue([this] { return agreements_.catalogue(); });
    AddAuditPage(*api_, *ledger_);
    identities_->AddRoutes(*api_);
    StartLiveSla();
    AddAccountPages(*api_, *acts_, agreements_, *hub_, *ledger_, clock_);
    if (auto status = StartGrpc(); !status.ok()) return status;
    http_.emplace(io_.get_executor(), pool_, [this](HttpRequest request, HttpDone done) {
      api_->Handle(std::move(request), std::move(done));
    });
    if (auto status = LoadHttpTls(); !status.ok()) return status;
    if (auto status = http_->ListenTcp(config_.http); !status.ok()) return status;
    if (auto status = http_->ListenUnix(config_.admin_socket, 0660, config_.admin_group);
        !status.ok()) {
      return status;
    }
    LogInfo("started", {{"version", OPPETID_VERSION},
                        {"ledger", ledger_->id()},
                        {"grpc_port", static_cast<int>(grpc_->port())},
                        {"http_port", static_cast<int>(http_->port())},
                        {"agents_known", static_cast<uint64_t>(stored->size())}});
    return absl::OkStatus();
  }

  // Reads certificate and key for HTTP, and uses them from now on if they are others than before.
  absl::Status LoadHttpTls() {
    if (config_.http_key.empty()) return absl::OkStatus();
    const auto certificate = ReadFile(config_.http_certificate);
    if (!certificate.ok()) return certificate.status();
    const auto key = ReadSecretFile(config_.http_key);
    if (!key.ok()) return key.status();
    if (*certificate == http_certificate_) return absl::OkStatus();
    if (auto status = http_->SetTls(*certificate, *key); !status.ok()) return status;
    http_certificate_ = *certificate;
    return absl::OkStatus();
  }

  void StartLiveSla() {
    live_sla_.emplace(*ledger_, clock_, pool_, io_.get_executor(), [this] {
      return Agreed{agreements_.catalogue(), agreements_.decisions()};
    });
    hub_->set_on_stored([this](const Batch& batch) { live_sla_->OnStored(batch); });
    api_->AddFamilies(
        [this](const View& view, const Reach& reach) { return live_sla_->Render(view, reach); });
  }

  absl::Status StartGrpc() {
    GrpcServerOptions options;
    options.address = config_.grpc;
    options.identity = identities_->trust().server();
    options.enrol = [this](const v1::EnrolRequest& request, const std::string& peer,
                           Enrolment::Enrolled done) {
      identities_->enrolment().Enrol(request, peer, std::move(done));
    };
    auto server = GrpcServer::Start(std::move(options), io_.get_executor(), *hub_,
                                    identities_->trust().verifier(), clock_, counters_);
    if (!server.ok()) return server.status();
    grpc_ = *std::move(server);
    identities_->OnServerChange([this](const ServerIdentity& identity) { grpc_->Show(identity); });
    return absl::OkStatus();
  }

  void Tick() {
    hub_->Tick();
    identities_->Tick();
    tickets_->Tick();
    live_sla_->Tick();
    if (const Steady now = clock_.SteadyNow(); now >= next_upkeep_) {
      next_upkeep_ = now + kUpkeepEvery;
      if (auto status = LoadHttpTls(); !status.ok()) {
        LogWarning("the certificate for HTTP stays as it was",
                   {{"error", std::string(status.message())}});
      }
      pool_.Post([] { ::malloc_trim(0); });
    }
    tick_.expires_after(kTickEvery);
    tick_.async_wait([this](boost::system::error_code error) {
      if (!error) Tick();
    });
  }

  // One way down: no intake, what memory knows made durable, out when no work is left.
  void Stop() {
    tick_.cancel();
    give_up_.expires_after(kStopWithin);
    give_up_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      LogWarning("stopping took too long");
      io_.stop();
    });
    http_->Close();
    grpc_->StopAccepting();
    // Ending the streams needs this thread to go on, so gRPC is waited for elsewhere.
    pool_.Post([this] {
      grpc_->Shutdown();
      boost::asio::post(io_, [this] {
        hub_->Flush([this](const absl::Status& status) {
          if (!status.ok()) {
            LogError("open runs are not saved", {{"error", std::string(status.message())}});
          }
          give_up_.cancel();
          io_.stop();
        });
      });
    });
  }

  CollectorConfig config_;
  std::vector<TicketSourceConfig> ticket_sources_;
  SystemClock clock_;
  Counters counters_;
  BlockingPool pool_{"http-pool", kHttpThreads};
  boost::asio::io_context io_{1};
  std::optional<LockFile> lock_;
  std::unique_ptr<Ledger> ledger_;
  std::optional<LedgerThread> ledger_thread_;
  std::optional<Hub> hub_;
  std::optional<Acts> acts_;
  std::optional<Tokens> tokens_;
  Agreements agreements_;
  std::optional<LiveSla> live_sla_;
  std::optional<Api> api_;
  std::unique_ptr<Identities> identities_;
  std::optional<TicketDesk> tickets_;
  std::unique_ptr<GrpcServer> grpc_;
  std::optional<HttpServer> http_;
  std::string http_certificate_;  // as last read
  // A terminal that is closed is no crash.
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  boost::asio::steady_timer tick_{io_};
  Steady next_upkeep_ = clock_.SteadyNow() + kUpkeepEvery;
  boost::asio::steady_timer give_up_{io_};
};

}  // namespace

int RunCollector(const std::string& config_file) {
  std::signal(SIGPIPE, SIG_IGN);
  auto config = Load(config_file);
  if (!config) return 2;
  Collector collector(*std::move(config));
  return collector.Run();
}

int CheckCollectorConfig(const std::string& config_file) {
  if (!Load(config_file)) return 2;
  std::cout << config_file << ": fine\n";
  return 0;
}

}  // namespace oppetid::collector
