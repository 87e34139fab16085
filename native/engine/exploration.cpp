#include "engine/exploration.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace race {

namespace {

constexpr std::size_t enough_parts = 8;  // that a few workers have something to do; a part costs its start

}  // namespace

// The campaign has run the set-up and the scenario in order, and found nothing.
Exploration::Exploration(Campaign& campaign)
    : campaign_(campaign),
      plan_(campaign.plan()),
      machine_(plan_.model, Scenario::words_needed(plan_, Scenario::frames_to_spare(plan_))),
      scenario_(plan_, Scenario::frames_to_spare(plan_)),
      search_(machine_, scenario_, plan_.step_limit) {
  machine_.plan = plan_.setup_barriers;
  machine_.judged = plan_.oracles;
  if (search_.prepare(plan_.seed).failed) throw std::logic_error("the scenario, run in order, fails");
  machine_.plan = plan_.barriers;
}

Explored Exploration::run(const Unit& unit) {
  Explored e;
  search_.take(unit.tree.value_or(Tree{}));
  search_.shuffle(unit.order);
  const double before = search_.tree().left();
  while (e.executions + e.redundant < unit.runs && !search_.complete() && !campaign_.cancelled()) {
    GraphSearch::Result r{};
    try {
      r = search_.run();
    } catch (const std::runtime_error& error) {  // what is not explored
      throw std::invalid_argument(error.what());
    } catch (const std::logic_error& error) {
      if (!unit.tree || e.executions + e.redundant != 0) throw;
      throw std::invalid_argument("the tree: it is none of this scenario's under this plan: " +
                                  std::string(error.what()));
    }
    e.accesses += machine_.accesses();
    ++(r == GraphSearch::Result::redundant ? e.redundant : e.executions);
    if (search_.was_cut()) ++e.cut;
    if (r != GraphSearch::Result::failed) continue;
    for (std::size_t i = 0; i < search_.findings().size(); ++i) count(search_.findings()[i], search_.execution(i), e);
    if (!unit.all && !e.findings.empty()) break;
  }
  e.above = search_.above();
  if (!search_.complete()) divide(search_.tree(), before, unit.split, e);
  return e;
}

void Exploration::count(const Outcome& o, const GraphExecution& execution, Explored& e) {
  if (!plan_.enabled(o.fault.oracle)) {
    ++e.cut;
    return;
  }
  const auto n = ++e.counts[static_cast<std::size_t>(o.fault.oracle)];
  if (n <= std::max(plan_.max_findings, 1u)) e.findings.push_back(told(o, execution, e.executions - 1));
}

// The execution as one of the campaign's, with its deviations and its steps.
FindingRecord Exploration::told(const Outcome& o, const GraphExecution& of, std::uint64_t execution) const {
  Retold retold = campaign_.retell(of);
  if (retold.finding) {
    retold.finding->execution = execution;
    return *retold.finding;
  }
  FindingRecord f;
  f.execution = execution;
  f.oracle = o.fault.oracle;
  f.message = o.fault.what;
  const bool at_the_end = o.cpu == scenario_.cpus();
  f.thread = at_the_end ? "the check at the end of the execution" : scenario_.thread_name(o.cpu);
  f.function = o.function;
  if (o.site != no_site) f.site = sites()[o.site].name;
  f.untold = retold.why;
  return f;
}

void Exploration::divide(Tree tree, double before, bool split, Explored& e) {
  const double all = tree.left();
  if (split) e.parts = tree.split(enough_parts);
  // Branches that became known only now may make the estimate of what is left more than there was.
  e.left = std::min(1.0, all / before);
  e.rest_share = e.left;
  for (Tree::Part& p : e.parts) {
    p.share *= e.left / all;
    e.rest_share -= p.share;
  }
  e.rest = std::move(tree);
}

}  // namespace race
