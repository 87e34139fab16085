// Accesses of the hardware machine through the compiler's atomics: x86-64, builds with ThreadSanitizer, and other CPUs.
//
// On x86-64 (TSO) a load acquires, a store releases, and a locked read-modify-write is a full barrier: one instruction serves
// every order. What has an order is a compiler barrier too, so that only the CPU reorders.
#pragma once

#include <cstdint>

#include "memory/order.hpp"

#if defined(__SANITIZE_THREAD__)
#define RACE_TSAN 1
#else
#define RACE_TSAN 0
#endif

namespace race::hardware::access {

inline void compiler_barrier() { asm volatile("" ::: "memory"); }

#if defined(__x86_64__) && !RACE_TSAN
constexpr bool one_instruction = true;
#else
constexpr bool one_instruction = false;
#endif
// Under ThreadSanitizer a release alone would not show it that a full atomic which takes a lock also acquires.
constexpr int rmw_release = RACE_TSAN ? __ATOMIC_ACQ_REL : __ATOMIC_RELEASE;
// Does a `full` atomic need a fence behind it? A locked instruction of x86 does not.
inline bool full_atomic_needs_fence() { return !one_instruction; }
inline const char* atomics_name() { return one_instruction ? "lock-prefixed instructions" : "the compiler's"; }

template <class T>
T load_acquire(const T* at) {
  T v;
  __atomic_load(at, &v, __ATOMIC_ACQUIRE);
  compiler_barrier();
  return v;
}
template <class T>
void store_release(T* at, T v) {
  compiler_barrier();
  __atomic_store(at, &v, __ATOMIC_RELEASE);
}

// memory_order(order) would do, but the compiler wants a constant.
template <class F>
auto with_order(Order o, F operation) {
  compiler_barrier();
  const auto old = [&] {
    if constexpr (!one_instruction) {
      switch (o) {
        case Order::plain: break;
        case Order::acquire_pc:
        case Order::acquire: return operation([] { return __ATOMIC_ACQUIRE; });
        case Order::release: return operation([] { return rmw_release; });
        case Order::acquire_release: return operation([] { return __ATOMIC_ACQ_REL; });
      }
    }
    return operation([] { return __ATOMIC_RELAXED; });
  }();
  compiler_barrier();
  return old;
}

#define RACE_RMW(name, builtin)                                                \
  template <class T>                                                           \
  T name(T* at, T v, Order o) {                                                \
    return with_order(o, [&](auto order) { return builtin(at, v, order()); }); \
  }
RACE_RMW(fetch_add, __atomic_fetch_add)
RACE_RMW(fetch_sub, __atomic_fetch_sub)
RACE_RMW(fetch_or, __atomic_fetch_or)
RACE_RMW(fetch_and, __atomic_fetch_and)
RACE_RMW(exchange, __atomic_exchange_n)
#undef RACE_RMW

template <class T>
T compare_exchange(T* at, T expected, T desired, Order o) {
  return with_order(o, [&](auto order) {
    T seen = expected;
    __atomic_compare_exchange(at, &seen, &desired, false, order(), __ATOMIC_RELAXED);
    return seen;
  });
}

inline void fence(Fence f) {
#if RACE_TSAN
  // ThreadSanitizer does not model fences: an atomic that all fences share gives it the edges that they make.
  static int all_fences;
  if (f == Fence::ish) __atomic_fetch_add(&all_fences, 1, __ATOMIC_SEQ_CST);
#else
  if (f == Fence::ish)
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
  else if (one_instruction)
    compiler_barrier();
  else
    __atomic_thread_fence(f == Fence::ishld ? __ATOMIC_ACQUIRE : __ATOMIC_RELEASE);
#endif
}

inline void isb() { compiler_barrier(); }
inline void pause() {
#if defined(__x86_64__)
  asm volatile("pause" ::: "memory");
#else
  compiler_barrier();
#endif
}

}  // namespace race::hardware::access
