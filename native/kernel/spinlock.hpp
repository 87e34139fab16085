// The ticket spinlock of arm64 (arch/arm64/include/asm/spinlock.h, Linux 4.8). The two 16-bit halves of the kernel's word are
// two words here: taking a ticket needs no order, reading one's number in `owner` acquires, writing the next one releases.
#pragma once

#include "kernel/ordered.hpp"
#include "memory/finding.hpp"

namespace race::kernel {

template <class M>
struct spinlock {
  typename M::template shared<std::uint32_t> next, owner;
};

template <class M>
void spin_lock(typename M::template ptr<spinlock<M>> lock, SiteId site) {
  M::at(site);
  const Strength s = M::strength(site);
  const auto ticket = lock[&spinlock<M>::next].fetch_add(1u, Order::plain);
  lock[&spinlock<M>::owner].await([ticket](auto owner) { return owner == ticket; }, lock_order(s));
  taken<M, std::uint32_t>(lock[&spinlock<M>::owner]);
  fence_after_lock<M>(s);
}

template <class M>
void spin_unlock(typename M::template ptr<spinlock<M>> lock, SiteId site) {
  const auto owner = lock[&spinlock<M>::owner];
  if (looks_at_unlock<M, std::uint32_t>(owner) && M::peek(owner) == M::peek(lock[&spinlock<M>::next])) {
    M::at(site);
    report<M>({.oracle = Oracle::unlock_of_unlocked,
               .what = "spin_unlock of a spinlock that nobody holds",
               .where = M::address_of(owner)});
  }
  unlock_store<M, std::uint32_t>(site, owner, owner.read_once() + 1u);
}

}  // namespace race::kernel
