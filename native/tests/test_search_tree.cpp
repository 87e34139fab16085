// A search that is stopped, split and taken up again explores the same executions, each once.
#include <doctest/doctest.h>

#include "bench/freeobj_corruption.hpp"
#include "bench/seed_program.hpp"
#include "engine/scenario.hpp"
#include "tests/forest.hpp"
#include "tests/small_program.hpp"

using namespace race;
using namespace race::test;

TEST_SUITE_BEGIN("weak");

namespace {

struct Seen {
  std::size_t executions = 0;
  bool other_order = false;  // did an order by chance begin with another one?
};

Seen check_every_way(weak::Machine& machine, Workload& workload, std::uint64_t seed) {
  Seen seen;
  Forest forest(machine, workload);
  const Found whole = forest.whole();
  for (const auto& [signature, times] : whole.executions) CHECK(times == 1);
  const auto same = [&](const Found& f) {
    CHECK(f.executions == whole.executions);
    CHECK(f.findings == whole.findings);
  };
  for (const std::uint64_t order : {1, 2}) {
    CAPTURE(order);
    const Found shuffled = forest.whole(seed * 10 + order);
    same(shuffled);
    seen.other_order = seen.other_order || shuffled.first != whole.first;
  }
  for (const std::uint64_t runs : {1, 2, 7, 100}) {
    CAPTURE(runs);
    const Found units = forest.units(runs, 0, seed);
    same(units);
    CHECK(units.redundant == whole.redundant);
    for (const std::size_t parts : {1, 3, 1000}) {
      CAPTURE(parts);
      same(forest.units(runs, parts, seed));
    }
  }
  seen.executions = whole.executions.size();
  return seen;
}

// A few accesses of each kind, by chance.
SmallProgram random_program(Rng& chance, unsigned threads, unsigned length) {
  const std::uint32_t words = 1 + chance.below(3);
  std::vector<SmallProgram::Thread> programs;
  for (unsigned t = 0; t < threads; ++t) {
    struct Step {
      std::uint32_t kind, word, order;
      std::uint64_t value;
    };
    std::vector<Step> steps;
    for (unsigned k = 0; k < length; ++k)
      steps.push_back({chance.below(12), chance.below(words), chance.below(4), 10 * t + k + 1});
    programs.emplace_back([steps](Words m, Registers&) {
      M::value<std::uint64_t> last = 0;
      for (const Step& s : steps) {
        const auto word = m[std::uint64_t{s.word}];
        const Order load = s.order == 0 ? Order::acquire : Order::plain;
        const Order store = s.order == 0 ? Order::release : Order::plain;
        switch (s.kind) {
          case 0:
          case 1:
          case 2: last = word.load(load); break;
          case 3:
          case 4:
          case 5: word.store(s.value, store); break;
          case 6: word.store(last + s.value, store); break;
          case 7:
            last = word.exchange(s.value, s.order == 1 ? Order::acquire : s.order == 2 ? Order::release : Order::plain);
            break;
          case 8: last = M::known(word.compare_exchange(0, s.value, load)); break;
          case 9: M::fence(s.order == 0 ? Fence::ish : s.order == 1 ? Fence::ishst : Fence::ishld); break;
          case 10:
            if (last == 0u) word.store(s.value);
            break;
          default:
            if (M::known(last) % 3 == 2) M::fail({Oracle::stale_object, "a value that this program takes for wrong"});
        }
      }
    });
  }
  return {std::vector<std::uint64_t>(words), 0, std::move(programs)};
}

}  // namespace

TEST_CASE("in units and parts: one execution for each order of a lock") {
  std::size_t orders = 1;
  for (unsigned m = 1; m <= 4; ++m) {
    CAPTURE(m);
    SeedProgram program({.words = 4, .allocators = m});
    weak::Machine machine(weak::Model::armv8, 1u << 14);
    CHECK(check_every_way(machine, program, m).executions == (orders *= m + 1));
  }
}

TEST_CASE("in units and parts: with findings too") {
  for (const bool acquire : {false, true}) {
    CAPTURE(acquire);
    SeedProgram program({.words = 2, .allocators = 2, .acquire = acquire, .release = !acquire});
    weak::Machine machine(weak::Model::armv8, 1u << 14);
    Forest forest(machine, program);
    CHECK(forest.whole().findings[Oracle::garbage_freeobj] != 0);
    check_every_way(machine, program, 1);
  }
}

TEST_CASE("in units and parts: the allocator") {
  const Plan plan = freeobj_corruption(256, true);
  const std::uint32_t spare = Scenario::frames_to_spare(plan);
  weak::Machine machine(weak::Model::armv8, Scenario::words_needed(plan, spare));
  machine.plan = plan.barriers;
  Scenario scenario(plan, spare);
  CHECK(check_every_way(machine, scenario, 1).executions > 1);
}

TEST_CASE("an access before a free is another execution, though the free was explored: no sleep loses it") {
  for (const char* needed : {"zs_malloc.class.lock", "zs_page_migrate.class.unlock"}) {
    CAPTURE(needed);
    Plan plan = freeobj_corruption(256, true);
    for (std::size_t i = 1; i < sites().all().size(); ++i)
      if (sites().all()[i].name == needed) plan.barriers.set(static_cast<SiteId>(i), Strength::none);
    const std::uint32_t spare = Scenario::frames_to_spare(plan);
    weak::Machine machine(weak::Model::armv8, Scenario::words_needed(plan, spare));
    machine.plan = plan.barriers;
    Scenario scenario(plan, spare);
    Forest forest(machine, scenario);
    const Found whole = forest.whole(), units = forest.units(7, 3, 1);
    CHECK(whole.executions == units.executions);
    CHECK(whole.findings == units.findings);
    for (std::uint64_t order = 1; order <= 20; ++order) CHECK(forest.whole(order).executions == whole.executions);
    forest.reduce_by({.sleep_sets = false});
    Found sleepless = forest.whole();
    for (auto& [signature, times] : sleepless.executions) times = 1;
    CHECK(whole.executions == sleepless.executions);
  }
}

TEST_CASE("in units and parts: random programs") {
  Rng chance(1);
  std::size_t most = 0, all = 0, other_orders = 0;
  for (unsigned k = 0; k < 200; ++k) {
    CAPTURE(k);
    SmallProgram program = random_program(chance, 2 + chance.below(2), 3);
    weak::Machine machine(weak::Model::armv8, 4096);
    const Seen seen = check_every_way(machine, program, k);
    most = std::max(most, seen.executions);
    all += seen.executions;
    other_orders += seen.other_order ? 1 : 0;
  }
  CHECK(most > 100);
  CHECK(all > 2000);
  CHECK(other_orders > 50);
}

TEST_SUITE_END();
