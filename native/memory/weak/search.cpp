// The machine while it is searched: nothing happens to a pending access by itself. A CPU issues what it can and then blocks;
// the search chooses among the transitions of what is pending.
//
// That issuing comes first loses nothing: it changes only the CPU's own window, and what it fixes (the floor of a late load, the
// place of a store) does not depend on what other CPUs do meanwhile.
#include "memory/weak/search.hpp"

#include "memory/weak/machine.hpp"

namespace race::weak {

namespace {

std::uint64_t equal(std::uint64_t a, std::uint64_t b) { return a == b ? 1 : 0; }

}  // namespace

// ---------------------------------------------------------------- issuing

Loaded Machine::load_search(std::uint32_t i, Time address_view, Order order, bool exclusive) {
  Cpu& c = *cpu_;
  const bool acquire = acquires(order);
  if (order == Order::acquire && holds(Rule::release_acquire)) drain_releases();
  const Time floor = floor_of(c, address_view, order == Order::acquire);
  if (!acquire && model_ == Model::armv8) {
    const std::uint32_t own = own_pending(i, number_);
    if (own != nothing && pool_[own].access != Access::load && holds(Rule::forwarding) &&
        choose_here(Choice::forward) == 0)
      return forward(own, floor, false, exclusive);
    return late_load(i, floor, exclusive);
  }
  const Loaded result = late_load(i, floor, exclusive);
  Detail& p = details_[c.loads.back()];
  p.acquire = acquire;
  p.awaited = true;
  return resolve(result);
}

void Machine::store_search(std::uint32_t i, Time address_view, Loaded data, Order order) {
  hold(i, address_view, data, releases(order), 0);
  if (model_ == Model::sc) drain(number_);
}

Loaded Machine::atomic_search(std::uint32_t i, Time address_view, Order order, const Atomic& a) {
  Cpu& c = *cpu_;
  const bool acquire = acquires(order) && !a.no_return, release = releases(order);
  const bool whole = model_ != Model::armv8 || (acquire && release);
  const bool fails = a.compare_exchange && choose_here(Choice::guess) != 0;
  c.stage = 1 + (fails ? 1 : 0);
  const Loaded result = fails ? failing_compare(i, address_view, a, acquire, whole)
                              : pending_atomic(i, address_view, order, a, acquire, whole);
  c.stage = 0;
  return result;
}
// A compare and swap that will fail is an ordinary load.
Loaded Machine::failing_compare(std::uint32_t i, Time address_view, const Atomic& a, bool acquire, bool whole) {
  Cpu& c = *cpu_;
  if (model_ != Model::armv8)
    drain(number_);
  else if (acquire && holds(Rule::release_acquire))
    drain_releases();
  const std::uint32_t own = own_pending(i, number_);
  if (!acquire && !whole && own != nothing && pool_[own].access != Access::load && holds(Rule::forwarding) &&
      choose_here(Choice::forward) == 0) {
    const Time newest_load = c.newest_load;
    const Loaded result = forward(own, floor_of(c, address_view, false), false, false);
    if (a.no_return) c.newest_load = newest_load;
    guess(c, combine(equal, result, a.compare), false);
    return result;
  }
  const Loaded result = late_load(i, floor_of(c, address_view, acquire), false);
  Detail& p = details_[c.loads.back()];
  p.acquire = acquire;
  p.awaited = acquire || whole;
  p.no_return = a.no_return;
  guess(c, combine(equal, result, a.compare), false);
  return acquire || whole ? resolve(result) : result;
}

// An atomic without acquire that is given the value of its CPU's own pending store, known or not; its store follows that one.
Loaded Machine::forwarded_atomic(std::uint32_t i, std::uint32_t from, Time address_view, Order order, const Atomic& a) {
  Cpu& c = *cpu_;
  const Time newest_load = c.newest_load;
  const Loaded old = forward(from, floor_of(c, address_view, false), false, false);
  if (a.no_return) c.newest_load = newest_load;
  const std::uint32_t n = write_half(i, new_value(a.next, old, a.operand), releases(order), After::store, from,
                                     address_view, old.view, false, 0);
  Detail& d = details_[n];
  d.reads_old = true;
  d.compares = a.compare_exchange;
  d.compare = a.compare;
  d.old = old;
  if (!a.compare_exchange) return old;
  d.guess = guess(c, combine(equal, old, a.compare), true);
  return a.picks ? combine([](std::uint64_t x, std::uint64_t) { return x; }, old, a.compare, Join::earlier) : old;
}

Time Machine::read_of(std::uint32_t n) {
  Pending& p = pool_[n];
  if (p.read == not_yet && p.access == Access::store && p.after != After::any && details_[n].reads_old)
    p.read = known_or(details_[n].old).view;
  return p.read;
}

Loaded Machine::pending_atomic(std::uint32_t i, Time address_view, Order order, const Atomic& a, bool acquire,
                               bool whole) {
  Cpu& c = *cpu_;
  const std::uint32_t own = own_pending(i, number_);
  if (!acquire && !whole && own != nothing && pool_[own].access != Access::load && holds(Rule::forwarding) &&
      choose_here(Choice::forward) == 0)
    return forwarded_atomic(i, own, address_view, order, a);
  Atomic wanted = a;
  if (whole) {
    drain(number_);
    wanted.operand = resolve(a.operand);
    if (a.compare_exchange) wanted.compare = resolve(a.compare);
  } else if (acquire && holds(Rule::release_acquire)) {
    drain_releases();
  }
  const Loaded result = late_atomic(i, floor_of(c, address_view, acquire), order, wanted);
  Detail& p = details_[c.youngest];
  p.acquire = acquire;
  p.awaited = acquire || whole;
  p.address_view = address_view;
  if (acquire || whole) resolve(result);
  return known_or(result);
}

// ---------------------------------------------------------------- transitions

std::uint32_t Machine::own_below(std::uint32_t n) const {
  std::uint32_t b = pool_[n].below;
  while (b != nothing && pool_[b].cpu != pool_[n].cpu) b = pool_[b].below;
  return b;
}

// A load that its CPU waits for, or an atomic, may read the CPU's own held store once its value is known.
bool Machine::can_forward(std::uint32_t n) {
  const std::uint32_t b = own_below(n);
  return b != nothing && holds(Rule::forwarding) && pool_[b].access == Access::store && read_of(b) != not_yet &&
         !known_or(pool_[b].data).pending();
}

void Machine::transitions(std::vector<Transition>& out) {
  using Kind = Transition::Kind;
  out.clear();
  for (unsigned cpu = 0; cpu < in_use_; ++cpu) {
    const Cpu& c = cpus_[cpu];
    for (const std::uint32_t n : in_order(c)) {
      const Pending& p = pool_[n];
      const Detail& d = details_[n];
      switch (p.access) {
        case Access::store:
          if (blocker(n) != nothing) break;
          if (p.after == After::write && words_[p.word].newest != p.of) break;
          if (p.after != After::any && d.guess != 0 && !c.guesses[d.guess - 1].known) break;
          if (reservation(p.word, c) != nothing) break;
          out.push_back({n, 0, Kind::perform});
          break;
        case Access::load:
          if (d.awaited && can_forward(n)) out.push_back({n, 0, Kind::forward});
          if (blocker(n) != nothing) break;
          if (p.exclusive) {
            if (reservation(p.word, c) == nothing) out.push_back({n, 0, Kind::perform});
          } else {
            for (std::uint32_t k = versions(p.word, p.floor, c); k-- > 0;) out.push_back({n, k, Kind::perform});
          }
          break;
        case Access::atomic: {
          const bool whole = model_ != Model::armv8 || (d.acquire && p.release);
          if (!whole && can_forward(n)) out.push_back({n, 0, Kind::forward});
          if (own_below(n) != nothing || reservation(p.word, c) != nothing) break;
          if (!whole)
            out.push_back({n, 0, Kind::split});
          else if (blocker(n) == nothing && (!d.compares || words_[p.word].value == known_or(d.compare).value))
            out.push_back({n, 0, Kind::perform});
          break;
        }
      }
    }
  }
}

void Machine::perform(const Transition& t) {
  const unsigned cpu = pool_[t.access].cpu;
  switch (t.kind) {
    case Transition::Kind::forward: forward_pending(t.access); break;
    case Transition::Kind::split: split_atomic(t.access); break;
    case Transition::Kind::perform:
      if (pool_[t.access].access == Access::load)
        perform_load(t.access, t.version);
      else
        perform_pending(t.access);
  }
  runnable_ |= blocked_ & cpus_[cpu].bit;
  blocked_ &= ~cpus_[cpu].bit;
}

void Machine::forward_pending(std::uint32_t n) {
  const std::uint32_t from = own_below(n);
  const Pending p = pool_[n];
  const Detail d = details_[n];
  const Pending& s = pool_[from];
  Cpu& c = cpus_[p.cpu];
  Loaded old = known_or(s.data);
  if (!holds(Rule::forwarded_view)) old.view = 0;
  old.view = std::max(old.view, p.floor);
  if (holds(Rule::forwarded_view)) old.view = std::max(old.view, s.floor);
  if (d.acquire) old.view = std::max(old.view, s.read);
  if (p.access == Access::atomic) return hold_back_atomic(n, old, After::store, from);
  loaded(c, old.view, d.acquire);
  if (c.monitor.after == After::load && c.monitor.of == n) {
    c.monitor = {p.word, After::store, from, old.view};
    pool_[from].exclusive = true;
  }
  remove_pending(n);
  node_known(d.node, old, c);
}

void Machine::split_atomic(std::uint32_t n) {
  const Pending& p = pool_[n];
  Loaded old{0, 0, 0};
  const Time read = version(p.word, 0, old.value);
  if (read != 0) journal_[read].seen |= cpus_[p.cpu].bit;
  old.view = std::max(p.floor, read);
  hold_back_atomic(n, old, After::write, read);
}

// The atomic has read; what is left of it is a held store at the same place in program order.
void Machine::hold_back_atomic(std::uint32_t n, Loaded old, After after, std::uint32_t of) {
  Pending& p = pool_[n];
  Detail& d = details_[n];
  Cpu& c = cpus_[p.cpu];
  if (!d.no_return) {
    loaded(c, old.view, d.acquire);
    --c.late_atomics;
  }
  p.access = Access::store;
  p.after = holds(Rule::atomicity) ? after : After::any;
  p.of = of;
  p.read = old.view;
  p.data = new_value(d.function, old, p.data);
  p.floor = d.address_view;
  if (after == After::store) pool_[of].exclusive = true;
  if (d.compares) d.guess = guess(c, combine(equal, {old.value, 0, 0}, d.compare), true);
  if (d.picks) old.view = std::min(old.view, known_or(d.compare).view);
  node_known(d.node, old, c);
}

std::uint32_t Machine::guess(Cpu& c, Loaded is, bool expected) {
  c.guesses.push_back({is, expected, false});
  check_guesses(c);
  return static_cast<std::uint32_t>(c.guesses.size());
}

// ---------------------------------------------------------------- states

const std::vector<std::uint32_t>& Machine::in_order(const Cpu& c) {
  in_order_.assign(c.pending.begin(), c.pending.end());
  std::sort(in_order_.begin(), in_order_.end(),
            [this](std::uint32_t a, std::uint32_t b) { return pool_[a].number < pool_[b].number; });
  return in_order_;
}

std::uint32_t Machine::rank(std::uint32_t n) const {
  std::uint32_t before = 0;
  for (const std::uint32_t m : cpus_[pool_[n].cpu].pending) before += pool_[m].number < pool_[n].number ? 1 : 0;
  return before;
}

void Machine::hash_value(Loaded v, Hash& h) {
  v = known_or(v);
  if (!v.pending()) {
    h.add(v.value);
    h.add(v.view);
    return;
  }
  const Node n = nodes_[v.source];
  h.add(not_yet);
  h.add(reinterpret_cast<std::uintptr_t>(n.function) << 2 | static_cast<unsigned>(n.join));
  if (n.function == nullptr) return h.add(rank(n.access));
  hash_value(n.a, h);
  hash_value(n.b, h);
}

void Machine::hash(unsigned cpu, const Relevant& r, Hash& h) {
  const Cpu& c = cpus_[cpu];
  h.add(r.load_floor ? c.load_floor : 0);
  h.add(r.newest_load ? c.newest_load : 0);
  h.add(r.own ? c.own : 0);
  h.add(r.control ? c.control : 0);
  h.add(r.release ? c.release : 0);
  h.add(c.pending.size() << 8 | c.stage << 4 | static_cast<unsigned>(c.monitor.after));
  if (c.monitor.after != After::any) {
    h.add(c.monitor.word);
    h.add(c.monitor.after == After::write ? c.monitor.of : rank(c.monitor.of));
    h.add(c.monitor.read);
  }
  for (const std::uint32_t n : in_order(c)) {
    const Pending& p = pool_[n];
    h.add(static_cast<std::uint64_t>(p.word) << 32 | (c.epoch - p.epoch) << 8 | static_cast<unsigned>(p.access) << 6 |
          static_cast<unsigned>(p.after) << 4 | (p.release ? 1 : 0) | (p.exclusive ? 2 : 0));
    h.add(p.floor);
    h.add(p.after == After::any ? 0 : p.after == After::write ? p.of : rank(p.of));
    h.add(p.read);
    if (p.access != Access::load) hash_value(p.data, h);
    if (p.access == Access::store && p.after == After::any) continue;
    const Detail& d = details_[n];
    if (d.compares) hash_value(d.compare, h);
    if (d.reads_old && p.read == not_yet) hash_value(d.old, h);
    if (d.guess != 0) h.add(c.guesses[d.guess - 1].known ? 1 : 0);
  }
  if (r.newest_load)
    for (const Loaded& x : c.given)
      if (known_or(x).pending()) hash_value(x, h);
  for (const Guess& g : c.guesses) {
    if (g.known) continue;
    h.add(g.expected ? 3 : 2);
    hash_value(g.equal, h);
  }
}

void Machine::hash_memory(Hash& h) const {
  const std::uint32_t all = (1u << in_use_) - 1;
  for (Time t = 1; t <= now_; ++t) {
    const Write& w = journal_[t];
    h.add(static_cast<std::uint64_t>(w.word) << 32 | (w.seen & all));
    h.add(w.old_value);
    if (words_[w.word].newest == t) h.add(words_[w.word].value);
  }
}

void Machine::mark(Loaded v, std::vector<std::uint32_t>& needed) {
  v = known_or(v);
  if (!v.pending()) return;
  const Node n = nodes_[v.source];
  if (n.function == nullptr) {
    needed.push_back(n.access);
    return;
  }
  mark(n.a, needed);
  mark(n.b, needed);
}

// A late load whose value nobody can use any more orders nothing: whatever it could order is ordered without it.
void Machine::forget_dead_loads(unsigned cpu, const std::vector<Loaded>& live) {
  Cpu& c = cpus_[cpu];
  if (c.loads.empty()) return;
  needed_.clear();
  for (const Loaded& v : live) mark(v, needed_);
  for (const std::uint32_t n : c.pending) {
    const Pending& p = pool_[n];
    if (p.exclusive) needed_.push_back(n);
    if (p.access != Access::load) mark(p.data, needed_);
    if (p.access == Access::store && p.after != After::any && details_[n].reads_old) mark(details_[n].old, needed_);
    if (p.access == Access::store) continue;
    if (details_[n].compares) mark(details_[n].compare, needed_);
    if (details_[n].awaited) needed_.push_back(n);
  }
  for (const Loaded& x : c.given) mark(x, needed_);
  for (const Guess& g : c.guesses)
    if (!g.known) mark(g.equal, needed_);
  if (c.monitor.after == After::load) needed_.push_back(c.monitor.of);
  for (std::size_t k = c.loads.size(); k-- > 0;)
    if (std::find(needed_.begin(), needed_.end(), c.loads[k]) == needed_.end()) {
      remove_pending(c.loads[k]);
      runnable_ |= blocked_ & c.bit;  // a fence may have waited for it
      blocked_ &= ~c.bit;
    }
}

}  // namespace race::weak
