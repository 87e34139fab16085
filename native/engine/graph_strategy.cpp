#include "engine/graph_strategy.hpp"

#include <algorithm>
#include <bit>

#include "engine/placed_strategy.hpp"
#include "engine/tracing.hpp"

namespace race {

using weak::Event;
using Kind = Event::Kind;

GraphStrategy::GraphStrategy(const GraphExecution& wanted, const weak::Machine& machine, const weak::Trace& trace,
                             Way way)
    : wanted_(wanted),
      machine_(machine),
      trace_(trace),
      way_(way),
      in_order_(machine.model() != weak::Model::armv8),
      sc_(machine.model() == weak::Model::sc),
      cut_(wanted.is_cut()),
      cpus_(wanted.programs.size()),
      open_(wanted.width),
      time_(wanted.accesses.size()),
      own_readers_(wanted.accesses.size()) {
  for (unsigned cpu = 0; cpu < cpus_.size(); ++cpu) make_units(cpu);
  for (std::uint32_t n = 0; n < wanted.accesses.size(); ++n) {
    const Access& a = wanted.accesses[n];
    const bool alone = a.pair == none;
    if (a.performed && !is_ignored(a) && (a.write || a.ghost || (in_order_ && alone)))
      open_[a.bit / 64] |= 1ull << (a.bit % 64);
  }
  for (const GraphExecution::Free& f : wanted.frees)
    for (unsigned cpu = 0; cpu < cpus_.size(); ++cpu) {
      const std::vector<std::uint32_t>& program = wanted.programs[cpu];
      if (std::find(program.begin(), program.end(), f.access) != program.end()) continue;
      for (const std::uint32_t u : cpus_[cpu].units) {
        const std::uint32_t n = units_[u].load != none ? units_[u].load : units_[u].write;
        if (wanted.accesses[n].word - f.first < f.words) before_free_[f.access].push_back(u);
      }
    }
  if (!way.holds_for_loads) return;
  for (const std::vector<std::uint32_t>& program : wanted.programs)
    for (const std::uint32_t n : program) {
      const Access& a = wanted.accesses[n];
      if (a.write || !a.performed || a.base == none || a.ghost) continue;
      const bool own = std::find(program.begin(), program.end(), a.base) != program.end();
      if (own && !wanted.comes_before(a.base, n)) ++own_readers_[a.base];
    }
}

void GraphStrategy::make_units(unsigned cpu) {
  CpuState& c = cpus_[cpu];
  for (const std::uint32_t n : wanted_.programs[cpu]) {
    const Access& a = wanted_.accesses[n];
    if (is_ignored(a)) continue;
    if (a.ghost) {
      (c.units.empty() ? c.ghosts : units_[c.units.back()].ghosts).push_back(n);
    } else if (a.write && a.pair != none) {
      units_[c.units.back()].write = n;
    } else {
      c.units.push_back(static_cast<std::uint32_t>(units_.size()));
      (a.write ? units_.emplace_back().write : units_.emplace_back().load) = n;
    }
  }
}

void GraphStrategy::astray(const std::string& what) const {
  throw Astray("at step " + std::to_string(trace_.events.size() - 1) + ": " + what);
}

// ---------------------------------------------------------------- what can happen now

// Has all happened that comes before it? `with` counts as if it had, and so do the ghosts.
bool GraphStrategy::ready(std::uint32_t access, std::uint32_t with, const std::vector<std::uint32_t>& ghosts) const {
  const std::uint64_t* past = wanted_.past(access);
  const auto counts = [&](std::uint32_t bit) {
    const auto is = [&](std::uint32_t n) { return n != none && wanted_.accesses[n].bit == bit; };
    return !is(access) && !(is(with) && wanted_.accesses[with].performed) &&
           std::none_of(ghosts.begin(), ghosts.end(), is);
  };
  for (std::uint32_t i = 0; i < open_.size(); ++i)
    for (std::uint64_t left = past[i] & open_[i]; left != 0; left &= left - 1)
      if (counts(64 * i + static_cast<std::uint32_t>(std::countr_zero(left)))) return false;
  return true;
}

// What its CPU comes to right behind `with`, one after the other. An access is judged where it is issued: so those to what is
// freed there are issued before.
bool GraphStrategy::all_ready(const std::vector<std::uint32_t>& ghosts, std::uint32_t with) const {
  return std::all_of(ghosts.begin(), ghosts.end(), [&](std::uint32_t n) {
    if (!wanted_.accesses[n].performed) return true;
    if (!ready(n, with, ghosts)) return false;
    const auto free = before_free_.find(n);
    return free == before_free_.end() ||
           std::all_of(free->second.begin(), free->second.end(), [this](std::uint32_t u) { return units_[u].issued; });
  });
}

void GraphStrategy::happened(std::uint32_t access) {
  const Access& a = wanted_.accesses[access];
  open_[a.bit / 64] &= ~(1ull << (a.bit % 64));
}

GraphStrategy::Step GraphStrategy::step(const Unit& u, std::uint32_t with) const {
  const auto performed = [this](std::uint32_t n) { return wanted_.accesses[n].performed; };
  const bool loads = u.load == none || (performed(u.load) && ready(u.load, with));
  const bool writes = u.write == none || (performed(u.write) && ready(u.write, with));
  if (!all_ready(u.ghosts, u.write != none ? u.write : u.load)) return Step::impossible;
  if (loads && writes) return Step::plain;
  const bool acquire = u.load != none && wanted_.accesses[u.load].acquire;
  if (u.load == none) return sc_ ? Step::impossible : Step::deviates;
  if (in_order_ || (acquire && !loads)) return Step::impossible;
  return acquire && u.write != none && wanted_.accesses[u.write].release ? Step::impossible : Step::deviates;
}

// The access that the CPU comes to next. Behind its last one it may go to its end, or to its fault when all else has happened.
GraphStrategy::Step GraphStrategy::next_step(unsigned cpu, std::uint32_t with) const {
  const CpuState& c = cpus_[cpu];
  if (!c.ghosts.empty()) return all_ready(c.ghosts, none) ? Step::plain : Step::impossible;  // it is to begin
  if (!c.at_end()) return step(units_[c.units[c.next]], with);
  if (cut_ || wanted_.waits[cpu]) return Step::impossible;
  return machine_.cpu(cpu).pending.empty() ? Step::plain : Step::impossible;
}

bool GraphStrategy::is_last(unsigned cpu) const {
  return cut_ && wanted_.outcome.cpu == cpu && cpus_[cpu].next + 1 == cpus_[cpu].units.size();
}

// How many accesses would be held or late until the CPU comes to one whose moment it is; none: it cannot come to any.
std::uint32_t GraphStrategy::deviations_to_go(unsigned cpu) const {
  const CpuState& c = cpus_[cpu];
  if (!c.ghosts.empty()) return none;
  std::uint32_t deviations = 0;
  for (std::size_t k = c.next; k < c.units.size(); ++k) {
    const Unit& u = units_[c.units[k]];
    const Step s = step(u, none);
    if (s == Step::impossible) return none;
    if (s == Step::deviates) ++deviations;
    const bool has_moment = u.write != none || in_order_;
    if ((s == Step::plain && has_moment) || !u.ghosts.empty()) return deviations;
  }
  return none;
}

// Which of these CPUs issues its next access.
unsigned GraphStrategy::pick(std::uint32_t cpus) {
  const unsigned me = machine_.inside() ? machine_.current() : weak::max_cpus;
  std::vector<unsigned> all;
  if ((cpus >> me & 1) != 0) all.push_back(me);
  for (unsigned k = 0; k < cpus_.size(); ++k) {
    const unsigned c = way_.high_first ? static_cast<unsigned>(cpus_.size()) - 1 - k : k;
    if (c != me && (cpus >> c & 1) != 0) all.push_back(c);
  }
  for (const unsigned c : all)
    if (!is_last(c) && next_step(c) == Step::plain) return c;
  const std::uint32_t pending = pick_pending(true);
  if (pending != none)
    for (const unsigned c : all)
      if (!is_last(c) && next_step(c, moment_of(pending)) == Step::plain) return c;
  unsigned best = weak::max_cpus;
  std::uint32_t least = none;
  for (const unsigned c : all)
    if (const std::uint32_t n = deviations_to_go(c); n < least) {
      least = n;
      best = c;
    }
  if (best != weak::max_cpus) return best;
  for (const bool last : {false, true})
    for (const unsigned c : all)
      if (!cpus_[c].at_end() && is_last(c) == last && next_step(c) != Step::impossible) return c;
  // All has happened: the CPU that fails goes on, or those that wait for ever, or to the end.
  for (const unsigned c : all)
    if (cpus_[c].at_end() && wanted_.outcome.cpu == c) return c;
  for (const unsigned c : all)
    if (cpus_[c].at_end() && !cut_) return c;
  astray("no CPU can go on");
}

// ---------------------------------------------------------------- pending accesses

// The access whose moment is when the pending one is performed; none: it has none, or is to stay pending.
std::uint32_t GraphStrategy::moment_of(std::uint32_t pending) const {
  const std::uint32_t u = unit_of_event_[machine_.pending(pending).issue];
  if (u == none) return none;
  return units_[u].write != none ? units_[u].write : units_[u].load;
}

// A pending access whose moment has come. Loads first: what they read may be needed for a write. A store that its CPU is still to
// read waits, if there is no hurry.
std::uint32_t GraphStrategy::pick_pending(bool hurry) const {
  std::uint32_t best = none, best_rank = none;
  for (unsigned c = 0; c < cpus_.size(); ++c)
    for (const std::uint32_t n : machine_.cpu(c).pending) {
      const std::uint32_t moment = moment_of(n);
      if (moment == none || !wanted_.accesses[moment].performed || !ready(moment)) continue;
      const bool waits = own_readers_[moment] != 0;
      if (waits && !hurry) continue;
      const bool load = machine_.pending(n).access == weak::Access::load;
      const std::uint32_t rank = (waits ? 2u << 30 : 0) + (load ? 0 : 1u << 30) + machine_.pending(n).number;
      if (rank >= best_rank) continue;
      best_rank = rank;
      best = n;
    }
  return best;
}

// The answer that performs it: its number among all that is pending.
std::uint32_t GraphStrategy::perform(std::uint32_t pending) {
  performing_ = unit_of_event_[machine_.pending(pending).issue];
  std::uint32_t k = 0;
  for (unsigned c = 0; c < weak::max_cpus; ++c)
    for (const std::uint32_t n : machine_.cpu(c).pending) {
      if (n == pending) return k;
      ++k;
    }
  astray("a pending access is gone");
}

// Which version of its word a load reads: 0 is the newest.
std::uint32_t GraphStrategy::version(std::uint32_t load) const {
  const Access& a = wanted_.accesses[load];
  const auto newest = newest_.find(a.word);
  const std::uint32_t base = a.base == none ? 0 : wanted_.accesses[a.base].place;
  return newest == newest_.end() || newest->second < base ? 0 : newest->second - base;
}

const GraphStrategy::Unit* GraphStrategy::next_unit() const {
  const CpuState& c = cpus_[machine_.current()];
  return c.at_end() ? nullptr : &units_[c.units[c.next]];
}

// ---------------------------------------------------------------- answers

Strategy::Answer GraphStrategy::decide(Choice kind, std::uint32_t n) {
  catch_up();
  if (machine_.current() >= cpus_.size()) return {0, 0};  // the last checks
  if (machine_.inside()) {
    CpuState& c = cpus_[machine_.current()];
    for (const std::uint32_t g : c.ghosts)
      if (wanted_.accesses[g].performed) happened(g);
    c.ghosts.clear();
  }
  const std::uint32_t runnable = machine_.runnable();
  const std::uint32_t me = machine_.inside() ? 1u << machine_.current() : 0;
  const auto place_of = [](std::uint32_t cpus, unsigned cpu) {
    return static_cast<std::uint32_t>(std::popcount(cpus & ((1u << cpu) - 1)));
  };
  switch (kind) {
    case Choice::preempt:
    case Choice::preempt_sync: {
      const unsigned cpu = pick(runnable);
      return {cpu == machine_.current() ? 0 : 1 + place_of(runnable & ~me, cpu), 0};
    }
    case Choice::schedule: {
      const std::uint32_t others = runnable & ~me;
      const bool may_stay = n > static_cast<std::uint32_t>(std::popcount(others));
      const unsigned cpu = pick(may_stay ? runnable : others);
      return {may_stay && cpu == machine_.current() ? n - 1 : place_of(others, cpu), 0};
    }
    case Choice::commit: {
      const bool goes_on = next_step(machine_.current()) == Step::plain;
      if (way_.commits_late && goes_on) return {0, 0};
      std::uint32_t p = pick_pending(false);
      if (p == none && !goes_on) p = pick_pending(true);
      return {p == none ? 0 : 1 + perform(p), 0};
    }
    case Choice::flush: {
      const std::uint32_t p = pick_pending(true);
      if (p == none) astray("nothing that is pending may be performed, and no CPU can run");
      return {perform(p), 0};
    }
    case Choice::delay: {
      const Unit* u = next_unit();
      if (u == nullptr || u->write == none) return {0, 0};
      const Access& w = wanted_.accesses[u->write];
      return {!w.performed || !ready(u->write) || own_readers_[u->write] != 0, 0};
    }
    case Choice::late: {
      const Unit* u = next_unit();
      if (u == nullptr || u->load == none) return {0, 0};
      return {!wanted_.accesses[u->load].performed || !ready(u->load), 0};
    }
    case Choice::stale: {
      std::uint32_t load = performing_ == none ? none : units_[performing_].load;
      if (const Unit* u = next_unit(); load == none && u != nullptr && u->write == none) load = u->load;
      if (load == none || !wanted_.accesses[load].performed) return {0, 0};
      const std::uint32_t k = version(load);
      if (k >= n) astray("the version that a load is to read may no longer be read");
      return {k, 0};
    }
    default: return {0, 0};
  }
}

// ---------------------------------------------------------------- what the machine did

void GraphStrategy::catch_up() {
  for (; seen_ < trace_.events.size(); ++seen_) {
    const auto n = static_cast<std::uint32_t>(seen_);
    const Event& e = trace_.events[n];
    unit_of_event_.resize(n + 1, none);
    if (e.cpu >= cpus_.size()) continue;
    if (is_issue(e)) issued(n);
    const bool later = !is_issue(e) && (e.kind == Kind::load || e.kind == Kind::rmw || e.kind == Kind::commit);
    const std::uint32_t u = unit_of_event_[later ? e.issue : n];
    if (u == none) continue;
    if (later) performing_ = none;
    if (e.kind == Kind::load || e.kind == Kind::rmw) check_read(units_[u].load, n);
    if (units_[u].write != none && e.kind != Kind::late && (later || !e.held)) committed(u, e.time + (later ? 0 : 1));
  }
}

void GraphStrategy::committed(std::uint32_t unit, std::uint32_t time) {
  const std::uint32_t w = units_[unit].write;
  if (!wanted_.accesses[w].performed || !ready(w)) astray("a write had to be performed before its moment");
  time_[w] = time;
  newest_[wanted_.accesses[w].word] = wanted_.accesses[w].place;
  happened(w);
}

// An access was issued: it is the next one of its CPU. Where the graph has one atomic that waits or does nothing, the code may
// look at the word first.
void GraphStrategy::issued(std::uint32_t n) {
  const Event& e = trace_.events[n];
  CpuState& c = cpus_[e.cpu];
  if (c.at_end()) {
    if (cut_) astray("CPU " + std::to_string(e.cpu) + " goes on where its execution had ended");
    return;
  }
  const std::uint32_t index = c.units[c.next];
  Unit& u = units_[index];
  const bool atomic = u.load != none && u.write != none;
  same_word(u.load != none ? u.load : u.write, e.address);
  if (e.kind == Kind::load && atomic) return;
  const bool fits = e.kind == Kind::store ? u.load == none : e.kind == Kind::load ? u.write == none : u.load != none;
  if (!fits) astray("CPU " + std::to_string(e.cpu) + " does another kind of access");
  unit_of_event_[n] = index;
  u.issued = true;
  ++c.next;
  for (const std::uint32_t g : u.ghosts)
    if (wanted_.accesses[g].performed) happened(g);
  if (u.load != none && wanted_.accesses[u.load].performed) {
    if (in_order_ && !atomic) happened(u.load);
    if (const std::uint32_t b = wanted_.accesses[u.load].base; b != none && own_readers_[b] != 0) --own_readers_[b];
  }
}

// Frames and objects may have other addresses here: words correspond as they first come.
void GraphStrategy::same_word(std::uint32_t access, std::uint64_t address) {
  const std::uint32_t word = wanted_.accesses[access].word;
  const auto [a, new_word] = address_of_.try_emplace(word, address);
  const auto [w, new_address] = word_at_.try_emplace(address, word);
  if (a->second != address || w->second != word) astray("an access is to another word");
}

void GraphStrategy::check_read(std::uint32_t load, std::uint32_t event) {
  const Event& e = trace_.events[event];
  const Access& a = wanted_.accesses[load];
  const std::string who = "CPU " + std::to_string(e.cpu);
  if (!a.performed) astray(who + " had to perform a load that was to stay pending");
  const bool happened = a.base == none || time_[a.base] != 0;
  if (e.forwarded) {
    const std::uint32_t from = unit_of_event_[e.issue];
    if (from == none || units_[from].write != a.base) astray(who + " reads another store of its own");
  } else if (happened) {
    const std::uint32_t time = a.base == none ? 0 : time_[a.base];
    const bool poked = a.base == none && e.read < trace_.writer.size() && trace_.writer[e.read] == 0;
    if (e.read != time && !poked) astray(who + " reads another write");
  } else if (e.kind == Kind::load) {
    astray(who + " reads before what it is to read was written");
  }
}

// ---------------------------------------------------------------- a run

Steered steer(weak::Machine& machine, WeakEngine& engine, const GraphExecution& wanted, GraphStrategy::Way way) {
  weak::Trace trace;
  const Tracing tracing(machine, trace);
  Steered s;
  try {
    GraphStrategy strategy(wanted, machine, trace, way);
    s.outcome = engine.run(strategy, GraphStrategy::begin());
    if (s.outcome.abandoned) s.astray = "the stores could not be put in order";
  } catch (const GraphStrategy::Astray& a) {
    s.astray = a.text;
  }
  s.deviations = machine.chooser.deviations();
  return s;
}

}  // namespace race
