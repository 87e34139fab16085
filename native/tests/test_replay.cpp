// Executions again from their deviations: exactly, under other barriers, and as small as they get.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/campaign.hpp"
#include "engine/minimise.hpp"
#include "tests/plans.hpp"

using namespace race;
using namespace race::test;

namespace {

Step random_steps(std::uint32_t count, std::vector<std::uint32_t> slots, std::vector<std::uint32_t> sizes) {
  Step s;
  s.op = Op::random;
  s.count = count;
  s.slots = std::move(slots);
  s.sizes = std::move(sizes);
  s.mix = {Op::allocate, Op::free, Op::read, Op::update, Op::migrate_any, Op::compact};
  return s;
}

Plan random_use() {
  Plan p;
  p.page_size = 256;
  p.frames = 24;
  p.oracles = ~0u;
  p.slots = std::vector<std::string>(9);
  const std::vector<std::uint32_t> sizes{request_of(256, 2, 3), request_of(256, 1, 4)};
  p.setup = {random_steps(6, {0, 1, 2}, sizes), random_steps(6, {3, 4, 5}, sizes)};
  p.threads = {{"a", {random_steps(5, {0, 1, 2}, sizes)}},
               {"b", {random_steps(5, {3, 4, 5}, sizes)}},
               {"c", {random_steps(4, {6, 7, 8}, sizes)}}};
  p.max_findings = 8;
  return p;
}

std::vector<FindingRecord> findings(Campaign& c, std::uint64_t executions) {
  c.run(0, executions);
  std::vector<FindingRecord> all;
  for (std::size_t o = 0; o < oracles.size(); ++o)
    for (const FindingRecord& f : c.findings(static_cast<Oracle>(o))) all.push_back(f);
  return all;
}

bool same(const std::vector<Deviation>& a, const std::vector<Deviation>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Deviation& x, const Deviation& y) {
    return x.kind == y.kind && x.ordinal == y.ordinal && x.answer == y.answer;
  });
}

}  // namespace

TEST_SUITE_BEGIN("weak");

TEST_CASE("every finding comes again from its deviations, to the step") {
  for (const Plan& plan : {freeobj_corruption(256), random_use()}) {
    Campaign c(plan);
    const std::vector<FindingRecord> all = findings(c, 5'000);
    REQUIRE(all.size() > 20);
    Campaign fresh(plan);
    for (const FindingRecord& f : all) {
      CAPTURE(f.execution);
      const Replayed r = fresh.replay(f.deviations);
      CHECK(r.misfit == "");
      REQUIRE(r.finding);
      CHECK(r.finding->trace == f.trace);
      CHECK(r.finding->value == f.value);
      CHECK(r.finding->thread == f.thread);
      CHECK(same(r.finding->deviations, f.deviations));
    }
  }
}

TEST_CASE("deviations that do not fit are told, and what no execution can have is refused") {
  Campaign c(freeobj_corruption(256));
  CHECK(c.replay({}).misfit == "");
  CHECK_FALSE(c.replay({}).finding);
  CHECK(
      c.replay({{Choice::delay, 1'000'000, 1}}).misfit.starts_with("delay question 1000000: the execution ended at "));
  CHECK(c.replay({{Choice::preempt, 0, 7}}).misfit == "preempt question 0: at step 1 it has no answer 7");
  CHECK_THROWS_AS(c.replay({{Choice::transition, 0, 1}}), std::invalid_argument);
  CHECK_THROWS_AS(c.replay({{Choice::delay, 0, 0}}), std::invalid_argument);
  CHECK_THROWS_AS(c.replay({{Choice::delay, 3, 1}, {Choice::delay, 3, 1}}), std::invalid_argument);
}

TEST_CASE("the corruption is shrunk to two reorderings and three context switches at most, each of them needed") {
  Campaign c(freeobj_corruption(4096));
  c.run(0, 10'000);
  const auto& all = c.findings(Oracle::garbage_freeobj);
  REQUIRE(all.size() > 20);
  for (const FindingRecord& f : all) {
    CAPTURE(f.execution);
    Progress progress;
    const Minimised m = c.minimise(f.deviations, 4'000, progress);
    REQUIRE(m.reproduced);
    CHECK(m.complete);
    CHECK(m.finding.oracle == f.oracle);
    CHECK(m.finding.value_kind == f.value_kind);
    CHECK(m.finding.function == f.function);
    CHECK(m.after.reorderings <= 2);
    CHECK(m.after.switches <= 3);
    CHECK(m.after <= m.before);
    CHECK(m.needed.size() == m.after.deviations);
    for (const Needed& n : m.needed) CHECK(n.necessary);
    CHECK(progress.executions == m.executions);
    const Replayed again = c.replay(m.finding.deviations);
    REQUIRE(again.finding);
    CHECK(again.misfit == "");
    CHECK(again.finding->trace == m.finding.trace);
  }
}

TEST_CASE("shrinking never turns a finding into another, stops at its limit, and gives the same each time") {
  Campaign c(random_use());
  for (const FindingRecord& f : findings(c, 2'000)) {
    CAPTURE(f.execution);
    Progress progress;
    const Minimised m = c.minimise(f.deviations, 4'000, progress);
    REQUIRE(m.reproduced);
    CHECK(m.finding.oracle == f.oracle);
    CHECK(m.finding.value_kind == f.value_kind);
    CHECK(m.finding.message == f.message);
    CHECK(m.after <= m.before);
    Campaign other(random_use());
    CHECK(same(other.minimise(f.deviations, 4'000, progress).finding.deviations, m.finding.deviations));
    const Minimised few = c.minimise(f.deviations, 2, progress);
    CHECK(few.finding.oracle == f.oracle);
    CHECK_FALSE(few.complete);
  }
}

TEST_CASE("under other barriers the execution says where it diverges") {
  Campaign c(freeobj_corruption(1024));
  c.run(0, 5'000);
  const auto& all = c.findings(Oracle::garbage_freeobj);
  REQUIRE_FALSE(all.empty());
  Progress progress;
  const std::vector<Deviation> small = c.minimise(all.front().deviations, 4'000, progress).finding.deviations;

  const BarrierPlan none;
  const Replayed unchanged = c.replay(small, &none);
  CHECK_FALSE(unchanged.diverged);
  REQUIRE(unchanged.finding);
  CHECK(unchanged.finding->oracle == Oracle::garbage_freeobj);

  const BarrierPlan arm64 = BarrierPlan::arm64();
  const Replayed changed = c.replay(small, &arm64);
  REQUIRE(changed.diverged);
  CHECK(changed.diverged->step > changed.diverged->step_before);  // by the barriers that have come
  CHECK(changed.diverged->step_before > 0);
  CHECK(changed.diverged->now != changed.diverged->before);
  CHECK_FALSE(changed.finding);
  CHECK_FALSE(changed.steps.empty());
  // The campaign's own barriers are back.
  CHECK(c.replay(small).finding);
}

TEST_CASE("the steps of a finding are marked: what is held and when it commits, what is not current and who wrote") {
  Campaign c(freeobj_corruption(256));
  c.run(0, 2'000);
  bool held = false, stale = false;
  std::vector<FindingRecord> all = c.findings(Oracle::garbage_freeobj);
  const std::vector<FindingRecord>& more = c.findings(Oracle::free_list);
  all.insert(all.end(), more.begin(), more.end());
  for (const FindingRecord& f : all) {
    Progress progress;
    const FindingRecord small = c.minimise(f.deviations, 4'000, progress).finding;
    REQUIRE_FALSE(small.steps.empty());
    CHECK(small.steps.back().kind == "found");
    for (const StepRecord& s : small.steps) {
      held = held || (s.held && s.kind == "store");
      if (!s.stale) continue;
      stale = true;
      CHECK(s.newest != "");
      CHECK(s.writer != "");
      CHECK(s.writer_step != 0);
      CHECK(s.writer_step < s.step);
    }
  }
  CHECK(held);
  CHECK(stale);
}

TEST_SUITE_END();
