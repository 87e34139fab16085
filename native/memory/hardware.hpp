// The hardware machine: shared memory is this process's memory, a CPU is a thread, and every wrapper compiles away.
//
// It is also the description of what a machine offers; the weak machine (memory/weak/) has the same members:
//   M::value<T>      a number loaded from shared memory (here: T). Arithmetic and comparison work as on T.
//   M::ptr<S>        a pointer to an S in shared memory. p[&S::field] is a ref<T> if the field is a shared<T>, else a ptr to
//                    the member; for a ptr<shared<T>>, p[i] is the ref<T> of element i. p + n counts elements. There is no ->.
//   M::shared<T>     one word of shared memory, T at most 8 bytes: an integer, an enum, or a ptr. No access but through ref.
//   M::ref<T>        load(), store(v): plain. read_once(), write_once(v): plain in order, but races on them are intended.
//                    load(Order), store(v, Order), exchange, fetch_add, fetch_sub, fetch_or, fetch_and, compare_exchange
//                    (returns the old value): atomic. await(predicate, Order): load until predicate(value) holds.
//   M::known(v)      the plain T of a value: what a branch does (a control dependency).
//   M::cast<U>(v)    the value as another integer type, dependencies kept.
//   M::fence, M::isb
//   M::relax()       lets others run first: cond_resched, cpu_relax
//   M::strength(site), M::at(site), M::function (scope marker), M::cpu()
//   M::allocate<S>(name), M::allocate_array<S>(name, n), M::release(p)      slab objects; the word contents start at 0
//   M::address_of(ref) of the word, for reports
//   M::peek(ref)     what this CPU would load now if nothing were reordered; no access, for oracles and reports only
//   M::poke(ref, v)  sets a word outside of any ordering; for memory that no CPU can see yet
//   M::handover(cpu) what that CPU did before is seen by this one: the locking of a part of the kernel that is not under test
//   M::host_step(a)  before the host looks at, or changes, state of its own that CPUs share, and that belongs to this address
//   M::copy(to, from, n)  n words, in order and plain: the kernel's memcpy of a page
//   M::set_live(p, n, live) whether the n words from p on may be accessed; where the machine cannot tell, nothing
//   M::full_atomic_needs_fence()  is a `full` atomic one with release and a fence behind it, or does it order by itself?
//   M::checks_unlocks     may an unlock look whether the lock is held? On hardware these are loads and a branch beside it
//   M::judges(oracle) does this run look for it? What it does not look for must not end it: see report() in finding.hpp
//   M::fail(fault)   never returns
#pragma once

#include <sched.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#if defined(__aarch64__) && !defined(__SANITIZE_THREAD__)
#include "memory/hardware/aarch64.hpp"
#else
#include "memory/hardware/builtin.hpp"
#endif
#include "memory/finding.hpp"
#include "memory/order.hpp"
#include "memory/site.hpp"

namespace race::hardware {

template <class S>
class ptr;

// One word of shared memory.
template <class T>
struct shared {
  static_assert(sizeof(T) <= 8);
  T word{};
};

// p[&S::field] of a non-shared member gives a ptr to it; of a shared<T>, its ref<T>.
template <class T>
class ref {
 public:
  explicit ref(shared<T>* s) : at_(&s->word) {}

  // Under ThreadSanitizer plain accesses stay plain, so that it sees data races; otherwise a relaxed atomic, which is the
  // same instruction and keeps the compiler from tearing, merging or inventing accesses.
  T load() const {
#if RACE_TSAN
    return *at_;
#else
    return read_once();
#endif
  }
  void store(T v) const {
#if RACE_TSAN
    *at_ = v;
#else
    write_once(v);
#endif
  }
  T read_once() const {
    T v;
    __atomic_load(at_, &v, __ATOMIC_RELAXED);
    return v;
  }
  void write_once(T v) const { __atomic_store(at_, &v, __ATOMIC_RELAXED); }

  T load(Order o) const {
    if (acquires(o)) return access::load_acquire(at_);
    access::compiler_barrier();
    const T v = read_once();
    access::compiler_barrier();
    return v;
  }
  void store(T v, Order o) const {
    if (o == Order::release) return access::store_release(at_, v);
    access::compiler_barrier();
    write_once(v);
    access::compiler_barrier();
  }
  T fetch_add(T v, Order o) const { return access::fetch_add(at_, v, o); }
  T fetch_sub(T v, Order o) const { return access::fetch_sub(at_, v, o); }
  T fetch_or(T v, Order o) const { return access::fetch_or(at_, v, o); }
  T fetch_and(T v, Order o) const { return access::fetch_and(at_, v, o); }
  T exchange(T v, Order o) const { return access::exchange(at_, v, o); }
  // The old value; the swap happened iff it equals `expected`.
  T compare_exchange(T expected, T desired, Order o) const {
    return access::compare_exchange(at_, expected, desired, o);
  }

  template <class Predicate>
  T await(Predicate holds, Order o) const;
  std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(at_); }

 private:
  T* at_;
};

template <class S>
class ptr {
 public:
  ptr() = default;
  ptr(std::nullptr_t) {}
  explicit ptr(S* p) : p_(p) {}

  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(ptr a, ptr b) { return a.p_ == b.p_; }
  friend bool operator!=(ptr a, ptr b) { return a.p_ != b.p_; }
  ptr operator+(std::uint64_t n) const { return ptr(p_ + n); }
  ptr operator-(std::uint64_t n) const { return ptr(p_ - n); }
  // Elements between two pointers into one array.
  friend std::uint64_t operator-(ptr a, ptr b) { return static_cast<std::uint64_t>(a.p_ - b.p_); }

  template <class F, class C>
  auto operator[](F C::* field) const {
    return reach(&(p_->*field));
  }
  auto operator[](std::uint64_t i) const { return reach(p_ + i); }

  std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(p_); }
  static ptr from_address(std::uint64_t a) { return ptr(reinterpret_cast<S*>(a)); }
  // The object of which `member` is the `field`: container_of.
  template <class F>
  static ptr container_of(ptr<F> member, F S::* field) {
    alignas(S) static char dummy[sizeof(S)];
    const auto* in_dummy = &(reinterpret_cast<S*>(dummy)->*field);
    const auto offset = reinterpret_cast<std::uintptr_t>(in_dummy) - reinterpret_cast<std::uintptr_t>(dummy);
    return ptr(reinterpret_cast<S*>(reinterpret_cast<char*>(member.raw()) - offset));
  }
  S* raw() const { return p_; }

 private:
  template <class T>
  static ref<T> reach(shared<T>* s) {
    return ref<T>(s);
  }
  template <class T, std::size_t N>
  static ptr<T> reach(T (*array)[N]) {
    return ptr<T>(*array);
  }
  template <class T>
  static ptr<T> reach(T* member) {
    return ptr<T>(member);
  }
  S* p_ = nullptr;
};

// What the thread is doing, for reports.
struct Context {
  unsigned cpu = 0;
  const char* function = "";
  SiteId site = no_site;
  void (*fail)(const Fault&, const Context&) = nullptr;  // does not return
  void (*waiting)() = nullptr;                           // now and then, while an await waits; may throw
};
inline thread_local Context context;

struct machine {
  template <class T>
  using value = T;
  template <class S>
  using ptr = hardware::ptr<S>;
  template <class T>
  using shared = hardware::shared<T>;
  template <class T>
  using ref = hardware::ref<T>;

  template <class T>
  static T known(T v) {
    return v;
  }
  template <class U, class T>
  static U cast(T v) {
    return static_cast<U>(v);
  }

  static void fence(Fence f) { access::fence(f); }
  static void isb() { access::isb(); }
  static void relax() { access::pause(); }
  static bool full_atomic_needs_fence() { return access::full_atomic_needs_fence(); }

  // Read by a plain load, and branched on. On AArch64 that is a control dependency, which orders the load of the strength, and
  // nothing else, before later stores.
  static inline constinit BarrierPlan plan{};  // set before threads run, read-only then
  static Strength strength(SiteId site) { return plan[site]; }
  static bool changed(GuardId guard) { return plan.changed(guard); }
  static void at(SiteId site) { context.site = site; }
  static unsigned cpu() { return context.cpu; }

  // Marks the kernel function that the thread is in.
  class function {
   public:
    explicit function(const char* name) : outer_(context.function) { context.function = name; }
    ~function() { context.function = outer_; }
    function(const function&) = delete;
    function& operator=(const function&) = delete;

   private:
    const char* outer_;
  };

  template <class S>
  static ptr<S> allocate(const char* /*name*/) {
    return ptr<S>(new S());
  }
  template <class S>
  static ptr<S> allocate_array(const char* /*name*/, std::uint64_t n) {
    return ptr<S>(new S[n]());
  }
  template <class S>
  static void release(ptr<S> p) {
    delete p.raw();
  }
  template <class S>
  static void release_array(ptr<S> p) {
    delete[] p.raw();
  }

  template <class T>
  static std::uint64_t address_of(ref<T> r) {
    return r.address();
  }
  template <class T>
  static T peek(ref<T> r) {
    return r.read_once();
  }
  template <class T>
  static void poke(ref<T> r, std::type_identity_t<T> v) {
    r.write_once(v);  // others may look at a struct page at any time
  }

  template <class T>
  static void copy(ptr<hardware::shared<T>> to, ptr<hardware::shared<T>> from, std::uint64_t n) {
    access::compiler_barrier();
    std::memcpy(static_cast<void*>(to.raw()), from.raw(), n * sizeof(T));
    access::compiler_barrier();
  }

  static constexpr bool checks_unlocks = true;
  static void handover(unsigned /*cpu*/) {}  // the host's mutex does it
  static void host_step(std::uint64_t /*address*/) {}

  template <class T>
  static void set_live(ptr<shared<T>> /*words*/, std::uint64_t /*n*/, bool /*live*/) {}
  static inline std::uint32_t judged = ~0u;  // a bit (1 << Oracle) each; set before threads run, read-only then
  static bool judges(Oracle o) { return (judged >> static_cast<unsigned>(o) & 1) != 0; }

  [[noreturn]] static void fail(const Fault& fault) {
    if (context.fail) context.fail(fault, context);
    const std::string_view oracle = info(fault.oracle).name;
    std::fprintf(stderr, "%.*s: %s (cpu %u, %s)\n", static_cast<int>(oracle.size()), oracle.data(), fault.what,
                 context.cpu, context.function);
    std::abort();
  }

  static void wait_a_little(unsigned turn) {
    relax();
    if (turn % 64 != 63) return;
    if (context.waiting != nullptr) context.waiting();
    sched_yield();
  }
};

template <class T>
template <class Predicate>
T ref<T>::await(Predicate holds, Order o) const {
  for (unsigned turn = 0;; ++turn) {
    const T v = load(o);
    if (holds(v)) return v;
    machine::wait_a_little(turn);
  }
}

}  // namespace race::hardware
