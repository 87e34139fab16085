// Explores every execution of a program: dynamic partial-order reduction over the accesses of the weak machine
// (docs/exhaustive.md). Two executions are one if every load reads the same write and the writes of each word have the same
// order.
//
// Each run performs accesses as they are issued. Where a write could have come before an earlier access to its word, so that
// the execution would be another, that is noted at the earlier access; a later run begins there with what the write needs.
#pragma once

#include <memory>
#include <vector>

#include "engine/random.hpp"
#include "engine/reductions.hpp"
#include "engine/weak_engine.hpp"
#include "memory/weak/graph.hpp"

namespace race {

class GraphSearch final : public weak::Guide, private GraphSchedule {
 public:
  // step_limit: of accesses, for each execution; 0: none.
  GraphSearch(weak::Machine& machine, Workload& workload, std::uint64_t step_limit = 0,
              const Reductions& reductions = {});

  enum class Result : std::uint8_t {
    execution,
    redundant,  // it could only be completed as one that was explored
    failed,     // there are findings
    cut,        // it was not followed to its end: too long, or nobody can tell whether it is an execution
  };
  // After a finding the other CPUs go on, so that the executions are found in which they come before it.
  void go_on_after_findings(bool on) { go_on_ = on; }
  // One more run. What it found is in outcome(), and if the others went on after it in findings().
  Result run();
  const Outcome& outcome() const { return outcome_; }
  const std::vector<Outcome>& findings() const { return findings_; }  // at most one a CPU
  bool complete() const { return complete_; }

 private:
  using Id = weak::Id;
  struct Choice {  // an access, and the write that it reads or follows
    Id id, base;
    bool operator==(const Choice&) const = default;
  };
  using Sequence = std::vector<Choice>;
  // Before one access of a run: what was chosen, and what else is to be.
  struct Node {
    Choice chosen;
    bool open = false;               // which other writes it could read is not known yet
    std::vector<Id> others;          // writes that the chosen access is still to read
    std::vector<Choice> explored;    // all executions that go on with these
    std::vector<Sequence> to_begin;  // these are still to be begun with
  };

  Turn turn(Id id) override;
  std::uint32_t choose(Id id, const std::vector<Id>& bases) override;
  bool wants(Id id) override { return wanted() == id; }
  void performed(std::uint32_t access) override;
  bool next(unsigned& cpu) override;
  bool failed(const Outcome& found) override;

  Id wanted() const;
  bool sleeps(Choice c) const;
  void fall_asleep(std::size_t depth);
  void races(std::uint32_t access);
  void races_of_free(const weak::Graph::Free& f);
  bool load_comes_before(std::uint32_t write, weak::View own) const;
  bool load_was_forwarded(std::uint32_t write) const;
  void races_of_blocked(unsigned cpu);
  void race_of_atomic(unsigned cpu, std::uint32_t word, std::uint32_t base);
  void before(std::uint32_t access, Choice first, weak::View own, std::uint32_t writer);
  void orders_of_writes(std::uint32_t n);
  std::size_t pick(std::size_t n, std::size_t usual);
  bool advance();
  Result judge();

  weak::Machine& machine_;
  Workload& workload_;
  Reductions reductions_;
  Rng rng_;  // of the shuffle
  WeakEngine engine_;
  weak::Graph graph_;
  std::uint32_t width_ = 1;  // of the graph's sets
  bool set_up_ = false, complete_ = false;
  Outcome outcome_;
  std::vector<Outcome> findings_;
  bool go_on_ = false, cut_ = false;

  std::vector<Node> path_;
  Sequence begin_with_;  // after path_
  std::size_t depth_ = 0, begun_ = 0, new_from_ = 0;
  std::vector<std::vector<Choice>> asleep_;  // by CPU
  struct Progress {
    Id wanted = 0;
    std::size_t depth = 0, issued = 0;
    bool operator==(const Progress&) const = default;
  } last_;
  bool free_ = false, stuck_ = false, was_asleep_ = false;
  Id asleep_wanted_ = 0;  // the last access that slept
  std::vector<std::uint32_t> sequence_;
  std::vector<bool> forced_;
};

}  // namespace race
