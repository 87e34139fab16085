// A lock that is one bit of a word (include/linux/bit_spinlock.h, Linux 4.8): taken by test_and_set_bit, given back by
// clear_bit_unlock.
#pragma once

#include "kernel/ordered.hpp"
#include "memory/finding.hpp"

namespace race::kernel {

template <class M>
bool bit_spin_trylock(typename M::template ref<std::uint64_t> word, std::uint64_t bit, SiteId site) {
  const auto old = lock_atomic<M>(site, [&](Order o) { return word.fetch_or(bit, o); });
  return (M::known(old) & bit) == 0;
}

template <class M>
void bit_spin_lock(typename M::template ref<std::uint64_t> word, std::uint64_t bit, SiteId site) {
  if constexpr (requires { M::explored(); })
    if (M::explored()) {
      lock_atomic<M>(site, [&](Order o) {
        return word.fetch_or_if(bit, o, [bit](std::uint64_t v) { return (v & bit) == 0; }, true);
      });
      return;
    }
  while (!bit_spin_trylock<M>(word, bit, site)) word.await([bit](auto v) { return (v & bit) == 0u; }, Order::plain);
}

template <class M>
void bit_spin_unlock(typename M::template ref<std::uint64_t> word, std::uint64_t bit, SiteId site, const char* unheld) {
  if (M::checks_unlocks && (M::peek(word) & bit) == 0) {
    M::at(site);
    report<M>({.oracle = Oracle::unlock_of_unlocked, .what = unheld, .where = M::address_of(word)});
  }
  unlock_atomic<M>(site, [&](Order o) { return word.fetch_and(~bit, o); });
}

}  // namespace race::kernel
