// How a site's strength becomes machine operations. Strengths as arch/arm64 of Linux 4.8 builds them: a `full` atomic is
// LDXR, STLXR, dmb ish; a `full` unlock has a dmb ish on both sides; acquire and release are in the instruction. With LSE atomics
// a `full` atomic is one LDADDAL, LDSETAL or CASAL, without a dmb; it orders the same.
#pragma once

#include "memory/site.hpp"

namespace race::kernel {

// The order of the load on the lock side; fence_after_lock comes behind it.
inline Order lock_order(Strength s) {
  return s == Strength::acquire || s == Strength::full ? Order::acquire : Order::plain;
}
template <class M>
void fence_after_lock(Strength s) {
  if (s == Strength::full) M::fence(Fence::ish);
  if (s == Strength::dmb_ishld) M::fence(Fence::ishld);
}

// LDXR, STLXR, dmb ish; or one LDADDAL.
template <class M, class F>
auto full_atomic(F operation) {
  if (!M::full_atomic_needs_fence()) return operation(Order::acquire_release);
  const auto old = operation(Order::release);
  M::fence(Fence::ish);
  return old;
}

// An atomic that takes something: test_and_set_bit, cmpxchg, atomic_add_unless. operation(Order) performs it.
template <class M, class F>
auto lock_atomic(SiteId site, F operation) {
  M::at(site);
  const Strength s = M::strength(site);
  if (s == Strength::full) return full_atomic<M>(operation);
  const auto old = operation(lock_order(s));
  fence_after_lock<M>(s);
  return old;
}

template <class M>
void fence_before_unlock(Strength s) {
  if (s == Strength::dmb_ish) M::fence(Fence::ish);
  if (s == Strength::dmb_ishst) M::fence(Fence::ishst);
}

// An atomic that gives something away: clear_bit_unlock, atomic_dec_and_test, read_unlock.
template <class M, class F>
auto unlock_atomic(SiteId site, F operation) {
  M::at(site);
  const Strength s = M::strength(site);
  if (s == Strength::full) return full_atomic<M>(operation);
  fence_before_unlock<M>(s);
  return operation(s == Strength::release ? Order::release : Order::plain);
}

// A store that gives a lock away.
template <class M, class T>
void unlock_store(SiteId site, typename M::template ref<T> word, typename M::template value<T> v) {
  M::at(site);
  const Strength s = M::strength(site);
  fence_before_unlock<M>(s);
  if (s == Strength::full) M::fence(Fence::ish);
  word.store(v, s == Strength::release ? Order::release : Order::plain);
  if (s == Strength::full) M::fence(Fence::ish);
}

// Must an unlock look whether the lock is held? While executions are explored, who has taken it itself need not: each look is one
// more thing to explore.
template <class M, class T>
bool looks_at_unlock(typename M::template ref<T> lock) {
  if constexpr (requires { M::explored(); })
    if (M::explored()) return !M::gives_back(M::address_of(lock));
  return M::checks_unlocks;
}
template <class M, class T>
void taken(typename M::template ref<T> lock) {
  if constexpr (requires { M::explored(); })
    if (M::explored()) M::took(M::address_of(lock));
}

}  // namespace race::kernel
