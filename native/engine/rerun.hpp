// Executions of a scenario again, with a trace: exactly as they were, or with deviations left out.
#pragma once

#include <compare>
#include <functional>

#include "engine/explain.hpp"
#include "engine/placed_strategy.hpp"

namespace race {

// What a reader has to follow, the hardest first.
struct Cost {
  std::uint32_t reorderings = 0;  // held stores and late accesses that another of their CPU overtook; stale loads
  std::uint32_t switches = 0;     // of the CPU that issues accesses
  std::uint32_t deviations = 0;
  auto operator<=>(const Cost&) const = default;
};
Cost cost_of(const weak::Trace& trace, unsigned cpus);

struct Ran {
  Outcome outcome;
  weak::Trace trace;
  std::vector<Deviation> deviations;  // that it had
  std::vector<Placed> placed;         // the same by place; not of `exactly`
  std::optional<Misfit> misfit;       // only of `exactly`
  Cost cost;
};

class Rerun {
 public:
  Rerun(weak::Machine& machine, const Scenario& scenario, WeakEngine& engine)
      : machine_(machine), scenario_(scenario), engine_(engine) {}
  Ran exactly(const std::vector<Deviation>& deviations);
  Ran located(const std::vector<Deviation>& deviations);  // the same execution, with the places
  Ran placed(const std::vector<Placed>& placed);

  // These hold until the next execution.
  Explain explain(const Ran& r) const { return {machine_, scenario_, r.trace}; }
  bool found(const Ran& r) const;  // something that the campaign looks for
  weak::Machine& machine() { return machine_; }
  const Scenario& scenario() const { return scenario_; }

 private:
  template <class F>
  void traced(Ran& r, F run);
  template <class D>
  Ran by_place(const D& deviations);

  weak::Machine& machine_;
  const Scenario& scenario_;
  WeakEngine& engine_;
};

// An execution under another barrier plan that should have gone as before.
struct Divergence {
  std::uint32_t step = 0, step_before = 0;  // the first that differs; a barrier that has come or gone is no difference
  std::string now, before;                  // what it does there
};
struct Replayed {
  std::optional<FindingRecord> finding;
  std::vector<StepRecord> steps;  // without a finding: what became of the words of the old one
  std::uint64_t steps_left_out = 0;
  std::optional<Divergence> diverged;  // changed barriers
  std::string misfit;                  // the same barriers, and yet a deviation did not fit
  Cost cost;
};
Replayed replay(Rerun& rerun, const std::vector<Deviation>& deviations, const BarrierPlan* changed);

}  // namespace race
