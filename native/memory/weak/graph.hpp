// The machine while every execution of a program is explored (docs/exhaustive.md). Its order of accesses is partial: an access
// comes after what the architecture orders before it, after the write that it reads or follows, and before the write that
// overwrites what it read. A load may read any write that none of this forbids. The rules are those of access.cpp, with a set
// of accesses in the place of each time.
//
// An access is performed when it is issued, unless the guide wants others first: then it is pending.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "memory/order.hpp"
#include "memory/weak/machine.hpp"
#include "memory/weak/sets.hpp"

namespace race::weak {

// An access by its CPU and its number there, the same in every execution that has it. 0: what memory held at the beginning.
using Id = std::uint32_t;
constexpr Id initially = 0;
constexpr Id make_id(unsigned cpu, std::uint32_t number) { return cpu << 24 | number; }
constexpr unsigned cpu_of(Id id) { return id >> 24; }
constexpr std::uint32_t number_of(Id id) { return id & 0xffffff; }

// Decides what the machine leaves open.
class Guide {
 public:
  enum class Turn : std::uint8_t {
    now,    // the access may be performed
    later,  // it is issued and stays pending
    other,  // another CPU comes first
  };
  static constexpr std::uint32_t none = ~0u;
  virtual ~Guide() = default;
  virtual Turn turn(Id id) = 0;
  // Which of the writes it reads, or follows; none: it stays pending.
  virtual std::uint32_t choose(Id id, const std::vector<Id>& bases) = 0;
  virtual bool wants(Id id) = 0;  // this access is to come next, whatever follows
  virtual void performed(std::uint32_t access) = 0;
};

class Graph {
 public:
  struct Access {
    Id id = 0;
    std::uint32_t word = 0;
    bool write = false;  // a store, or the store of an atomic
    bool acquire = false, release = false;
    bool no_return = false;
    bool conditional = false;  // of an atomic that needs a certain value
    bool performed = false;
    bool dangling =
        false;  // its word was free when it was issued: a fault once it is performed, but it could have come first
    bool by_cpu = false;  // its CPU waits for it, and performs it itself
    bool host = false;    // a step of the host, or a look of an oracle: nothing that the program does is ordered by it
    std::uint8_t cpu = 0;
    std::uint32_t pair = 0;   // the other half of an atomic
    std::uint32_t epoch = 0;  // dmb ishst before it
    std::uint32_t older = 0;  // the access that was issued to the word before, by any CPU
    std::uint32_t node = 0;   // load: of its result
    View floor = 0;           // what it comes after, known when it is issued
    View address = 0;         // what its address comes from
    Loaded data{};            // write: its value
    Loaded operand{};         // write of an atomic: what it needs besides the load
    View own = 0;             // write, once performed: what the architecture orders before it
    View before = 0;          // write of an atomic: all that its CPU had done before its load, if that was all
    bool before_known = false;
    View past = 0;            // once performed: itself, and all that comes before it
    std::uint32_t at = 0;     // once performed: its place among the performed ones
    std::uint32_t base = 0;   // load: the write that it reads. write: the write before it in its word. 0: none
    std::uint32_t newer = 0;  // write: the next one in its word
    std::uint32_t readers = 0, next_reader = 0;  // of a write: a list
    std::uint32_t seen = 0;                      // CPUs that made it or have read it
  };
  using Accept = std::function<bool(std::uint64_t)>;

  explicit Graph(Machine& machine) : m_(machine) {}
  void begin(Guide* guide, unsigned cpus, std::uint32_t width);

  // ---- what programs do
  Loaded load(std::uint32_t word, View address, Order order);
  void store(std::uint32_t word, View address, Loaded data, Order order);
  Loaded atomic(std::uint32_t word, View address, Order order, const Machine::Atomic& a);
  // An atomic that does nothing unless `accept` holds of the value that it reads; then it waits, or only loads, which may be
  // as of a plain load.
  Loaded atomic_if(std::uint32_t word, View address, Order order, const Machine::Atomic& a, const Accept& accept,
                   bool waits, bool plain_if_not);
  Loaded await(std::uint32_t word, View address, Order order, const Accept& accept);
  void fence(Fence f);
  void isb();
  void branch(View v);
  void needs(View v);  // the CPU cannot go on without a value: what it issues later is issued later
  View join(View a, View b) { return sets_.join(a, b); }
  // What an oracle looks at: a load that comes after what its CPU has waited for, and before its later stores.
  std::uint64_t peek(std::uint32_t word);
  // The host is about to look at, or change, state that CPUs share and that no word holds: all orders of such steps that have
  // the same word are explored, as those of atomics. Like a peek it orders no loads. freed: so many words from this one on may
  // not be accessed any more.
  void host_step(std::uint32_t word, std::uint32_t freed = 0);
  void took(std::uint32_t lock) { current().locks.push_back(lock); }
  bool gives_back(std::uint32_t lock);  // false: this CPU does not hold it
  // Lets others go first. A loop that waits so, and not in an await, has no end: it is not followed beyond this many turns.
  static constexpr std::uint32_t most_turns = 4;
  void relax();
  // Each CPU has memory of its own, so that no address depends on which came first.
  std::uint32_t allocate(Region r);

  // ---- what the search does
  bool is_pending(Id id) const {
    return id_known(id) && !accesses_[index_of(id)].performed && !accesses_[index_of(id)].by_cpu;
  }
  bool perform_id(Id id);          // a pending access; false: it cannot be
  bool perform_own_before(Id id);  // a pending access to its word that its CPU issued before
  bool perform_any();              // some pending access that can be; false: there is none
  bool anything_pending() const;
  // May an atomic's load be performed although its store cannot be yet? It keeps all others from the word, so: only if nothing
  // else can go on.
  void may_split(bool on) { may_split_ = on; }
  // Another CPU's load of an atomic that has read the newest write: only its store may follow. 0: there is none.
  std::uint32_t reservation(std::uint32_t word, unsigned cpu);
  const std::vector<std::uint32_t>& pending(unsigned cpu) const { return cpus_[cpu].pending; }
  bool waits_for_others(std::uint32_t n);  // a pending write or atomic that only other CPUs keep from being performed
  View own_order(const Access& w);
  std::uint32_t issued(unsigned cpu) const { return cpus_[cpu].issued; }
  void wake_all();
  bool wake_relaxed();  // false: there is none
  void wake(unsigned cpu);

  std::uint32_t find(Id id) const { return index_of(id); }
  const Access& access(std::uint32_t n) const { return accesses_[n]; }
  Id id(std::uint32_t n) const { return n == 0 ? initially : accesses_[n].id; }
  const std::vector<std::uint32_t>& order() const { return order_; }  // the performed accesses
  struct Free {
    std::uint32_t write;  // of its host step
    std::uint32_t first, words;
  };
  const std::vector<Free>& frees() const { return frees_; }
  bool frees(const Free& f, std::uint32_t word) const {
    return word - f.first < f.words && accesses_[f.write].performed;
  }
  bool was_freed(std::uint32_t word) const;
  // What the access that this CPU issues now comes after, whatever it is: branches were taken, and values waited for.
  View issued_after(unsigned cpu) { return sets_.join(cpus_[cpu].control, cpus_[cpu].host); }
  bool has(View v, std::uint32_t n) const { return sets_.has(v, accesses_[n].at); }
  const Sets& sets() const { return sets_; }
  std::uint32_t first_reader(std::uint32_t word, std::uint32_t write) {
    return write == 0 ? state(word).readers : accesses_[write].readers;
  }
  std::uint64_t value(std::uint32_t word, std::uint32_t write);
  // Waiting for a value: what it needs of the word, and what the architecture orders before the access.
  struct Waiting {
    bool waits = false;
    Id id = 0;
    std::uint32_t word = 0;
    View own = 0;
    bool atomic = false, slept = false;
    bool splits = false;  // it could be performed, but not its store
  };
  const Waiting& waiting(unsigned cpu) const { return cpus_[cpu].waiting; }
  // For an older access of its own to the word; when that is performed is not the question of others.
  bool waits_for_own(unsigned cpu) const { return own_before(accesses_[index_of(cpus_[cpu].waiting.id)]) != 0; }
  const Accept* accept(unsigned cpu) const { return cpus_[cpu].accept; }
  // The access of its CPU to the word before it; 0: there is none.
  std::uint32_t own_older(std::uint32_t n) const {
    const unsigned cpu = accesses_[n].cpu;
    do n = accesses_[n].older;
    while (n != 0 && accesses_[n].cpu != cpu);
    return n;
  }
  std::uint32_t newest(std::uint32_t word) { return state(word).newest; }

 private:
  struct WordState {
    std::uint32_t run = 0;  // of which execution this is
    std::uint32_t newest = 0, readers = 0, issued = 0;
    std::uint32_t first_write = 0;
    std::uint64_t initial = 0;
  };
  struct State {
    View load_floor = 0, newest_load = 0, control = 0, release = 0, all = 0;
    View host = 0;  // what later stores and steps of the host come after besides: the CPU had to wait for it
    std::uint32_t issued = 0, epoch = 0, newest_performed = 0;
    std::uint32_t held_releases = 0;
    std::uint32_t turns = 0;  // of loops that wait by trying again
    bool relaxed = false;
    std::uint32_t top = 0;                // of its memory; 0: it has allocated nothing
    std::vector<View> epochs;             // the stores before each dmb ishst
    std::vector<std::uint32_t> accesses;  // by number
    std::vector<std::uint32_t> pending;   // in program order
    std::vector<std::uint32_t> locks;     // that it holds
    Waiting waiting;
    const Accept* accept = nullptr;
    std::vector<std::uint32_t> bases;  // while it waits: not on its stack, which may never be left
  };

  WordState& state(std::uint32_t word) {
    WordState& s = words_[word];
    if (s.run != run_) s = {run_, 0, 0, 0, 0, 0};
    return s;
  }
  bool id_known(Id id) const { return number_of(id) <= cpus_[cpu_of(id)].issued; }
  std::uint32_t index_of(Id id) const { return cpus_[cpu_of(id)].accesses[number_of(id)]; }
  State& current() { return cpus_[m_.number_]; }
  bool armv8() const { return m_.model_ == Model::armv8; }
  void your_turn();
  std::uint32_t add(std::uint32_t word, View address, bool write);
  void issue(std::uint32_t n);
  void judge(std::uint32_t n, const char* what);
  void wait_performed(std::uint32_t n);
  void blocked();
  void drain();
  void drain_loads();
  void drain_releases();
  Loaded result(std::uint32_t n) const;
  std::uint32_t own_before(const Access& a) const;  // the nearest pending access of its CPU to its word
  bool reserved(std::uint32_t word, unsigned cpu) { return reservation(word, cpu) != 0; }
  bool splits(const Access& load);
  std::pair<std::uint32_t, std::uint32_t> add_atomic(std::uint32_t word, View address, Order order,
                                                     const Machine::Atomic& a);
  bool wait_and_perform(std::uint32_t load, const Accept& accept, bool waits, bool plain_if_not);
  bool ghost(std::uint32_t word) const { return word >= m_.count_; }  // of a step of the host
  void pend(std::uint32_t n);
  View earlier(const Access& w, bool writes_only);
  void readable(const Access& a, std::vector<std::uint32_t>& bases);
  void bases_of_load(const Access& a, std::vector<std::uint32_t>& bases);
  bool ready(const Access& w);  // a write
  bool ready_alone(const Access& w);
  bool try_perform(std::uint32_t n);
  bool choose(std::uint32_t n, const std::vector<std::uint32_t>& bases, std::uint32_t& chosen);
  View source(const Access& reader, std::uint32_t base);
  void perform_load(std::uint32_t n, std::uint32_t base);
  void perform_write(std::uint32_t n);
  void done(std::uint32_t n);

  Machine& m_;
  Guide* guide_ = nullptr;
  Sets sets_;
  std::uint32_t run_ = 0;
  std::vector<WordState> words_;
  std::vector<Access> accesses_;
  std::vector<State> cpus_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> bases_;
  std::vector<Id> ids_;
  std::vector<Free> frees_;
  bool may_split_ = false;
};

}  // namespace race::weak
