// The two engines that search on the weak machine know nothing of each other: what random executions come to, the exhaustive
// engine must have too, and with enough of them they come to all that it has.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/outcomes.hpp"
#include "tests/random_plan.hpp"

using namespace race;
using namespace race::test;

TEST_SUITE_BEGIN("weak");

namespace {

// Every site whose name contains one of these has no ordering.
BarrierPlan without(const std::vector<std::string_view>& weakened) {
  BarrierPlan barriers = BarrierPlan::arm64();
  for (std::size_t i = 1; i < sites().all().size(); ++i)
    for (const std::string_view name : weakened)
      if (sites().all()[i].name.find(name) != std::string_view::npos)
        barriers.set(static_cast<SiteId>(i), Strength::none);
  return barriers;
}
// Held at none in every plan of freeobj-corruption: see there.
constexpr std::string_view put_page = "zs_page_migrate.put_page";

// False: it takes more than so many runs to explore every execution.
bool same_outcomes(const Plan& plan, std::uint64_t executions, std::uint64_t most_runs) {
  const Outcomes every = exhaustive_outcomes(plan, most_runs);
  if (!every.complete) return false;
  const Outcomes some = weak_outcomes(plan, executions);
  for (const std::string& outcome : some.all) {
    CAPTURE(outcome);
    CHECK(every.all.contains(outcome));
  }
  for (const std::string& outcome : every.all) {
    CAPTURE(outcome);
    CHECK(some.all.contains(outcome));
  }
  return true;
}

// scenarios/freeobj-corruption-mixed-page.toml with small pages.
Plan mixed_page() {
  Plan p = freeobj_corruption(256);
  const std::uint32_t size = request_of(256, 1, 4);
  p.setup = {step(Op::allocate, 0, size), step(Op::write, 0), step(Op::allocate, 1, size),
             step(Op::allocate, 2, size), step(Op::free, 1),  step(Op::free, 2)};
  p.threads = {{"migrator", {step(Op::migrate, 0, 0, 0)}}, {"allocator", {step(Op::allocate, 3, size)}}};
  return p;
}

}  // namespace

TEST_CASE("both engines come to the same outcomes: the scenarios of the question") {
  for (Plan plan : {freeobj_corruption(256), mixed_page()})
    for (const weak::Model model : {weak::Model::armv8, weak::Model::tso, weak::Model::sc})
      for (const std::string_view weakened :
           {put_page, std::string_view("zs_page_migrate.zspage"), std::string_view("pin")}) {
        CAPTURE(weakened);
        CAPTURE(static_cast<int>(model));
        plan.model = model;
        plan.barriers = without({put_page, weakened});
        CHECK(same_outcomes(plan, 2'000, 2'000));
      }
}

// Some outcomes take a rare order: with enough random executions the two sets are the same.
TEST_CASE("what random executions of a broken plan come to, the exhaustive engine has") {
  for (Plan plan : {freeobj_corruption(256), mixed_page()})
    for (const std::string_view weakened : {"zs_page_migrate.class.unlock", "zs_malloc.class.lock"}) {
      CAPTURE(weakened);
      plan.barriers = without({put_page, weakened});
      const Outcomes every = exhaustive_outcomes(plan, 2'000);
      CHECK(every.complete);
      const Outcomes some = weak_outcomes(plan, 20'000);
      CHECK(some.all.size() >= 3);
      CHECK(std::includes(every.all.begin(), every.all.end(), some.all.begin(), some.all.end()));
    }
}

TEST_CASE("both engines come to the same outcomes: small programs of every operation") {
  unsigned explored = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Plan plan = random_plan(seed, 2, 2);
    CAPTURE(describe(plan));
    plan.barriers = BarrierPlan::arm64();
    plan.model = static_cast<weak::Model>(seed % 3);
    explored += same_outcomes(plan, 3'000, 300) ? 1 : 0;
  }
  CHECK(explored >= 20);
}

TEST_CASE("both engines come to the same outcomes: a site without its ordering") {
  unsigned explored = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Plan plan = random_plan(seed, 2, 1);
    CAPTURE(describe(plan));
    const auto& all = sites().all();
    const std::size_t site = 1 + Rng(Rng::mix(seed)).below(static_cast<std::uint32_t>(all.size() - 1));
    CAPTURE(all[site].name);
    plan.barriers = BarrierPlan::arm64();
    plan.barriers.set(static_cast<SiteId>(site), Strength::none);
    explored += same_outcomes(plan, 3'000, 300) ? 1 : 0;
  }
  CHECK(explored >= 15);
}

TEST_CASE("a reduction that is switched off costs executions of the allocator and finds nothing else") {
  for (const std::string_view weakened : {put_page, std::string_view("zs_page_migrate.class.unlock")}) {
    CAPTURE(weakened);
    Plan plan = freeobj_corruption(256);
    plan.barriers = without({put_page, weakened});
    const Outcomes usual = exhaustive_outcomes(plan, 20'000);
    REQUIRE(usual.complete);
    for (const Reductions& off : {Reductions{.sleep_sets = false}, Reductions{.source_sets = false}}) {
      const Outcomes more = exhaustive_outcomes(plan, 20'000, off);
      CHECK(more.complete);
      CHECK(more.all == usual.all);
      CHECK(more.executions + more.redundant >= usual.executions + usual.redundant);
    }
  }
}

TEST_SUITE_END();
