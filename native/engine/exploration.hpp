// Explores the executions of a campaign's scenario in units: a unit takes a tree, explores part of it, and hands back what it
// found and what is left. Its answer depends on the question alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/campaign.hpp"
#include "engine/graph_search.hpp"
#include "engine/scenario.hpp"

namespace race {

struct Unit {
  std::optional<Tree> tree;            // none: the whole
  std::uint64_t runs = 1;              // at most; executions and redundant ones
  bool all = false;                    // does it go on after a finding?
  bool split = false;                  // are parts of what is left taken off?
  std::optional<std::uint64_t> order;  // explore in an order by chance, from this seed
};

struct Explored {
  std::uint64_t executions = 0, redundant = 0;
  // Executions that the step limit ended, or a fault that the plan does not look for: what they would have found is not known,
  // nor what would have come after.
  std::uint64_t cut = 0;
  std::uint64_t accesses = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Oracle::count)> counts{};
  std::vector<FindingRecord>
      findings;  // numbered among the unit's executions; of each oracle the first, as the plan says
  std::optional<Tree> rest;
  std::vector<Tree::Part> parts;   // taken off the rest
  std::vector<Tree::Above> above;  // branches of nodes above the tree's root
  double left = 0;                 // of the tree: rest and parts together, an estimate
  double rest_share = 0;           // the rest's part of that
};

class Exploration {
 public:
  explicit Exploration(Campaign& campaign);

  // Ends early, after a run, once the campaign is cancelled. Throws std::invalid_argument if the tree is none of this scenario's.
  Explored run(const Unit& unit);

 private:
  void count(const Outcome& o, const GraphExecution& execution, Explored& e);
  FindingRecord told(const Outcome& o, const GraphExecution& of, std::uint64_t execution) const;
  static void divide(Tree tree, double before, bool split, Explored& e);

  Campaign& campaign_;
  const Plan& plan_;
  weak::Machine machine_;
  Scenario scenario_;
  GraphSearch search_;
};

}  // namespace race
