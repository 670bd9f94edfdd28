// The worked example for steering groups: every figure on its page, from the page's own facts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "collector/report/texts_nb.h"
#include "tests/support/sla_files.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

// The text between ```kind and ```.
std::string Block(const std::string& page, const std::string& kind) {
  const size_t from = page.find("```" + kind + "\n");
  EXPECT_NE(from, std::string::npos) << kind;
  const size_t begin = from + kind.size() + 4;
  return page.substr(begin, page.find("```", begin) - begin);
}

class Example : public testing::Test {
 protected:
  Example() {
    std::ifstream in(OPPETID_SOURCE_DIR "/collector/report/EKSEMPEL.md");
    page_ = {std::istreambuf_iterator<char>(in), {}};
  }
  ServiceFigures Figures(const std::string& target) {
    std::string catalogue = Block(page_, "yaml");
    catalogue.replace(catalogue.find("99.7 %"), 6, target + " %");
    return SlaFiles(catalogue, Block(page_, "jsonl")).Service("2026-Q3");
  }
  void Says(const std::string& words) { EXPECT_THAT(page_, HasSubstr(words)); }

  std::string page_;
};

TEST_F(Example, EveryFigureFollowsFromTheFactsOnThePage) {
  const ServiceFigures its = Figures("99.7");
  const Measured& time = its.measured;
  const int64_t service_time = time.service_time_ms();
  Says("Kvartalet er " + nb::DurationWords(its.period_ms) + " langt");
  Says("trekkes fra: " + nb::DurationWords(its.excluded_ms) + ".");
  Says("*tjenestetiden* " + nb::DurationWords(service_time) + ",");
  Says("| resten | " + nb::DurationWords(time.up_ms) + " | oppe |");
  Says("| " + nb::DurationWords(time.unknown_ms) + " | ukjent |");
  Says("47 min + 20 min | " + nb::DurationWords(time.down_ms) + " |");
  Says("oppe / (oppe + nede) | " + nb::ShareWords(time.up_ms, time.up_ms + time.down_ms, false));
  Says("alt ukjent var nede | " + nb::ShareWords(time.up_ms, service_time, false));
  Says("alt ukjent var oppe | " +
       nb::ShareWords(time.up_ms + time.unknown_ms, service_time, false));
  Says("(oppe + nede) / tjenestetid | " +
       nb::ShareWords(time.up_ms + time.down_ms, service_time, false));
  Says("0,3 % av tjenestetiden | " + nb::DurationWords(service_time * 3 / 1'000) + " |");
  ASSERT_THAT(its.outages, SizeIs(2));
  Says("tabellen over | 2 |");
  Says("/ 2 | " + nb::DurationWords(time.down_ms / 2) + " |");
  Says("| 3. juli kl. 12.12.30: e-posttjeneren svarte ikke | " +
       nb::DurationWords(its.outages[0].down_ms) + " | nede |");
  Says("rettelse c-19 | " + nb::DurationWords(its.outages[1].down_ms) + " | nede |");
}

TEST_F(Example, TheVerdictsAreThoseOfTheThreeTargets) {
  for (const auto& [target, words] : std::vector<std::pair<std::string, std::string>>{
           {"99.7", "99,7 %"}, {"99.9", "99,9 %"}, {"99.95", "99,95 %"}}) {
    Says("| " + words + " | " + std::string(nb::VerdictWords(Figures(target).verdict)) + " |");
  }
}

}  // namespace
}  // namespace oppetid::collector
