// The present as the hub shows it: up, states, validity, series, and restarts of the collector.
#include <cmath>

#include "collector/exposition.h"
#include "tests/support/hub_fixture.h"

namespace oppetid::collector {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class HubView : public HubFixture {
 protected:
  std::string Metrics() {
    Renderer renderer(hub_->MakeView(), Renderer::Part::kOwn, "", Reach::All());
    std::string text;
    while (renderer.Next(&text)) {
    }
    return text;
  }
  // A Snapshot in which the first check measured a load, defined anew when `define`.
  v1::AgentFrame Load(int64_t at, double value, bool define) {
    v1::AgentFrame frame = SnapshotFrame(at);
    AddRun(&frame, 0, 0, at);
    if (define) {
      auto* definition = frame.mutable_snapshot()->add_definitions();
      definition->set_id(1);
      definition->set_name("host_load1");
    }
    auto* set = frame.mutable_snapshot()->add_samples();
    set->set_at_ms(kHubStartMs + at * 1000);
    set->add_series(1);
    set->add_values(value);
    return frame;
  }
  static constexpr char kSeries[] = "host_load1{municipality=\"vik\",host=\"srv1\"} ";
};

TEST_F(HubView, ShowsWhatASnapshotSays) {
  const Stream stream = Connect(1, {"disk", "cpu"});
  v1::AgentFrame frame = SnapshotFrame(2);
  AddRun(&frame, 0, -30, 0, v1::STATE_CRITICAL);
  v1::OpenRun* run = frame.mutable_snapshot()->mutable_runs(0);
  run->set_text("two\nlines");
  run->set_duration_us(1'500);
  run->set_unconfirmed_total(3);
  frame.mutable_snapshot()->mutable_spool()->set_facts(4);
  frame.mutable_snapshot()->mutable_spool()->set_bytes(5);
  frame.mutable_snapshot()->mutable_spool()->set_gap_ms(6);
  hub_->OnFrame(stream.id, frame);
  const AgentView agent = Agent();
  EXPECT_EQ(agent.version, "0.1.0");
  EXPECT_EQ(agent.os, "Debian 12");
  EXPECT_EQ(agent.up, true);
  EXPECT_TRUE(agent.connected);
  EXPECT_EQ(agent.clock_offset_ms, 2'000);
  EXPECT_EQ(agent.spool_facts, 4U);
  EXPECT_EQ(agent.spool_bytes, 5U);
  EXPECT_EQ(agent.gap_ms, 6U);
  EXPECT_EQ(agent.last_seen, clock_.Now());
  EXPECT_EQ(agent.certificate_expires, clock_.Now() + std::chrono::hours(24));
  ASSERT_THAT(agent.checks, SizeIs(2));
  EXPECT_EQ(agent.checks[0].state, State::kCritical);
  EXPECT_EQ(agent.checks[0].since, clock_.Now() - Millis(30'000));
  EXPECT_EQ(agent.checks[0].valid_until, clock_.Now() + Millis(45'000));
  EXPECT_EQ(agent.checks[0].text, "two");
  EXPECT_DOUBLE_EQ(agent.checks[0].duration_seconds, 0.0015);
  EXPECT_EQ(agent.checks[0].unconfirmed_total, 3U);
  EXPECT_EQ(agent.checks[1].state, State::kUnknown);
  EXPECT_EQ(agent.checks[1].since, std::nullopt);
}

TEST_F(HubView, CountsAnAgentAsUpForTwoIntervalsAndFiveSeconds) {
  Connect(1);
  clock_.Advance(Millis(34'999));
  EXPECT_EQ(Agent().up, true);
  clock_.Advance(Millis(1));
  EXPECT_EQ(Agent().up, false);
}

TEST_F(HubView, DoesNotKnowWhoIsUpShortlyAfterAStart) {
  Connect(1);
  hub_->Flush([](const absl::Status&) {});
  writer_.Drain();
  Restart(writer_.stored.back().agents);
  EXPECT_EQ(Agent().up, std::nullopt);
  EXPECT_FALSE(Agent().connected);
  clock_.Advance(Millis(34'999));
  EXPECT_EQ(Agent().up, std::nullopt);
  clock_.Advance(Millis(1));
  EXPECT_EQ(Agent().up, false);
  Connect(1);
  EXPECT_EQ(Agent().up, true);
}

TEST_F(HubView, BecomesUnknownWhenAnObservationHasRunOut) {
  const Stream stream = Connect(1);
  Snap(stream, 0);
  clock_.Advance(Millis(44'999));
  EXPECT_EQ(Check().state, State::kOk);
  clock_.Advance(Millis(1));
  EXPECT_EQ(Check().state, State::kUnknown);
  EXPECT_EQ(Check().since, FromUnixMillis(kHubStartMs + 45'000));
  EXPECT_THAT(Check().text, HasSubstr("it was ok"));
}

TEST_F(HubView, StoresANewRunAtOnceAndItsGrowthAtTheEnd) {
  const Stream stream = Connect(1);
  Snap(stream, 0);
  ASSERT_THAT(writer_.batch().runs, SizeIs(1));
  writer_.Complete();
  clock_.Advance(Millis(15'000));
  Snap(stream, 0);
  EXPECT_FALSE(writer_.busy()) << "the same run goes on";
  clock_.Advance(Millis(15'000));
  Snap(stream, 30, v1::STATE_CRITICAL);
  ASSERT_THAT(writer_.batch().runs, SizeIs(2));
  EXPECT_EQ(writer_.batch().runs[0].to, FromUnixMillis(kHubStartMs + 15'000 + 45'000));
  EXPECT_TRUE(writer_.batch().runs[0].grow_in_place);
  EXPECT_EQ(writer_.batch().runs[1].state, State::kCritical);
}

TEST_F(HubView, StoresWithEveryRunTheRowThatKnowsIt) {
  // After a restart the row is all that is known: a gap that begins where it ends must hide
  // nothing.
  const Stream stream = Connect(1);
  Snap(stream, 0);
  ASSERT_THAT(writer_.batch().agents, SizeIs(1));
  EXPECT_EQ(writer_.batch().agents[0].runs.at(0).since, FromUnixMillis(kHubStartMs));
  writer_.Complete();
  clock_.Advance(Millis(30'000));
  Snap(stream, 30, v1::STATE_CRITICAL);
  ASSERT_THAT(writer_.batch().runs, SizeIs(2));
  ASSERT_THAT(writer_.batch().agents, SizeIs(1));
  EXPECT_EQ(writer_.batch().agents[0].runs.at(0).state, State::kCritical);
  EXPECT_EQ(writer_.batch().agents[0].runs.at(0).since, FromUnixMillis(kHubStartMs + 30'000));
}

TEST_F(HubView, WritesOpenRunsOnceAMinute) {
  const Stream stream = Connect(1);
  Snap(stream, 0);
  writer_.Drain();
  clock_.Advance(Millis(30'000));
  Snap(stream, 0);
  hub_->Tick();
  EXPECT_FALSE(writer_.busy());
  clock_.Advance(Millis(30'000));
  hub_->Tick();
  ASSERT_TRUE(writer_.busy());
  ASSERT_THAT(writer_.batch().agents, SizeIs(1));
  ASSERT_THAT(writer_.batch().agents[0].runs, SizeIs(1));
  EXPECT_EQ(writer_.batch().agents[0].runs[0].last, FromUnixMillis(kHubStartMs + 30'000));
}

TEST_F(HubView, EndsTheSeriesOfASilentAgent) {
  const Stream stream = Connect(1);
  hub_->OnFrame(stream.id, Load(0, 0.5, true));
  EXPECT_THAT(Metrics(), HasSubstr(std::string(kSeries) + "0.5\n"));
  clock_.Advance(Millis(35'000));
  EXPECT_THAT(Metrics(), Not(HasSubstr("host_load1"))) << "not up, though still valid";
  hub_->OnFrame(stream.id, SnapshotFrame(35));
  EXPECT_THAT(Metrics(), HasSubstr(kSeries));
  clock_.Advance(Millis(10'000));
  EXPECT_THAT(Metrics(), Not(HasSubstr("host_load1"))) << "up, but nobody measured any more";
}

TEST_F(HubView, ShowsASeriesOnceThoughAResetGaveItToAnotherCheck) {
  const Stream stream = Connect(1, {"disk", "cpu"});
  hub_->OnFrame(stream.id, Load(0, 0.5, true));
  v1::AgentFrame reset = Load(0, 0.75, true);
  reset.mutable_snapshot()->set_reset_definitions(true);
  reset.mutable_snapshot()->mutable_definitions(0)->set_check(1);
  reset.mutable_snapshot()->mutable_samples(0)->set_check(1);
  hub_->OnFrame(stream.id, reset);
  const std::string text = Metrics();
  EXPECT_THAT(text, HasSubstr(std::string(kSeries) + "0.75\n"));
  EXPECT_THAT(text, Not(HasSubstr(std::string(kSeries) + "0.5\n")));
}

TEST_F(HubView, RefusesSamplesFromNoTime) {
  const Stream stream = Connect(1);
  for (const int64_t at : {INT64_MAX, int64_t{0}, INT64_MIN, kHubStartMs + 60'001}) {
    v1::AgentFrame frame = Load(0, 0.5, true);
    frame.mutable_snapshot()->mutable_samples(0)->set_at_ms(at);
    hub_->OnFrame(stream.id, frame);
    EXPECT_THAT(Metrics(), Not(HasSubstr("host_load1"))) << at;
  }
  EXPECT_EQ(Counted("from_the_future"), "2");
  EXPECT_EQ(Counted("sample_instant"), "2");
}

TEST_F(HubView, CountsWhatItRefusesOfASnapshotAndTakesTheRest) {
  const Stream stream = Connect(1);
  v1::AgentFrame frame = Load(0, 0.5, true);
  AddRun(&frame, 9, 0, 0);
  auto* bad = frame.mutable_snapshot()->add_definitions();
  bad->set_id(2);
  bad->set_name("oppetid_agent_up");
  bad->set_carried(true);
  auto* labels = frame.mutable_snapshot()->add_definitions();
  labels->set_id(3);
  labels->set_name("foreign");
  labels->set_carried(true);
  labels->add_labels("host");
  labels->add_labels("another");
  auto* undefined = frame.mutable_snapshot()->add_samples();
  undefined->set_at_ms(kHubStartMs);
  undefined->add_series(77);
  undefined->add_values(1);
  frame.mutable_snapshot()->add_samples()->set_check(5);
  hub_->OnFrame(stream.id, frame);
  EXPECT_EQ(stream.link->Why(), "");
  EXPECT_THAT(Metrics(), HasSubstr(std::string(kSeries) + "0.5\n"));
  EXPECT_EQ(Counted("check_index"), "2");
  EXPECT_EQ(Counted("reserved_name"), "1");
  EXPECT_EQ(Counted("our_label"), "1");
  EXPECT_EQ(Counted("undefined_series"), "1");
  EXPECT_EQ(counters_.samples.Value(), 1);
  hub_->OnFrame(stream.id, Load(0, std::nan(""), false));
  EXPECT_EQ(Counted("not_finite_or_twice"), "1");
}

TEST_F(HubView, ForgetsACheckThatIsRemoved) {
  const Stream stream = Connect(1, {"disk", "cpu"});
  Snap(stream, 0);
  writer_.Drain();
  clock_.Advance(Millis(15'000));
  Snap(stream, 0);
  Connect(1, {"cpu"});
  ASSERT_TRUE(writer_.busy());
  ASSERT_THAT(writer_.batch().runs, SizeIs(1));
  EXPECT_EQ(writer_.batch().runs[0].to, FromUnixMillis(kHubStartMs + 60'000))
      << "what memory knew of it is stored";
  ASSERT_THAT(Agent().checks, SizeIs(1));
  EXPECT_EQ(Check().check, "cpu");
}

TEST_F(HubView, KeepsARunAcrossAReconnect) {
  const Stream stream = Connect(1);
  Snap(stream, 0, v1::STATE_WARNING);
  hub_->OnClosed(stream.id);
  EXPECT_EQ(Check().state, State::kWarning);
  Connect(1, {"cpu", "disk"});
  EXPECT_EQ(Check(0).state, State::kUnknown);
  EXPECT_EQ(Check(1).state, State::kWarning);
}

TEST_F(HubView, ShowsStoredRunsAfterARestart) {
  const Stream stream = Connect(1);
  Snap(stream, 0, v1::STATE_WARNING);
  writer_.Drain();
  Restart(writer_.stored.back().agents);
  EXPECT_EQ(Check().state, State::kWarning);
  EXPECT_EQ(Check().text, "as seen");
  clock_.Advance(Millis(45'000));
  EXPECT_EQ(Check().state, State::kUnknown);
  const Stream again = Connect(1);
  Snap(again, 0, v1::STATE_WARNING);  // it had gone on all the time
  EXPECT_EQ(Check().state, State::kWarning);
  EXPECT_EQ(Check().since, FromUnixMillis(kHubStartMs));
}

TEST_F(HubView, LearnsLateAboutARunAsAPieceOfItsOwn) {
  const Stream stream = Connect(1);
  Snap(stream, 0);
  writer_.Drain();
  clock_.Advance(Millis(100'000));
  Snap(stream, 0);
  ASSERT_TRUE(writer_.busy());
  ASSERT_THAT(writer_.batch().runs, SizeIs(2));
  EXPECT_TRUE(writer_.batch().runs[0].grow_in_place);
  EXPECT_EQ(writer_.batch().runs[0].to, FromUnixMillis(kHubStartMs + 45'000));
  EXPECT_FALSE(writer_.batch().runs[1].grow_in_place);
  EXPECT_EQ(writer_.batch().runs[1].to, FromUnixMillis(kHubStartMs + 145'000));
}

TEST_F(HubView, DoesNotBelieveAClockThatIsAhead) {
  const Stream stream = Connect(1);
  Snap(stream, 0);
  writer_.Drain();
  v1::AgentFrame ahead = SnapshotFrame(61);
  AddRun(&ahead, 0, 0, 61);
  hub_->OnFrame(stream.id, ahead);
  EXPECT_EQ(Check().state, State::kUnknown);
  EXPECT_THAT(Check().text, HasSubstr("clock"));
  EXPECT_EQ(Counted("clock_ahead"), "1");
  EXPECT_EQ(Agent().clock_offset_ms, 61'000);
  EXPECT_EQ(Agent().up, true);
  v1::AgentFrame barely = SnapshotFrame(60);
  AddRun(&barely, 0, 0, 60);
  hub_->OnFrame(stream.id, barely);
  EXPECT_EQ(Check().state, State::kOk);
}

TEST_F(HubView, ClosesARunThatASnapshotNoLongerHas) {
  const Stream stream = Connect(1);
  Snap(stream, 0);
  writer_.Drain();
  hub_->OnFrame(stream.id, SnapshotFrame(0));
  ASSERT_TRUE(writer_.busy());
  EXPECT_TRUE(writer_.batch().runs.at(0).grow_in_place);
  EXPECT_EQ(Check().state, State::kOk) << "it holds until it runs out";
}

TEST_F(HubView, SortsAgentsByMunicipalityAndHost) {
  for (const auto& [host, municipality] :
       {std::pair("b", "vik"), std::pair("a", "vik"), std::pair("c", "fjord")}) {
    const Stream stream = Open(host, municipality);
    hub_->OnFrame(stream.id, HelloFrame(1));
  }
  std::vector<std::string> names;
  const auto view = hub_->MakeView();
  for (const auto& agent : view->agents) names.push_back(agent->host);
  EXPECT_THAT(names, ElementsAre("c", "a", "b"));
}

}  // namespace
}  // namespace oppetid::collector
