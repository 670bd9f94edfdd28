// The hub's streams: who may speak, what is acked when, what a broken ledger does.
#include "collector/hub.h"

#include "common/limits.h"
#include "tests/support/hub_fixture.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using HubStreams = HubFixture;
using HubFacts = HubFixture;
using HubIdentity = HubFixture;
using HubLedger = HubFixture;

TEST_F(HubStreams, WelcomesAnAgent) {
  const Stream stream = Connect(7);
  ASSERT_THAT(stream.link->sent, SizeIs(1));
  const v1::Welcome& welcome = stream.link->sent[0].welcome();
  EXPECT_EQ(welcome.ledger_id(), "ledger-1");
  EXPECT_EQ(welcome.now_ms(), kHubStartMs);
  EXPECT_EQ(welcome.limits().series(), limits::kSeries);
  EXPECT_EQ(welcome.limits().frames_unacked(), limits::kFramesUnacked);
  EXPECT_EQ(welcome.limits().facts_per_frame(), limits::kFactsPerFrame);
  ASSERT_EQ(welcome.watermarks_size(), 1);
  EXPECT_EQ(welcome.watermarks(0).epoch(), 7U);
  EXPECT_EQ(welcome.watermarks(0).last_sequence(), 0U);
}

TEST_F(HubStreams, WantsHelloFirstAndOnce) {
  const Stream silent = Open();
  hub_->OnFrame(silent.id, SnapshotFrame(0));
  EXPECT_THAT(silent.link->Why(), HasSubstr("hello_missing"));
  const Stream twice = Connect(1);
  hub_->OnFrame(twice.id, HelloFrame(1));
  EXPECT_THAT(twice.link->Why(), HasSubstr("hello_twice"));
  hub_->OnFrame(twice.id, SnapshotFrame(0));  // crossed with our closing
  EXPECT_EQ(Counted("hello_missing"), "1");
}

TEST_F(HubStreams, RefusesABadHello) {
  using Change = void (*)(v1::Hello*);
  const std::pair<const char*, Change> kCases[] = {
      {"no_epoch", [](v1::Hello* h) { h->clear_epochs(); }},
      {"interval", [](v1::Hello* h) { h->set_interval_ms(999); }},
      {"interval", [](v1::Hello* h) { h->set_interval_ms(3'600'001); }},
      {"interval", [](v1::Hello* h) { h->set_interval_ms(INT64_MIN); }},
      {"check_name", [](v1::Hello* h) { h->mutable_checks(0)->set_name("a b"); }},
      {"check_name", [](v1::Hello* h) { h->mutable_checks(0)->clear_name(); }},
      {"check_twice", [](v1::Hello* h) { *h->add_checks() = h->checks(0); }},
      {"check_valid_for", [](v1::Hello* h) { h->mutable_checks(0)->set_valid_for_ms(0); }},
      {"check_valid_for", [](v1::Hello* h) { h->mutable_checks(0)->set_valid_for_ms(INT64_MAX); }},
      {"epoch_range", [](v1::Hello* h) { h->mutable_epochs(0)->set_first_sequence(0); }},
      {"epoch_range", [](v1::Hello* h) { h->mutable_epochs(0)->set_first_sequence(9); }},
      {"too_many_checks",
       [](v1::Hello* h) {
         while (h->checks_size() <= static_cast<int>(limits::kChecks)) h->add_checks();
       }},
      {"too_many_epochs",
       [](v1::Hello* h) {
         while (h->epochs_size() <= static_cast<int>(limits::kEpochs)) h->add_epochs();
       }},
  };
  for (const auto& [reason, change] : kCases) {
    const Stream stream = Open();
    v1::AgentFrame frame = HelloFrame(1);
    change(frame.mutable_hello());
    hub_->OnFrame(stream.id, frame);
    EXPECT_THAT(stream.link->Why(), HasSubstr(reason));
    EXPECT_THAT(stream.link->sent, IsEmpty());
  }
  EXPECT_THAT(hub_->MakeView()->agents, IsEmpty());
}

TEST_F(HubStreams, TakesAnyClockWithoutHarm) {
  for (const int64_t now : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    const Stream stream = Open("clock" + std::to_string(now < 0 ? 1 : now > 0 ? 2 : 0));
    v1::AgentFrame hello = HelloFrame(1);
    hello.mutable_hello()->set_now_ms(now);
    hub_->OnFrame(stream.id, hello);
    v1::AgentFrame snapshot;
    snapshot.mutable_snapshot()->set_now_ms(now);
    hub_->OnFrame(stream.id, snapshot);
    EXPECT_EQ(stream.link->Why(), "");
  }
  EXPECT_EQ(Counted("clock_ahead"), "1");
}

TEST_F(HubStreams, RefusesASilentStreamAfterTenSeconds) {
  const Stream stream = Open();
  clock_.Advance(Millis(10'000));
  hub_->Tick();
  EXPECT_EQ(stream.link->Why(), "");
  clock_.Advance(Millis(1));
  hub_->Tick();
  EXPECT_THAT(stream.link->Why(), HasSubstr("hello_missing"));
}

TEST_F(HubStreams, CountsAFrameOfAnUnknownKind) {
  const Stream stream = Connect(1);
  hub_->OnFrame(stream.id, v1::AgentFrame());
  EXPECT_EQ(stream.link->Why(), "");
  EXPECT_EQ(Counted("unknown_frame"), "1");
}

TEST_F(HubStreams, AsksForAnAttemptNow) {
  EXPECT_TRUE(absl::IsNotFound(hub_->CheckNow("srv1", "disk")));
  const Stream stream = Connect(1);
  EXPECT_TRUE(absl::IsNotFound(hub_->CheckNow("srv1", "other")));
  EXPECT_TRUE(hub_->CheckNow("srv1", "disk").ok());
  EXPECT_EQ(stream.link->sent.back().check_now().check(), "disk");
  hub_->OnClosed(stream.id);
  EXPECT_TRUE(absl::IsUnavailable(hub_->CheckNow("srv1", "disk")));
}

TEST_F(HubFacts, AcksOnlyWhatIsDurable) {
  const Stream stream = Connect(1);
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(-100, -80), GapFact(-60, -50)}));
  EXPECT_THAT(stream.link->Acks(), IsEmpty());
  ASSERT_TRUE(writer_.busy());
  EXPECT_THAT(writer_.batch().runs, SizeIs(1));
  EXPECT_THAT(writer_.batch().gaps, SizeIs(1));
  ASSERT_THAT(writer_.batch().agents, SizeIs(1)) << "the watermark goes with its facts";
  EXPECT_EQ(writer_.batch().agents[0].watermarks.at(1), 2U);
  writer_.Complete();
  EXPECT_THAT(stream.link->Acks(), ElementsAre(2));
  EXPECT_FALSE(writer_.busy());
}

TEST_F(HubFacts, PutsWhatComesDuringACommitIntoTheNext) {
  const Stream a = Connect(1);
  const Stream b = Connect(2, {"disk"}, "srv2");
  hub_->OnFrame(a.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  hub_->OnFrame(a.id, FactsFrame(1, 2, {RunFact(-800, -700)}));
  hub_->OnFrame(b.id, FactsFrame(2, 1, {RunFact(-900, -800)}));
  writer_.Complete();
  EXPECT_THAT(a.link->Acks(), ElementsAre(1));
  ASSERT_TRUE(writer_.busy());
  EXPECT_THAT(writer_.batch().runs, SizeIs(2));
  EXPECT_THAT(writer_.batch().agents, SizeIs(2));
  writer_.Complete();
  EXPECT_THAT(a.link->Acks(), ElementsAre(1, 2));
  EXPECT_THAT(b.link->Acks(), ElementsAre(1));
  EXPECT_FALSE(writer_.busy());
}

TEST_F(HubFacts, CountsAndAcksDuplicates) {
  const Stream stream = Connect(1);
  const auto frame = FactsFrame(1, 1, {RunFact(-900, -800), RunFact(-800, -700)});
  hub_->OnFrame(stream.id, frame);
  writer_.Complete();
  hub_->OnFrame(stream.id, frame);
  EXPECT_THAT(writer_.batch().runs, IsEmpty());
  writer_.Complete();
  EXPECT_THAT(stream.link->Acks(), ElementsAre(2, 2));
  EXPECT_EQ(counters_.duplicates.Value(), 2);
  // Half known, half new.
  hub_->OnFrame(stream.id, FactsFrame(1, 2, {RunFact(-800, -700), RunFact(-700, -600)}));
  EXPECT_THAT(writer_.batch().runs, SizeIs(1));
  writer_.Complete();
  EXPECT_EQ(counters_.duplicates.Value(), 3);
  EXPECT_EQ(counters_.facts.Value(), 3);
}

TEST_F(HubFacts, RefusesWhatIsOutOfOrder) {
  const std::pair<const char*, v1::AgentFrame> kCases[] = {
      {"out_of_order", FactsFrame(1, 2, {RunFact(-9, -8)})},
      {"unknown_epoch", FactsFrame(2, 1, {RunFact(-9, -8)})},
      {"sequence", FactsFrame(1, 0, {RunFact(-9, -8)})},
      {"sequence", FactsFrame(1, UINT64_MAX, {RunFact(-9, -8)})},
      {"facts_count", FactsFrame(1, 1, {})},
      {"facts_count",
       FactsFrame(1, 1, std::vector<v1::Fact>(limits::kFactsPerFrame + 1, RunFact(-9, -8)))},
  };
  for (const auto& [reason, frame] : kCases) {
    const Stream stream = Connect(1);
    hub_->OnFrame(stream.id, frame);
    EXPECT_THAT(stream.link->Why(), HasSubstr(reason));
    EXPECT_FALSE(writer_.busy());
  }
}

TEST_F(HubFacts, AcksRefusedFactsWithAGapInTheirPlace) {
  constexpr int64_t kYear = 365 * 86'400;
  const Stream stream = Connect(1);
  v1::Fact no_state = RunFact(-500, -400);
  no_state.mutable_run()->set_state(v1::STATE_UNSPECIFIED);
  v1::Fact no_validity = RunFact(-300, -200);
  no_validity.mutable_run()->set_valid_for_ms(0);
  hub_->OnFrame(stream.id, FactsFrame(1, 1,
                                      {RunFact(kYear, kYear + 5), RunFact(-100, kYear), no_state,
                                       no_validity, RunFact(-9, -8, v1::STATE_OK, "bad name"),
                                       RunFact(-8, -9), GapFact(-5, -6), GapFact(kYear, kYear + 1),
                                       GapFact(-5, 3 * kYear), v1::Fact(), RunFact(-90, -80)}));
  ASSERT_TRUE(writer_.busy());
  EXPECT_THAT(writer_.batch().runs, SizeIs(1)) << "the good one";
  std::vector<std::string> gaps;
  for (const GapWrite& gap : writer_.batch().gaps) {
    gaps.push_back(std::to_string((ToUnixMillis(gap.from) - kHubStartMs) / 1000) + ".." +
                   std::to_string((ToUnixMillis(gap.to) - kHubStartMs) / 1000) + " " + gap.reason);
  }
  EXPECT_THAT(gaps,
              ElementsAre("-100..0 refused: from_the_future", "-500..-400 refused: run_state",
                          "-300..-200 refused: run_valid_for", "-5..0 refused: from_the_future"));
  writer_.Complete();
  EXPECT_THAT(stream.link->Acks(), ElementsAre(11));
  EXPECT_EQ(stream.link->sent.back().ack().refused(), 10U);
  EXPECT_EQ(Counted("from_the_future"), "4");
  EXPECT_EQ(Counted("check_name"), "1");
  EXPECT_EQ(Counted("run_instants"), "1");
  EXPECT_EQ(Counted("gap_instants"), "1");
  EXPECT_EQ(Counted("unknown_kind"), "1");
  EXPECT_EQ(Agent().gaps, 4U);
}

TEST_F(HubFacts, PassesByFactsThatNobodyHas) {
  const Stream stream = Open();
  hub_->OnFrame(stream.id, HelloFrame(1, {"disk"}, 501));
  EXPECT_EQ(stream.link->sent[0].welcome().watermarks(0).last_sequence(), 500U);
  hub_->OnFrame(stream.id, FactsFrame(1, 501, {RunFact(-9, -8)}));
  writer_.Complete();
  EXPECT_THAT(stream.link->Acks(), ElementsAre(501));
}

TEST_F(HubFacts, TellsOnlyDurableWatermarks) {
  const Stream before = Connect(1);
  hub_->OnFrame(before.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  hub_->OnClosed(before.id);
  // The commit is still under way: were the collector to end now, the fact would be gone.
  const Stream during = Connect(1);
  EXPECT_EQ(during.link->sent[0].welcome().watermarks(0).last_sequence(), 0U);
  hub_->OnFrame(during.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  EXPECT_EQ(counters_.duplicates.Value(), 1);
  writer_.Complete();
  writer_.Complete();
  EXPECT_THAT(during.link->Acks(), ElementsAre(1));
  hub_->OnClosed(during.id);
  const Stream after = Connect(1);
  EXPECT_EQ(after.link->sent[0].welcome().watermarks(0).last_sequence(), 1U);
}

TEST_F(HubFacts, AcksNobodyOnAStreamThatHasEnded) {
  const Stream stream = Connect(1);
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  hub_->OnClosed(stream.id);
  writer_.Complete();
  EXPECT_THAT(stream.link->Acks(), IsEmpty());
}

TEST_F(HubIdentity, LetsTheNewerStreamTakeOver) {
  const Stream old = Connect(1);
  const Stream newer = Connect(1);
  EXPECT_TRUE(absl::IsAborted(*old.link->closed));
  EXPECT_EQ(newer.link->Why(), "");
  hub_->OnClosed(old.id);  // its transport ends later
  EXPECT_TRUE(Agent().connected);
  hub_->OnClosed(newer.id);
  EXPECT_FALSE(Agent().connected);
}

TEST_F(HubIdentity, LetsOneAgentReconnectAsOftenAsItLikes) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Connect(1).link->Why(), "");
    clock_.Advance(Millis(1'000));
  }
  EXPECT_FALSE(Agent().duplicate);
}

TEST_F(HubIdentity, RefusesTheNewerOfTwoAgentsWithOneIdentity) {
  Connect(1);
  Connect(2);
  Connect(1);
  const Stream third = Connect(2);
  EXPECT_EQ(third.link->Why(), "") << "three take-overs are let through";
  EXPECT_FALSE(Agent().duplicate);
  const Stream fourth = Connect(1);
  EXPECT_THAT(fourth.link->Why(), HasSubstr("duplicate_identity"));
  EXPECT_EQ(third.link->Why(), "") << "the older one stays";
  EXPECT_TRUE(Agent().duplicate);
  clock_.Advance(Millis(299'999));
  hub_->Tick();
  EXPECT_THAT(Connect(1).link->Why(), HasSubstr("duplicate_identity"));
  clock_.Advance(Millis(1));
  hub_->Tick();
  EXPECT_FALSE(Agent().duplicate);
  EXPECT_EQ(Connect(1).link->Why(), "");
}

TEST_F(HubIdentity, ForgetsTakeOversAfterFiveMinutes) {
  Connect(0);
  for (uint64_t i = 1; i < 12; ++i) {
    EXPECT_EQ(Connect(i).link->Why(), "");
    clock_.Advance(Millis(100'001));
  }
}

TEST_F(HubIdentity, RefusesAHostOfAnotherMunicipality) {
  Connect(1);
  const Stream other = Open("srv1", "fjord");
  hub_->OnFrame(other.id, HelloFrame(1));
  EXPECT_THAT(other.link->Why(), HasSubstr("host_of_another_municipality"));
  EXPECT_EQ(Agent().municipality, "vik");
}

TEST_F(HubLedger, AcksNothingWhileItCannotBeWritten) {
  const Stream stream = Connect(1);
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  EXPECT_THAT(stream.link->Acks(), IsEmpty());
  EXPECT_FALSE(hub_->writable().ok());
  EXPECT_EQ(counters_.ledger_writable.Value(), 0);
  EXPECT_EQ(counters_.ledger_rollback.Value(), 1);
  hub_->OnFrame(stream.id, FactsFrame(1, 2, {RunFact(-800, -700)}));
  EXPECT_EQ(stream.link->Why(), "") << "the present is still wanted";
  EXPECT_EQ(Counted("ledger_not_writable"), "1");
  const Stream again = Connect(1);
  EXPECT_EQ(again.link->sent[0].welcome().watermarks(0).last_sequence(), 0U);
  writer_.Complete(absl::ResourceExhaustedError("disk full"));  // tried at once with that Hello
  hub_->Tick();
  ASSERT_TRUE(writer_.busy()) << "tried again";
  EXPECT_THAT(writer_.batch().runs, SizeIs(1));
  writer_.Complete();
  EXPECT_TRUE(hub_->writable().ok());
  EXPECT_EQ(counters_.ledger_writable.Value(), 1);
  hub_->OnFrame(again.id, FactsFrame(1, 1, {RunFact(-900, -800), RunFact(-800, -700)}));
  writer_.Drain();
  EXPECT_THAT(again.link->Acks(), ElementsAre(2));
}

TEST_F(HubLedger, TellsWhoWaitsForAFlushThatItFailed) {
  Connect(1);
  std::vector<absl::Status> told;
  const auto note = [&](const absl::Status& status) { told.push_back(status); };
  hub_->Flush(note);
  hub_->Flush(note);  // asked for while the first is under way
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_FALSE(told[0].ok());
  EXPECT_FALSE(told[1].ok());
  hub_->Flush(note);
  writer_.Drain();
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_TRUE(told[2].ok());
}

TEST_F(HubLedger, EndsStreamsWhenTooMuchWaitsAndLosesNoFact) {
  std::vector<std::string> checks;
  for (int i = 0; i < 2'000; ++i) checks.push_back("c" + std::to_string(i));
  const Stream stream = Connect(1, checks);
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  hub_->OnFrame(stream.id, FactsFrame(1, 2, {RunFact(-800, -700)}));  // waits in memory
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  int snapshots = 0;
  for (; stream.link->Why().empty() && snapshots < 500; ++snapshots) {
    v1::AgentFrame frame = SnapshotFrame(0);
    for (uint32_t c = 0; c < 2'000; ++c) AddRun(&frame, c, -600 + snapshots, -1);
    hub_->OnFrame(stream.id, frame);
    if (writer_.busy()) writer_.Complete(absl::ResourceExhaustedError("disk full"));
  }
  EXPECT_LT(snapshots, 500);
  EXPECT_THAT(stream.link->Why(), HasSubstr("ledger_not_writable"));
  const Stream again = Open();
  hub_->OnFrame(again.id, HelloFrame(1, checks));
  EXPECT_THAT(again.link->Why(), HasSubstr("ledger_not_writable"));
  hub_->Tick();
  writer_.Drain();
  size_t runs = 0;
  for (const Batch& batch : writer_.stored) runs += batch.runs.size();
  EXPECT_GT(runs, 200'000U);
  const Stream after = Connect(1, checks);
  EXPECT_EQ(after.link->sent[0].welcome().watermarks(0).last_sequence(), 2U);
}

}  // namespace
}  // namespace oppetid::collector
