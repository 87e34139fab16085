// The digest of executions: whatever an execution does otherwise shows in it.
#include <doctest/doctest.h>

#include "engine/campaign.hpp"
#include "engine/rerun.hpp"
#include "tests/plans.hpp"

using namespace race;
using namespace race::test;

namespace {

std::uint64_t of(const Outcome& outcome, const std::vector<Deviation>& deviations, const weak::Trace& trace) {
  Digest d;
  d.add(outcome, deviations, trace);
  return d.value();
}

std::uint64_t of(const Ran& r) { return of(r.outcome, r.deviations, r.trace); }

std::uint64_t of(const Plan& plan, std::uint64_t first, std::uint64_t count) {
  Digest d;
  Campaign(plan).digest(d, first, count);
  return d.value();
}

}  // namespace

TEST_SUITE_BEGIN("weak");

TEST_CASE("a digest comes again, and is another for another seed, number, plan or model") {
  const Plan plan = freeobj_corruption(256);
  const std::uint64_t whole = of(plan, 0, 20);
  CHECK(of(plan, 0, 20) == whole);
  CHECK(of(plan, 1, 20) != whole);
  CHECK(of(plan, 0, 19) != whole);
  Plan other = plan;
  other.seed = 2;
  CHECK(of(other, 0, 20) != whole);
  other = plan;
  other.barriers = BarrierPlan::arm64();
  CHECK(of(other, 0, 20) != whole);
  other = plan;
  other.model = weak::Model::tso;
  CHECK(of(other, 0, 20) != whole);
}

TEST_CASE("one answer more or less is another digest") {
  const Plan plan = freeobj_corruption(256);
  Campaign c(plan);
  c.run(0, 1'000);
  REQUIRE_FALSE(c.findings(Oracle::garbage_freeobj).empty());
  const std::vector<Deviation> all = c.findings(Oracle::garbage_freeobj).front().deviations;
  weak::Machine machine(plan.model, Scenario::words_needed(plan));
  Scenario scenario(plan);
  WeakEngine engine(machine, scenario);
  REQUIRE_FALSE(engine.prepare(plan.seed).failed);
  machine.plan = plan.barriers;
  Rerun rerun(machine, scenario, engine);
  const Ran whole = rerun.exactly(all);
  CHECK(of(rerun.exactly(all)) == of(whole));
  REQUIRE(all.size() > 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    std::vector<Deviation> fewer = all;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(of(rerun.exactly(fewer)) != of(whole));
    // Also where the trace and the end do not show it.
    CHECK(of(whole.outcome, fewer, whole.trace) != of(whole));
    fewer = all;
    ++fewer[i].answer;
    CHECK(of(whole.outcome, fewer, whole.trace) != of(whole));
  }
}

TEST_CASE("every field of an event and of an outcome is in the digest") {
  weak::Trace trace;
  trace.add({weak::Event::Kind::load, 1, 1, "zs_malloc", 8, 1, 2, 3, 4, 5, false, false, false});
  Outcome outcome{.failed = true, .fault = {Oracle::oops, "what", 1, 2, 3, 4}};
  const std::uint64_t before = of(outcome, {}, trace);
  const auto event = [&](auto change) {
    weak::Trace other = trace;
    change(other.events[1]);
    CHECK(of(outcome, {}, other) != before);
  };
  event([](auto& e) { e.kind = weak::Event::Kind::store; });
  event([](auto& e) { ++e.cpu; });
  event([](auto& e) { ++e.site; });
  event([](auto& e) { e.function = "zs_free"; });
  event([](auto& e) { ++e.address; });
  event([](auto& e) { ++e.value; });
  event([](auto& e) { ++e.newest; });
  event([](auto& e) { ++e.time; });
  event([](auto& e) { ++e.issue; });
  event([](auto& e) { ++e.read; });
  event([](auto& e) { e.stale = true; });
  event([](auto& e) { e.held = true; });
  event([](auto& e) { e.forwarded = true; });
  const auto end = [&](auto change) {
    Outcome other = outcome;
    change(other);
    CHECK(of(other, {}, trace) != before);
  };
  end([](auto& o) { o.failed = false; });
  end([](auto& o) { o.abandoned = true; });
  end([](auto& o) { ++o.cpu; });
  end([](auto& o) { o.fault.oracle = Oracle::livelock; });
  end([](auto& o) { o.fault.what = "else"; });
  end([](auto& o) { ++o.fault.zspage; });
  end([](auto& o) { ++o.fault.object; });
  end([](auto& o) { ++o.fault.value; });
  end([](auto& o) { ++o.fault.where; });
}

TEST_SUITE_END();
