// Loads, stores and atomics that cannot take the short way: the word was written in this execution, something is pending, or
// the execution is traced.
#include "memory/weak/graph.hpp"

namespace race::weak {

namespace {

std::uint64_t first(std::uint64_t a, std::uint64_t /*b*/) { return a; }
std::uint64_t second(std::uint64_t /*a*/, std::uint64_t b) { return b; }

}  // namespace

Event Machine::event(Event::Kind kind, std::uint32_t word) const {
  Event e{};
  e.kind = kind;
  e.cpu = static_cast<std::uint8_t>(number_);
  e.site = cpu_->site;
  e.function = cpu_->function;
  e.address = address_of(word);
  e.time = now_;
  return e;
}

void Machine::trace_writer(std::uint32_t issue) {
  trace->writer.resize(now_ + 1);
  trace->writer[now_] = issue;
}

// ---------------------------------------------------------------- loads

// How many versions of a word a load may read: those current at or after its floor, and none older than what the CPU knows.
std::uint32_t Machine::versions(std::uint32_t word, Time floor, const Cpu& c) const {
  if (model_ != Model::armv8) return 1;
  if (!holds(Rule::load_floor)) floor = 0;
  const std::uint32_t me = holds(Rule::coherence) ? c.bit : 0;
  std::uint32_t n = 1;
  for (Time t = words_[word].newest; t > floor && (journal_[t].seen & me) == 0; t = journal_[t].older) ++n;
  return n;
}

// The k-th newest version: when it was written, and its value.
Time Machine::version(std::uint32_t word, std::uint32_t k, std::uint64_t& value) const {
  Time t = words_[word].newest;
  value = words_[word].value;
  for (; k != 0; --k) {
    value = journal_[t].old_value;
    t = journal_[t].older;
  }
  return t;
}

Loaded Machine::load_slow(std::uint32_t i, Time address_view, Order order, bool exclusive) {
  if (graph_ != nullptr) return graph_->load(i, address_view, order);
  if (search_) return load_search(i, address_view, order, exclusive);
  Cpu& c = *cpu_;
  const bool acquire = acquires(order);
  if (order == Order::acquire && c.held_releases != 0 && holds(Rule::release_acquire)) drain_releases();
  const Time floor = floor_of(c, address_view, order == Order::acquire);
  if ((slow_ & late_bit) != 0 && !acquire && !c.want_newest && chooser.choose(Choice::late, 2) != 0)
    return late_load(i, floor, exclusive);
  c.read_stale = false;
  // Its own accesses to the word come first; but a held store is read at once.
  while (words_[i].pending != 0) {
    const std::uint32_t own = own_pending(i, number_);
    if (own == nothing) break;
    if (!holds(Rule::forwarding)) break;
    if (pool_[own].access != Access::store) {
      perform_through(own);
    } else if (acquire && known_or(pool_[own].data).pending()) {
      perform_through(unread(pool_[own].data));
    } else if (acquire && pool_[own].read == not_yet) {
      perform_through(pool_[own].of);
    } else {
      return forward(own, floor, acquire, exclusive);
    }
  }
  std::uint32_t k = 0;
  if (words_[i].newest != 0 && !c.want_newest)
    if (const std::uint32_t n = versions(i, floor, c); n > 1) k = chooser.choose(Choice::stale, n);
  Loaded result{0, 0, 0};
  const Time read = version(i, k, result.value);
  if (read != 0) journal_[read].seen |= cpu_bit_;
  c.read_stale = k != 0;
  c.want_newest = false;
  result.view = std::max(floor, read);
  loaded(c, result.view, acquire);
  if (exclusive) c.monitor = {i, After::write, read, result.view};
  if (trace != nullptr) {
    Event e = event(Event::Kind::load, i);
    e.value = result.value;
    e.newest = words_[i].value;
    e.read = read;
    e.stale = k != 0;
    result.source = trace->add(e);
  }
  return result;
}

// A load that is performed later: when its value is needed, or when the chooser says.
Loaded Machine::late_load(std::uint32_t i, Time floor, bool exclusive) {
  Cpu& c = *cpu_;
  const std::uint32_t n = add_pending(c, Access::load, i);
  pool_[n].floor = floor;
  const std::uint32_t node = new_node(n);
  details_[n].node = node;
  c.loads.push_back(n);
  if (exclusive) c.monitor = {i, After::load, n, not_yet};
  if (trace != nullptr) pool_[n].issue = trace->add(event(Event::Kind::late, i));
  return nodes_[node].result;
}

// The value of the CPU's own held store, or while searching of an atomic's, no earlier than its address and its data were
// known. The load of an atomic comes before an acquiring load that reads its store.
Loaded Machine::forward(std::uint32_t from, Time floor, bool acquire, bool exclusive) {
  Cpu& c = *cpu_;
  const Pending s = pool_[from];
  const Detail d = details_[from];
  const bool atomic = s.access == Access::atomic;
  if (holds(Rule::forwarded_view)) floor = std::max(floor, atomic ? d.address_view : s.floor);
  if (acquire) floor = std::max(floor, s.read);
  Loaded result = known_or(s.data);
  // What a CAS writes depends on its load as on a branch: later stores that depend on the value wait for it, later loads do
  // not. What a SWP writes does not depend on its load.
  if (atomic && d.compares)
    result = combine(second, nodes_[d.node].result, result, Join::second);
  else if (atomic)
    result = new_value(d.function, nodes_[d.node].result, result);
  else if (s.after != After::any && d.reads_old && d.compares)
    result = combine(second, d.old, result, Join::second);
  if (!holds(Rule::forwarded_view) && !result.pending()) result.view = 0;
  result = combine(first, result, {0, floor, 0});
  if (result.pending()) c.given.push_back(result);
  const Time view = result.pending() ? floor : result.view;
  loaded(c, view, acquire);
  if (exclusive) {
    c.monitor = {s.word, After::store, from, view};
    pool_[from].exclusive = true;
  }
  if (trace != nullptr) {
    Event e = event(Event::Kind::load, s.word);
    e.value = result.pending() ? 0 : result.value;
    e.newest = words_[s.word].value;
    e.issue = s.issue;
    e.forwarded = true;
    const std::uint32_t step = trace->add(e);
    if (!result.pending()) result.source = step;
  }
  return result;
}

// ---------------------------------------------------------------- stores

bool Machine::must_hold(std::uint32_t i, Loaded data, bool release) {
  const Cpu& c = *cpu_;
  if (known_or(data).pending()) return true;
  if (words_[i].pending != 0 && own_pending(i, number_) != nothing) return true;
  if (release && !c.loads.empty() && holds(Rule::release_waits)) return true;
  if (c.oldest == nothing) return false;
  return model_ == Model::tso || (release && holds(Rule::release_waits)) ||
         (pool_[c.oldest].epoch != c.epoch && holds(Rule::dmb_ishst));
}

std::uint32_t Machine::hold(std::uint32_t word, Time address_view, Loaded data, bool release, std::uint32_t issue) {
  Cpu& c = *cpu_;
  const std::uint32_t n = add_pending(c, Access::store, word);
  Pending& p = pool_[n];
  p.data = data;
  p.floor = address_view;
  p.issue = issue;
  p.release = release;
  c.held_releases += release ? 1 : 0;
  return n;
}

void Machine::store_slow(std::uint32_t i, Time address_view, Loaded data, Order order, bool asked) {
  if (graph_ != nullptr) return graph_->store(i, address_view, data, order);
  if (search_) return store_search(i, address_view, data, order);
  const bool release = releases(order);
  const bool held = (asked && model_ != Model::sc && chooser.ask(Choice::delay, 2) != 0) || must_hold(i, data, release);
  std::uint32_t issue = 0;
  if (trace != nullptr) {
    Event e = event(Event::Kind::store, i);
    const Loaded d = known_or(data);
    e.value = d.value;
    e.issue = d.pending() ? 0 : d.source;
    e.held = held;
    issue = trace->add(e);
  }
  if (held) {
    hold(i, address_view, data, release, issue);
    return;
  }
  commit_own(i, known_or(data).value, *cpu_);
  if (release) cpu_->release = now_;
  committed(issue);
}

// ---------------------------------------------------------------- atomics and exclusives

// LDXR/STXR loops and LSE atomics. The load reads the newest value, the store follows it directly: no other write comes
// between, but it may be held like any store. With acquire and release nothing is left pending and later accesses come after
// the store. Without acquire the whole may be late.
Loaded Machine::atomic(std::uint64_t address, Time address_view, Order order, const Atomic& a) {
  step<true>();
  const std::uint32_t i = checked(address, "atomic");
  Cpu& c = *cpu_;
  c.control = std::max(c.control, address_view);
  const bool asked = chooser.due(Choice::delay);
  const Word& w = words_[i];
  const bool fails = a.compare_exchange && w.value != a.compare.value;
  if (asked || (c.oldest | slow_ | w.pending | (fails ? w.newest : 0)) != 0)
    return atomic_slow(i, address_view, order, a, asked);

  const bool acquire = acquires(order) && !a.no_return;
  const Time floor = floor_of(c, address_view, acquire);
  Loaded result{w.value, std::max(floor, w.newest), 0};
  if (w.newest != 0) journal_[w.newest].seen |= cpu_bit_;
  c.read_stale = false;
  const bool writes = !fails;
  if (writes) {
    commit(i, a.next == nullptr ? a.operand.value : a.next(result.value, a.operand.value), c);
    if (releases(order)) c.release = now_;
  }
  if (!a.no_return) loaded(c, result.view, acquire);
  if (acquire && writes && releases(order) && holds(Rule::acquire_release_view)) c.load_floor = now_;
  if (writes && a.picks) result.view = std::min(result.view, a.compare.view);
  return result;
}

Loaded Machine::atomic_slow(std::uint32_t i, Time address_view, Order order, const Atomic& a, bool asked) {
  if (graph_ != nullptr) return graph_->atomic(i, address_view, order, a);
  if (search_) return atomic_search(i, address_view, order, a);
  Cpu& c = *cpu_;
  const bool acquire = acquires(order) && !a.no_return, release = releases(order);
  const bool whole = model_ != Model::armv8 || (acquire && release);
  asked = asked && chooser.ask(Choice::delay, 2) != 0 && !whole;
  if (whole)
    drain(number_);
  else if (acquire && c.held_releases != 0 && holds(Rule::release_acquire))
    drain_releases();
  const Time floor = floor_of(c, address_view, acquire);
  if ((slow_ & late_bit) != 0 && !acquire && !whole && chooser.choose(Choice::late, 2) != 0)
    return late_atomic(i, floor, order, a);

  Loaded compare{}, operand = a.operand;
  if (a.compare_exchange) compare = resolve(a.compare);
  if (whole) operand = resolve(operand);
  // Its own accesses to the word come first, or it reads the last of them: then its store follows that one.
  After after = After::write;
  std::uint32_t of = 0;
  Loaded old{0, 0, 0};
  while (words_[i].pending != 0) {
    const std::uint32_t own = own_pending(i, number_);
    if (own == nothing) break;
    const Pending& s = pool_[own];
    if (asked && s.access == Access::store && !a.compare_exchange && s.read != not_yet && !known_or(s.data).pending()) {
      after = After::store;
      of = own;
      old = forward(own, floor, acquire, false);
      pool_[own].exclusive = true;
      break;
    }
    perform_through(own);
  }
  bool writes = true;
  c.read_stale = false;
  if (after == After::write) {
    if (!a.compare_exchange || words_[i].value == compare.value) {
      if (words_[i].pending != 0) yield_reservation(i, c);
      of = version(i, 0, old.value);
      writes = !a.compare_exchange || old.value == compare.value;
    } else {  // one that fails is an ordinary load
      writes = false;
      std::uint32_t k = 0;
      if (const std::uint32_t n = c.want_newest ? 1 : versions(i, floor, c); n > 1)
        k = chooser.choose(Choice::stale, n);
      c.want_newest = false;
      of = version(i, k, old.value);
      if (old.value == compare.value) of = version(i, 0, old.value);  // it would succeed, which takes the newest
      c.read_stale = of != words_[i].newest;
    }
    if (of != 0) journal_[of].seen |= cpu_bit_;
    old.view = std::max(floor, of);
    if (!a.no_return) loaded(c, old.view, acquire);
  }
  const Loaded next = writes ? new_value(a.next, old, operand) : Loaded{};
  if (trace != nullptr) {
    Event e = event(Event::Kind::rmw, i);
    e.newest = old.value;
    e.value = !writes ? old.value : known_or(next).value;
    e.read = of;
    old.source = trace->add(e);
  }
  if (writes) {
    const std::uint32_t issue = old.source;
    write_half(i, next, release, after, of, address_view, old.view, asked, issue);
    if (acquire && release && holds(Rule::acquire_release_view)) c.load_floor = now_;
  }
  if (writes && a.picks) old.view = std::min(old.view, compare.view);
  return old;
}

// The store of an atomic or of a successful exclusive pair: now, or held.
std::uint32_t Machine::write_half(std::uint32_t i, Loaded data, bool release, After after, std::uint32_t of,
                                  Time address_view, Time read, bool asked, std::uint32_t issue) {
  if (!search_ && !asked && after == After::write && !must_hold(i, data, release)) {
    commit_own(i, known_or(data).value, *cpu_);
    if (release) cpu_->release = now_;
    committed(issue);
    return nothing;
  }
  const std::uint32_t n = hold(i, address_view, data, release, issue);
  Pending& p = pool_[n];
  p.after = holds(Rule::atomicity) ? after : After::any;
  p.of = of;
  p.read = read;
  details_[n] = {};
  if (after == After::load || after == After::store) pool_[of].exclusive = true;
  if (trace != nullptr) trace->events[issue].held = true;
  return n;
}

// An atomic without acquire that is performed later, as a whole.
Loaded Machine::late_atomic(std::uint32_t i, Time floor, Order order, const Atomic& a) {
  Cpu& c = *cpu_;
  const std::uint32_t n = add_pending(c, Access::atomic, i);
  const std::uint32_t node = new_node(n);
  Pending& p = pool_[n];
  p.floor = floor;
  p.data = a.operand;
  p.release = releases(order);
  Detail& d = details_[n];
  d.function = a.next;
  d.compares = a.compare_exchange;
  d.picks = a.picks;
  d.compare = a.compare;
  d.no_return = a.no_return;
  d.node = node;
  c.held_releases += p.release ? 1 : 0;
  c.late_atomics += d.no_return ? 0 : 1;
  if (trace != nullptr) pool_[n].issue = trace->add(event(Event::Kind::late, i));
  return nodes_[node].result;
}

Loaded Machine::load_exclusive(std::uint64_t address, Time address_view, Order order) {
  step<true>();
  const std::uint32_t i = checked(address, "load");
  cpu_->control = std::max(cpu_->control, address_view);
  slow_ |= exclusive_bit;
  return load_slow(i, address_view, order, true);
}

// Can STXR's store still follow what LDXR read, without a write of another CPU between? Its own writes do not count.
bool Machine::exclusive_possible(const Monitor& m, std::uint32_t i) const {
  if (m.after == After::any || m.word != i) return false;
  if (!holds(Rule::atomicity) || m.after != After::write) return true;
  return words_[i].newest == m.of && reservation(i, *cpu_) == nothing;
}

// The CPU wrote a word itself: what had to follow the newest write now has to follow this one.
void Machine::own_write(Cpu& c, std::uint32_t word, Time before) {
  if (c.monitor.after == After::write && c.monitor.word == word && c.monitor.of == before) c.monitor.of = now_;
  for (std::uint32_t s = c.oldest; s != nothing; s = pool_[s].next) {
    Pending& p = pool_[s];
    if (p.after == After::write && p.word == word && p.of == before) p.of = now_;
  }
}

bool Machine::fail_exclusive() {
  const bool fails = choose_here(Choice::fail) != 0;
  if (fails) cpu_->monitor = {};
  cpu_->stage = fails ? 0 : 3;
  return fails;
}

// STXR, STLXR: may fail at any time, and fails rather than break atomicity.
bool Machine::store_exclusive(std::uint64_t address, Time address_view, Loaded data, Order order) {
  step<true>();
  const std::uint32_t i = checked(address, "store");
  Cpu& c = *cpu_;
  c.control = std::max(c.control, address_view);
  if (model_ != Model::armv8) drain(number_);
  const Monitor m = c.monitor;
  const bool success = exclusive_possible(m, i);
  c.monitor = {};
  c.stage = 0;
  if (!success) return false;
  const bool asked = !search_ && model_ == Model::armv8 && chooser.choose(Choice::delay, 2) != 0;
  std::uint32_t issue = 0;
  if (trace != nullptr) {
    Event e = event(Event::Kind::store, i);
    e.value = known_or(data).value;
    e.issue = known_or(data).source;
    issue = trace->add(e);
  }
  write_half(i, data, releases(order), m.after, m.of, address_view, m.read, asked, issue);
  if (search_ && model_ != Model::armv8) drain(number_);
  return true;
}

// DMB ISH: everything before it is done, and later loads are no earlier. ISHLD: the loads before it are done, and later
// accesses are no earlier than they. ISHST: later stores commit after the stores before it.
void Machine::fence(Fence f) {
  step<true>();
  if (graph_ != nullptr) return graph_->fence(f);
  Cpu& c = *cpu_;
  switch (f) {
    case Fence::ish:
      if (holds(Rule::dmb_ish_waits)) drain(number_);
      if (holds(Rule::dmb_ish_floor)) c.load_floor = std::max({c.load_floor, c.newest_load, c.own});
      break;
    case Fence::ishld:
      if (holds(Rule::dmb_ishld_waits)) drain_loads();
      if (holds(Rule::dmb_ishld_floor)) c.load_floor = std::max(c.load_floor, c.newest_load);
      break;
    case Fence::ishst:
      if (c.oldest != nothing) ++c.epoch;
      break;
  }
  if (trace != nullptr) {
    Event e = event(Event::Kind::fence, 0);
    e.address = 0;
    e.value = static_cast<std::uint64_t>(f);
    trace->add(e);
  }
}

}  // namespace race::weak
