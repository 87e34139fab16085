// What is left to explore of a program's executions, as plain data: a search can be stopped, saved, taken apart and taken up
// again (docs/exploration-in-units.md).
#pragma once

#include <cstdint>
#include <vector>

#include "memory/weak/graph.hpp"

namespace race {

struct Tree {
  using Id = weak::Id;
  struct Choice {  // an access, and the write that it reads or follows
    Id id = weak::initially, base = weak::initially;
    bool operator==(const Choice&) const = default;
  };
  using Sequence = std::vector<Choice>;
  // Before one access of a run: what was chosen, and what else is to be.
  struct Node {
    Choice chosen;
    bool open = false;               // which other writes it could read is not known yet
    std::vector<Id> others;          // writes that the chosen access is still to read
    std::vector<Id> explored;        // all executions that go on with these, whatever they read, are somebody's
    std::vector<Sequence> to_begin;  // these are still to be begun with
    std::uint32_t done = 0;          // branches that are explored, for the estimate
    bool operator==(const Node&) const = default;
  };
  // A branch that was found for a node above the root. It is covered if any of `begins` is explored there.
  struct Above {
    std::size_t depth = 0;
    Sequence sequence;
    std::vector<Id> begins;  // the accesses of the sequence that it can begin with
    bool operator==(const Above&) const = default;
  };

  std::vector<Node> path;
  Sequence begin_with;   // after the path
  std::size_t root = 0;  // what else may come in place of the accesses above it is decided elsewhere

  bool operator==(const Tree&) const = default;
  void check(unsigned cpus) const;  // throws std::invalid_argument if it can be no tree of so many CPUs
  bool advance();                   // to the next branch; false: there is none
  // How much of the tree is left, from 0 to 1: at each node, the branches that are known by now count the same.
  double left() const;

  struct Part;
  // Takes parts off what is left, until there are so many or nothing else is to take. Each is a tree of its own: whoever
  // explores them, and in what order, together with this one they have every execution once.
  std::vector<Part> split(std::size_t enough);

 private:
  std::size_t first_node() const { return root == 0 ? 0 : root - 1; }  // whose branches are known to be this tree's
  std::size_t branches(std::size_t depth) const {
    return path[depth].others.size() + (depth >= root ? path[depth].to_begin.size() : 0);
  }
  Tree branch(std::size_t depth, Choice chosen) const;
};

struct Tree::Part {
  Tree tree;
  double share = 0;  // of the whole tree, as left() counts
};

}  // namespace race
