// Executions that were explored on a graph, told to the random machine: they fail there as they did, and again from their
// deviations. Litmus programs and the shipped scenarios: tests/test_retold.py.
#include <doctest/doctest.h>

#include <algorithm>

#include "bench/seed_program.hpp"
#include "engine/campaign.hpp"
#include "engine/graph_search.hpp"
#include "engine/graph_strategy.hpp"
#include "engine/minimise.hpp"
#include "engine/rerun.hpp"
#include "tests/plans.hpp"
#include "tests/small_program.hpp"

using namespace race;
using namespace race::test;

TEST_SUITE_BEGIN("weak");

namespace {

// Every site whose name contains `weakened` has no ordering, nor has the full atomic before the class unlock of a migration.
Plan without(Plan plan, std::string_view weakened) {
  plan.barriers = BarrierPlan::arm64();
  for (std::size_t i = 1; i < sites().all().size(); ++i)
    if (const std::string_view name = sites().all()[i].name;
        name == "zs_page_migrate.put_page" || name.find(weakened) != std::string_view::npos)
      plan.barriers.set(static_cast<SiteId>(i), Strength::none);
  return plan;
}

// Up to so many findings of a search; visit(execution) is given each.
template <class F>
unsigned each_finding(weak::Machine& machine, Workload& workload, unsigned runs, F visit) {
  GraphSearch search(machine, workload);
  unsigned findings = 0;
  for (unsigned n = 0; n < runs && !search.complete(); ++n) {
    if (search.run() != GraphSearch::Result::failed) continue;
    ++findings;
    visit(search.execution());
  }
  return findings;
}

bool same(const std::vector<Deviation>& a, const std::vector<Deviation>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Deviation& x, const Deviation& y) {
    return x.kind == y.kind && x.ordinal == y.ordinal && x.answer == y.answer;
  });
}

}  // namespace

TEST_CASE("a finding of the exhaustive search: it is told with deviations, which replay and shrink") {
  for (const std::uint32_t page_size : {256u, 4096u})
    for (const char* weakened : {"zs_page_migrate.class.unlock", "zs_malloc.class.lock", "."}) {
      CAPTURE(page_size);
      CAPTURE(weakened);
      const Plan plan = without(freeobj_corruption(page_size), weakened);
      Campaign campaign(plan);
      weak::Machine machine(plan.model, Scenario::words_needed(plan));
      machine.plan = plan.barriers;
      Scenario scenario(plan);
      const unsigned findings = each_finding(machine, scenario, 10, [&](const GraphExecution& execution) {
        const Retold told = campaign.retell(execution);
        REQUIRE_MESSAGE(told.finding, told.why);
        CHECK(told.finding->oracle == execution.outcome.fault.oracle);
        CHECK(told.finding->message == execution.outcome.fault.what);
        CHECK(!told.finding->trace.empty());
        const Replayed again = campaign.replay(told.finding->deviations);
        REQUIRE(again.finding);
        CHECK(again.misfit.empty());
        CHECK(again.finding->trace == told.finding->trace);
      });
      CHECK(findings != 0);
    }
  const Plan plan = without(freeobj_corruption(256), "zs_page_migrate.class.unlock");
  Campaign campaign(plan);
  weak::Machine machine(plan.model, Scenario::words_needed(plan));
  machine.plan = plan.barriers;
  Scenario scenario(plan);
  unsigned told = 0;
  each_finding(machine, scenario, 5, [&](const GraphExecution& execution) {
    if (told++ != 0) return;
    Progress progress;
    const Minimised small = campaign.minimise(campaign.retell(execution).finding->deviations, 500, progress);
    CHECK(small.reproduced);
    CHECK(small.complete);
    CHECK(small.finding.oracle == Oracle::garbage_freeobj);
    CHECK(small.after.reorderings == 1);
    CHECK(small.after.switches == 1);
  });
  CHECK(told != 0);
}

TEST_CASE("a finding of another plan is not told: there is none") {
  const Plan plan = without(freeobj_corruption(256), ".");
  Plan on = freeobj_corruption(256);
  on.barriers = BarrierPlan::arm64();
  Campaign campaign(on);
  weak::Machine machine(plan.model, Scenario::words_needed(plan));
  machine.plan = plan.barriers;
  Scenario scenario(plan);
  CHECK(each_finding(machine, scenario, 5, [&](const GraphExecution& execution) {
          const Retold told = campaign.retell(execution);
          CHECK(!told.finding);
          CHECK(!told.why.empty());
        }) != 0);
}

TEST_CASE("the seed program's findings are told, whatever its page's width") {
  for (const bool release : {false, true})
    for (const std::uint32_t words : {8u, 512u}) {
      SeedProgram::Options o{.words = words, .allocators = 2};
      o.release = release;
      o.acquire = !release;
      SeedProgram explored(o), told(o);
      weak::Machine graph_machine(weak::Model::armv8, 1u << 14), machine(weak::Model::armv8, 1u << 14);
      WeakEngine engine(machine, told);
      engine.prepare(1);
      const unsigned findings = each_finding(graph_machine, explored, 20, [&](const GraphExecution& execution) {
        const Steered s = steer(machine, engine, execution, GraphStrategy::way(0));
        CHECK_MESSAGE(s.astray.empty(), s.astray);
        CHECK(s.outcome.failed);
        CHECK(s.outcome.cpu == execution.outcome.cpu);
        ReplayStrategy again(s.deviations);
        CHECK(engine.run(again, again.begin()).failed);
        CHECK(!again.misfit());
        CHECK(same(machine.chooser.deviations(), s.deviations));
      });
      CHECK(findings != 0);
    }
}

// A step of the host, between accesses: in a graph an atomic on a word of its own, on the random machine nothing.
TEST_CASE("the order of steps that are no accesses is kept") {
  std::vector<unsigned> order;
  const auto thread = [&order](Words w, Registers& r) {
    const unsigned cpu = M::cpu();
    w[std::uint64_t{cpu}].store(1u);
    r[cpu] = M::known(w[std::uint64_t{1 - cpu}].load());
    if (M::explored()) static_cast<void>(M::known(w[std::uint64_t{2}].fetch_add(0u, Order::plain)));
    order.push_back(cpu);
  };
  SmallProgram explored({0, 0, 0}, 2, {thread, thread}), told({0, 0, 0}, 2, {thread, thread});
  weak::Machine graph_machine(weak::Model::armv8, 4096), machine(weak::Model::armv8, 4096);
  WeakEngine engine(machine, told);
  engine.prepare(1);
  GraphSearch search(graph_machine, explored);
  std::set<std::pair<Registers, std::vector<unsigned>>> reached;
  while (!search.complete()) {
    order.clear();
    if (search.run() != GraphSearch::Result::execution) continue;
    const std::vector<unsigned> wanted = order;
    const Registers& registers = explored.final();
    GraphExecution execution = search.execution();
    for (const std::vector<std::uint32_t>& program : execution.programs) {
      REQUIRE(program.size() == 4);
      execution.accesses[program[2]].ghost = execution.accesses[program[3]].ghost = true;
    }
    order.clear();
    const Steered s = steer(machine, engine, execution, GraphStrategy::way(0));
    CHECK_MESSAGE(s.astray.empty(), s.astray);
    CHECK(told.final() == registers);
    CHECK(order == wanted);
    reached.emplace(registers, wanted);
  }
  CHECK(reached.size() == 8);
}

TEST_SUITE_END();
