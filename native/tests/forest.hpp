// Explores a program whole, or in units that anybody may take in any order, and counts every execution.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/graph_search.hpp"
#include "engine/random.hpp"

namespace race::test {

// What tells two executions apart: of each access, by its name, the write that it reads or follows; and which oracle fired.
using Signature = std::vector<std::pair<weak::Id, weak::Id>>;

struct Found {
  std::map<Signature, unsigned> executions;
  std::map<Oracle, unsigned> findings;
  Signature first;  // in the order of exploration
  unsigned redundant = 0, trees = 0;
};

class Forest {
 public:
  Forest(weak::Machine& machine, Workload& workload) : search_(machine, workload) {}
  void reduce_by(const Reductions& reductions) { search_.reduce_by(reductions); }

  Found whole(std::optional<std::uint64_t> order = {}) {
    Found found;
    search_.shuffle(order);
    search_.take({});
    run(~0ull, found);
    search_.shuffle({});
    return found;
  }

  // In units of so many runs. `parts`: what is left is split into so many each time, and the trees, and the branches for nodes
  // above their roots, are taken in an order by chance; 0: it is not split.
  Found units(std::uint64_t runs, std::size_t parts, std::uint64_t seed) {
    Found found;
    chance_ = Rng(seed);
    begun_.clear();
    trees_ = {Tree{}};
    branches_.clear();
    while (!trees_.empty() || !branches_.empty()) {
      if (!branches_.empty() && (trees_.empty() || chance_.below(2) == 0)) {
        begin(taken(branches_));
        continue;
      }
      search_.take(taken(trees_));
      ++found.trees;
      const std::vector<Tree::Node> path = search_.tree().path;
      run(runs, found);
      for (const Tree::Above& a : search_.above())
        branches_.push_back({{path.begin(), path.begin() + static_cast<std::ptrdiff_t>(a.depth) + 1}, a});
      if (search_.complete()) continue;
      Tree rest = search_.tree();
      if (parts != 0) {
        const double left = rest.left();
        double shares = 0;
        for (Tree::Part& p : rest.split(parts)) {
          known(p.tree.path).push_back(p.tree.path.back().chosen.id);
          shares += p.share;
          trees_.push_back(std::move(p.tree));
        }
        CHECK(shares < left);
      }
      trees_.push_back(std::move(rest));
    }
    return found;
  }

 private:
  struct Branch {
    std::vector<Tree::Node> path;  // to the node
    Tree::Above above;
  };

  template <class T>
  T taken(std::vector<T>& from) {
    std::swap(from.back(), from[chance_.below(static_cast<std::uint32_t>(from.size()))]);
    T one = std::move(from.back());
    from.pop_back();
    return one;
  }

  // What executions have begun with at the last node of this path.
  std::vector<weak::Id>& known(const std::vector<Tree::Node>& path) {
    Signature key;
    for (std::size_t d = 0; d + 1 < path.size(); ++d) key.emplace_back(path[d].chosen.id, path[d].chosen.base);
    const auto [at, is_new] = begun_.try_emplace(key, path.back().explored);
    if (is_new) at->second.push_back(path.back().chosen.id);
    return at->second;
  }

  void begin(Branch b) {
    std::vector<weak::Id>& begun = known(b.path);
    for (const weak::Id id : begun)
      if (std::find(b.above.begins.begin(), b.above.begins.end(), id) != b.above.begins.end()) return;
    Tree t;
    t.path = std::move(b.path);
    t.root = t.path.size();
    t.path.back() = {b.above.sequence.front(), true, {}, begun, {}, 0};
    t.begin_with.assign(b.above.sequence.begin() + 1, b.above.sequence.end());
    begun.push_back(b.above.sequence.front().id);
    trees_.push_back(std::move(t));
  }

  void run(std::uint64_t runs, Found& found) {
    for (; runs != 0 && !search_.complete(); --runs) {
      const GraphSearch::Result r = search_.run();
      if (r == GraphSearch::Result::redundant) {
        ++found.redundant;
        continue;
      }
      const Outcome& o = search_.outcome();
      if (o.failed) ++found.findings[o.fault.oracle];
      if (found.executions.empty()) found.first = signature(o);
      ++found.executions[signature(o)];
    }
  }

  Signature signature(const Outcome& o) const {
    const weak::Graph& g = search_.graph();
    Signature s;
    for (const std::uint32_t n : g.order()) s.emplace_back(g.id(n), g.id(g.access(n).base));
    std::sort(s.begin(), s.end());
    s.emplace_back(0, o.failed ? static_cast<weak::Id>(o.fault.oracle) : ~0u);
    return s;
  }

  GraphSearch search_;
  Rng chance_{0};
  std::map<Signature, std::vector<weak::Id>> begun_;  // by the choices that lead to the node
  std::vector<Tree> trees_;
  std::vector<Branch> branches_;
};

}  // namespace race::test
