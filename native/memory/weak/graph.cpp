#include "memory/weak/graph.hpp"

#include <algorithm>
#include <stdexcept>

#include "memory/weak/types.hpp"

namespace race::weak {

void Graph::begin(Guide* guide, unsigned cpus, std::uint32_t width) {
  guide_ = guide;
  sets_.clear(width);
  if (words_.size() != m_.count_) words_.resize(m_.count_);
  ++run_;
  accesses_.resize(1);
  cpus_.resize(cpus);
  for (State& s : cpus_) {
    s.load_floor = s.newest_load = s.control = s.release = s.all = 0;
    s.issued = s.epoch = s.newest_performed = s.held_releases = 0;
    s.epochs.assign(1, 0);
    s.accesses.assign(1, 0);
    s.pending.clear();
    s.waiting = {};
    s.accept = nullptr;
  }
  order_.clear();
  may_split_ = false;
}

void Machine::graph_isb() { graph_->isb(); }
void Machine::graph_branch(Time view) { graph_->branch(view); }
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
  a.floor = sets_.join(s.load_floor, address);
  if (write)
    a.floor = sets_.join(a.floor, s.control);
  else if (!armv8())
    a.floor = m_.model_ == Model::sc ? s.all : sets_.join(a.floor, s.newest_load);
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
  const unsigned cpu = m_.number_;
  s.control = sets_.join(s.control, address);
  const auto [r, w] = add_atomic(word, address, order, a);
  accesses_[r].by_cpu = accesses_[w].by_cpu = true;
  const View floor = accesses_[r].floor;
  if (plain_if_not && armv8()) accesses_[r].floor = sets_.join(s.load_floor, address);
  std::vector<std::uint32_t> bases;
  std::uint32_t base = 0;
  s.accept = &accept;
  s.waiting = {true, accesses_[r].id, word, 0, true, false};
  for (;;) {
    s.waiting.slept = s.waiting.splits = false;
    if (guide_->turn(accesses_[r].id) == Guide::Turn::now) {
      bases.clear();
      const std::uint32_t own = own_before(accesses_[r]);
      if (own != 0) {
        const Access& o = accesses_[own];
        if (o.write && !m_.known_or(o.data).pending() && (!waits || accept(value(word, own)))) bases.push_back(own);
      } else {
        const std::uint32_t b = newest(word);
        if (accept(value(word, b)) && !reserved(word, cpu)) bases.push_back(b);
        if (!waits) {
          std::vector<std::uint32_t> all;
          readable(accesses_[r], all);
          for (const std::uint32_t v : all)
            if (!accept(value(word, v))) bases.push_back(v);
        }
      }
      s.waiting.splits = !bases.empty() && !may_split_ && !guide_->wants(accesses_[r].id) && splits(accesses_[r]);
      if (!bases.empty() && !s.waiting.splits && choose(r, bases, base)) break;
      s.waiting.slept = !bases.empty() && !s.waiting.splits;
    }
    s.waiting.own = own_order(accesses_[w]);
    m_.reason = Leave::blocked;
    m_.runnable_ &= ~m_.cpu_bit_;
    m_.blocked_ |= m_.cpu_bit_;
    m_.leave(m_, m_.scheduler);
  }
  s.waiting.waits = false;
  const bool writes = accept(value(word, base));
  s.waiting.own = own_order(accesses_[w]);
  if (writes) accesses_[r].floor = floor;
  if (!writes && plain_if_not) accesses_[r].acquire = false;
  if (!writes) {
    accesses_[w].performed = true;  // there is none
    s.held_releases -= accesses_[w].release ? 1 : 0;
  }
  perform_load(r, base);
  if (writes) {
    accesses_[w].by_cpu = false;
    issue(w);
    if (!armv8() || (accesses_[r].acquire && releases(order))) {
      if (!accesses_[w].performed) wait_performed(w);
      s.load_floor = sets_.join(s.load_floor, accesses_[w].past);
    }
  }
  return result(r);
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
  std::vector<std::uint32_t> bases;
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
    }
    m_.reason = Leave::blocked;
    m_.runnable_ &= ~m_.cpu_bit_;
    m_.blocked_ |= m_.cpu_bit_;
    m_.leave(m_, m_.scheduler);
  }
  s.waiting.waits = false;
  perform_load(n, base);
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

void Graph::branch(View v) {
  State& s = current();
  s.control = sets_.join(s.control, v);
}

// The newest value for this CPU, outside of the model.
std::uint64_t Graph::peek(std::uint32_t word) {
  if (m_.inside_) {
    const State& s = current();
    for (std::size_t k = s.pending.size(); k-- > 0;) {
      const Access& a = accesses_[s.pending[k]];
      if (a.word == word && a.write) return m_.resolve(a.data).value;
    }
  }
  return m_.words_[word].value;
}

// ---------------------------------------------------------------- what can be performed

std::uint64_t Graph::value(std::uint32_t word, std::uint32_t write) {
  if (write != 0) return m_.known_or(accesses_[write].data).value;
  const WordState& s = state(word);
  return s.first_write == 0 ? m_.words_[word].value : s.initial;
}

std::uint32_t Graph::own_before(const Access& a) const {
  const std::vector<std::uint32_t>& p = cpus_[a.cpu].pending;
  for (std::size_t k = p.size(); k-- > 0;) {
    const Access& o = accesses_[p[k]];
    if (o.word == a.word && o.id < a.id && p[k] != a.pair) return p[k];
  }
  return 0;
}

bool Graph::waits_for_others(std::uint32_t n) {
  const Access& a = accesses_[n];
  if (a.write) return a.pair == 0 && ready_alone(a);
  return a.pair != 0 && !splits(a);
}

// Would the store of an atomic stay pending when its load has been performed?
bool Graph::splits(const Access& load) {
  const Access& w = accesses_[load.pair];
  if (m_.known_or(w.operand).pending() || own_before(load) != 0) return true;
  for (const std::uint32_t n : cpus_[load.cpu].pending) {
    const Access& a = accesses_[n];
    if (a.id >= load.id) break;
    if (w.release || !armv8() || (a.write && a.epoch < w.epoch)) return true;
  }
  return false;
}

std::uint32_t Graph::reservation(std::uint32_t word, unsigned cpu) {
  for (unsigned c = 0; c < cpus_.size(); ++c) {
    if (c == cpu) continue;
    for (const std::uint32_t n : cpus_[c].pending) {
      const Access& a = accesses_[n];
      if (a.word == word && a.write && a.pair != 0 && accesses_[a.pair].performed &&
          accesses_[a.pair].base == state(word).newest)
        return a.pair;
    }
  }
  return 0;
}

// From the newest write back to the first that was overwritten before something that comes before the load, or that its CPU
// knows of.
void Graph::readable(const Access& a, std::vector<std::uint32_t>& bases) {
  for (std::uint32_t w = state(a.word).newest;; w = accesses_[w].base) {
    bases.push_back(w);
    if (w == 0) return;
    const Access& write = accesses_[w];
    if ((write.seen >> a.cpu & 1) != 0 || sets_.has(a.floor, write.at)) return;
  }
}

void Graph::bases_of_load(const Access& a, std::vector<std::uint32_t>& bases) {
  const std::uint32_t own = own_before(a);
  if (own != 0) {
    const Access& o = accesses_[own];
    if (!o.write || m_.known_or(o.data).pending()) return;
    if (a.acquire && o.pair != 0 && !accesses_[o.pair].performed) return;
    bases.push_back(own);
    return;
  }
  if (a.pair == 0) return readable(a, bases);
  if (!reserved(a.word, a.cpu)) bases.push_back(state(a.word).newest);
}

bool Graph::ready(const Access& w) { return ready_alone(w) && !reserved(w.word, w.cpu); }

// As far as its own CPU goes.
bool Graph::ready_alone(const Access& w) {
  if (m_.known_or(w.data).pending() || own_before(w) != 0) return false;
  if (w.pair != 0 && (!accesses_[w.pair].performed || accesses_[w.pair].base != state(w.word).newest)) return false;
  for (const std::uint32_t n : cpus_[w.cpu].pending) {
    const Access& a = accesses_[n];
    if (a.id >= w.id) break;
    if (w.release || !armv8() || (a.write && a.epoch < w.epoch)) return false;
  }
  return true;
}

bool Graph::choose(std::uint32_t n, const std::vector<std::uint32_t>& bases, std::uint32_t& chosen) {
  ids_.clear();
  for (const std::uint32_t b : bases) ids_.push_back(id(b));
  const std::uint32_t k = guide_->choose(accesses_[n].id, ids_);
  if (k == Guide::none) return false;
  chosen = bases[k];
  return true;
}

bool Graph::try_perform(std::uint32_t n) {
  std::uint32_t base = 0;
  bases_.clear();
  if (accesses_[n].write) {
    if (!ready(accesses_[n])) return false;
    bases_.push_back(state(accesses_[n].word).newest);
    if (!choose(n, bases_, base)) return false;
    perform_write(n);
    return true;
  }
  const Access& a = accesses_[n];
  if (a.pair != 0 && !may_split_ && !guide_->wants(a.id) && splits(a)) return false;
  bases_of_load(a, bases_);
  if (bases_.empty() || !choose(n, bases_, base)) return false;
  perform_load(n, base);
  return true;
}

bool Graph::perform_id(Id id) {
  const std::uint32_t n = index_of(id);
  return try_perform(n);
}

bool Graph::perform_own_before(Id id) {
  const std::uint32_t own = own_before(accesses_[index_of(id)]);
  return own != 0 && try_perform(own);
}

bool Graph::perform_any() {
  for (State& s : cpus_)
    for (const std::uint32_t n : s.pending)
      if (try_perform(n)) return true;
  return false;
}

bool Graph::anything_pending() const {
  return std::any_of(cpus_.begin(), cpus_.end(), [](const State& s) { return !s.pending.empty(); });
}

void Graph::wake(unsigned cpu) {
  const std::uint32_t bit = 1u << cpu;
  m_.runnable_ |= m_.blocked_ & bit;
  m_.blocked_ &= ~bit;
}

void Graph::wake_all() {
  m_.runnable_ |= m_.blocked_;
  m_.blocked_ = 0;
}

// ---------------------------------------------------------------- performing

// All that its CPU performed and issued before it.
View Graph::earlier(const Access& w, bool writes_only) {
  View v = 0;
  const State& s = cpus_[w.cpu];
  for (std::uint32_t k = 1; k < number_of(w.id); ++k) {
    const Access& a = accesses_[s.accesses[k]];
    if (s.accesses[k] == w.pair || (writes_only && (!a.write || a.epoch >= w.epoch))) continue;
    v = sets_.join(v, a.past);
  }
  return v;
}

// What the architecture orders before a write, whatever is read and in whatever order the words are written. Of an atomic:
// before the whole.
View Graph::own_order(const Access& w) {
  State& s = cpus_[w.cpu];
  View v = sets_.join(w.floor, w.pair != 0 ? m_.known_or(w.operand).view : m_.known_or(w.data).view);
  if (w.pair != 0) v = sets_.join(v, accesses_[w.pair].floor);
  if (w.release || !armv8()) {
    const bool all = s.newest_performed < number_of(w.id) && (w.pair == 0 || !accesses_[w.pair].performed);
    v = sets_.join(v, all ? s.all : w.before_known ? w.before : earlier(w, false));
  }
  if (w.epoch != 0) {
    View& epoch = s.epochs[w.epoch];
    if (epoch == 0) epoch = earlier(w, true);
    v = sets_.join(v, epoch);
  }
  // Its own accesses to the word.
  for (std::uint32_t b = state(w.word).newest;; b = accesses_[b].base) {
    for (std::uint32_t r = first_reader(w.word, b); r != 0; r = accesses_[r].next_reader)
      if (accesses_[r].cpu == w.cpu && accesses_[r].id < w.id && r != w.pair) v = sets_.join(v, accesses_[r].past);
    if (b == 0) break;
    if (accesses_[b].cpu != w.cpu) continue;
    v = sets_.join(v, accesses_[b].past);
    break;
  }
  return v;
}

// What comes before a load by the write that it reads. Its CPU's own write is read before others see it.
View Graph::source(const Access& reader, std::uint32_t base) {
  if (base == 0) return 0;
  const Access& w = accesses_[base];
  if (w.cpu != reader.cpu || m_.model_ == Model::sc) return w.past;
  View v = sets_.join(w.address, m_.known_or(w.data).view);
  if (reader.acquire && w.pair != 0) v = sets_.join(v, accesses_[w.pair].past);
  return v;
}

void Graph::perform_load(std::uint32_t n, std::uint32_t base) {
  Access& a = accesses_[n];
  State& s = cpus_[a.cpu];
  if (a.pair != 0) {
    Access& w = accesses_[a.pair];
    const bool earlier_pending = !s.pending.empty() && accesses_[s.pending.front()].id < a.id;
    w.before_known = s.newest_performed < number_of(a.id) && !earlier_pending;
    w.before = s.all;
  }
  a.base = base;
  a.at = static_cast<std::uint32_t>(order_.size());
  a.past = sets_.with(sets_.join(a.floor, source(a, base)), a.at);
  std::uint32_t& readers = base == 0 ? state(a.word).readers : accesses_[base].readers;
  a.next_reader = readers;
  readers = n;
  std::uint32_t newer = state(a.word).first_write;
  if (base != 0) {
    accesses_[base].seen |= 1u << a.cpu;
    newer = accesses_[base].newer;
  }
  if (newer != 0) sets_.order(a.past, accesses_[newer].at);
  if (!a.no_return) s.newest_load = sets_.join(s.newest_load, a.past);
  if (a.acquire) s.load_floor = sets_.join(s.load_floor, a.past);
  m_.nodes_[a.node].result = {value(a.word, base), a.past, 0};
  done(n);
}

void Graph::perform_write(std::uint32_t n) {
  Access& a = accesses_[n];
  State& s = cpus_[a.cpu];
  WordState& word = state(a.word);
  const Loaded data = m_.known_or(a.data);
  const std::uint32_t base = word.newest;
  a.own = own_order(a);
  View before = sets_.join(a.own, data.view);
  if (a.pair != 0) before = sets_.join(before, accesses_[a.pair].past);
  if (base != 0) before = sets_.join(before, accesses_[base].past);
  for (std::uint32_t r = first_reader(a.word, base); r != 0; r = accesses_[r].next_reader)
    before = sets_.join(before, accesses_[r].past);
  a.base = base;
  a.at = static_cast<std::uint32_t>(order_.size());
  a.past = sets_.with(before, a.at);
  a.seen |= 1u << a.cpu;
  if (base == 0) {
    word.initial = m_.words_[a.word].value;
    word.first_write = n;
  } else {
    accesses_[base].newer = n;
  }
  word.newest = n;
  m_.commit(a.word, data.value, m_.cpus_[a.cpu]);
  if (a.release) {
    s.release = sets_.join(s.release, a.past);
    --s.held_releases;
  }
  done(n);
  for (unsigned c = 0; c < cpus_.size(); ++c)
    if (cpus_[c].waiting.waits && cpus_[c].waiting.word == accesses_[n].word) wake(c);
}

void Graph::done(std::uint32_t n) {
  Access& a = accesses_[n];
  State& s = cpus_[a.cpu];
  a.performed = true;
  s.all = sets_.join(s.all, a.past);
  s.newest_performed = std::max(s.newest_performed, number_of(a.id));
  order_.push_back(n);
  if (!s.pending.empty()) std::erase(s.pending, n);
  wake(a.cpu);
  guide_->performed(n);
}

}  // namespace race::weak
