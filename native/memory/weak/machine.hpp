// The weak machine: a multi-copy atomic shared memory whose stores may commit late, and whose loads may be early (stale) or
// late.
//
// One OS thread simulates all CPUs. Every committed write gets the next time; a word keeps its newest value and, through the
// journal of writes, the older ones. A load reads a version that was current at or after its floor; a held store commits, and
// a late load is performed, when its constraints allow. Semantics: the Flat and Promising-ARM models (Pulte et al., POPL 2018,
// PLDI 2019) without mixed-size accesses; docs/memory-model.md has them in one page, and the rule for each operation stands at
// its function.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "memory/choice.hpp"
#include "memory/finding.hpp"
#include "memory/order.hpp"
#include "memory/site.hpp"
#include "memory/weak/pending.hpp"
#include "memory/weak/rules.hpp"
#include "memory/weak/trace.hpp"

namespace race::weak {

enum class Model : std::uint8_t {
  armv8,
  tso,  // stores commit in order, loads are never stale
  sc,   // neither held stores nor stale loads
};

constexpr unsigned max_cpus = 16;

// One word of shared memory. It is what a shared<T> occupies.
struct alignas(16) Word {
  std::uint64_t value;    // newest committed value
  Time newest;            // when that was committed
  std::uint32_t pending;  // newest pending access to this word; 0: none
};

// A committed write; its index in the journal is its time. Undone from the end, the journal restores the memory.
struct Write {
  std::uint64_t old_value;
  std::uint32_t word;
  Time older;          // time of the write that it replaced
  std::uint32_t seen;  // CPUs that have read or made this write or a newer one: they may not read an older one
};

// Why a CPU gave up the processor.
enum class Leave : std::uint8_t {
  preempted,
  waits,    // for a word to be written
  blocked,  // searching: for a pending access of its own
  finished,
  failed,
  abandoned,  // the execution cannot be completed, or was seen before
};

// The execution cannot be completed; thrown where no CPU runs.
struct Abandoned : std::exception {};

class Hash;   // search.hpp
class Graph;  // graph.hpp

// Searching: something that can happen to a pending access next.
struct Transition {
  enum class Kind : std::uint8_t {
    perform,  // a store commits, a load reads its k-th newest version, an atomic is performed as a whole
    split,    // an atomic reads; its store is held
    forward,  // an acquiring load or atomic reads the CPU's own held store
  };
  std::uint32_t access;
  std::uint32_t version;
  Kind kind;
};

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
  bool anything_pending() const { return pending_count_ != 0; }
  // Nobody can run: a pending access of the chooser's choice is performed, or all where the order does not matter.
  void flush();
  // May loads be late in this execution?
  void late_loads(bool on) { slow_ = (slow_ & ~late_bit) | (on ? late_bit : 0u); }

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
  void enter(unsigned cpu) {
    cpu_ = &cpus_[cpu];
    number_ = cpu;
    cpu_bit_ = 1u << cpu;
    inside_ = true;
    if (trace != nullptr) [[unlikely]]
      trace_entry();
  }
  void outside() { inside_ = false; }  // the CPU has left; the scheduler runs
  void finish_cpu() {
    runnable_ &= ~cpu_bit_;
    reason = Leave::finished;
  }
  void sleep_until_written(unsigned cpu, std::uint64_t address);  // a daemon that has not started yet
  std::uint32_t runnable() const { return runnable_; }
  std::uint32_t waiting() const { return waiting_; }
  Cpu& cpu(unsigned n) { return cpus_[n]; }
  const Cpu& cpu(unsigned n) const { return cpus_[n]; }
  std::uint64_t waits_for(unsigned n) const { return address_of(cpus_[n].waits_for); }
  unsigned current() const { return number_; }
  unsigned cpus() const { return in_use_; }
  bool inside() const { return inside_; }  // does it run, or the scheduler?
  const Pending& pending(std::uint32_t n) const { return pool_[n]; }
  std::uint64_t accesses() const { return step_limit_ - fuel_; }
  std::uint32_t sync_accesses() const { return sync_accesses_; }
  Time now() const { return now_; }
  Model model() const { return model_; }

  // ---- what programs do. Addresses are known, and carry the view of the loads that made them (address dependency).
  // Sync: a synchronising access; preemptions are drawn apart for these.
  template <bool Sync>
  Loaded load(std::uint64_t address, Time address_view, Order order);
  template <bool Sync>
  void store(std::uint64_t address, Time address_view, Loaded data, Order order);
  // Atomics give the old value; next(old, operand) is the new one.
  struct Atomic {
    Function next;  // null: the operand itself
    Loaded operand;
    Loaded compare{};  // compare_exchange: what must be found
    bool compare_exchange = false;
    bool no_return = false;  // the result is thrown away: STADD, or the zero register. Then it is no acquire.
    // The result of a CAS that succeeds is found in two places, in its compare register and in memory: later loads are no
    // earlier than the earlier of the two, later stores come after its load (a pick dependency).
    bool picks = false;
  };
  Loaded atomic(std::uint64_t address, Time address_view, Order order, const Atomic& a);
  Loaded load_exclusive(std::uint64_t address, Time address_view, Order order);
  bool fail_exclusive();  // does STXR fail here, before its address is known? If not, store_exclusive comes next.
  bool store_exclusive(std::uint64_t address, Time address_view, Loaded data, Order order);  // did it succeed?
  void fence(Fence f);
  void isb() {
    if (graph_ != nullptr) [[unlikely]]
      return graph_isb();
    if (holds(Rule::isb_floor)) cpu_->load_floor = std::max(cpu_->load_floor, cpu_->control);
  }
  void branch(Time view) {
    if (graph_ != nullptr) [[unlikely]]
      return graph_branch(view);
    cpu_->control = std::max(cpu_->control, view);
  }
  Loaded combine(Function f, Loaded a, Loaded b, Join join = Join::later);  // f(a, b), now or when both are known
  // The view of what comes after both.
  Time later(Time a, Time b) {
    if (graph_ != nullptr) [[unlikely]]
      return graph_join(a, b);
    return std::max(a, b);
  }
  // A known value as programs compute with it: in a graph what it comes after must not be lost.
  Loaded tracked(Loaded x) {
    if (graph_ != nullptr) [[unlikely]]
      return graph_tracked(x);
    return x;
  }
  // Known: late loads that it needs are performed now.
  Loaded resolve(Loaded x) { return x.pending() ? resolve_now(x) : x; }
  void handover(unsigned from);  // what CPU `from` stored so far is in memory, and seen by this CPU
  void relax();                  // others may run first: cond_resched
  void spin();                   // others run first, and the next load reads the newest: a turn of a waiting loop
  // With a graph: a load that waits until its value will do.
  Loaded await(std::uint64_t address, Time address_view, Order order, const std::function<bool(std::uint64_t)>& accept);
  // With a graph: an atomic that does nothing unless the value that it finds is accepted; then it waits, or is a plain load.
  Loaded atomic_if(std::uint64_t address, Time address_view, Order order, const Atomic& a,
                   const std::function<bool(std::uint64_t)>& accept, bool waits);
  void wait_for(std::uint64_t address);  // the value just loaded there would not do
  [[noreturn]] void fail(const Fault& f);

  // ---- searching: no random delays; every access is pending until a transition performs it
  void search(bool on) { search_ = on; }
  // While there is a graph it performs every access; it lasts until it is taken away.
  void use(Graph* graph) {
    graph_ = graph;
    search_ = graph != nullptr;
    if (graph == nullptr) slow_ &= ~search_bit;
  }
  Graph* graph() const { return graph_; }
  void transitions(std::vector<Transition>& out);
  void perform(const Transition& t);
  bool complete() const {
    return runnable_ == 0 && blocked_ == 0 && waiting_ == 0 && pending_count_ == 0 && !guessing();
  }
  void forget_dead_loads(unsigned cpu, const std::vector<Loaded>& live);  // live: what the program may still use
  struct Relevant {  // which of its views the rest of a CPU's program can still tell apart
    bool load_floor, newest_load, own, control, release;
    bool operator==(const Relevant&) const = default;
  };
  void hash(unsigned cpu, const Relevant& r, Hash& h);
  void hash_memory(Hash& h) const;
  void hash_value(Loaded v, Hash& h);
  void abandon();  // this execution ends here
  bool abandoned() const { return abandoned_; }
  void give_up() { abandoned_ = true; }

  // ---- outside of time
  std::uint64_t peek(std::uint64_t address);  // newest for this CPU; late loads that it needs are performed
  std::uint64_t peek_issued(std::uint64_t address) const;  // as if every held store had committed; unknown values are 0
  void poke(std::uint64_t address, std::uint64_t value);
  // With a graph: see there.
  void host_step(std::uint64_t address);
  void took(std::uint64_t lock);
  bool gives_back(std::uint64_t lock);
  std::uint64_t allocate(const char* name, std::uint32_t words, std::uint32_t elements);  // 0: out of memory
  void release(std::uint64_t address);
  void set_live(std::uint64_t address, std::uint32_t words, bool live);  // of words that were all one or the other
  const Region* region(std::uint64_t address) const;
  bool live(std::uint64_t address) const { return mapped(address) && live_[index(address)] != 0; }

 private:
  friend class Graph;
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
    if (pending_count_ != 0 && chooser.due(Choice::commit)) [[unlikely]]
      commit_asked();
  }
  bool others_runnable() const { return (runnable_ & ~cpu_bit_) != 0; }
  void commit(std::uint32_t word, std::uint64_t value, Cpu& by) {
    Word& w = words_[word];
    if (w.pending != 0) [[unlikely]]
      yield_reservation(word, by);
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

  // pending accesses (pending.cpp)
  std::uint32_t add_pending(Cpu& c, Access access, std::uint32_t word);
  void remove_pending(std::uint32_t n);
  std::uint32_t own_pending(std::uint32_t word, unsigned cpu) const;  // newest of the CPU to the word
  std::uint32_t earliest(const Cpu& c) const;
  std::uint32_t blocker(std::uint32_t n);  // a pending access that must be performed before; 0: none
  void perform_through(std::uint32_t n);   // it, and before it what must come before it
  void perform_pending(std::uint32_t n);
  void perform_earliest(Cpu& c);  // which never has to wait for others of its CPU
  void commit_pending(std::uint32_t n);
  void perform_load(std::uint32_t n, std::uint32_t version);
  void perform_kth(std::uint32_t k);
  void perform_atomic(std::uint32_t n);
  void drain(unsigned cpu);  // all of it
  void drain_releases();
  void drain_loads();
  // A store of another CPU than `but` that must follow the newest write of the word.
  std::uint32_t reservation(std::uint32_t word, const Cpu& but) const;
  void yield_reservation(std::uint32_t word, const Cpu& by);
  // Access n was performed and stands for `write`: who waited to follow it?
  void followed(std::uint32_t n, Cpu& c, Time write, Time read);
  std::uint32_t new_node(std::uint32_t access);
  Loaded known_or(Loaded x) { return x.pending() ? known_now(x) : x; }  // known if it can be, else still pending
  Loaded known_now(Loaded x);
  Loaded resolve_now(Loaded x);
  Loaded joined(Join join, Function f, Loaded a, Loaded b);
  Loaded new_value(Function next, Loaded old, Loaded operand);  // of an atomic
  std::uint32_t unread(Loaded x);                               // a late access that x needs
  void node_known(std::uint32_t node, Loaded value, Cpu& c);
  void check_guesses(Cpu& c);
  bool guessing() const;

  // accesses (access.cpp)
  Time floor_of(const Cpu& c, Time address_view, bool after_releases) const {
    Time floor = std::max(c.load_floor, holds(Rule::address_dependency) ? address_view : 0);
    if (after_releases && holds(Rule::release_acquire)) floor = std::max(floor, c.release);
    return floor;
  }
  void loaded(Cpu& c, Time view, bool acquire) {
    c.newest_load = std::max(c.newest_load, view);
    if (acquire && holds(Rule::acquire_floor)) c.load_floor = std::max(c.load_floor, view);
  }
  std::uint32_t versions(std::uint32_t word, Time floor, const Cpu& c) const;
  Time version(std::uint32_t word, std::uint32_t k, std::uint64_t& value) const;
  Loaded load_slow(std::uint32_t word, Time address_view, Order order, bool exclusive);
  Loaded late_load(std::uint32_t word, Time floor, bool exclusive);
  Loaded forward(std::uint32_t from, Time floor, bool acquire, bool exclusive);
  void store_slow(std::uint32_t word, Time address_view, Loaded data, Order order, bool asked);
  std::uint32_t hold(std::uint32_t word, Time address_view, Loaded data, bool release, std::uint32_t issue);
  bool must_hold(std::uint32_t word, Loaded data, bool release);
  Loaded atomic_slow(std::uint32_t word, Time address_view, Order order, const Atomic& a, bool asked);
  Loaded late_atomic(std::uint32_t word, Time floor, Order order, const Atomic& a);
  void own_write(Cpu& c, std::uint32_t word, Time before);
  void commit_own(std::uint32_t word, std::uint64_t value, Cpu& c) {
    const Time before = words_[word].newest;
    commit(word, value, c);
    if ((slow_ & exclusive_bit) != 0) own_write(c, word, before);
  }
  bool exclusive_possible(const Monitor& m, std::uint32_t word) const;
  std::uint32_t write_half(std::uint32_t word, Loaded data, bool release, After after, std::uint32_t of,
                           Time address_view, Time read, bool asked, std::uint32_t issue);
  void committed(std::uint32_t issue) {  // trace
    if (trace != nullptr) [[unlikely]]
      trace_writer(issue);
  }
  void trace_writer(std::uint32_t issue);
  void trace_entry();  // the CPU runs
  void trace_value(const Pending& p);
  Event event(Event::Kind kind, std::uint32_t word) const;

  // with a graph (graph.cpp)
  void graph_isb();
  void graph_branch(Time view);
  Time graph_join(Time a, Time b);
  Loaded graph_tracked(Loaded x);
  void graph_needs(Time view);

  // searching (search.cpp)
  template <class F>
  void block_until(F ready) {
    while (!ready()) {
      reason = Leave::blocked;
      runnable_ &= ~cpu_bit_;
      blocked_ |= cpu_bit_;
      leave(*this, scheduler);
    }
  }
  std::uint32_t choose_here(Choice kind) {
    const std::uint32_t k = chooser.choose(kind, 2);
    if (abandoned_) abandon();
    return k;
  }
  Loaded load_search(std::uint32_t word, Time address_view, Order order, bool exclusive);
  void store_search(std::uint32_t word, Time address_view, Loaded data, Order order);
  Loaded atomic_search(std::uint32_t word, Time address_view, Order order, const Atomic& a);
  Loaded failing_compare(std::uint32_t word, Time address_view, const Atomic& a, bool acquire, bool whole);
  Loaded forwarded_atomic(std::uint32_t word, std::uint32_t from, Time address_view, Order order, const Atomic& a);
  Time read_of(std::uint32_t n);  // when the load of a pending store's atomic was performed; not_yet
  Loaded pending_atomic(std::uint32_t word, Time address_view, Order order, const Atomic& a, bool acquire, bool whole);
  void forward_pending(std::uint32_t n);
  void split_atomic(std::uint32_t n);
  void hold_back_atomic(std::uint32_t n, Loaded old, After after, std::uint32_t of);
  std::uint32_t own_below(std::uint32_t n) const;
  bool can_forward(std::uint32_t n);
  std::uint32_t guess(Cpu& c, Loaded is, bool expected);
  const std::vector<std::uint32_t>& in_order(const Cpu& c);
  void mark(Loaded v, std::vector<std::uint32_t>& needed);  // the late accesses that v needs
  std::uint32_t rank(std::uint32_t n) const;                // among the pending accesses of its CPU

  void preempt(Choice kind);
  void switch_to(std::uint32_t k);
  void commit_asked();
  std::uint32_t newest_write(std::uint32_t word, std::uint32_t cpus) const;
  void wake(std::uint32_t word);
  void watch();
  void bad_access(std::uint64_t address, const char* what);
  [[noreturn]] void wild_access(std::uint64_t address, const char* what);
  [[noreturn]] void out_of_steps();
  std::uint64_t address_of(std::uint32_t word) const { return address_base + 8ull * word; }

  // hot
  Cpu* cpu_ = nullptr;
  unsigned number_ = 0;  // of cpu_
  std::uint64_t fuel_ = 0;
  std::uint32_t runnable_ = 0;
  std::uint32_t cpu_bit_ = 0;
  std::uint32_t pending_count_ = 0;
  std::uint32_t slow_ = 0;  // not 0: every access takes the slow path
  Graph* graph_ = nullptr;
  static constexpr std::uint32_t trace_bit = 1, late_bit = 2, search_bit = 4, exclusive_bit = 8;  // LDXR was used
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
  bool inside_ = false;  // a CPU runs, not the scheduler
  bool abandoned_ = false;
  bool search_ = false;
  std::uint32_t blocked_ = 0;
  std::vector<Pending> pool_;
  std::vector<Detail> details_;  // beside pool_; of stores it is valid only if they are of an atomic
  std::vector<std::uint32_t> free_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> in_order_, needed_, to_know_;

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
// forwarded. LDAR: not before the last release committed; later accesses are no earlier than it. LDAPR: without the first.
template <bool Sync>
inline Loaded Machine::load(std::uint64_t address, Time address_view, Order order) {
  step<Sync>();
  const std::uint32_t i = checked(address, "load");
  Cpu& c = *cpu_;
  c.control = std::max(c.control, address_view);
  const Word& w = words_[i];
  const bool acquire = acquires(order);
  if ((w.newest | w.pending | slow_) != 0 || (acquire && c.held_releases != 0))
    return load_slow(i, address_view, order, false);
  const Time floor = floor_of(c, address_view, order == Order::acquire);
  loaded(c, floor, acquire);
  c.read_stale = false;
  return {w.value, floor, 0};
}

// STR, STLR: issued here; committed now or later. A release commits after everything before it, a store behind a dmb ishst
// after the stores before that, and every store after the older accesses to the same word.
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

}  // namespace race::weak
