// Sleeping until a condition holds (include/linux/wait.h, Linux 4.8): a wait queue is the number of wake-ups that there were. Who
// sleeps has read it, then looked at the condition, and sleeps until it changes.
#pragma once

#include "kernel/ordered.hpp"

namespace race::kernel {

template <class M, class Condition>
void wait_event(typename M::template ref<std::uint32_t> wakeups, SiteId site, Condition holds) {
  while (!holds()) {
    M::at(site);
    const auto seen = wakeups.read_once();
    fence_after_lock<M>(M::strength(site));
    if (holds()) return;
    M::at(site);
    wakeups.await([seen](auto now) { return now != seen; }, Order::acquire);
  }
}

template <class M>
void wake_up_all(typename M::template ref<std::uint32_t> wakeups) {
  wakeups.fetch_add(1u, Order::release);
}

}  // namespace race::kernel
