// The weak machine: a multi-copy atomic shared memory whose stores may commit late and whose loads may be early (stale).
//
// One OS thread simulates all CPUs. Every committed write gets the next time; a word keeps its newest value and, through the
// journal of writes, the older ones. A load reads a version that was current at or after its floor; a held store commits when
// its constraints allow. Semantics: the Flat and Promising-ARM models (Pulte et al., POPL 2018, PLDI 2019) without mixed-size
// accesses; the rule for each operation stands at its function. Loads are never late (no load buffering) and a
// read-modify-write is performed as a whole.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "memory/choice.hpp"
#include "memory/finding.hpp"
#include "memory/order.hpp"
#include "memory/site.hpp"
#include "memory/weak/trace.hpp"

namespace race::weak {

enum class Model : std::uint8_t {
  armv8,
  tso,  // stores commit in order, loads are never stale
  sc,   // neither held stores nor stale loads
};

using Time = std::uint32_t;  // number of committed writes in this execution; 0: before it began
constexpr unsigned max_cpus = 16;

// One word of shared memory. It is what a shared<T> occupies.
struct alignas(16) Word {
  std::uint64_t value;    // newest committed value
  Time newest;            // when that was committed
  std::uint32_t pending;  // newest held store to this word in the pool of held stores; 0: none
};

// A committed write; its index in the journal is its time. Undone from the end, the journal restores the memory.
struct Write {
  std::uint64_t old_value;
  std::uint32_t word;
  Time older;          // time of the write that it replaced
  std::uint32_t seen;  // CPUs that have read or made this write or a newer one: they may not read an older one
};

// A store that has been issued and not committed.
struct Held {
  std::uint64_t value;
  std::uint32_t word;
  std::uint32_t below;       // next older held store to the same word
  std::uint32_t next, prev;  // program order of the CPU
  std::uint32_t slot;        // position in Cpu::held
  std::uint32_t epoch;       // dmb ishst passed before it was issued
  Time address_view, data_view;
  std::uint32_t issue;  // trace event of its issue
  std::uint8_t cpu;
  bool release;
};

struct Cpu {
  // The views of Promising-ARM: all are lower bounds on when later accesses are performed.
  Time load_floor = 0;   // of later loads
  Time newest_load = 0;  // latest time of a load so far
  Time control = 0;      // of the loads that a branch or an address depended on: an isb makes it a floor
  Time release = 0;      // of the last committed release: an acquiring load is no earlier
  Time own = 0;          // of the last own write
  std::uint32_t epoch = 0;
  std::uint32_t oldest = 0, youngest = 0;  // held stores in program order
  std::uint32_t held_releases = 0;
  bool want_newest = false;     // a waiting loop read a stale value: its next load reads the newest
  bool read_stale = false;      // the last load did not read the newest value
  bool daemon = false;          // may wait for ever
  std::uint32_t waits_for = 0;  // word
  std::uint32_t bit = 0;        // 1 << its number
  const char* function = "";
  SiteId site = no_site;
  std::vector<std::uint32_t> held;  // in no order

  void reset(Time floor) {
    load_floor = floor;
    newest_load = control = release = own = 0;
    epoch = oldest = youngest = held_releases = waits_for = 0;
    want_newest = read_stale = daemon = false;
    function = "";
    site = no_site;
  }
};

// Why a CPU gave up the processor.
enum class Leave : std::uint8_t { preempted, waits, finished, failed };

// A run of words with a name: a slab object, an array.
struct Region {
  std::uint32_t first, words;
  const char* name;
  std::uint32_t serial;   // number among the regions of that name
  std::uint32_t element;  // words an element
};

class Machine {
 public:
  // A simulated address is base + 8 x word: the linear map of arm64 with 48-bit addresses.
  static constexpr std::uint64_t address_base = 0xffff800000000000;

  explicit Machine(Model model, std::uint32_t words = 1u << 20);

  // ---- the life of an execution
  void checkpoint();  // what is in memory now is how each execution begins
  void rewind();      // back to the checkpoint
  void begin(unsigned cpus, std::uint64_t step_limit);
  void begin_last_checks(unsigned cpu);  // a CPU that sees everything
  void commit_all();                     // everything held commits, program order, CPU by CPU
  bool anything_held() const { return held_count_ != 0; }
  void flush();  // nobody can run: a held store of the chooser's choice commits, or all where the order does
                 // not matter

  Chooser chooser;
  BarrierPlan plan;
  std::uint32_t judged = ~0u;  // a bit (1 << Oracle) for each that this run looks for
  Trace* trace = nullptr;      // where events go while an execution is traced

  // ---- CPUs and scheduling
  void (*leave)(Machine&, void* scheduler) = nullptr;  // switches to the scheduler; returns when the CPU runs again
  void* scheduler = nullptr;
  Leave reason = Leave::finished;
  unsigned wanted = 0;  // preempted: who runs next
  Fault fault{};
  void enter(unsigned cpu);
  void finish_cpu();
  void sleep_until_written(unsigned cpu, std::uint64_t address);  // a daemon that has not started yet
  std::uint32_t runnable() const { return runnable_; }
  std::uint32_t waiting() const { return waiting_; }
  Cpu& cpu(unsigned n) { return cpus_[n]; }
  const Cpu& cpu(unsigned n) const { return cpus_[n]; }
  std::uint64_t waits_for(unsigned n) const { return address_of(cpus_[n].waits_for); }
  unsigned current() const { return number_; }
  std::uint64_t accesses() const { return step_limit_ - fuel_; }
  std::uint32_t sync_accesses() const { return sync_accesses_; }
  Time now() const { return now_; }
  Model model() const { return model_; }

  // ---- what programs do. Addresses carry the view of the loads that made them (address dependency).
  struct Loaded {
    std::uint64_t value;
    Time view;
    std::uint32_t source;
  };
  // Sync: a synchronising access; preemptions are drawn apart for these.
  template <bool Sync>
  Loaded load(std::uint64_t address, Time address_view, Order order);
  template <bool Sync>
  void store(std::uint64_t address, Time address_view, Loaded data, Order order);
  template <class F>
  Loaded rmw(std::uint64_t address, Time address_view, Order order, F next);  // next(old, &value) -> does it write
  void fence(Fence f);
  void isb() { cpu_->load_floor = std::max(cpu_->load_floor, cpu_->control); }
  void branch(Time view) { cpu_->control = std::max(cpu_->control, view); }
  void handover(unsigned from);          // what CPU `from` stored so far is in memory, and seen by this CPU
  void yield();                          // others run first: cond_resched, cpu_relax
  void wait_for(std::uint64_t address);  // the value just loaded there would not do
  [[noreturn]] void fail(const Fault& f);

  // ---- outside of time
  std::uint64_t peek(std::uint64_t address) const;         // newest for this CPU
  std::uint64_t peek_issued(std::uint64_t address) const;  // as if every held store had committed
  void poke(std::uint64_t address, std::uint64_t value);
  std::uint64_t allocate(const char* name, std::uint32_t words, std::uint32_t elements);  // 0: out of memory
  void release(std::uint64_t address);
  void set_live(std::uint64_t address, std::uint32_t words, bool live);  // of words that were all one or the other
  const Region* region(std::uint64_t address) const;
  bool live(std::uint64_t address) const { return mapped(address) && live_[index(address)] != 0; }

 private:
  static std::uint32_t index(std::uint64_t address) {
    return static_cast<std::uint32_t>((address - address_base) >> 3);
  }
  bool mapped(std::uint64_t a) const { return (a - address_base) >> 3 < count_ && (a & 7) == 0; }
  std::uint32_t checked(std::uint64_t address, const char* what) {
    const std::uint64_t i = (address - address_base) >> 3;
    if (i >= count_ || live_[i] == 0 || (address & 7) != 0) [[unlikely]]
      bad_access(address, what);
    return static_cast<std::uint32_t>(i);
  }
  template <bool Sync>
  void step() {
    constexpr Choice kind = Sync ? Choice::preempt_sync : Choice::preempt;
    if (--fuel_ == 0) [[unlikely]]
      out_of_steps();
    if constexpr (Sync) ++sync_accesses_;
    if (others_runnable() && chooser.due(kind)) [[unlikely]]
      preempt(kind);
    if (held_count_ != 0 && chooser.due(Choice::commit)) [[unlikely]]
      commit_asked();
  }
  bool others_runnable() const { return (runnable_ & ~cpu_bit_) != 0; }
  void commit(std::uint32_t word, std::uint64_t value, Cpu& by) {
    Word& w = words_[word];
    if (++now_ == journal_size_) [[unlikely]]
      grow_journal();
    journal_[now_] = {w.value, word, w.newest, by.bit};
    w.value = value;
    w.newest = now_;
    by.own = now_;
    if ((watched_ >> (word & 63)) & 1) [[unlikely]]
      wake(word);
  }
  void grow_journal();
  bool may_commit(const Held& h) const;
  void hold(std::uint32_t word, Time address_view, Loaded data, bool release, std::uint32_t issue);
  void commit_held(std::uint32_t h);
  void drain(unsigned cpu);  // all of it
  void drain_through(unsigned cpu, std::uint32_t last);
  void drain_releases();
  void drain_for_rmw(std::uint32_t word, Order order);
  std::uint32_t own_held(std::uint32_t word) const;  // newest held store of this CPU to the word
  Loaded load_slow(std::uint32_t word, Time floor, Order order);
  void store_slow(std::uint32_t word, Time address_view, Loaded data, Order order, bool asked);
  void traced_rmw(std::uint32_t word, std::uint64_t old, bool wrote, Loaded& result);
  void preempt(Choice kind);
  void commit_asked();
  void commit_kth(std::uint32_t k);
  void wake(std::uint32_t word);
  void watch();
  [[noreturn]] void bad_access(std::uint64_t address, const char* what);
  [[noreturn]] void out_of_steps();
  std::uint64_t address_of(std::uint32_t word) const { return address_base + 8ull * word; }

  // hot
  Cpu* cpu_ = nullptr;
  unsigned number_ = 0;  // of cpu_
  std::uint64_t fuel_ = 0;
  std::uint32_t runnable_ = 0;
  std::uint32_t cpu_bit_ = 0;
  std::uint32_t held_count_ = 0;
  std::uint32_t slow_ = 0;  // not 0 while tracing: every access takes the slow path
  Time now_ = 0;
  std::uint32_t sync_accesses_ = 0;
  std::uint64_t watched_ = 0;  // a bit for each (word mod 64) that a CPU waits for
  Word* words_;                // these point into the vectors below
  std::uint8_t* live_;
  std::uint64_t count_;  // words
  Write* journal_;
  Time journal_size_;

  std::vector<Word> all_words_;
  std::vector<std::uint8_t> all_live_;
  std::vector<Write> all_writes_;
  std::uint64_t step_limit_ = 0;
  std::uint32_t waiting_ = 0;
  Model model_;
  std::vector<Cpu> cpus_;
  unsigned in_use_ = 0;  // of the CPUs, by the threads of this execution
  std::vector<Held> pool_;
  std::vector<std::uint32_t> free_held_;

  struct Heap {
    std::uint32_t top = 1;
    std::vector<Region> regions;          // by address
    std::vector<std::uint32_t> released;  // regions, oldest first
  };
  Heap heap_, heap_at_checkpoint_;
  bool heap_reused_ = false;
  struct LiveChange {
    std::uint32_t first, words;
    std::uint8_t old;
  };
  std::vector<LiveChange> live_changes_;
};

// LDR: any version current at or after the floor, no older than what this CPU knows of the word; a held store of this CPU is
// forwarded. LDAR: not before the last release committed; later loads are no earlier than it.
template <bool Sync>
inline Machine::Loaded Machine::load(std::uint64_t address, Time address_view, Order order) {
  step<Sync>();
  const std::uint32_t i = checked(address, "load");
  Cpu& c = *cpu_;
  Time floor = std::max(c.load_floor, address_view);
  c.control = std::max(c.control, address_view);
  const bool acquire = acquires(order);
  if (acquire) {
    if (c.held_releases != 0) drain_releases();
    floor = std::max(floor, c.release);
  }
  const Word& w = words_[i];
  if ((w.newest | w.pending | slow_) != 0) return load_slow(i, floor, order);
  c.newest_load = std::max(c.newest_load, floor);
  if (acquire) c.load_floor = std::max(c.load_floor, floor);
  c.read_stale = false;
  return {w.value, floor, 0};
}

// STR, STLR: issued here; committed now or later. A release commits after everything before it, a store behind a dmb ishst
// after the stores before that, and every store after the older ones to the same word.
template <bool Sync>
inline void Machine::store(std::uint64_t address, Time address_view, Loaded data, Order order) {
  step<Sync>();
  const std::uint32_t i = checked(address, "store");
  Cpu& c = *cpu_;
  c.control = std::max(c.control, address_view);
  const bool asked = chooser.due(Choice::delay);
  if (asked || (c.oldest | slow_) != 0) return store_slow(i, address_view, data, order, asked);
  commit(i, data.value, c);
  if (releases(order)) c.release = now_;
}

// LDXR/STXR loops and LSE atomics, performed as a whole on the newest value. With acquire and release later accesses come
// after the write.
template <class F>
Machine::Loaded Machine::rmw(std::uint64_t address, Time address_view, Order order, F next) {
  step<true>();
  const std::uint32_t i = checked(address, "atomic");
  Cpu& c = *cpu_;
  c.control = std::max(c.control, address_view);
  if (c.oldest != 0) drain_for_rmw(i, order);
  const bool acquire = acquires(order);
  Time floor = std::max(c.load_floor, address_view);
  if (acquire) floor = std::max(floor, c.release);
  Word& w = words_[i];
  Loaded result{w.value, std::max(floor, w.newest), 0};
  if (w.newest != 0) journal_[w.newest].seen |= cpu_bit_;
  c.newest_load = std::max(c.newest_load, result.view);
  c.read_stale = false;
  std::uint64_t value = 0;
  const bool writes = next(result.value, &value);
  if (writes) {
    commit(i, value, c);
    if (releases(order)) c.release = now_;
  }
  if (acquire) c.load_floor = std::max(c.load_floor, writes && releases(order) ? now_ : result.view);
  if (slow_ != 0) [[unlikely]]
    traced_rmw(i, result.value, writes, result);
  return result;
}

}  // namespace race::weak
