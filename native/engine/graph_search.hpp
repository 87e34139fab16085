// Explores every execution of a program: dynamic partial-order reduction over the accesses of the weak machine
// (docs/exhaustive.md). Two executions are one if every load reads the same write and the writes of each word have the same
// order.
//
// Each run performs accesses as they are issued. Where a write could have come before an earlier access to its word, so that
// the execution would be another, that is noted at the earlier access; a later run begins there with what the write needs.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/graph_execution.hpp"
#include "engine/random.hpp"
#include "engine/reductions.hpp"
#include "engine/search_tree.hpp"
#include "engine/weak_engine.hpp"
#include "memory/weak/graph.hpp"

namespace race {

class GraphSearch final : public weak::Guide, private GraphSchedule {
 public:
  // step_limit: of accesses, for each execution; 0: that of the random engine, or none without prepare().
  GraphSearch(weak::Machine& machine, Workload& workload, std::uint64_t step_limit = 0);

  // Sets the program up, and runs it once in order: its length is the step limit's measure. Without it the first run sets up.
  Outcome prepare(std::uint64_t seed);
  // What is explored from now on, instead of the whole. Throws std::invalid_argument if it can be no tree of this program.
  void take(Tree tree);
  // An order of exploration by chance: what comes first where it is open. It changes neither executions nor verdicts.
  void shuffle(std::optional<std::uint64_t> seed) {
    chance_.reset();
    if (seed) chance_.emplace(Rng::mix(*seed));
  }

  // For tests; see reductions.hpp.
  void reduce_by(const Reductions& reductions);

  enum class Result : std::uint8_t {
    execution,
    redundant,  // it could only be completed as one that was explored
    failed,     // there are findings
    cut,        // it was not followed to its end: too long, or nobody can tell whether it is an execution
  };
  // One more run. Where a CPU fails the others go on, as if it were slow: each may have a finding. outcome() is the first.
  Result run();
  const Outcome& outcome() const { return outcome_; }
  bool was_cut() const { return cut_; }                               // also one that has findings
  const std::vector<Outcome>& findings() const { return findings_; }  // at most one a CPU
  // The run up to each of these, and if there are none the whole of it: to be told to another machine (graph_strategy.hpp).
  const GraphExecution& execution(std::size_t finding) const { return executions_[finding]; }
  GraphExecution execution() const { return {graph_, workload_.cpus(), outcome_}; }
  bool complete() const { return complete_; }
  Tree& tree() { return tree_; }                       // what is left, until complete()
  const weak::Graph& graph() const { return graph_; }  // of the last run
  // Branches of nodes above the tree's root, found since it was taken.
  const std::vector<Tree::Above>& above() const { return above_; }

 private:
  using Id = weak::Id;
  using Choice = Tree::Choice;
  using Sequence = Tree::Sequence;
  using Node = Tree::Node;

  Turn turn(Id id) override;
  std::uint32_t choose(Id id, const std::vector<Id>& bases) override;
  bool wants(Id id) override { return wanted() == id; }
  void performed(std::uint32_t access) override;
  bool next(unsigned& cpu) override;
  void failed(const Outcome& found) override;
  void add_finding(const Outcome& found);

  Id wanted() const;
  bool sleeps(Choice c) const;
  bool crossed_a_free(Id id, std::size_t depth) const;
  bool frees(Id step, std::uint32_t access) const;
  void fall_asleep(std::size_t depth);
  void wake_beside_frees(std::uint32_t access);
  void races(std::uint32_t access);
  void races_of_free(const weak::Graph::Free& f);
  bool load_comes_before(std::uint32_t write, weak::View own) const;
  bool load_was_forwarded(std::uint32_t write) const;
  void races_of_blocked(unsigned cpu);
  void race_of_atomic(unsigned cpu, std::uint32_t word, std::uint32_t base);
  void before(std::uint32_t access, Choice first, weak::View own, std::uint32_t writer);
  void note(std::size_t depth, const Sequence& sequence, const std::function<bool(Id)>& begins);
  std::uint32_t below(std::size_t n) { return chance_->below(static_cast<std::uint32_t>(n)); }
  void orders_of_writes(std::uint32_t n);
  void race_of_dangling(std::uint32_t n);
  void advance();
  Result judge();

  weak::Machine& machine_;
  Workload& workload_;
  Reductions reductions_;
  WeakEngine engine_;
  weak::Graph graph_;
  std::uint32_t width_ = 1;  // of the graph's sets
  bool set_up_ = false, complete_ = false;
  Outcome outcome_;
  std::vector<Outcome> findings_;
  std::vector<GraphExecution> executions_;  // of the findings
  bool cut_ = false;

  Tree tree_;
  std::vector<Tree::Above> above_;
  std::optional<Rng> chance_;
  std::size_t depth_ = 0, begun_ = 0, new_from_ = 0;
  struct Sleeping {
    Id id;
    std::size_t depth;  // it sleeps with the writes that it could read there
  };
  std::vector<std::vector<Sleeping>> asleep_;  // by CPU
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
