// A campaign: executions of one plan, by number, and what they found. Execution k depends on the plan and k alone.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/crossings.hpp"
#include "engine/scenario.hpp"

namespace race {

// What a report says of one finding. Empty strings: not known.
struct FindingRecord {
  std::uint64_t execution = 0;
  Oracle oracle{};
  std::string message, thread, function, site, zspage, size_class, value, value_kind, expected, origin, newest,
      written_by;
  std::int64_t object = -1;
  std::vector<std::string> trace;
};

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
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

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
