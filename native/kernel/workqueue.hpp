// One work item (kernel/workqueue.c, Linux 4.8, as far as one item needs it): schedule_work sets the pending bit with a full
// barrier, the worker clears it with a full barrier before it runs the function, so that what was stored before the item was
// scheduled is seen, and a request that comes while the function runs makes it run again.
#pragma once

#include "kernel/ordered.hpp"

namespace race::kernel {

template <class M>
struct work_struct {
  typename M::template shared<std::uint64_t> pending;
};

template <class M>
void schedule_work(typename M::template ptr<work_struct<M>> work, SiteId site) {
  const auto pending = work[&work_struct<M>::pending];
  unlock_atomic<M>(site, [&](Order o) { return pending.fetch_or(1u, o); });
}

// Waits until the item is pending, and takes it.
template <class M>
void take_work(typename M::template ptr<work_struct<M>> work, SiteId site) {
  const auto pending = work[&work_struct<M>::pending];
  pending.await([](auto v) { return v != 0u; }, Order::plain);
  lock_atomic<M>(site, [&](Order o) { return pending.exchange(0u, o); });
}

}  // namespace race::kernel
