// What the hub holds back, bounds, or declares lost.
#include "common/limits.h"
#include "tests/support/hub_fixture.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using HubHold = HubFixture;
using HubLoss = HubFixture;

std::string Tell(const GapWrite& gap) {
  return gap.check + " " + std::to_string(ToUnixMillis(gap.from) - kHubStartMs) + "-" +
         std::to_string(ToUnixMillis(gap.to) - kHubStartMs);
}

TEST_F(HubHold, StoresNothingOfAnAgentWhoseClockIsAheadButAGap) {
  const Stream stream = Connect(1);
  v1::AgentFrame ahead = SnapshotFrame(61);
  AddRun(&ahead, 0, 55, 61);
  hub_->OnFrame(stream.id, ahead);
  ASSERT_TRUE(writer_.busy());
  EXPECT_THAT(writer_.batch().runs, IsEmpty());
  ASSERT_THAT(writer_.batch().gaps, SizeIs(1));
  EXPECT_EQ(Tell(writer_.batch().gaps[0]), "disk 0-35000");
  writer_.Drain();
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  EXPECT_FALSE(writer_.busy()) << "measured before, but who knows";
  EXPECT_THAT(stream.link->Acks(), IsEmpty()) << "nothing is destroyed: the agent keeps it";
  clock_.Advance(Millis(15'000));
  hub_->OnFrame(stream.id, SnapshotFrame(90));
  ASSERT_TRUE(writer_.busy());
  EXPECT_EQ(Tell(writer_.batch().gaps.at(0)), "disk 0-50000") << "one gap that grows";
  writer_.Drain();
  hub_->Tick();
  EXPECT_EQ(stream.link->Why(), "");
  hub_->OnFrame(stream.id, SnapshotFrame(15));  // set right
  hub_->Tick();
  EXPECT_THAT(stream.link->Why(), HasSubstr("again")) << "so that the facts come again";
  const Stream after = Connect(1);
  hub_->OnFrame(after.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  writer_.Drain();
  EXPECT_THAT(after.link->Acks(), ElementsAre(1));
}

TEST_F(HubHold, TakesNothingInWhileItsOwnClockIsBehindTheLedger) {
  hub_ = std::make_unique<Hub>(clock_, writer_, counters_, "ledger-1", std::vector<AgentRow>{},
                               clock_.Now() + Millis(60'001));
  const Stream stream = Connect(1);
  writer_.Drain();
  Snap(stream, 0);
  hub_->OnFrame(stream.id, FactsFrame(1, 1, {RunFact(-900, -800)}));
  EXPECT_FALSE(writer_.busy());
  EXPECT_EQ(Counted("own_clock_behind"), "2");
  hub_->Tick();
  EXPECT_EQ(counters_.ledger_writable.Value(), 0)
      << "nothing is stored, which somebody must see to";
  clock_.Advance(Millis(1));
  hub_->Tick();
  EXPECT_THAT(stream.link->Why(), HasSubstr("again"));
  EXPECT_EQ(counters_.ledger_writable.Value(), 1);
}

TEST_F(HubHold, BoundsWhatWaitsForACommitThatHangs) {
  std::vector<Stream> streams;
  const std::vector<v1::Fact> facts(limits::kFactsPerFrame, RunFact(-900, -800));
  const Stream first = Connect(1);
  hub_->OnFrame(first.id, FactsFrame(1, 1, facts));
  ASSERT_TRUE(writer_.busy());
  for (uint64_t agent = 2; agent < 60; ++agent) {
    const Stream stream = Open("srv" + std::to_string(agent));
    hub_->OnFrame(stream.id, HelloFrame(agent));
    for (uint64_t i = 0; i < limits::kFramesUnacked; ++i) {
      hub_->OnFrame(stream.id, FactsFrame(agent, 1 + i * facts.size(), facts));
    }
    streams.push_back(stream);
  }
  EXPECT_NE(Counted("ledger_busy"), "0");
  clock_.Advance(Millis(29'999));
  hub_->Tick();
  EXPECT_TRUE(hub_->writable().ok());
  clock_.Advance(Millis(1));
  hub_->Tick();
  EXPECT_FALSE(hub_->writable().ok()) << "not ready, says /readyz";
  writer_.Complete();
  EXPECT_TRUE(hub_->writable().ok());
  ASSERT_TRUE(writer_.busy());
  EXPECT_LE(writer_.batch().runs.size(), 100'000U + 2 * facts.size());
  hub_->Tick();
  EXPECT_EQ(streams.front().link->Why(), "");
  EXPECT_THAT(streams.back().link->Why(), HasSubstr("again")) << "its facts come again";
}

TEST_F(HubHold, EndsAStreamThatWaitsForNoAck) {
  const Stream stream = Connect(1);
  for (uint64_t i = 1; i <= limits::kFramesUnacked; ++i) {
    hub_->OnFrame(stream.id, FactsFrame(1, i, {RunFact(-900, -800)}));
  }
  EXPECT_EQ(stream.link->Why(), "");
  hub_->OnFrame(stream.id, FactsFrame(1, 9, {RunFact(-900, -800)}));
  EXPECT_THAT(stream.link->Why(), HasSubstr("too_many_unacked"));
  writer_.Drain();
  const Stream again = Connect(1);
  for (uint64_t i = 9; i < 40; ++i) {
    hub_->OnFrame(again.id, FactsFrame(1, i, {RunFact(-900, -800)}));
    writer_.Drain();
  }
  EXPECT_EQ(again.link->Why(), "");
}

// A ledger that knows of runs until -600, and its agent, which no longer has all that came after.
class HubLossAfterRestore : public HubLoss {
 protected:
  HubLossAfterRestore() {
    AgentRow row;
    row.host = "srv1";
    row.municipality = "vik";
    row.interval = Millis(15'000);
    row.watermarks = {{1, 4}};
    for (const char* check : {"disk", "dns", "web"}) {
      row.runs.push_back({check, State::kOk, FromUnixMillis(kHubStartMs - 900'000),
                          FromUnixMillis(kHubStartMs - 600'000), Millis(45'000), ""});
    }
    Restart({row});
  }
  Stream Return(uint64_t first, uint64_t next, uint64_t acked) {
    const Stream stream = Open();
    v1::AgentFrame hello = HelloFrame(1, {"disk", "dns", "web"}, first);
    hello.mutable_hello()->mutable_epochs(0)->set_next_sequence(next);
    hello.mutable_hello()->mutable_epochs(0)->set_acked_sequence(acked);
    hub_->OnFrame(stream.id, hello);
    v1::AgentFrame snapshot = SnapshotFrame(0);
    AddRun(&snapshot, 0, -100, 0);
    AddRun(&snapshot, 1, -50, 0);
    AddRun(&snapshot, 2, -900, 0);
    hub_->OnFrame(stream.id, snapshot);
    writer_.Drain();
    return stream;
  }
  std::vector<std::string> Gaps() const {
    std::vector<std::string> told;
    for (const Batch& batch : writer_.stored) {
      for (const GapWrite& gap : batch.gaps) told.push_back(Tell(gap));
    }
    return told;
  }
};

TEST_F(HubLossAfterRestore, WhatNobodyHasAnyMoreBecomesAGapOnce) {
  for (int times = 0; times < 2; ++times) {
    const Stream stream = Return(8, 10, 9);
    // The first of disk that is left; dns has none left; web never changed.
    hub_->OnFrame(stream.id, FactsFrame(1, 8, {RunFact(-300, -200), RunFact(-200, -101)}));
    writer_.Drain();
    hub_->OnClosed(stream.id);
    EXPECT_THAT(Gaps(), ElementsAre("disk -599999--300000", "dns -599999--50000"));
  }
}

// The span that began last decides, and what it has cut never comes back: not a gap either.
TEST_F(HubLossAfterRestore, AGapWithinWhatIsGoneLeavesNoTimeBehindItUntold) {
  const Stream stream = Return(8, 13, 12);
  // Its spool was full meanwhile, twice, and what came after the gap of dns was acked and went too.
  hub_->OnFrame(stream.id,
                FactsFrame(1, 8,
                           {GapFact(-580, -540), GapFact(-560, -500), GapFact(-450, -400),
                            GapFact(-550, -520, "dns"), RunFact(-300, -200)}));
  writer_.Drain();
  EXPECT_THAT(Gaps(),
              ElementsAre("disk -580000--540000", "disk -560000--500000", "disk -450000--400000",
                          "dns -550000--520000", "disk -599999--300000", "disk -500000--300000",
                          "disk -400000--300000", "dns -599999--50000", "dns -520000--50000"));
}

TEST_F(HubLossAfterRestore, SoDoesAGapThatComesAfterTheFirstRunThatIsLeft) {
  const Stream stream = Return(8, 11, 10);
  hub_->OnFrame(stream.id,
                FactsFrame(1, 8, {RunFact(-300, -200), GapFact(-550, -400), GapFact(-320, -270)}));
  writer_.Drain();
  EXPECT_THAT(Gaps(),
              ElementsAre("disk -599999--300000", "disk -400000--300000", "disk -550000--400000",
                          "disk -320000--270000", "dns -599999--50000"));
}

TEST_F(HubLossAfterRestore, AGapBesideARunThatIsStillThereIsAllThatIsTold) {
  const Stream stream = Return(8, 11, 10);
  hub_->OnFrame(stream.id,
                FactsFrame(1, 8, {GapFact(-800, -620), RunFact(-900, -500), GapFact(-450, -400)}));
  writer_.Drain();
  EXPECT_THAT(Gaps(),
              ElementsAre("disk -800000--620000", "disk -450000--400000", "dns -599999--50000"));
}

TEST_F(HubLossAfterRestore, IsNotForgottenByACollectorThatEndsBeforeItIsTold) {
  Return(8, 10, 9);
  ASSERT_FALSE(writer_.stored.empty());
  ASSERT_FALSE(writer_.stored.back().agents.empty());
  EXPECT_THAT(Gaps(), IsEmpty());
  Restart({writer_.stored.back().agents.back()});
  const Stream stream = Return(8, 10, 9);
  hub_->OnFrame(stream.id, FactsFrame(1, 8, {RunFact(-300, -200), RunFact(-200, -101)}));
  writer_.Drain();
  EXPECT_THAT(Gaps(), ElementsAre("disk -599999--300000", "dns -599999--50000"));
  ASSERT_FALSE(writer_.stored.back().agents.empty());
  EXPECT_THAT(writer_.stored.back().agents.back().losses, IsEmpty());
}

TEST_F(HubLossAfterRestore, WhatIsStillThereIsNotLost) {
  const Stream stream = Return(5, 6, 5);
  hub_->OnFrame(stream.id, FactsFrame(1, 5, {RunFact(-900, -500)}));
  writer_.Drain();
  EXPECT_THAT(Gaps(), IsEmpty());
}

TEST_F(HubLossAfterRestore, WhatWasNeverAckedIsTheAgentsToTell) {
  Return(8, 8, 4);
  EXPECT_THAT(Gaps(), IsEmpty());
}

TEST_F(HubLossAfterRestore, ALedgerThatKnowsNothingDeclaresNothing) {
  Restart({});
  Return(8, 8, 7);
  EXPECT_THAT(Gaps(), IsEmpty());
}

}  // namespace
}  // namespace oppetid::collector
