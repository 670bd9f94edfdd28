#include "collector/tickets/desk.h"

#include <boost/asio/post.hpp>

#include "common/log.h"

namespace oppetid::collector {
namespace {

// Without a catalogue: clocks that never stop, no targets.
std::shared_ptr<const Catalogue> NoCatalogue() {
  auto zone = Zone::Find("Europe/Oslo");
  if (!zone) zone = Zone::Find("UTC");
  if (!zone) return nullptr;  // a machine without tzdata
  auto catalogue = std::make_shared<Catalogue>(*zone);
  catalogue->calendars["always"].always = true;
  return catalogue;
}

}  // namespace

TicketDesk::TicketDesk(Hub& hub, const Ledger& ledger, const Clock& clock, BlockingPool& pool,
                       boost::asio::any_io_executor executor)
    : hub_(hub),
      ledger_(ledger),
      clock_(clock),
      pool_(pool),
      executor_(executor),
      poller_(hub, ledger, clock, pool, executor),
      no_catalogue_(NoCatalogue()) {}

absl::Status TicketDesk::Start(std::vector<TicketSourceConfig> configs, LedgerReader& reader) {
  if (auto status = poller_.Start(std::move(configs), reader); !status.ok()) return status;
  intake_.emplace(hub_, ledger_, clock_, pool_, executor_, poller_.names());
  return absl::OkStatus();
}

void TicketDesk::AddPages(Api& api) {
  api.Route("POST", "/api/v1/tickets", Access::kPush,
            [this](const HttpRequest& request, HttpDone done) {
              intake_->Push(request, std::move(done));
            });
  api.Route("GET", "/api/v1/tickets/sources", Access::kAdmin,
            [this](const HttpRequest&, const HttpDone& done) { done(JsonAnswer(poller_.Json())); });
  api.AddFamilies([this](const View&, const Reach& reach) {
    std::string text = computed_ ? texts_.Render(reach, poller_.Stale()) : "";
    if (reach.all) text += poller_.Metrics();
    return text;
  });
}

void TicketDesk::FollowCatalogue(GetCatalogue in_force) {
  in_force_ = std::move(in_force);
  OnAgreed();
}

void TicketDesk::Tick() {
  poller_.Tick();
  const Steady now = clock_.SteadyNow();
  const bool changed = computed_of_ != poller_.stored() + intake_->stored();
  const Millis wait = changed ? kComputeEvery : kComputeAtLeastEvery;
  if (!computing_ && (!computed_at_ || now - *computed_at_ >= wait)) Compute();
}

void TicketDesk::Compute() {
  std::shared_ptr<const Catalogue> catalogue = in_force_ ? in_force_() : nullptr;
  if (catalogue == nullptr) catalogue = no_catalogue_;
  if (catalogue == nullptr) return;
  computing_ = true;
  computed_at_ = clock_.SteadyNow();
  computed_of_ = poller_.stored() + intake_->stored();
  pool_.Post([this, catalogue, now = clock_.Now()] {
    auto reader = ledger_.OpenReader();
    auto metrics = reader.ok() ? ComputeTicketMetrics(**reader, *catalogue, now)
                               : absl::StatusOr<TicketMetrics>(reader.status());
    auto shared = std::make_shared<absl::StatusOr<TicketMetrics>>(std::move(metrics));
    boost::asio::post(executor_, [this, shared] {
      computing_ = false;
      computed_ = shared->ok();
      if (computed_) return texts_.Set(std::move(**shared));
      LogWarning("cannot compute the helpdesk's figures",
                 {{"error", std::string(shared->status().message())}});
    });
  });
}

}  // namespace oppetid::collector
