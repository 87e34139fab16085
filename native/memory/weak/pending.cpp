// Pending accesses: in which order they may be performed, and what happens then.
#include <stdexcept>

#include "memory/weak/machine.hpp"

namespace race::weak {

// ---------------------------------------------------------------- values that are not known yet

std::uint32_t Machine::new_node(std::uint32_t access) {
  const auto n = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({{0, not_yet, n}, nullptr, {}, {}, access, Join::later, n});
  return n;
}

// Without recursion: a loop that goes on with a value that is not known makes a long chain, and a fibre's stack is short.
Loaded Machine::known_now(Loaded x) {
  if (nodes_[nodes_[x.source].waits].result.pending()) return nodes_[x.source].result;
  const auto now = [this](Loaded v) { return v.pending() ? nodes_[v.source].result : v; };
  for (to_know_.assign(1, x.source); !to_know_.empty();) {
    Node& n = nodes_[to_know_.back()];
    if (n.result.pending()) {
      if (n.function == nullptr) {
        nodes_[x.source].waits = to_know_.back();
        return nodes_[x.source].result;
      }
      const Loaded a = now(n.a), b = now(n.b);
      if (a.pending() || b.pending()) {
        to_know_.push_back((a.pending() ? a : b).source);
        continue;
      }
      n.result = joined(n.join, n.function, a, b);
    }
    to_know_.pop_back();
  }
  return nodes_[x.source].result;
}

Loaded Machine::joined(Join join, Function f, Loaded a, Loaded b) {
  const Time view = join == Join::later     ? later(a.view, b.view)
                    : join == Join::earlier ? std::min(a.view, b.view)
                                            : b.view;
  return {f(a.value, b.value), view, a.source != 0 ? a.source : b.source};
}

Loaded Machine::combine(Function f, Loaded a, Loaded b, Join join) {
  a = known_or(a);
  b = known_or(b);
  if (!a.pending() && !b.pending()) return tracked(joined(join, f, a, b));
  const std::uint32_t n = new_node(nothing);
  nodes_[n].function = f;
  nodes_[n].join = join;
  nodes_[n].a = a;
  nodes_[n].b = b;
  nodes_[n].waits = nodes_[(a.pending() ? a : b).source].waits;
  return nodes_[n].result;
}

Loaded Machine::new_value(Function next, Loaded old, Loaded operand) {
  return next == nullptr ? operand : combine(next, old, operand);
}

std::uint32_t Machine::unread(Loaded x) {
  x = known_or(x);
  if (!x.pending()) return nothing;
  return nodes_[nodes_[x.source].waits].access;
}

void Machine::node_known(std::uint32_t node, Loaded value, Cpu& c) {
  nodes_[node].result = value;
  if (!c.guesses.empty()) check_guesses(c);
}

void Machine::check_guesses(Cpu& c) {
  for (Guess& g : c.guesses) {
    if (g.known) continue;
    const Loaded v = known_or(g.equal);
    if (v.pending()) continue;
    g.known = true;
    if ((v.value != 0) != g.expected) abandon();
  }
}

bool Machine::guessing() const {
  for (unsigned n = 0; n < in_use_; ++n)
    for (const Guess& g : cpus_[n].guesses)
      if (!g.known) return true;
  return false;
}

// ---------------------------------------------------------------- the pool

std::uint32_t Machine::add_pending(Cpu& c, Access access, std::uint32_t word) {
  std::uint32_t n;
  if (free_.empty()) {
    n = static_cast<std::uint32_t>(pool_.size());
    pool_.emplace_back();
    details_.emplace_back();
  } else {
    n = free_.back();
    free_.pop_back();
  }
  Pending& p = pool_[n];
  p = {};
  p.word = word;
  p.below = words_[word].pending;
  p.slot = static_cast<std::uint32_t>(c.pending.size());
  p.number = ++c.issued;
  p.epoch = c.epoch;
  p.cpu = static_cast<std::uint8_t>(&c - cpus_.data());
  p.access = access;
  words_[word].pending = n;
  if (access != Access::store) details_[n] = {};
  if (access != Access::load) {
    p.prev = c.youngest;
    (c.youngest != nothing ? pool_[c.youngest].next : c.oldest) = n;
    c.youngest = n;
  }
  c.pending.push_back(n);
  ++pending_count_;
  return n;
}

void Machine::remove_pending(std::uint32_t n) {
  const Pending& p = pool_[n];
  Cpu& c = cpus_[p.cpu];
  if (p.access == Access::load) {
    c.loads.erase(std::find(c.loads.begin(), c.loads.end(), n));
  } else {
    (p.prev != nothing ? pool_[p.prev].next : c.oldest) = p.next;
    (p.next != nothing ? pool_[p.next].prev : c.youngest) = p.prev;
    c.held_releases -= p.release ? 1 : 0;
    if (p.access == Access::atomic) c.late_atomics -= details_[n].no_return ? 0 : 1;
  }
  std::uint32_t* link = &words_[p.word].pending;
  while (*link != n) link = &pool_[*link].below;
  *link = p.below;
  c.pending[p.slot] = c.pending.back();
  pool_[c.pending[p.slot]].slot = p.slot;
  c.pending.pop_back();
  --pending_count_;
  free_.push_back(n);
}

std::uint32_t Machine::own_pending(std::uint32_t word, unsigned cpu) const {
  std::uint32_t n = words_[word].pending;
  while (n != nothing && pool_[n].cpu != cpu) n = pool_[n].below;
  return n;
}

std::uint32_t Machine::earliest(const Cpu& c) const {
  if (c.loads.empty()) return c.oldest;
  const std::uint32_t load = c.loads.front();
  return c.oldest != nothing && pool_[c.oldest].number < pool_[load].number ? c.oldest : load;
}

// ---------------------------------------------------------------- what goes first

std::uint32_t Machine::blocker(std::uint32_t n) {
  const Pending& p = pool_[n];
  const Cpu& c = cpus_[p.cpu];
  for (std::uint32_t b = p.below; b != nothing; b = pool_[b].below) {  // coherence
    if (pool_[b].cpu != p.cpu) continue;
    const bool load = p.access == Access::load, older_load = pool_[b].access == Access::load;
    if (!holds(load ? Rule::coherence : older_load ? Rule::load_store_order : Rule::store_order)) continue;
    return b;
  }
  if (p.access == Access::load) return nothing;
  if (p.release && holds(Rule::release_waits))
    if (const std::uint32_t e = earliest(c); e != n) return e;
  if (c.oldest != n && (model_ == Model::tso || (pool_[c.oldest].epoch != p.epoch && holds(Rule::dmb_ishst))))
    return c.oldest;
  if (p.after == After::load || p.after == After::store) return p.of;
  if (p.data.pending())
    if (const std::uint32_t b = unread(p.data)) return b;
  if (p.access == Access::store && p.after == After::any) return nothing;
  const Detail& d = details_[n];
  if (d.compare.pending())
    if (const std::uint32_t b = unread(d.compare)) return b;
  if (d.guess != 0 && !c.guesses[d.guess - 1].known)
    if (const std::uint32_t b = unread(c.guesses[d.guess - 1].equal)) return b;
  return nothing;
}

void Machine::perform_through(std::uint32_t n) {
  if (pool_[n].busy) return abandon();  // CPUs wait for each other's exclusive stores
  pool_[n].busy = true;
  while (const std::uint32_t b = blocker(n)) perform_through(b);
  pool_[n].busy = false;
  perform_pending(n);
}

void Machine::perform_earliest(Cpu& c) {
  const std::uint32_t n = earliest(c);
  if (pool_[n].busy) return abandon();
  perform_pending(n);
}

void Machine::drain(unsigned n) {
  Cpu& c = cpus_[n];
  if (search_) return block_until([&c] { return c.pending.empty(); });
  while (!c.pending.empty()) perform_earliest(c);
}

void Machine::drain_releases() {
  Cpu& c = *cpu_;
  if (search_) return block_until([&c] { return c.held_releases == 0; });
  while (c.held_releases != 0) perform_earliest(c);
}

void Machine::drain_loads() {
  Cpu& c = *cpu_;
  const auto known = [this](Loaded x) { return !known_or(x).pending(); };
  if (search_)
    return block_until([&] {
      return c.late_atomics == 0 && std::all_of(c.given.begin(), c.given.end(), known) &&
             std::all_of(c.loads.begin(), c.loads.end(), [this](std::uint32_t n) { return details_[n].no_return; });
    });
  while (!c.loads.empty()) perform_through(c.loads.front());
  for (std::uint32_t n = c.oldest; c.late_atomics != 0 && n != nothing;) {
    if (pool_[n].access == Access::atomic && !details_[n].no_return) {
      perform_through(n);
      n = c.oldest;
    } else {
      n = pool_[n].next;
    }
  }
  for (const Loaded& x : c.given) resolve(x);
  c.given.clear();
}

Loaded Machine::resolve_now(Loaded x) {
  if (search_) block_until([this, x] { return !known_or(x).pending(); });
  while (const std::uint32_t n = unread(x)) perform_through(n);
  const Loaded known = known_or(x);
  if (graph_ != nullptr && inside_) graph_needs(known.view);
  return known;
}

// A store of another CPU that must directly follow the newest write of the word.
std::uint32_t Machine::reservation(std::uint32_t word, const Cpu& but) const {
  for (std::uint32_t n = words_[word].pending; n != nothing; n = pool_[n].below)
    if (pool_[n].after == After::write && pool_[n].of == words_[word].newest && cpus_[pool_[n].cpu].bit != but.bit)
      return n;
  return nothing;
}

void Machine::yield_reservation(std::uint32_t word, const Cpu& by) {
  while (const std::uint32_t n = reservation(word, by)) perform_through(n);
}

void Machine::commit_all() {
  for (unsigned n = 0; n < max_cpus; ++n) drain(n);
}

void Machine::flush() {
  unsigned holders = 0, last = 0;
  for (unsigned n = 0; n < in_use_; ++n)
    if (!cpus_[n].pending.empty()) {
      ++holders;
      last = n;
    }
  if (waiting_ == 0 && holders == 1 && cpus_[last].loads.empty()) return drain(last);
  perform_kth(chooser.choose(Choice::flush, pending_count_));
}

void Machine::commit_asked() {
  if (const std::uint32_t k = chooser.ask(Choice::commit, pending_count_ + 1)) perform_kth(k - 1);
}

// The k-th pending access, counted CPU by CPU; or, if that has to wait for others, the first of its CPU.
void Machine::perform_kth(std::uint32_t k) {
  Cpu* c = cpus_.data();
  for (; k >= c->pending.size(); ++c) k -= static_cast<std::uint32_t>(c->pending.size());
  const std::uint32_t n = c->pending[k];
  if (blocker(n) == nothing && !pool_[n].busy)
    perform_pending(n);
  else
    perform_earliest(*c);
}

// ---------------------------------------------------------------- performing

void Machine::perform_pending(std::uint32_t n) {
  switch (pool_[n].access) {
    case Access::store: return commit_pending(n);
    case Access::atomic: return perform_atomic(n);
    case Access::load: break;
  }
  const Pending& p = pool_[n];
  std::uint32_t k = 0;
  if (!p.exclusive)
    if (const std::uint32_t all = versions(p.word, p.floor, cpus_[p.cpu]); all > 1)
      k = chooser.choose(Choice::stale, all);
  perform_load(n, k);
}

void Machine::followed(std::uint32_t n, Cpu& c, Time write, Time read) {
  if (c.monitor.after != After::any && c.monitor.after != After::write && c.monitor.of == n)
    c.monitor = {c.monitor.word, After::write, write, read != not_yet ? read : c.monitor.read};
  for (std::uint32_t s = c.oldest; s != nothing; s = pool_[s].next) {
    Pending& p = pool_[s];
    if ((p.after != After::load && p.after != After::store) || p.of != n) continue;
    p.after = After::write;
    p.of = write;
    if (read != not_yet) p.read = read;
  }
}

// The value of a held store may have become known after it was issued.
void Machine::trace_value(const Pending& p) {
  const Loaded data = known_or(p.data);
  if (p.access != Access::store || data.pending()) return;
  Event& e = trace->events[p.issue];
  e.value = data.value;
  if (e.kind == Event::Kind::store) e.issue = data.source;
}

void Machine::commit_pending(std::uint32_t n) {
  const Pending p = pool_[n];
  Cpu& c = cpus_[p.cpu];
  const Loaded data = known_or(p.data);
  remove_pending(n);
  commit_own(p.word, data.value, c);
  if (p.release) c.release = now_;
  if (p.exclusive) followed(n, c, now_, not_yet);
  if (trace != nullptr) {
    trace_value(p);
    Event e = trace->events[p.issue];  // its site and function
    e.kind = Event::Kind::commit;
    e.cpu = p.cpu;
    e.value = data.value;
    e.newest = 0;
    e.time = now_;
    e.issue = p.issue;
    e.read = 0;
    e.held = true;
    trace->add(e);
    committed(p.issue);
  }
}

void Machine::perform_load(std::uint32_t n, std::uint32_t k) {
  if (pool_[n].exclusive && words_[pool_[n].word].pending != nothing)
    yield_reservation(pool_[n].word, cpus_[pool_[n].cpu]);
  const Pending p = pool_[n];
  const Detail d = details_[n];
  Cpu& c = cpus_[p.cpu];
  Loaded result{0, 0, 0};
  const Time read = version(p.word, k, result.value);
  if (read != 0) journal_[read].seen |= c.bit;
  result.view = std::max(p.floor, read);
  c.read_stale = k != 0;
  if (!d.no_return) loaded(c, result.view, d.acquire);
  remove_pending(n);
  if (trace != nullptr) {
    Event e = trace->events[p.issue];
    e.kind = Event::Kind::load;
    e.value = result.value;
    e.newest = words_[p.word].value;
    e.time = now_;
    e.issue = p.issue;
    e.read = read;
    e.stale = k != 0;
    result.source = trace->add(e);
  }
  if (p.exclusive || (c.monitor.after == After::load && c.monitor.of == n)) followed(n, c, read, result.view);
  node_known(d.node, result, c);
}

// As a whole: it reads the newest value and its store follows at once.
void Machine::perform_atomic(std::uint32_t n) {
  if (words_[pool_[n].word].pending != nothing) yield_reservation(pool_[n].word, cpus_[pool_[n].cpu]);
  const Pending p = pool_[n];
  const Detail d = details_[n];
  Cpu& c = cpus_[p.cpu];
  Loaded old{0, 0, 0};
  const Time read = version(p.word, 0, old.value);
  if (read != 0) journal_[read].seen |= c.bit;
  old.view = std::max(p.floor, read);
  if (!d.no_return) loaded(c, old.view, d.acquire);
  const bool writes = !d.compares || known_or(d.compare).value == old.value;
  const std::uint64_t next = writes ? new_value(d.function, old, known_or(p.data)).value : old.value;
  remove_pending(n);
  if (writes) {
    commit_own(p.word, next, c);
    if (p.release) c.release = now_;
    if (d.acquire && p.release && holds(Rule::acquire_release_view)) c.load_floor = now_;
  }
  if (trace != nullptr) {
    Event e = trace->events[p.issue];
    e.kind = Event::Kind::rmw;
    e.value = next;
    e.newest = old.value;
    e.time = now_;
    e.issue = p.issue;
    e.read = read;
    old.source = trace->add(e);
    if (writes) committed(old.source);
  }
  if (writes && d.picks) old.view = std::min(old.view, known_or(d.compare).view);
  node_known(d.node, old, c);
}

}  // namespace race::weak
