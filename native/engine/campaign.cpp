#include "engine/campaign.hpp"

#include <algorithm>
#include <stdexcept>

#include "engine/explain.hpp"

namespace race {

namespace {

[[noreturn]] void broken(const char* when, const Outcome& o) {
  throw std::invalid_argument(std::string(when) + " fails: " + std::string(info(o.fault.oracle).name) + ": " +
                              o.fault.what + " (in " + o.function + ')');
}

}  // namespace

Campaign::Campaign(Plan plan)
    : plan_(std::move(plan)),
      machine_(plan_.model, Scenario::words_needed(plan_)),
      scenario_(plan_),
      engine_(machine_, scenario_, plan_.step_limit),
      strategy_(plan_.seed, measure()) {}

const Extent& Campaign::measure() {
  // The set-up is no part of the question: it runs with the kernel's own barriers.
  machine_.plan = BarrierPlan::arm64();
  machine_.judged = plan_.oracles;
  const Outcome o = engine_.prepare(plan_.seed);
  machine_.plan = plan_.barriers;
  if (!engine_.is_set_up()) broken("the set-up", o);
  if (o.failed) broken("the scenario, run in order with every barrier,", o);
  return engine_.extent();
}

std::uint64_t Campaign::run(std::uint64_t first, std::uint64_t count) {
  std::uint64_t done = 0;
  for (; done < count && !cancelled_.load(std::memory_order_relaxed); ++done) {
    const std::uint64_t k = first + done;
    const Outcome o = engine_.run(strategy_, strategy_.begin(k));
    ++executions_;
    accesses_ += machine_.accesses();
    if (!o.failed) continue;
    if (!plan_.enabled(o.fault.oracle)) {
      ++cut_short_;
      continue;
    }
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

// Runs the execution again with a trace, and reads from it what happened.
FindingRecord Campaign::explain(std::uint64_t k, const Outcome& found) {
  weak::Trace trace;
  machine_.trace = &trace;
  const Outcome again = engine_.run(strategy_, strategy_.begin(k));
  machine_.trace = nullptr;
  if (!again.failed || again.fault.oracle != found.fault.oracle)
    throw std::logic_error("execution " + std::to_string(k) + " is not reproducible");
  FindingRecord f = Explain(machine_, scenario_, trace).record(again);
  f.execution = k;
  return f;
}

}  // namespace race
