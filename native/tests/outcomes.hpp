// The outcomes of a plan's executions, by the weak and by the exhaustive engine: what went wrong, or what the pool is at the end.
#pragma once

#include <set>
#include <string>

#include "engine/graph_search.hpp"
#include "tests/pool_digest.hpp"

namespace race::test {

struct Outcomes {
  std::set<std::string> all;
  std::uint64_t executions = 0, redundant = 0, cut = 0;
  bool complete = false;  // exhaustive: there are no others
};

inline std::string text(const Outcome& o) { return std::string(info(o.fault.oracle).name) + ": " + o.fault.what; }

inline std::string at_the_end(const Plan& plan, const Scenario& scenario) {
  return plan.has(Op::destroy) ? "clean, the pool is destroyed" : "clean, " + PoolDigest::of(scenario);
}

inline Outcomes weak_outcomes(const Plan& plan, std::uint64_t executions, std::uint64_t seed = 1) {
  weak::Machine machine(plan.model, Scenario::words_needed(plan));
  machine.plan = plan.barriers;
  machine.judged = plan.oracles;
  Scenario scenario(plan);
  WeakEngine engine(machine, scenario, plan.step_limit);
  Outcomes found;
  engine.prepare(seed);
  RandomStrategy strategy(seed, engine.extent());
  for (; found.executions < executions; ++found.executions) {
    const Outcome o = engine.run(strategy, strategy.begin(found.executions));
    if (o.abandoned || (o.failed && o.fault.oracle == Oracle::livelock))
      ++found.cut;
    else
      found.all.insert(o.failed ? text(o) : at_the_end(plan, scenario));
  }
  return found;
}

inline Outcomes exhaustive_outcomes(const Plan& plan, std::uint64_t most_runs, const Reductions& reductions = {}) {
  weak::Machine machine(plan.model, Scenario::words_needed(plan));
  machine.plan = plan.barriers;
  machine.judged = plan.oracles;
  Scenario scenario(plan);
  GraphSearch search(machine, scenario, 5'000);
  search.reduce_by(reductions);
  Outcomes found;
  while (!search.complete() && found.executions + found.redundant + found.cut < most_runs) {
    const GraphSearch::Result r = search.run();
    if (search.was_cut()) ++found.cut;
    if (r == GraphSearch::Result::redundant) ++found.redundant;
    if (r == GraphSearch::Result::execution || r == GraphSearch::Result::failed) ++found.executions;
    if (r == GraphSearch::Result::execution) found.all.insert(at_the_end(plan, scenario));
    if (r == GraphSearch::Result::failed)
      for (const Outcome& o : search.findings()) found.all.insert(text(o));
  }
  found.complete = search.complete() && found.cut == 0;
  return found;
}

}  // namespace race::test
