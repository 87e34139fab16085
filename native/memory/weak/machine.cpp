#include "memory/weak/machine.hpp"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "memory/weak/types.hpp"

namespace race::weak {

constinit thread_local Machine* current = nullptr;

Machine::Machine(Model model, std::uint32_t words)
    : count_(words), all_words_(words), all_live_(words), model_(model), cpus_(max_cpus), pool_(1) {
  words_ = all_words_.data();
  live_ = all_live_.data();
  grow_journal();
  for (unsigned n = 0; n < max_cpus; ++n) cpus_[n].bit = 1u << n;
}

void Machine::grow_journal() {
  all_writes_.resize(std::max<std::size_t>(4096, 2 * all_writes_.size()));
  journal_ = all_writes_.data();
  journal_size_ = static_cast<Time>(all_writes_.size());
}

// ---------------------------------------------------------------- the life of an execution

void Machine::checkpoint() {
  commit_all();
  for (Time t = 1; t <= now_; ++t) words_[journal_[t].word].newest = 0;
  now_ = 0;
  heap_at_checkpoint_ = heap_;
  heap_reused_ = false;
  live_changes_.clear();
}

void Machine::rewind() {
  for (Time t = now_; t != 0; --t) {
    Word& w = words_[journal_[t].word];
    w.value = journal_[t].old_value;
    w.newest = 0;
  }
  now_ = 0;
  for (auto c = live_changes_.rbegin(); c != live_changes_.rend(); ++c) std::memset(&live_[c->first], c->old, c->words);
  live_changes_.clear();
  if (heap_reused_) {
    heap_ = heap_at_checkpoint_;
    heap_reused_ = false;
  } else {
    heap_.top = heap_at_checkpoint_.top;
    heap_.regions.resize(heap_at_checkpoint_.regions.size());
    heap_.released.resize(heap_at_checkpoint_.released.size());
  }
  if (held_count_ != 0) {
    for (std::uint32_t h = 1; h < pool_.size(); ++h) words_[pool_[h].word].pending = 0;
    for (Cpu& c : cpus_) c.held.clear();
    held_count_ = 0;
  }
  pool_.resize(1);
  free_held_.clear();
}

void Machine::begin(unsigned cpus, std::uint64_t step_limit) {
  for (unsigned n = 0; n < cpus; ++n) cpus_[n].reset(0);
  in_use_ = cpus;
  runnable_ = (1u << cpus) - 1;
  waiting_ = 0;
  watched_ = 0;
  sync_accesses_ = 0;
  fuel_ = step_limit_ = step_limit;
  slow_ = trace != nullptr ? 1 : 0;
  reason = Leave::finished;
}

void Machine::begin_last_checks(unsigned n) {
  cpus_[n].reset(now_);
  runnable_ = 1u << n;
}

void Machine::enter(unsigned n) {
  cpu_ = &cpus_[n];
  number_ = n;
  cpu_bit_ = 1u << n;
  if (trace != nullptr && trace->events.back().kind != Event::Kind::runs)
    trace->add(
        {Event::Kind::runs, static_cast<std::uint8_t>(n), no_site, "", 0, 0, 0, now_, 0, 0, false, false, false});
}

void Machine::finish_cpu() {
  runnable_ &= ~cpu_bit_;
  reason = Leave::finished;
}

void Machine::sleep_until_written(unsigned n, std::uint64_t address) {
  cpus_[n].daemon = true;
  cpus_[n].waits_for = index(address);
  runnable_ &= ~(1u << n);
  waiting_ |= 1u << n;
  watch();
}

// ---------------------------------------------------------------- held stores

bool Machine::may_commit(const Held& h) const {
  const Cpu& c = cpus_[h.cpu];
  const Held& oldest = pool_[c.oldest];
  if (&oldest == &h) return true;
  if (model_ == Model::tso || h.release || oldest.epoch != h.epoch) return false;
  for (std::uint32_t b = h.below; b != 0; b = pool_[b].below)
    if (pool_[b].cpu == h.cpu) return false;
  return true;
}

void Machine::hold(std::uint32_t word, Time address_view, Loaded data, bool release, std::uint32_t issue) {
  std::uint32_t h;
  if (free_held_.empty()) {
    h = static_cast<std::uint32_t>(pool_.size());
    pool_.emplace_back();
  } else {
    h = free_held_.back();
    free_held_.pop_back();
  }
  Cpu& c = *cpu_;
  pool_[h] = {data.value,
              word,
              words_[word].pending,
              0,
              c.youngest,
              static_cast<std::uint32_t>(c.held.size()),
              c.epoch,
              address_view,
              data.view,
              issue,
              static_cast<std::uint8_t>(current()),
              release};
  words_[word].pending = h;
  (c.youngest != 0 ? pool_[c.youngest].next : c.oldest) = h;
  c.youngest = h;
  c.held.push_back(h);
  c.held_releases += release ? 1 : 0;
  ++held_count_;
}

void Machine::commit_held(std::uint32_t n) {
  const Held h = pool_[n];
  Cpu& c = cpus_[h.cpu];
  (h.prev != 0 ? pool_[h.prev].next : c.oldest) = h.next;
  (h.next != 0 ? pool_[h.next].prev : c.youngest) = h.prev;
  std::uint32_t* link = &words_[h.word].pending;
  while (*link != n) link = &pool_[*link].below;
  *link = h.below;
  c.held[h.slot] = c.held.back();
  pool_[c.held[h.slot]].slot = h.slot;
  c.held.pop_back();
  c.held_releases -= h.release ? 1 : 0;
  --held_count_;
  free_held_.push_back(n);
  commit(h.word, h.value, c);
  if (h.release) c.release = now_;
  if (trace != nullptr) {
    const Event& store = trace->events[h.issue];
    trace->add({Event::Kind::commit, h.cpu, store.site, store.function, address_of(h.word), h.value, 0, now_, h.issue,
                0, false, true, false});
    trace->writer.resize(now_ + 1);
    trace->writer[now_] = h.issue;
  }
}

void Machine::drain(unsigned n) {
  while (cpus_[n].oldest != 0) commit_held(cpus_[n].oldest);
}

void Machine::drain_through(unsigned n, std::uint32_t last) {
  while (cpus_[n].oldest != last) commit_held(cpus_[n].oldest);
  commit_held(last);
}

void Machine::drain_releases() {
  while (cpu_->held_releases != 0) commit_held(cpu_->oldest);
}

// What must have committed before a read-modify-write that is performed now: older stores to its word, those before a dmb
// ishst, all if it is a release, and releases before an acquire (LDAXR after STLR).
void Machine::drain_for_rmw(std::uint32_t word, Order order) {
  Cpu& c = *cpu_;
  if (model_ == Model::tso || releases(order)) return drain(current());
  if (acquires(order)) drain_releases();
  if (const std::uint32_t own = own_held(word)) drain_through(current(), own);
  while (c.oldest != 0 && pool_[c.oldest].epoch != c.epoch) commit_held(c.oldest);
}

std::uint32_t Machine::own_held(std::uint32_t word) const {
  std::uint32_t h = words_[word].pending;
  while (h != 0 && pool_[h].cpu != current()) h = pool_[h].below;
  return h;
}

void Machine::commit_all() {
  for (unsigned n = 0; n < max_cpus; ++n) drain(n);
}

void Machine::flush() {
  unsigned holders = 0, last = 0;
  for (unsigned n = 0; n < in_use_; ++n)
    if (cpus_[n].oldest != 0) {
      ++holders;
      last = n;
    }
  if (waiting_ == 0 && holders == 1) return drain(last);
  commit_kth(chooser.choose(Choice::flush, held_count_));
}

void Machine::commit_asked() {
  if (const std::uint32_t k = chooser.ask(Choice::commit, held_count_ + 1)) commit_kth(k - 1);
}

// The k-th held store, counted CPU by CPU; or, if that has to wait for others, the oldest of its CPU.
void Machine::commit_kth(std::uint32_t k) {
  Cpu* c = cpus_.data();
  for (; k >= c->held.size(); ++c) k -= static_cast<std::uint32_t>(c->held.size());
  commit_held(may_commit(pool_[c->held[k]]) ? c->held[k] : c->oldest);
}

// ---------------------------------------------------------------- accesses

Machine::Loaded Machine::load_slow(std::uint32_t i, Time floor, Order order) {
  Cpu& c = *cpu_;
  Word& w = words_[i];
  Loaded result{w.value, floor, 0};
  Time read = w.newest;
  c.read_stale = false;
  const std::uint32_t own = w.pending != 0 ? own_held(i) : 0;
  if (own != 0) {
    const Held& h = pool_[own];
    result.value = h.value;
    result.view = std::max({floor, h.address_view, h.data_view});
  } else {
    const std::uint32_t me = cpu_bit_;
    if (model_ == Model::armv8 && !c.want_newest && read > floor && (journal_[read].seen & me) == 0) {
      std::uint32_t versions = 1;
      for (Time t = read; t > floor && (journal_[t].seen & me) == 0; t = journal_[t].older) ++versions;
      for (std::uint32_t k = chooser.choose(Choice::stale, versions); k != 0; --k) {
        result.value = journal_[read].old_value;
        read = journal_[read].older;
        c.read_stale = true;
      }
    }
    if (read != 0) journal_[read].seen |= me;
    result.view = std::max(floor, read);
    c.want_newest = false;
  }
  c.newest_load = std::max(c.newest_load, result.view);
  if (acquires(order)) c.load_floor = std::max(c.load_floor, result.view);
  if (trace != nullptr)
    result.source = trace->add({Event::Kind::load, static_cast<std::uint8_t>(current()), c.site, c.function,
                                address_of(i), result.value, w.value, now_, own != 0 ? pool_[own].issue : 0,
                                own != 0 ? 0 : read, c.read_stale, false, own != 0});
  return result;
}

void Machine::store_slow(std::uint32_t i, Time address_view, Loaded data, Order order, bool asked) {
  const bool release = releases(order);
  bool held = asked && model_ != Model::sc && chooser.ask(Choice::delay, 2) != 0;
  if (cpu_->oldest != 0 && !held) {
    const Held& oldest = pool_[cpu_->oldest];
    held =
        model_ == Model::tso || release || oldest.epoch != cpu_->epoch || (words_[i].pending != 0 && own_held(i) != 0);
  }
  std::uint32_t issue = 0;
  if (trace != nullptr)
    issue = trace->add({Event::Kind::store, static_cast<std::uint8_t>(current()), cpu_->site, cpu_->function,
                        address_of(i), data.value, 0, now_, data.source, 0, false, held, false});
  if (held) return hold(i, address_view, data, release, issue);
  commit(i, data.value, *cpu_);
  if (release) cpu_->release = now_;
  if (trace != nullptr) {
    trace->writer.resize(now_ + 1);
    trace->writer[now_] = issue;
  }
}

void Machine::traced_rmw(std::uint32_t i, std::uint64_t old, bool wrote, Loaded& result) {
  result.source = trace->add({Event::Kind::rmw, static_cast<std::uint8_t>(current()), cpu_->site, cpu_->function,
                              address_of(i), words_[i].value, old, now_, 0, words_[i].newest, false, false, false});
  if (wrote) {
    trace->writer.resize(now_ + 1);
    trace->writer[now_] = result.source;
  }
}

// DMB ISH: everything before it is done, and later loads are no earlier. ISHLD: later accesses are no earlier than the loads
// before it. ISHST: later stores commit after the stores before it.
void Machine::fence(Fence f) {
  step<true>();
  Cpu& c = *cpu_;
  switch (f) {
    case Fence::ish:
      drain(current());
      c.load_floor = std::max({c.load_floor, c.newest_load, c.own});
      break;
    case Fence::ishld: c.load_floor = std::max(c.load_floor, c.newest_load); break;
    case Fence::ishst:
      if (c.oldest != 0) ++c.epoch;
      break;
  }
  if (trace != nullptr)
    trace->add({Event::Kind::fence, static_cast<std::uint8_t>(current()), c.site, c.function, 0,
                static_cast<std::uint64_t>(f), 0, now_, 0, 0, false, false, false});
}

void Machine::handover(unsigned from) {
  drain(from);
  if (from != current()) cpu_->load_floor = std::max(cpu_->load_floor, now_);
}

void Machine::wait_for(std::uint64_t address) {
  if (cpu_->read_stale) {
    cpu_->want_newest = true;
    return;
  }
  cpu_->waits_for = index(address);
  runnable_ &= ~cpu_bit_;
  waiting_ |= cpu_bit_;
  watch();
  reason = Leave::waits;
  if (trace != nullptr)
    trace->add({Event::Kind::waits, static_cast<std::uint8_t>(current()), cpu_->site, cpu_->function, address, 0, 0,
                now_, 0, 0, false, false, false});
  leave(*this, scheduler);
}

void Machine::yield() {
  while (!others_runnable() && held_count_ != 0) flush();
  std::uint32_t others = runnable_ & ~cpu_bit_;
  if (others == 0) return;
  const auto n = static_cast<std::uint32_t>(std::popcount(others));
  for (std::uint32_t k = n == 1 ? 0 : chooser.choose(Choice::schedule, n); k != 0; --k) others &= others - 1;
  wanted = static_cast<unsigned>(std::countr_zero(others));
  reason = Leave::preempted;
  leave(*this, scheduler);
}

void Machine::watch() {
  watched_ = 0;
  for (std::uint32_t m = waiting_; m != 0; m &= m - 1) watched_ |= 1ull << (cpus_[std::countr_zero(m)].waits_for & 63);
}

void Machine::wake(std::uint32_t word) {
  for (std::uint32_t m = waiting_; m != 0; m &= m - 1) {
    const auto n = static_cast<unsigned>(std::countr_zero(m));
    if (cpus_[n].waits_for != word) continue;
    waiting_ &= ~(1u << n);
    runnable_ |= 1u << n;
  }
  watch();
}

void Machine::preempt(Choice kind) {
  std::uint32_t others = runnable_ & ~cpu_bit_;
  std::uint32_t k = chooser.ask(kind, 1 + static_cast<std::uint32_t>(std::popcount(others)));
  if (k == 0) return;
  while (--k != 0) others &= others - 1;
  wanted = static_cast<unsigned>(std::countr_zero(others));
  reason = Leave::preempted;
  leave(*this, scheduler);
}

void Machine::fail(const Fault& f) {
  fault = f;
  reason = Leave::failed;
  if (trace != nullptr)
    trace->add({Event::Kind::fault, static_cast<std::uint8_t>(current()), cpu_->site, cpu_->function, f.where, f.value,
                0, now_, 0, 0, false, false, false});
  leave(*this, scheduler);
  std::abort();  // a failed execution is never resumed
}

void Machine::bad_access(std::uint64_t address, const char* what) {
  const bool known = mapped(address);
  fail({Oracle::oops,
        !known ? (what[0] == 'l'   ? "load outside of memory"
                  : what[0] == 's' ? "store outside of memory"
                                   : "atomic outside of memory")
               : (what[0] == 'l'   ? "load from freed memory"
                  : what[0] == 's' ? "store to freed memory"
                                   : "atomic on freed memory"),
        0, -1, address, known ? address : 0, ValueKind::address});
}

void Machine::out_of_steps() {
  fuel_ = 1;
  fail({Oracle::livelock, "the execution did not end within its step limit", 0, -1, step_limit_, 0, ValueKind::number});
}

// ---------------------------------------------------------------- outside of time

std::uint64_t Machine::peek(std::uint64_t address) const {
  if (!mapped(address)) return 0;
  const std::uint32_t i = index(address);
  const std::uint32_t own = words_[i].pending != 0 && cpu_ != nullptr ? own_held(i) : 0;
  return own != 0 ? pool_[own].value : words_[i].value;
}

std::uint64_t Machine::peek_issued(std::uint64_t address) const {
  if (!mapped(address)) return 0;
  const Word& w = words_[index(address)];
  return w.pending != 0 ? pool_[w.pending].value : w.value;
}

void Machine::poke(std::uint64_t address, std::uint64_t value) {
  if (!mapped(address)) throw std::out_of_range("poke outside of memory");
  const std::uint32_t i = index(address);
  // This CPU's older stores to the word come first, as for any store of its own.
  if (words_[i].pending != 0)
    if (const std::uint32_t held = own_held(i)) drain_through(current(), held);
  const Time own = cpus_[0].own;
  commit(i, value, cpus_[0]);
  cpus_[0].own = own;
  journal_[now_].seen = ~0u;
  if (trace != nullptr) trace->writer.resize(now_ + 1);
}

std::uint64_t Machine::allocate(const char* name, std::uint32_t words, std::uint32_t elements) {
  if (words == 0 || elements == 0) throw std::invalid_argument("allocation of nothing");
  std::uint32_t serial = 0;
  for (auto r = heap_.regions.rbegin(); r != heap_.regions.rend(); ++r)
    if (std::strcmp(r->name, name) == 0) {
      serial = r->serial + 1;
      break;
    }
  std::uint32_t first;
  if (count_ - heap_.top > words) {
    first = heap_.top;
    heap_.top += words + 1;  // a dead word between regions: running over an end is an oops
    heap_.regions.push_back({first, words, name, serial, words / elements});
  } else {
    // Memory is short: only now take back the region of this size that was released first.
    const auto old = std::find_if(heap_.released.begin(), heap_.released.end(),
                                  [&](std::uint32_t r) { return heap_.regions[r].words == words; });
    if (old == heap_.released.end()) return 0;
    heap_reused_ = true;
    commit_all();  // nothing that was stored to it before may arrive later
    Region& r = heap_.regions[*old];
    heap_.released.erase(old);
    first = r.first;
    r = {first, words, name, serial, words / elements};
    for (std::uint32_t i = 0; i < words; ++i) poke(address_of(first + i), 0);
  }
  live_changes_.push_back({first, words, 0});
  std::memset(&live_[first], 1, words);
  return address_of(first);
}

void Machine::release(std::uint64_t address) {
  const Region* r = region(address);
  if (r == nullptr || address != address_of(r->first) || !live(address))
    fail({Oracle::oops, "release of memory that is not allocated", 0, -1, address, mapped(address) ? address : 0,
          ValueKind::address});
  live_changes_.push_back({r->first, r->words, 1});
  std::memset(&live_[r->first], 0, r->words);
  heap_.released.push_back(static_cast<std::uint32_t>(r - heap_.regions.data()));
}

// An access is judged where it is issued: a store that was held while its word was live commits whatever happens to the word.
void Machine::set_live(std::uint64_t address, std::uint32_t words, bool live) {
  const std::uint32_t first = index(address);
  live_changes_.push_back({first, words, live_[first]});
  std::memset(&live_[first], live ? 1 : 0, words);
}

const Region* Machine::region(std::uint64_t address) const {
  if (!mapped(address)) return nullptr;
  const std::uint32_t i = index(address);
  auto r = std::upper_bound(heap_.regions.begin(), heap_.regions.end(), i,
                            [](std::uint32_t word, const Region& x) { return word < x.first; });
  if (r == heap_.regions.begin()) return nullptr;
  --r;
  return i < r->first + r->words ? &*r : nullptr;
}

}  // namespace race::weak
