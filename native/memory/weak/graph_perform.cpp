// Which accesses of a graph can be performed, and what happens then.
#include <algorithm>

#include "memory/weak/graph.hpp"
#include "memory/weak/mistakes.hpp"

namespace race::weak {

// ---------------------------------------------------------------- what can be performed

std::uint64_t Graph::value(std::uint32_t word, std::uint32_t write) {
  if (ghost(word)) return 0;
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
  if (w.host) return false;
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
    if (w == 0 || makes(Mistake::newest_only)) return;
    const Access& write = accesses_[w];
    if (makes(Mistake::seen_too_wide) && write.readers != 0) return;
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
  if (w.host) return true;
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
  if (a.pair != 0 && ((!may_split_ && !guide_->wants(a.id)) || makes(Mistake::no_split)) && splits(a)) return false;
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

bool Graph::wake_relaxed() {
  for (unsigned c = 0; c < cpus_.size(); ++c)
    if (cpus_[c].relaxed) wake(c);
  return m_.runnable_ != 0;
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
  if (w.release || (!armv8() && !w.host)) {
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
    if (!a.host) accesses_[base].seen |= 1u << a.cpu;
    newer = accesses_[base].newer;
  }
  if (newer != 0) sets_.order(a.past, accesses_[newer].at);
  if (!a.no_return && !a.host) s.newest_load = sets_.join(s.newest_load, a.past);
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
  if (makes(Mistake::own_all)) a.own = sets_.join(a.own, s.all);
  if (makes(Mistake::own_reads) && a.pair != 0) a.own = sets_.join(a.own, accesses_[a.pair].past);
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
    word.initial = ghost(a.word) ? 0 : m_.words_[a.word].value;
    word.first_write = n;
  } else {
    accesses_[base].newer = n;
  }
  word.newest = n;
  if (!ghost(a.word)) m_.commit(a.word, data.value, m_.cpus_[a.cpu]);
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
  if (!a.host) s.all = sets_.join(s.all, a.past);
  s.newest_performed = std::max(s.newest_performed, number_of(a.id));
  order_.push_back(n);
  if (!s.pending.empty()) std::erase(s.pending, n);
  wake(a.cpu);
  guide_->performed(n);
}

}  // namespace race::weak
