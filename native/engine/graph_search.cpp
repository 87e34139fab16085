#include "engine/graph_search.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "memory/weak/mistakes.hpp"

namespace race {

using weak::cpu_of;
using weak::Graph;
using weak::makes;
using weak::Mistake;
using weak::number_of;
using weak::View;

GraphSearch::GraphSearch(weak::Machine& machine, Workload& workload, std::uint64_t step_limit)
    : machine_(machine), workload_(workload), engine_(machine, workload, step_limit), graph_(machine) {}

void GraphSearch::reduce_by(const Reductions& reductions) {
  reductions_ = reductions;
  if (!reductions.writes_commute) reductions_.sleep_sets = reductions_.source_sets = false;
}

Outcome GraphSearch::prepare(std::uint64_t seed) {
  const Outcome o = engine_.prepare(seed);
  set_up_ = engine_.is_set_up();
  return o;
}

void GraphSearch::take(Tree tree) {
  tree.check(workload_.cpus());
  tree_ = std::move(tree);
  new_from_ = tree_.path.empty() ? 0 : tree_.path.size() - 1;
  above_.clear();
  width_ = 1;  // runs that turn out too long draw from chance_ too: that must not depend on what was explored before
  complete_ = false;
}

GraphSearch::Result GraphSearch::run() {
  if (!set_up_) {
    outcome_ = engine_.set_up(0);
    if (outcome_.failed) return Result::failed;
    set_up_ = true;
  }
  for (;;) {
    depth_ = begun_ = 0;
    free_ = stuck_ = cut_ = was_asleep_ = false;
    asleep_wanted_ = weak::initially;
    findings_.clear();
    executions_.clear();
    last_ = {};
    asleep_.assign(workload_.cpus(), {});
    fall_asleep(0);
    try {
      outcome_ = engine_.explore(graph_, *this, *this, width_);
      break;
    } catch (const weak::TooManyAccesses&) {
      width_ *= 2;
      // The path holds what was done of this, and what came instead where its next access slept.
      tree_.begin_with.erase(tree_.begin_with.begin(), tree_.begin_with.begin() + static_cast<std::ptrdiff_t>(begun_));
    }
  }
  const Result r = judge();
  machine_.use(nullptr);
  if (r == Result::execution) {
    outcome_ = engine_.finish();
    if (outcome_.failed) add_finding(outcome_);
    advance();
    return outcome_.failed ? Result::failed : r;
  }
  if (r == Result::redundant) outcome_ = {};
  advance();
  return r;
}

// What became of the run. CPUs that wait at its end may have come too late: then another order is to be tried.
GraphSearch::Result GraphSearch::judge() {
  bool asleep = stuck_ || graph_.anything_pending();
  for (unsigned c = 0; c < workload_.cpus(); ++c) {
    races_of_blocked(c);
    const Graph::Waiting& w = graph_.waiting(c);
    if (!w.waits) continue;
    asleep = asleep || w.slept;
    if (w.atomic && !graph_.waits_for_own(c)) race_of_atomic(c, w.word, graph_.newest(w.word));
  }
  if (asleep && !cut_) return Result::redundant;
  if (!findings_.empty()) {
    // What is told does not depend on the order: first what is looked for, and of that what the first CPU found.
    const auto rank = [this](const Outcome& o) {
      return std::pair{(machine_.judged >> static_cast<unsigned>(o.fault.oracle) & 1) == 0, o.cpu};
    };
    outcome_ = *std::min_element(findings_.begin(), findings_.end(),
                                 [&](const Outcome& a, const Outcome& b) { return rank(a) < rank(b); });
    return Result::failed;
  }
  if (cut_) return Result::cut;
  for (unsigned c = 0; c < workload_.cpus(); ++c) {
    if (!graph_.waiting(c).waits || machine_.cpu(c).daemon) continue;
    outcome_ = engine_.deadlock(c, graph_.waiting(c).word);
    add_finding(outcome_);
    return Result::failed;
  }
  return Result::execution;
}

void GraphSearch::advance() {
  complete_ = !tree_.advance();
  new_from_ = tree_.path.empty() ? 0 : tree_.path.size() - 1;
}

// ---------------------------------------------------------------- guiding the machine

weak::Id GraphSearch::wanted() const {
  if (depth_ < tree_.path.size()) return tree_.path[depth_].chosen.id;
  return begun_ < tree_.begin_with.size() ? tree_.begin_with[begun_].id : weak::initially;
}

weak::Guide::Turn GraphSearch::turn(Id id) {
  const Id next = wanted();
  if (next == id) return Turn::now;
  if (next == 0 && !stuck_) {
    const bool not_issued = graph_.issued(cpu_of(id)) < number_of(id);
    return chance_ && not_issued && below(4) == 0 ? Turn::other : Turn::now;
  }
  return cpu_of(next) == cpu_of(id) && next > id ? Turn::later : Turn::other;
}

bool GraphSearch::sleeps(Choice c) const {
  if (!reductions_.sleep_sets) return false;
  const auto was_there = [&](std::size_t depth) {
    if (makes(Mistake::never_wakes)) return true;
    if (c.base == weak::initially || cpu_of(c.base) == cpu_of(c.id))
      return true;  // its own it could read before others
    return graph_.access(graph_.find(c.base)).at < depth;
  };
  const std::vector<Sleeping>& all = asleep_[cpu_of(c.id)];
  return std::any_of(all.begin(), all.end(), [&](const Sleeping& s) {
    return s.id == c.id && was_there(s.depth) && !crossed_a_free(c.id, s.depth);
  });
}

// Has what is freed here been accessed since that depth, or what is accessed here been freed?
bool GraphSearch::crossed_a_free(Id id, std::size_t depth) const {
  const Graph::Access& a = graph_.access(graph_.find(id));
  const std::vector<std::uint32_t>& order = graph_.order();
  return std::any_of(graph_.frees().begin(), graph_.frees().end(), [&](const Graph::Free& f) {
    if (a.dangling && graph_.frees(f, a.word)) return graph_.access(f.write).at >= depth;
    return f.write == a.pair && std::any_of(order.begin() + static_cast<std::ptrdiff_t>(depth), order.end(),
                                            [&](std::uint32_t n) { return frees(id, n); });
  });
}

// Does this step free what the access is to? Then it matters which comes first, though neither reads the other.
bool GraphSearch::frees(Id step, std::uint32_t access) const {
  const Graph::Access& a = graph_.access(access);
  if (a.host || a.cpu == cpu_of(step)) return false;
  return std::any_of(graph_.frees().begin(), graph_.frees().end(), [&](const Graph::Free& f) {
    return a.word - f.first < f.words && graph_.id(graph_.access(f.write).pair) == step;
  });
}

void GraphSearch::fall_asleep(std::size_t depth) {
  if (depth >= tree_.path.size()) return;
  for (const Id id : tree_.path[depth].explored) asleep_[cpu_of(id)].push_back({id, depth});
  if (makes(Mistake::all_sleep))
    for (const Sequence& s : tree_.path[depth].to_begin) asleep_[cpu_of(s.front().id)].push_back({s.front().id, depth});
}

std::uint32_t GraphSearch::choose(Id id, const std::vector<Id>& bases) {
  const bool replayed = depth_ < tree_.path.size();
  if (replayed && !tree_.path[depth_].open) {
    const auto at = std::find(bases.begin(), bases.end(), tree_.path[depth_].chosen.base);
    if (tree_.path[depth_].chosen.id != id || at == bases.end())
      throw std::logic_error("an execution cannot be repeated");
    return static_cast<std::uint32_t>(at - bases.begin());
  }
  Id preferred = weak::initially;
  bool prefers = true;
  if (replayed)
    preferred = tree_.path[depth_].chosen.base;
  else if (begun_ < tree_.begin_with.size() && tree_.begin_with[begun_].id == id)
    preferred = tree_.begin_with[begun_].base;
  else
    prefers = false;
  std::uint32_t k = none;
  std::uint32_t awake = 0;
  for (std::uint32_t i = 0; i < bases.size(); ++i) {
    if (sleeps({id, bases[i]})) continue;
    const bool instead = prefers ? bases[i] == preferred : chance_ && below(++awake) == 0;
    if (k == none || instead) k = i;
  }
  was_asleep_ = k == none;
  if (k == none) asleep_wanted_ = id;
  if (k == none) return none;
  if (!replayed) tree_.path.emplace_back();
  Node& n = tree_.path[depth_];
  n.chosen = {id, bases[k]};
  n.open = false;
  for (std::uint32_t i = 0; i < bases.size(); ++i)
    if (i != k && !sleeps({id, bases[i]})) n.others.push_back(bases[i]);
  if (makes(Mistake::other_dropped) && n.others.size() > 1) n.others.pop_back();
  if (chance_)
    for (std::size_t i = n.others.size(); i > 1; --i) std::swap(n.others[i - 1], n.others[below(i)]);
  return k;
}

// The next CPU to run, after what is pending was performed; false: the run ends.
bool GraphSearch::next(unsigned& cpu) {
  for (;;) {
    const Id want = wanted();
    if (want == 0) {
      if (!free_) graph_.wake_all();
      free_ = true;
      if (graph_.anything_pending() && graph_.perform_any()) continue;
      if (machine_.runnable() == 0 && !graph_.wake_relaxed()) {
        graph_.may_split(true);
        const bool split = graph_.perform_any();
        if (!split)
          for (unsigned c = 0; c < workload_.cpus(); ++c)
            if (graph_.waiting(c).waits && graph_.waiting(c).splits) {
              graph_.wake(c);
              cpu = c;
              return true;
            }
        graph_.may_split(false);
        if (split) continue;
        return false;
      }
      std::uint32_t mask = machine_.runnable();
      if (chance_)
        for (auto k = below(static_cast<std::size_t>(std::popcount(mask))); k != 0; --k) mask &= mask - 1;
      cpu = static_cast<unsigned>(std::countr_zero(mask));
      return true;
    }
    was_asleep_ = false;
    if (graph_.is_pending(want)) {
      if (graph_.perform_id(want)) continue;
      if (depth_ >= tree_.path.size() && graph_.perform_own_before(want)) continue;
    } else {
      cpu = cpu_of(want);
      graph_.wake(cpu);
      const Progress now{want, depth_, graph_.issued(cpu)};
      if ((machine_.runnable() >> cpu & 1) != 0 && !(now == last_)) {
        last_ = now;
        return true;
      }
    }
    const bool asleep = was_asleep_ || asleep_wanted_ == want;
    if (depth_ >= tree_.path.size()) {  // it sleeps, or waits for what does: whatever else can go on from here
      if (!asleep) throw std::logic_error("executions cannot be begun as they should");
      begun_ = tree_.begin_with.size();
      continue;
    }
    if (!tree_.path[depth_].open || !asleep) throw std::logic_error("an execution cannot be repeated");
    stuck_ = true;  // what is wanted sleeps, or waits for something that does
    return false;
  }
}

void GraphSearch::failed(const Outcome& found) {
  if (found.fault.oracle == Oracle::livelock) {  // a load that stays stale for ever can make a loop endless
    cut_ = true;
    return;
  }
  add_finding(found);
}

void GraphSearch::add_finding(const Outcome& found) {
  GraphExecution& execution = executions_.emplace_back(graph_, workload_.cpus(), found);
  for (const Outcome& before : findings_) execution.leave_out_end_of(before.cpu);
  findings_.push_back(found);
}

void GraphSearch::performed(std::uint32_t access) {
  const Id id = graph_.id(access);
  graph_.may_split(false);
  if (depth_ >= new_from_) {
    races(access);
    if (graph_.access(access).dangling) race_of_dangling(access);
    if (!reductions_.writes_commute) orders_of_writes(access);
  }
  if (depth_ >= tree_.path.size() || tree_.path[depth_].chosen.id != id)
    throw std::logic_error("an access without a choice");
  if (begun_ < tree_.begin_with.size() && tree_.begin_with[begun_].id == id) ++begun_;
  std::vector<Sleeping>& sleeping = asleep_[cpu_of(id)];
  if (!sleeping.empty()) std::erase_if(sleeping, [id](const Sleeping& s) { return s.id == id; });
  fall_asleep(++depth_);
  wake_beside_frees(access);
}

// A free that sleeps is awake once what it frees was accessed, and an access once that was freed.
void GraphSearch::wake_beside_frees(std::uint32_t access) {
  const std::uint32_t word = graph_.access(access).word;
  const std::vector<Graph::Free>& frees = graph_.frees();
  const auto concerns = [&](const Graph::Free& f) { return f.write == access || word - f.first < f.words; };
  if (std::none_of(frees.begin(), frees.end(), concerns)) return;
  for (unsigned c = 0; c < workload_.cpus(); ++c)
    if (graph_.waiting(c).slept) graph_.wake(c);
}

// ---------------------------------------------------------------- what could have come in another order

void GraphSearch::races(std::uint32_t n) {
  const Graph::Access a = graph_.access(n);
  if (!a.write) {
    if (a.conditional) race_of_atomic(a.cpu, a.word, graph_.newest(a.word));
    return;
  }
  const Id first = a.pair != 0 ? graph_.id(a.pair) : a.id;
  for (std::uint32_t r = graph_.first_reader(a.word, a.base); r != 0 && !makes(Mistake::no_race_with_load);
       r = graph_.access(r).next_reader)
    if (graph_.access(r).cpu != a.cpu && !graph_.has(a.own, r)) before(r, {first, graph_.id(a.base)}, a.own, n);
  if (a.host)
    for (const Graph::Free& f : graph_.frees())
      if (f.write == n) races_of_free(f);
  if (a.conditional) return;  // looked at when its load was performed
  for (std::uint32_t w = a.base; w != 0 && !graph_.has(a.own, w); w = graph_.access(w).base)
    if (!load_comes_before(w, a.own)) {
      before(w, {first, graph_.id(graph_.access(w).base)}, a.own, n);
      if (!load_was_forwarded(w)) return;
    }
}

// As if it made a difference in which order plain stores write different words.
void GraphSearch::orders_of_writes(std::uint32_t n) {
  const Graph::Access a = graph_.access(n);
  if (!a.write || a.pair != 0) return;
  for (std::size_t t = 0; t < a.at; ++t) {
    const std::uint32_t w = graph_.order()[t];
    const Graph::Access& other = graph_.access(w);
    if (other.write && other.pair == 0 && other.word != a.word && !graph_.has(a.own, w))
      before(w, {a.id, graph_.id(a.base)}, a.own, n);
  }
}

// An access to what is freed here could come after that, unless it comes before it, or a later step of its CPU does: then it was
// issued before. An access is judged where it is issued.
void GraphSearch::races_of_free(const Graph::Free& f) {
  const Graph::Access free = graph_.access(f.write);
  std::uint32_t issued[weak::max_cpus] = {};
  for (const std::uint32_t n : graph_.order()) {
    const Graph::Access& a = graph_.access(n);
    if ((a.write || a.host) && graph_.has(free.past, n)) issued[a.cpu] = std::max(issued[a.cpu], number_of(a.id));
  }
  const auto could_be_later = [&](std::uint32_t n) {
    const Graph::Access& a = graph_.access(n);
    return a.word - f.first < f.words && a.cpu != free.cpu && !a.host && number_of(a.id) > issued[a.cpu];
  };
  for (unsigned c = 0; c < workload_.cpus(); ++c)
    for (const std::uint32_t n : graph_.pending(c))
      if (could_be_later(n)) cut_ = true;
  const std::size_t performed = graph_.order().size();
  for (std::size_t t = 0; t < performed; ++t)
    if (const std::uint32_t n = graph_.order()[t]; could_be_later(n) && !graph_.has(free.past, n))
      before(n, {graph_.id(free.pair), graph_.id(graph_.access(free.pair).base)}, free.past, f.write);
}

// An access to what has been freed could have come before that, unless its CPU would not have come to it.
void GraphSearch::race_of_dangling(std::uint32_t n) {
  const Graph::Access a = graph_.access(n);
  const bool atomic = a.pair != 0 && (a.write || !graph_.access(a.pair).performed);
  if (a.host || (atomic && !a.write)) return;  // an atomic: when its store is performed
  const View own = graph_.join(a.write ? a.own : a.floor, graph_.issued_after(a.cpu));
  for (const Graph::Free& f : graph_.frees())
    if (graph_.frees(f, a.word) && !graph_.has(own, f.write))
      before(f.write, {atomic ? graph_.id(a.pair) : a.id, graph_.id(a.base)}, own, n);
}

// Of an atomic, whose store nothing can come before then but with the write that it read.
bool GraphSearch::load_comes_before(std::uint32_t write, View own) const {
  const std::uint32_t load = graph_.access(write).pair;
  return load != 0 && (graph_.has(own, load) || makes(Mistake::atomic_needs_load));
}

// Of an atomic, before the store that it read: then something can come between the two, and before that store.
bool GraphSearch::load_was_forwarded(std::uint32_t write) const {
  const Graph::Access& w = graph_.access(write);
  if (makes(Mistake::forwarded_ignored)) return false;
  return w.pair != 0 && w.base != 0 && graph_.access(w.base).at > graph_.access(w.pair).at;
}

// An atomic that needs a certain value could have come before the write that took the last one away.
void GraphSearch::race_of_atomic(unsigned cpu, std::uint32_t word, std::uint32_t newest) {
  if (makes(Mistake::condition_forgotten)) return;
  const Graph::Waiting& waiting = graph_.waiting(cpu);
  for (std::uint32_t w = newest; w != 0 && !graph_.has(waiting.own, w); w = graph_.access(w).base) {
    const std::uint32_t base = graph_.access(w).base;
    if (load_comes_before(w, waiting.own) || !(*graph_.accept(cpu))(graph_.value(word, base))) continue;
    before(w, {waiting.id, graph_.id(base)}, waiting.own, 0);
    if (!load_was_forwarded(w)) return;
  }
}

// What could not be performed because another CPU's atomic had read the newest write could have come before that.
void GraphSearch::races_of_blocked(unsigned cpu) {
  const auto race = [&](Id id, std::uint32_t word, View own, const Graph::Accept* accept) {
    const std::uint32_t load = graph_.reservation(word, cpu);
    if (load != 0 && accept != nullptr && !(*accept)(graph_.value(word, graph_.access(load).base))) return;
    if (load != 0 && !graph_.has(own, load)) before(load, {id, graph_.id(graph_.access(load).base)}, own, 0);
  };
  const Graph::Waiting& w = graph_.waiting(cpu);
  if (w.waits && w.atomic && !graph_.waits_for_own(cpu)) race(w.id, w.word, w.own, graph_.accept(cpu));
  for (const std::uint32_t n : graph_.pending(cpu)) {
    const Graph::Access& a = graph_.access(n);
    if (graph_.waits_for_others(n)) race(a.id, a.word, graph_.own_order(a.write ? a : graph_.access(a.pair)), nullptr);
  }
}

// Notes that executions may begin, in the place of this access, with `first` and what comes before that.
void GraphSearch::before(std::uint32_t access, Choice first, View own, std::uint32_t writer) {
  const Graph::Access& e = graph_.access(access);
  const std::uint32_t from = e.write && e.pair != 0 ? graph_.access(e.pair).at : e.at;
  // The load of an atomic may have been performed long before its store: then only that is to come first.
  if (writer != 0 && graph_.access(writer).pair != 0 && graph_.access(graph_.access(writer).pair).at < from)
    first.id = graph_.id(writer);
  // What must come before it, and what keeps that from being performed: a CPU's loads of one word are in order. Of loads only
  // those that come before a write of their CPU: the others are placed by what they read.
  const std::vector<std::uint32_t>& order = graph_.order();
  View need = own;
  if (makes(Mistake::need_dropped)) need = 0;
  if (first.base != weak::initially &&
      !makes(Mistake::base_need_dropped))  // a load may have read this one before it was performed
    if (const Graph::Access& base = graph_.access(graph_.find(first.base)); base.at > from) {
      if (graph_.has(base.past, graph_.order()[from])) return;  // and comes after this access itself
      need = graph_.join(need, base.past);
    }
  forced_.assign(order.size(), false);
  const auto needed = [&](std::uint32_t n) {
    return n != writer && graph_.access(n).id != first.id && graph_.has(need, n);
  };
  Sequence sequence;
  for (bool again = true; again;) {
    again = false;
    std::uint32_t last[weak::max_cpus] = {};
    last[cpu_of(first.id)] = number_of(first.id);
    for (std::size_t t = from + 1; t < order.size(); ++t) {
      const Graph::Access& a = graph_.access(order[t]);
      if (a.write && needed(order[t])) last[a.cpu] = std::max(last[a.cpu], number_of(a.id));
    }
    sequence.clear();
    sequence_.clear();
    for (std::size_t t = from + 1; t < order.size(); ++t) {
      const Graph::Access& a = graph_.access(order[t]);
      if (!forced_[t] && (!needed(order[t]) || (!a.write && number_of(a.id) > last[a.cpu]))) continue;
      sequence.push_back({a.id, graph_.id(a.base)});
      sequence_.push_back(order[t]);
      if (a.write || makes(Mistake::loads_reordered)) continue;
      for (std::uint32_t o = graph_.own_older(order[t]); o != 0; o = graph_.own_older(o)) {
        const Graph::Access& before = graph_.access(o);
        if (before.write) break;
        if (!before.performed) continue;
        if (before.at == from || graph_.has(before.past, order[from])) return;  // it would have to come first
        if (before.at < from || forced_[before.at] || (needed(o) && number_of(before.id) <= last[before.cpu])) continue;
        forced_[before.at] = again = true;
        need = graph_.join(need, before.past);
      }
    }
  }
  sequence.push_back(first);
  const Graph::Access& f = graph_.access(graph_.find(first.id));
  const View first_own = f.write ? own : f.floor;
  // Can it begin with this one? Then what it leads to is among what this one leads to.
  const auto begins = [&](Id id) {
    const auto at = std::find_if(sequence.begin(), sequence.end(), [id](const Choice& c) { return c.id == id; });
    if (at == sequence.end() || (!reductions_.source_sets && at != sequence.begin())) return false;
    const auto k = static_cast<std::size_t>(at - sequence.begin());
    const View past = k < sequence_.size() ? graph_.access(sequence_[k]).past : first_own;
    return std::none_of(sequence_.begin(), sequence_.begin() + static_cast<std::ptrdiff_t>(k),
                        [&](std::uint32_t n) { return graph_.has(past, n) || frees(id, n); });
  };
  note(from, sequence, begins);
}

// Executions may begin so at a node of the path.
void GraphSearch::note(std::size_t depth, const Sequence& sequence, const std::function<bool(Id)>& begins) {
  Node& node = tree_.path[depth];
  if (std::any_of(node.explored.begin(), node.explored.end(), begins)) return;
  if (depth >= tree_.root) {
    std::vector<Sequence>& known = node.to_begin;
    if (std::any_of(known.begin(), known.end(), [&](const Sequence& s) { return begins(s.front().id); })) return;
    if (makes(Mistake::begin_dropped) && !known.empty()) return;
    known.push_back(sequence);
    if (chance_) std::swap(known.back(), known[below(known.size())]);
    return;
  }
  // Whatever covers a branch that this one covers, covers this one.
  const auto covered = [&](const Tree::Above& a) {
    return a.depth == depth && std::all_of(a.begins.begin(), a.begins.end(), begins);
  };
  if (std::any_of(above_.begin(), above_.end(), covered)) return;
  above_.push_back({depth, sequence, {}});
  for (const Choice& c : sequence)
    if (begins(c.id)) above_.back().begins.push_back(c.id);
}

}  // namespace race
