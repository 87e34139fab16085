#include "engine/search_tree.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace race {

namespace {

bool contains(const std::vector<weak::Id>& ids, weak::Id id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

void Tree::check(unsigned cpus) const {
  const auto access = [&](Id id) {
    if (weak::cpu_of(id) >= cpus || weak::number_of(id) == 0)
      throw std::invalid_argument("the tree: " + std::to_string(id) + " is no access of " + std::to_string(cpus) +
                                  " CPUs");
  };
  const auto choice = [&](const Choice& c) {
    access(c.id);
    if (c.base != weak::initially) access(c.base);
  };
  if (path.size() < root) throw std::invalid_argument("the tree: its root is below its path");
  for (std::size_t d = 0; d < path.size(); ++d) {
    const Node& n = path[d];
    if ((d + 1 < root && !n.others.empty()) || (d < root && !n.to_begin.empty()))
      throw std::invalid_argument("the tree: node " + std::to_string(d) + " is above the root and has branches");
    if (n.open && d + 1 != path.size())
      throw std::invalid_argument("the tree: node " + std::to_string(d) + " is open and not the last");
    choice(n.chosen);
    for (const Id base : n.others) choice({n.chosen.id, base});
    for (const Id id : n.explored) access(id);
    for (const Sequence& s : n.to_begin) {
      if (s.empty()) throw std::invalid_argument("the tree: node " + std::to_string(d) + " has an empty branch");
      std::for_each(s.begin(), s.end(), choice);
    }
  }
  std::for_each(begin_with.begin(), begin_with.end(), choice);
}

bool Tree::advance() {
  begin_with.clear();
  for (; !path.empty(); path.pop_back()) {
    Node& n = path.back();
    ++n.done;
    if (!n.others.empty()) {
      n.chosen.base = n.others.back();
      n.others.pop_back();
      return true;
    }
    if (path.size() <= root) continue;
    n.explored.push_back(n.chosen.id);
    while (!n.to_begin.empty()) {
      const Sequence s = std::move(n.to_begin.back());
      n.to_begin.pop_back();
      if (contains(n.explored, s.front().id)) continue;
      n.chosen = s.front();
      n.open = true;
      begin_with.assign(s.begin() + 1, s.end());
      return true;
    }
  }
  return false;
}

double Tree::left() const {
  double share = 1, left = 0;
  for (std::size_t d = first_node(); d < path.size(); ++d) {
    const auto others = static_cast<double>(branches(d));
    const double all = path[d].done + 1 + others;
    left += share * others / all;
    share /= all;
  }
  return left + share;
}

Tree Tree::branch(std::size_t depth, Choice chosen) const {
  Tree t;
  t.path.assign(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth) + 1);
  t.root = depth + 1;
  for (Node& n : t.path) n.done = 0;
  t.path.back().chosen = chosen;
  return t;
}

// The shallowest branches first: there is most below them. An access that reads another write needs no sleep of its own, since
// it is performed at once; each other access sleeps on those that come before it in this list, whoever explores them.
std::vector<Tree::Part> Tree::split(std::size_t enough) {
  std::vector<Part> parts;
  double share = 1;
  for (std::size_t d = first_node(); d < path.size() && parts.size() < enough; ++d) {
    Node& n = path[d];
    const std::size_t here = branches(d);
    share /= static_cast<double>(n.done + 1 + here);
    if (here == 0) continue;
    const std::vector<Id> others = std::move(n.others);
    std::vector<Sequence> to_begin;
    if (d >= root) to_begin = std::move(n.to_begin);
    n.others.clear();
    n.to_begin.clear();
    for (std::size_t k = others.size(); k-- > 0;) parts.push_back({branch(d, {n.chosen.id, others[k]}), share});
    std::vector<Id> explored = n.explored;
    explored.push_back(n.chosen.id);
    for (std::size_t k = to_begin.size(); k-- > 0;) {
      const Sequence& s = to_begin[k];
      if (contains(explored, s.front().id)) continue;
      Tree t = branch(d, s.front());
      t.path.back().open = true;
      t.path.back().explored = explored;
      t.begin_with.assign(s.begin() + 1, s.end());
      parts.push_back({std::move(t), share});
      explored.push_back(s.front().id);
    }
    root = d + 1;
    n.done = 0;
  }
  return parts;
}

}  // namespace race
