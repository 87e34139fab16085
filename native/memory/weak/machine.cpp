#include "memory/weak/machine.hpp"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "memory/weak/graph.hpp"
#include "memory/weak/types.hpp"

namespace race::weak {

constinit thread_local Machine* current = nullptr;

Machine::Machine(Model model, std::uint32_t words)
    : count_(words),
      all_words_(words),
      all_live_(words),
      model_(model),
      cpus_(max_cpus),
      pool_(1),
      details_(1),
      nodes_(1) {
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
  if (pending_count_ != 0) {
    for (std::uint32_t n = 1; n < pool_.size(); ++n) words_[pool_[n].word].pending = nothing;
    for (Cpu& c : cpus_) c.pending.clear();
    pending_count_ = 0;
  }
  pool_.resize(1);
  details_.resize(1);
  nodes_.resize(1);
  free_.clear();
}

void Machine::begin(unsigned cpus, std::uint64_t step_limit) {
  for (unsigned n = 0; n < cpus; ++n) cpus_[n].reset(0);
  in_use_ = cpus;
  runnable_ = (1u << cpus) - 1;
  waiting_ = blocked_ = 0;
  abandoned_ = inside_ = false;
  watched_ = 0;
  sync_accesses_ = 0;
  fuel_ = step_limit_ = step_limit;
  slow_ = (trace != nullptr ? trace_bit : 0u) | (search_ ? search_bit : 0u);
  reason = Leave::finished;
}

void Machine::begin_last_checks(unsigned n) {
  cpus_[n].reset(now_);
  slow_ &= ~late_bit;
  runnable_ = 1u << n;
}

void Machine::trace_entry() {
  if (trace->events.back().kind == Event::Kind::runs) return;
  trace->add(
      {Event::Kind::runs, static_cast<std::uint8_t>(number_), no_site, "", 0, 0, 0, now_, 0, 0, false, false, false});
}

void Machine::sleep_until_written(unsigned n, std::uint64_t address) {
  cpus_[n].daemon = true;
  cpus_[n].waits_for = index(address);
  runnable_ &= ~(1u << n);
  waiting_ |= 1u << n;
  watch();
}

void Machine::handover(unsigned from) {
  if (graph_ != nullptr)
    throw std::runtime_error(
        "a page frame is used a second time, which the exhaustive engine does not order: give the "
        "pool more frames");
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

void Machine::relax() {
  if (graph_ != nullptr) return graph_->relax();
  if (search_) return;
  while (!others_runnable() && pending_count_ != 0) flush();
  const std::uint32_t others = runnable_ & ~cpu_bit_;
  if (others == 0) return;
  const auto n = static_cast<std::uint32_t>(std::popcount(others));
  // The last answer is to go on: answer 0 must end a loop that waits.
  if (const std::uint32_t k = chooser.choose(Choice::schedule, n + 1); k != n) switch_to(k);
}

void Machine::spin() {
  if (search_) return;
  cpu_->want_newest = true;
  while (!others_runnable() && pending_count_ != 0) flush();
  const auto n = static_cast<std::uint32_t>(std::popcount(runnable_ & ~cpu_bit_));
  if (n != 0) switch_to(n == 1 ? 0 : chooser.choose(Choice::schedule, n));
}

// The k-th other CPU that can run goes on.
void Machine::switch_to(std::uint32_t k) {
  std::uint32_t others = runnable_ & ~cpu_bit_;
  for (; k != 0; --k) others &= others - 1;
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
  const std::uint32_t others = runnable_ & ~cpu_bit_;
  if (const std::uint32_t k = chooser.ask(kind, 1 + static_cast<std::uint32_t>(std::popcount(others))))
    switch_to(k - 1);
}

void Machine::abandon() {
  abandoned_ = true;
  if (inside_) {
    reason = Leave::abandoned;
    leave(*this, scheduler);
    std::abort();  // it is never resumed
  }
  if (!search_) throw Abandoned{};
}

void Machine::fail(const Fault& f) {
  fault = f;
  reason = Leave::failed;
  if (trace != nullptr)
    for (const Cpu& c : cpus_)
      for (const std::uint32_t n : c.pending) trace_value(pool_[n]);
  if (trace != nullptr)
    trace->add({Event::Kind::fault, static_cast<std::uint8_t>(current()), cpu_->site, cpu_->function, f.where, f.value,
                0, now_, 0, 0, false, false, false});
  leave(*this, scheduler);
  std::abort();  // a failed execution is never resumed
}

void Machine::bad_access(std::uint64_t address, const char* what) {
  const bool known = mapped(address);
  if (graph_ != nullptr && known && graph_->was_freed(index(address))) return;  // judged once it is performed
  wild_access(address, what);
}

void Machine::wild_access(std::uint64_t address, const char* what) {
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

std::uint64_t Machine::peek(std::uint64_t address) {
  if (!mapped(address)) return 0;
  const std::uint32_t i = index(address);
  if (graph_ != nullptr) return graph_->peek(i);
  for (;;) {
    const std::uint32_t own = words_[i].pending != nothing && cpu_ != nullptr ? newest_write(i, cpu_->bit) : nothing;
    if (own == nothing) return words_[i].value;
    if (pool_[own].access == Access::store) return resolve(pool_[own].data).value;
    perform_through(own);
  }
}

std::uint64_t Machine::peek_issued(std::uint64_t address) const {
  if (!mapped(address)) return 0;
  const std::uint32_t i = index(address);
  const std::uint32_t held = words_[i].pending != nothing ? newest_write(i, ~0u) : nothing;
  if (held == nothing) return words_[i].value;
  const Loaded& data = pool_[held].data;
  return data.pending() ? nodes_[data.source].result.value : data.value;
}

// The newest held store or late atomic of these CPUs to the word.
std::uint32_t Machine::newest_write(std::uint32_t word, std::uint32_t cpus) const {
  std::uint32_t n = words_[word].pending;
  while (n != nothing && ((cpus_[pool_[n].cpu].bit & cpus) == 0 || pool_[n].access == Access::load)) n = pool_[n].below;
  return n;
}

void Machine::poke(std::uint64_t address, std::uint64_t value) {
  if (!mapped(address)) throw std::out_of_range("poke outside of memory");
  const std::uint32_t i = index(address);
  // This CPU's older stores to the word come first, as for any store of its own.
  if (words_[i].pending != nothing)
    if (const std::uint32_t own = own_pending(i, number_)) perform_through(own);
  const Time own = cpus_[0].own;
  commit(i, value, cpus_[0]);
  cpus_[0].own = own;
  journal_[now_].seen = ~0u;
  if (trace != nullptr) trace->writer.resize(now_ + 1);
}

void Machine::host_step(std::uint64_t address) {
  if (graph_ != nullptr) graph_->host_step(index(address));
}
void Machine::took(std::uint64_t lock) { graph_->took(index(lock)); }
bool Machine::gives_back(std::uint64_t lock) { return graph_->gives_back(index(lock)); }

std::uint64_t Machine::allocate(const char* name, std::uint32_t words, std::uint32_t elements) {
  if (words == 0 || elements == 0) throw std::invalid_argument("allocation of nothing");
  std::uint32_t serial = 0;
  for (auto r = heap_.regions.rbegin(); r != heap_.regions.rend(); ++r)
    if (std::strcmp(r->name, name) == 0) {
      serial = r->serial + 1;
      break;
    }
  std::uint32_t first;
  if (graph_ != nullptr) {
    first = graph_->allocate({0, words, name, serial, words / elements});
  } else if (count_ - heap_.top > words) {
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
  const Region freed = *r;
  if (graph_ != nullptr) graph_->host_step(freed.first, freed.words);
  if (!live(address)) return release(address);  // by another CPU, meanwhile
  live_changes_.push_back({freed.first, freed.words, 1});
  std::memset(&live_[freed.first], 0, freed.words);
  if (graph_ == nullptr) heap_.released.push_back(static_cast<std::uint32_t>(r - heap_.regions.data()));
}

// An access is judged where it is issued: a store that was held while its word was live commits whatever happens to the word.
void Machine::set_live(std::uint64_t address, std::uint32_t words, bool live) {
  const std::uint32_t first = index(address);
  if (graph_ != nullptr && !live) graph_->host_step(first, words);
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
