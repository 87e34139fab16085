#include "engine/campaign.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>

#include "engine/cycle.hpp"
#include "engine/explain.hpp"
#include "engine/graph_strategy.hpp"
#include "engine/minimise.hpp"
#include "engine/rerun.hpp"
#include "engine/tracing.hpp"

namespace race {

namespace {

[[noreturn]] void broken(const char* when, const Outcome& o) {
  throw std::invalid_argument(std::string(when) + " fails: " + std::string(info(o.fault.oracle).name) + ": " +
                              o.fault.what + " (in " + o.function + ')');
}

// Where a graph has one atomic the code may look at the word first, so it is a load that meets the freed memory.
bool same_finding(const Outcome& a, const Outcome& b) {
  if (!a.failed || !b.failed || a.cpu != b.cpu || a.fault.oracle != b.fault.oracle) return false;
  const std::string_view x = a.fault.what, y = b.fault.what;
  const auto both = [&](std::string_view end) { return x.ends_with(end) && y.ends_with(end); };
  return x == y || both(" freed memory") || both(" outside of memory");
}

std::string finding_text(const Outcome& o) {
  if (!o.failed) return "nothing";
  return std::string(info(o.fault.oracle).name) + " on CPU " + std::to_string(o.cpu) + ", " + o.fault.what;
}

}  // namespace

Campaign::Campaign(Plan plan)
    : plan_(std::move(plan)),
      machine_(plan_.model, Scenario::words_needed(plan_)),
      scenario_(plan_),
      engine_(machine_, scenario_, plan_.step_limit),
      strategy_(plan_.seed, measure()) {}

const Extent& Campaign::measure() {
  // The set-up is no part of the question: it runs with the kernel's own barriers, of the version that the scenario is about.
  machine_.plan = plan_.setup_barriers;
  machine_.judged = plan_.oracles;
  const Outcome o = prepare();
  machine_.plan = plan_.barriers;
  if (!engine_.is_set_up()) broken("the set-up", o);
  if (o.failed) broken("the scenario, run in order with every barrier,", o);
  return engine_.extent();
}

Outcome Campaign::prepare() {
  try {
    return engine_.prepare(plan_.seed);
  } catch (const std::bad_alloc&) {
    throw std::runtime_error("the scenario, run once in order, needs more memory than there is");
  }
}

std::uint64_t Campaign::run(std::uint64_t first, std::uint64_t count) {
  std::uint64_t done = 0;
  for (; done < count && !cancelled_.load(std::memory_order_relaxed); ++done) {
    const std::uint64_t k = first + done;
    const Outcome o = run_one(k);
    ++executions_;
    accesses_ += machine_.accesses();
    if (o.abandoned || (o.failed && !plan_.enabled(o.fault.oracle))) {
      ++cut_short_;
      continue;
    }
    if (!o.failed) continue;
    ++counts_[static_cast<std::size_t>(o.fault.oracle)];
    first_ = std::min(first_.value_or(k), k);
    auto& kept = findings_[static_cast<std::size_t>(o.fault.oracle)];
    const auto at = std::upper_bound(kept.begin(), kept.end(), k,
                                     [](std::uint64_t n, const FindingRecord& f) { return n < f.execution; });
    if (at == kept.end() && kept.size() >= plan_.max_findings) continue;
    kept.insert(at, explain(k, o));
    if (kept.size() > plan_.max_findings) kept.pop_back();
  }
  return done;
}

Crossings Campaign::crossings(const BarrierPlan& base, std::uint64_t first, std::uint64_t count) {
  Crossings counted(base);
  weak::Trace trace;
  const Tracing tracing(machine_, trace);
  for (std::uint64_t k = first; k != first + count && !cancelled_.load(std::memory_order_relaxed); ++k) {
    trace.clear();
    run_one(k);
    counted.add(trace);
  }
  return counted;
}

void Campaign::digest(Digest& to, std::uint64_t first, std::uint64_t count) {
  weak::Trace trace;
  const Tracing tracing(machine_, trace);
  for (std::uint64_t k = first; k != first + count; ++k) {
    trace.clear();
    const Outcome o = run_one(k);
    to.add(machine_.accesses());
    to.add(o, machine_.chooser.deviations(), trace);
  }
}

// What the program itself throws, out of memory for one, says which execution it was.
Outcome Campaign::run_one(std::uint64_t k) {
  try {
    return engine_.run(strategy_, strategy_.begin(k));
  } catch (const std::bad_alloc&) {
    throw std::runtime_error("execution " + std::to_string(k) + ": out of memory");
  } catch (const std::exception& e) {
    throw std::runtime_error("execution " + std::to_string(k) + ": " + e.what());
  }
}

// Runs the execution again with a trace, and reads from it what happened.
FindingRecord Campaign::explain(std::uint64_t k, const Outcome& found) {
  weak::Trace trace;
  const Tracing tracing(machine_, trace);
  const Outcome again = run_one(k);
  if (!again.failed || again.fault.oracle != found.fault.oracle)
    throw std::logic_error("execution " + std::to_string(k) + " is not reproducible");
  FindingRecord f = Explain(machine_, scenario_, trace).record(again);
  f.execution = k;
  f.deviations = machine_.chooser.deviations();
  return f;
}

Retold Campaign::retell(const GraphExecution& found) {
  Rerun rerun(machine_, scenario_, engine_);
  Retold result;
  for (unsigned n = 0; n < GraphStrategy::ways; ++n) {
    const Steered told = steer(machine_, engine_, found, GraphStrategy::way(n));
    std::string why = told.astray;
    if (why.empty() && !same_finding(told.outcome, found.outcome))
      why = "it ends with " + finding_text(told.outcome) + ", not with " + finding_text(found.outcome);
    if (why.empty()) {
      const Ran ran = rerun.exactly(told.deviations);
      if (!ran.misfit && same_finding(ran.outcome, found.outcome)) {
        result.finding = rerun.explain(ran).record(ran.outcome);
        result.finding->deviations = ran.deviations;
        return result;
      }
      why = "its deviations give another execution";
    }
    if (n == 0 || told.astray.empty()) result.why = why;
  }
  return result;
}

Replayed Campaign::replay(const std::vector<Deviation>& deviations, const BarrierPlan* changed) {
  Rerun rerun(machine_, scenario_, engine_);
  return race::replay(rerun, deviations, changed);
}

Cycle Campaign::cycle(const std::vector<Deviation>& deviations) {
  Rerun rerun(machine_, scenario_, engine_);
  const Ran r = rerun.exactly(deviations);
  return cycle_of(machine_, scenario_, r.trace, rerun.found(r) ? rerun.explain(r).culprit(r.outcome) : 0);
}

Minimised Campaign::minimise(const std::vector<Deviation>& deviations, std::uint64_t limit, Progress& progress) {
  Rerun rerun(machine_, scenario_, engine_);
  return Minimiser(rerun, limit, progress, cancelled_).run(deviations);
}

}  // namespace race
