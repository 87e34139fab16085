// Every execution once: how many there are is known, and so is which plans fail. That no final state is missed is tested against
// the search over states (tests/test_litmus_search.py).
#include <doctest/doctest.h>

#include "bench/freeobj_corruption.hpp"
#include "bench/seed_program.hpp"
#include "engine/graph_search.hpp"
#include "engine/scenario.hpp"
#include "tests/small_program.hpp"

using namespace race;
using namespace race::test;

TEST_SUITE_BEGIN("weak");

namespace {

struct Explored {
  std::uint64_t executions = 0, redundant = 0;
  bool complete = false;
  Outcome found;  // the first finding, which ends it
};

Explored explore(weak::Machine& machine, Workload& workload) {
  GraphSearch search(machine, workload);
  Explored e;
  while (!search.complete() && e.executions + e.redundant < 100'000) {
    const GraphSearch::Result r = search.run();
    if (r == GraphSearch::Result::failed) {
      e.found = search.outcome();
      return e;
    }
    ++(r == GraphSearch::Result::redundant ? e.redundant : e.executions);
  }
  e.complete = search.complete();
  return e;
}

Explored explore(const SeedProgram::Options& options) {
  SeedProgram program(options);
  weak::Machine machine(weak::Model::armv8, 1u << 14);
  return explore(machine, program);
}

// Every site whose name contains `weakened` has no ordering.
Explored explore(Plan plan, std::string_view weakened) {
  for (std::size_t i = 1; i < sites().all().size(); ++i) {
    const std::string_view name = sites().all()[i].name;
    if (name == "zs_page_migrate.put_page" || (!weakened.empty() && name.find(weakened) != std::string_view::npos))
      plan.barriers.set(static_cast<SiteId>(i), Strength::none);
  }
  weak::Machine machine(weak::Model::armv8, Scenario::words_needed(plan));
  machine.plan = plan.barriers;
  Scenario scenario(plan);
  return explore(machine, scenario);
}

}  // namespace

TEST_CASE("every execution: one for each order of the lock, whatever the page's width") {
  std::uint64_t orders = 1;
  for (unsigned m = 1; m <= 5; ++m) {
    CAPTURE(m);
    orders *= m + 1;
    const Explored e = explore({.words = 8, .allocators = m});
    CHECK(e.complete);
    CHECK(e.executions == orders);
    CHECK(e.redundant == 0);
  }
  CHECK(explore({.words = 512, .allocators = 2}).executions == 6);
}

TEST_CASE("every execution: without release, or without acquire, poison is found at once") {
  for (const bool release : {false, true})
    for (const std::uint32_t words : {8u, 512u}) {
      SeedProgram::Options o{.words = words, .allocators = 2};
      o.release = release;
      o.acquire = !release;
      const Explored e = explore(o);
      CHECK(e.found.failed);
      CHECK(e.found.fault.oracle == Oracle::garbage_freeobj);
      CHECK(e.executions < 10);
    }
}

TEST_CASE("every execution: attempts that fail are executions of their own") {
  CHECK(explore({.words = 8, .allocators = 1, .tries = 3}).complete);
  CHECK(explore({.words = 8, .allocators = 1, .acquire = false, .release = false, .tries = 3}).found.failed);
}

TEST_CASE("every execution of the allocator: the class lock's release and acquire are what is needed") {
  for (const char* harmless : {"", "zs_page_migrate.zspage.", "pin"}) {
    CAPTURE(harmless);
    const Explored e = explore(freeobj_corruption(256, true), harmless);
    CHECK(e.complete);
    CHECK(e.executions > 1);
  }
  for (const char* needed : {"zs_page_migrate.class.unlock", "zs_malloc.class.lock", "."}) {
    CAPTURE(needed);
    const Explored e = explore(freeobj_corruption(256, true), needed);
    CHECK(e.found.failed);
    CHECK(e.found.fault.oracle == Oracle::garbage_freeobj);
  }
}

// A step of the host is no access: under tso it waits for the loads before it and for no store, under sc for both.
TEST_CASE("every execution: steps of the host among stores and loads, under each model") {
  const auto step = [](Words m, Registers& r) {  // which of the two it was
    M::host_step(M::known(m.address()));
    return r[1] + r[2] == 0 ? 1u : 2u;
  };
  for (const weak::Model model : {weak::Model::armv8, weak::Model::tso, weak::Model::sc}) {
    CAPTURE(static_cast<int>(model));
    SmallProgram program({0, 0}, 4,
                         {[&](Words m, Registers& r) {
                            m[0].store(1);
                            r[0] = M::known(m[1].load());
                            r[1] = step(m, r);
                          },
                          [&](Words m, Registers& r) {
                            r[2] = step(m, r);
                            r[3] = M::known(m[0].load());
                            m[1].store(1);
                          }});
    const std::set<Registers> some = outcomes(program, model);
    weak::Machine machine(model, 4096);
    GraphSearch search(machine, program);
    std::set<Registers> every;
    while (!search.complete())
      if (search.run() == GraphSearch::Result::execution) every.insert(program.final());
    CHECK(every == some);
    const bool late =
        std::any_of(every.begin(), every.end(), [](const Registers& r) { return r[1] == 1 && r[3] == 0; });
    CHECK(late == (model != weak::Model::sc));
  }
}

TEST_SUITE_END();
