#include "memory/weak/graph.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "memory/weak/types.hpp"

namespace race::weak {

void Graph::begin(Guide* guide, unsigned cpus, std::uint32_t width) {
  guide_ = guide;
  sets_.clear(width);
  if (words_.size() != 2 * m_.count_) words_.resize(2 * m_.count_);  // the second half: ghosts, for steps of the host
  ++run_;
  accesses_.resize(1);
  cpus_.resize(cpus);
  for (State& s : cpus_) {
    s.load_floor = s.newest_load = s.control = s.release = s.all = s.host = 0;
    s.issued = s.epoch = s.newest_performed = s.held_releases = s.top = s.turns = 0;
    s.relaxed = false;
    s.epochs.assign(1, 0);
    s.accesses.assign(1, 0);
    s.pending.clear();
    s.locks.clear();
    s.waiting = {};
    s.accept = nullptr;
  }
  order_.clear();
  frees_.clear();
  may_split_ = false;
}

void Machine::graph_isb() { graph_->isb(); }
void Machine::graph_branch(Time view) { graph_->branch(view); }
void Machine::graph_needs(Time view) { graph_->needs(view); }
Time Machine::graph_join(Time a, Time b) { return graph_->join(a, b); }

Loaded Machine::await(std::uint64_t address, Time address_view, Order order,
                      const std::function<bool(std::uint64_t)>& accept) {
  step<true>();
  return graph_->await(checked(address, "load"), address_view, order, accept);
}

Loaded Machine::atomic_if(std::uint64_t address, Time address_view, Order order, const Atomic& a,
                          const std::function<bool(std::uint64_t)>& accept, bool waits) {
  step<true>();
  return graph_->atomic_if(checked(address, "atomic"), address_view, order, a, accept, waits, true);
}

Loaded Machine::graph_tracked(Loaded x) {
  if (x.pending() || x.view == 0) return x;
  const std::uint32_t n = new_node(nothing);
  nodes_[n].result = x;
  return {x.value, not_yet, n};
}

// ---------------------------------------------------------------- issuing

// Other CPUs come first where the guide says so.
void Graph::your_turn() {
  while (guide_->turn(make_id(m_.number_, current().issued + 1)) == Guide::Turn::other) {
    m_.reason = Leave::preempted;
    m_.leave(m_, m_.scheduler);
  }
}

// Until something has happened that it may have waited for.
void Graph::blocked() {
  m_.reason = Leave::blocked;
  m_.runnable_ &= ~m_.cpu_bit_;
  m_.blocked_ |= m_.cpu_bit_;
  m_.leave(m_, m_.scheduler);
}

std::uint32_t Graph::add(std::uint32_t word, View address, bool write) {
  State& s = current();
  const auto n = static_cast<std::uint32_t>(accesses_.size());
  accesses_.emplace_back();
  Access& a = accesses_.back();
  a.id = make_id(m_.number_, ++s.issued);
  a.cpu = static_cast<std::uint8_t>(m_.number_);
  a.word = word;
  a.write = write;
  a.address = address;
  a.older = state(word).issued;
  state(word).issued = n;
  a.epoch = s.epoch;
  a.dangling = !ghost(word) && was_freed(word);
  a.floor = sets_.join(s.load_floor, address);
  if (write)
    a.floor = sets_.join(a.floor, sets_.join(s.control, s.host));
  else if (!armv8())
    a.floor = sets_.join(s.host, m_.model_ == Model::sc ? s.all : sets_.join(a.floor, s.newest_load));
  if (!write) a.node = m_.new_node(n);
  s.accesses.push_back(n);
  return n;
}

void Graph::pend(std::uint32_t n) {
  std::vector<std::uint32_t>& p = cpus_[accesses_[n].cpu].pending;
  p.push_back(n);
}

void Graph::issue(std::uint32_t n) {
  if (guide_->turn(accesses_[n].id) == Guide::Turn::now && try_perform(n)) return;
  pend(n);
}

bool Graph::was_freed(std::uint32_t word) const {
  return std::any_of(frees_.begin(), frees_.end(), [&](const Free& f) { return frees(f, word); });
}

// Of an access to what was free when it was issued.
void Graph::judge(std::uint32_t n, const char* what) {
  if (!accesses_[n].dangling) return;
  if (!accesses_[n].performed) wait_performed(n);
  m_.wild_access(m_.address_of(accesses_[n].word), what);
}

void Graph::wait_performed(std::uint32_t n) {
  m_.block_until([this, n] { return accesses_[n].performed; });
}

void Graph::drain() {
  State& s = current();
  if (!s.pending.empty()) m_.block_until([&s] { return s.pending.empty(); });
}

void Graph::drain_releases() {
  State& s = current();
  if (s.held_releases != 0) m_.block_until([&s] { return s.held_releases == 0; });
}

void Graph::drain_loads() {
  State& s = current();
  m_.block_until([&] {
    return std::none_of(s.pending.begin(), s.pending.end(),
                        [this](std::uint32_t n) { return !accesses_[n].write && !accesses_[n].no_return; });
  });
}

// What a program is given: while it comes after something it is a node, so that nothing of that is lost in arithmetic.
Loaded Graph::result(std::uint32_t n) const {
  const std::uint32_t node = accesses_[n].node;
  return {m_.nodes_[node].result.value, not_yet, node};
}

Loaded Graph::load(std::uint32_t word, View address, Order order) {
  your_turn();
  State& s = current();
  s.control = sets_.join(s.control, address);
  if (m_.model_ == Model::sc) drain();
  if (order == Order::acquire) drain_releases();
  const std::uint32_t n = add(word, address, false);
  accesses_[n].acquire = acquires(order);
  if (order == Order::acquire) accesses_[n].floor = sets_.join(accesses_[n].floor, s.release);
  issue(n);
  if ((acquires(order) || !armv8()) && !accesses_[n].performed) wait_performed(n);
  if (!armv8()) needs(accesses_[n].past);
  judge(n, "load");
  return result(n);
}

void Graph::store(std::uint32_t word, View address, Loaded data, Order order) {
  your_turn();
  State& s = current();
  s.control = sets_.join(s.control, address);
  const std::uint32_t n = add(word, address, true);
  accesses_[n].data = data;
  accesses_[n].release = releases(order);
  s.held_releases += releases(order) ? 1 : 0;
  issue(n);
  judge(n, "store");
}

std::pair<std::uint32_t, std::uint32_t> Graph::add_atomic(std::uint32_t word, View address, Order order,
                                                          const Machine::Atomic& a) {
  State& s = current();
  const bool acquire = acquires(order) && !a.no_return, release = releases(order);
  if (!armv8() || (acquire && release))
    drain();
  else if (acquire)
    drain_releases();
  const std::uint32_t r = add(word, address, false), w = add(word, address, true);
  Access& load = accesses_[r];
  load.pair = w;
  load.acquire = acquire;
  load.no_return = a.no_return;
  if (acquire) load.floor = sets_.join(load.floor, s.release);
  if (!armv8()) load.floor = s.all;
  Access& store = accesses_[w];
  store.pair = r;
  store.release = release;
  store.operand = a.operand;
  store.data = m_.new_value(a.next, result(r), a.operand);
  s.held_releases += release ? 1 : 0;
  return {r, w};
}

Loaded Graph::atomic(std::uint32_t word, View address, Order order, const Machine::Atomic& a) {
  if (a.compare_exchange) {
    if (a.picks) throw std::logic_error("a compare and swap of a litmus test has no place in a graph");
    const std::uint64_t compare = m_.resolve(a.compare).value;
    return atomic_if(word, address, order, a, [compare](std::uint64_t v) { return v == compare; }, false, false);
  }
  your_turn();
  State& s = current();
  s.control = sets_.join(s.control, address);
  const auto [r, w] = add_atomic(word, address, order, a);
  issue(r);
  issue(w);
  judge(w, "atomic");
  const bool acquire = accesses_[r].acquire;
  if (!armv8() || (acquire && releases(order))) {
    if (!accesses_[w].performed) wait_performed(w);
    s.load_floor = sets_.join(s.load_floor, accesses_[w].past);
  } else if (acquire && !accesses_[r].performed) {
    wait_performed(r);
  }
  return result(r);
}

Loaded Graph::atomic_if(std::uint32_t word, View address, Order order, const Machine::Atomic& a, const Accept& accept,
                        bool waits, bool plain_if_not) {
  your_turn();
  State& s = current();
  s.control = sets_.join(s.control, address);
  const auto [r, w] = add_atomic(word, address, order, a);
  const bool writes = wait_and_perform(r, accept, waits, plain_if_not);
  judge(writes ? w : r, "atomic");
  if (!writes) return result(r);
  if (!armv8() || (accesses_[r].acquire && releases(order))) {
    if (!accesses_[w].performed) wait_performed(w);
    s.load_floor = sets_.join(s.load_floor, accesses_[w].past);
  }
  return result(r);
}

// Performs the load of an atomic as soon as it can be and finds what it needs, and issues its store; false: it has none.
bool Graph::wait_and_perform(std::uint32_t r, const Accept& accept, bool waits, bool plain_if_not) {
  State& s = current();
  const unsigned cpu = m_.number_;
  const std::uint32_t word = accesses_[r].word, w = accesses_[r].pair;
  const View address = accesses_[r].address;
  accesses_[r].by_cpu = accesses_[w].by_cpu = true;
  accesses_[r].conditional = accesses_[w].conditional = true;
  const View floor = accesses_[r].floor;  // if it writes
  const View floor_if_not = plain_if_not && armv8() ? sets_.join(s.load_floor, address) : floor;
  std::vector<std::uint32_t>& bases = s.bases;
  std::uint32_t base = 0;
  s.accept = &accept;
  s.waiting = {true, accesses_[r].id, word, 0, true, false};
  for (;;) {
    s.waiting.slept = s.waiting.splits = false;
    const bool now = guide_->turn(accesses_[r].id) == Guide::Turn::now;
    bases.clear();
    if (now) {
      const std::uint32_t own = own_before(accesses_[r]);
      if (own != 0) {
        const Access& o = accesses_[own];
        if (o.write && !m_.known_or(o.data).pending() && (!waits || accept(value(word, own)))) bases.push_back(own);
      } else {
        const std::uint32_t b = newest(word);
        if (accept(value(word, b)) && !reserved(word, cpu)) bases.push_back(b);
        if (!waits) {
          std::vector<std::uint32_t> all;
          accesses_[r].floor = floor_if_not;
          readable(accesses_[r], all);
          accesses_[r].floor = floor;
          for (const std::uint32_t v : all)
            if (!accept(value(word, v))) bases.push_back(v);
        }
      }
      s.waiting.splits = !bases.empty() && !may_split_ && !guide_->wants(accesses_[r].id) && splits(accesses_[r]);
      if (!bases.empty() && !s.waiting.splits && choose(r, bases, base)) break;
      s.waiting.slept = !bases.empty() && !s.waiting.splits;
    }
    s.waiting.own = own_order(accesses_[w]);
    if (now && bases.empty() && accesses_[r].dangling) m_.wild_access(m_.address_of(word), "atomic");
    blocked();
    accesses_[r].dangling = accesses_[w].dangling = !ghost(word) && was_freed(word);
  }
  s.waiting.waits = false;
  const bool writes = accept(value(word, base));
  s.waiting.own = own_order(accesses_[w]);
  if (!writes) {
    accesses_[r].floor = floor_if_not;
    if (plain_if_not) accesses_[r].acquire = false;
    accesses_[w].performed = true;  // there is none
    s.held_releases -= accesses_[w].release ? 1 : 0;
  }
  perform_load(r, base);
  needs(accesses_[r].past);
  if (!writes) return false;
  accesses_[w].by_cpu = false;
  issue(w);
  return true;
}

// A load that waits for a value that will do. How often the loop that it stands for turned makes no difference.
Loaded Graph::await(std::uint32_t word, View address, Order order, const Accept& accept) {
  your_turn();
  State& s = current();
  s.control = sets_.join(s.control, address);
  if (m_.model_ == Model::sc) drain();
  if (order == Order::acquire) drain_releases();
  accept(value(word, newest(word)));  // what it needs besides is known now
  const std::uint32_t n = add(word, address, false);
  accesses_[n].acquire = acquires(order);
  accesses_[n].by_cpu = true;
  if (order == Order::acquire) accesses_[n].floor = sets_.join(accesses_[n].floor, s.release);
  std::vector<std::uint32_t>& bases = s.bases;
  std::uint32_t base = 0;
  s.waiting = {true, accesses_[n].id, word, 0, false, false};
  for (;;) {
    s.waiting.slept = false;
    if (guide_->turn(accesses_[n].id) == Guide::Turn::now) {
      bases.clear();
      bases_of_load(accesses_[n], bases);
      std::erase_if(bases, [&](std::uint32_t b) { return !accept(value(word, b)); });
      if (!bases.empty() && choose(n, bases, base)) break;
      s.waiting.slept = !bases.empty();
      if (bases.empty() && accesses_[n].dangling) m_.wild_access(m_.address_of(word), "load");
    }
    blocked();
    accesses_[n].dangling = was_freed(word);
  }
  s.waiting.waits = false;
  perform_load(n, base);
  needs(accesses_[n].past);
  judge(n, "load");
  return result(n);
}

void Graph::fence(Fence f) {
  State& s = current();
  if (f == Fence::ish) {
    drain();
    s.load_floor = sets_.join(s.load_floor, s.all);
  }
  if (!armv8()) return;
  if (f == Fence::ishld) {
    drain_loads();
    s.load_floor = sets_.join(s.load_floor, s.newest_load);
  }
  if (f == Fence::ishst) {
    ++s.epoch;
    s.epochs.push_back(0);
  }
}

void Graph::isb() {
  State& s = current();
  if (armv8()) s.load_floor = sets_.join(s.load_floor, s.control);
}

void Graph::needs(View v) {
  State& s = current();
  s.host = sets_.join(s.host, v);
}

void Graph::branch(View v) {
  State& s = current();
  s.control = sets_.join(s.control, v);
}

std::uint64_t Graph::peek(std::uint32_t word) {
  if (!m_.inside_) return m_.words_[word].value;
  your_turn();
  State& s = current();
  if (m_.model_ == Model::sc) drain();
  const std::uint32_t n = add(word, sets_.join(s.control, s.host), false);
  accesses_[n].host = true;
  issue(n);
  if (!accesses_[n].performed) wait_performed(n);
  s.host = sets_.join(s.host, accesses_[n].past);
  return m_.nodes_[accesses_[n].node].result.value;
}

void Graph::host_step(std::uint32_t word, std::uint32_t freed) {
  if (!m_.inside_) return;
  your_turn();
  State& s = current();
  const std::uint32_t of = static_cast<std::uint32_t>(m_.count_) + word;
  View after = sets_.join(s.control, s.host);
  if (m_.model_ == Model::sc) {
    drain();
    after = sets_.join(after, s.all);
  }
  const std::uint32_t r = add(of, after, false), w = add(of, after, true);
  for (const std::uint32_t n : {r, w}) {
    accesses_[n].host = true;
    accesses_[n].pair = n == r ? w : r;
    accesses_[n].epoch = 0;
  }
  if (freed != 0) frees_.push_back({w, word, freed});
  static const Accept any = [](std::uint64_t) { return true; };
  wait_and_perform(r, any, true, false);
  if (!accesses_[w].performed) wait_performed(w);
  s.host = sets_.join(s.host, accesses_[w].past);
}

bool Graph::gives_back(std::uint32_t lock) {
  std::vector<std::uint32_t>& mine = current().locks;
  const auto at = std::find(mine.begin(), mine.end(), lock);
  if (at != mine.end()) {
    mine.erase(at);
    return true;
  }
  for (const State& s : cpus_)
    if (std::find(s.locks.begin(), s.locks.end(), lock) != s.locks.end())
      throw std::runtime_error(
          "the exhaustive engine does not follow a lock that one CPU takes and another gives back");
  return false;
}

void Graph::relax() {
  State& s = current();
  if (++s.turns > most_turns)
    m_.fail({Oracle::livelock, "it tries again more often than the exhaustive engine follows", 0, -1, most_turns, 0,
             ValueKind::number});
  s.relaxed = true;
  m_.reason = Leave::blocked;
  m_.runnable_ &= ~m_.cpu_bit_;
  m_.blocked_ |= m_.cpu_bit_;
  m_.leave(m_, m_.scheduler);
  s.relaxed = false;
}

std::uint32_t Graph::allocate(Region r) {
  const std::uint32_t start = m_.heap_at_checkpoint_.top;
  const auto room = (static_cast<std::uint32_t>(m_.count_) - start) / static_cast<std::uint32_t>(cpus_.size());
  std::uint32_t& top = current().top;
  if (top == 0) top = start + m_.number_ * room;
  if (top + r.words + 1 > start + (m_.number_ + 1) * room)
    throw std::runtime_error("the memory of a CPU does not suffice for the exhaustive engine");
  r.first = std::exchange(top, top + r.words + 1);  // a dead word between regions
  std::vector<Region>& all = m_.heap_.regions;
  all.insert(
      std::upper_bound(all.begin(), all.end(), r, [](const Region& a, const Region& b) { return a.first < b.first; }),
      r);
  m_.heap_reused_ = true;
  return r.first;
}

}  // namespace race::weak
