// The two engines that search on the weak machine know nothing of each other: what random executions come to, the exhaustive
// engine must have too, and with enough of them they come to all that it has.
#include <doctest/doctest.h>

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

void same_outcomes(const Plan& plan, std::uint64_t executions) {
  const Outcomes every = exhaustive_outcomes(plan, 20'000);
  REQUIRE(every.complete);
  const Outcomes some = weak_outcomes(plan, executions);
  for (const std::string& outcome : some.all) CHECK_MESSAGE(every.all.contains(outcome), outcome);
  for (const std::string& outcome : every.all) CHECK_MESSAGE(some.all.contains(outcome), outcome);
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
      for (const char* weakened :
           {put_page.data(), "zs_page_migrate.class.unlock", "zs_malloc.class.lock", "zs_page_migrate.zspage"}) {
        CAPTURE(weakened);
        CAPTURE(static_cast<int>(model));
        plan.model = model;
        plan.barriers = without({put_page, weakened});
        same_outcomes(plan, 3'000);
      }
}

TEST_CASE("both engines come to the same outcomes: small programs of every operation") {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    Plan plan = random_plan(seed, 2, 2);
    CAPTURE(describe(plan));
    plan.barriers = BarrierPlan::arm64();
    plan.model = static_cast<weak::Model>(seed % 3);
    same_outcomes(plan, 3'000);
  }
}

TEST_CASE("both engines come to the same outcomes: a site without its ordering") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Plan plan = random_plan(seed, 2, 1);
    CAPTURE(describe(plan));
    const auto& all = sites().all();
    const std::size_t site = 1 + Rng(Rng::mix(seed)).below(static_cast<std::uint32_t>(all.size() - 1));
    CAPTURE(all[site].name);
    plan.barriers = BarrierPlan::arm64();
    plan.barriers.set(static_cast<SiteId>(site), Strength::none);
    same_outcomes(plan, 3'000);
  }
}

TEST_CASE("a reduction that is switched off costs executions of the allocator and finds nothing else") {
  for (const char* weakened : {put_page.data(), "zs_page_migrate.class.unlock"}) {
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
