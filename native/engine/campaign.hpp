// A campaign: executions of one plan, by number, and what they found. Execution k depends on the plan and k alone.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/crossings.hpp"
#include "engine/digest.hpp"
#include "engine/scenario.hpp"

namespace race {

// One step that matters, as a picture needs it. Numbers of steps: 0 is none.
struct StepRecord {
  std::uint32_t step = 0;
  unsigned cpu = 0;
  std::string kind;  // load, late, store, commit, atomic, fence, waits, runs, found
  std::string thread, function, site, strength, place, value;
  std::string newest, writer;  // stale load: what memory held, and who had stored that
  std::uint32_t issue = 0;     // commit, late load: when it was issued
  std::uint32_t done = 0;      // held store, late access: when it was performed
  std::uint32_t writer_step = 0, writer_done = 0;
  bool held = false, stale = false, forwarded = false;
};

// What a report says of one finding. Empty strings: not known.
struct FindingRecord {
  std::uint64_t execution = 0;
  Oracle oracle{};
  std::string message, thread, function, site, zspage, size_class, value, value_kind, expected, origin, newest,
      written_by;
  std::int64_t object = -1;
  std::vector<std::string> trace;
  std::vector<StepRecord> steps;
  std::uint64_t steps_left_out = 0;   // before them, because they are too many
  std::vector<Deviation> deviations;  // the execution
  std::string untold;                 // why there are none; not empty: they are not known
};

// What came of telling an execution that was explored on a graph.
struct Retold {
  std::optional<FindingRecord> finding;  // the same one, with the execution's deviations
  std::string why;                       // there is none
};

struct GraphExecution;
struct Replayed;
struct Minimised;
struct Progress;
struct Cycle;

class Campaign {
 public:
  // Throws std::invalid_argument if the scenario's set-up, or a plain execution of it in order, finds something.
  explicit Campaign(Plan plan);

  // Runs executions first .. first + count - 1. Returns how many were done: fewer after cancel(). Throws std::runtime_error if
  // one cannot be run; those before it count.
  std::uint64_t run(std::uint64_t first, std::uint64_t count);
  // Runs those executions with a trace each and counts what came to the sites, and what moved across them that the strengths of
  // `base` forbid. What they find is not counted. Ends early after cancel().
  Crossings crossings(const BarrierPlan& base, std::uint64_t first, std::uint64_t count);
  // Runs those executions with a trace each, and adds all that they did.
  void digest(Digest& to, std::uint64_t first, std::uint64_t count);
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // The execution that has these deviations; also under other barriers. Throws std::invalid_argument if they cannot be any's.
  Replayed replay(const std::vector<Deviation>& deviations, const BarrierPlan* changed = nullptr);
  // An execution that failed while it was explored on a graph, as one of this campaign's: with deviations, a trace, a record.
  Retold retell(const GraphExecution& found);
  // Why the execution with these deviations is not sequentially consistent, up to its finding.
  Cycle cycle(const std::vector<Deviation>& deviations);
  // The smallest execution with the same finding that at most so many tries come to. cancel() ends it early.
  Minimised minimise(const std::vector<Deviation>& deviations, std::uint64_t limit, Progress& progress);

  const Plan& plan() const { return plan_; }
  std::uint64_t executions() const { return executions_; }
  std::uint64_t accesses() const { return accesses_; }
  // Those that a fault ended which the plan does not look for: what they would have found is not known.
  std::uint64_t cut_short() const { return cut_short_; }
  std::uint64_t count(Oracle o) const { return counts_[static_cast<std::size_t>(o)]; }
  std::optional<std::uint64_t> first_finding() const { return first_; }
  // The first of one oracle, by execution; at most the plan's max_findings.
  const std::vector<FindingRecord>& findings(Oracle o) const { return findings_[static_cast<std::size_t>(o)]; }

 private:
  const Extent& measure();  // sets the scenario up, and runs it once in order
  Outcome prepare();
  Outcome run_one(std::uint64_t k);
  FindingRecord explain(std::uint64_t k, const Outcome& found);

  Plan plan_;
  weak::Machine machine_;
  Scenario scenario_;
  WeakEngine engine_;
  RandomStrategy strategy_;
  std::atomic<bool> cancelled_{false};
  std::uint64_t executions_ = 0, accesses_ = 0, cut_short_ = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Oracle::count)> counts_{};
  std::optional<std::uint64_t> first_;
  std::array<std::vector<FindingRecord>, static_cast<std::size_t>(Oracle::count)> findings_;
};

}  // namespace race
