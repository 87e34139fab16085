#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
Zsmalloc<M>::Zsmalloc(Pages& pages, unsigned cpus)
    : pages_(pages), geometry_(pages.page_size()), pool_(M::template allocate<zs_pool<M>>("zs_pool")), areas_(cpus) {
  for (const SizeClassGeometry& g : geometry_.classes()) {
    const SizeClass s = M::template allocate<size_class<M>>("size_class");
    classes_.push_back({g, s});
    for (std::uint32_t f = 0; f < fullness_groups; ++f)
      kernel::init_list_head<M>(s[&size_class<M>::fullness_list] + std::uint64_t{f});
  }
  for (MapArea& a : areas_) a.buffer = M::template allocate_array<Word>("map_area", pages.words_per_page());
}

template <class M>
std::uint32_t Zsmalloc<M>::zs_destroy_pool() {
  typename M::function here{"zs_destroy_pool"};
  if (teardown_)
    drain();
  else if (M::known(work_pending().read_once()) != 0)
    async_free_zspage();  // flush_work
  if (observer != nullptr) observer->pool_destroyed();
  std::uint32_t leaked = 0;
  for (Class c : classes_) {
    for (const Fullness f : {zs_empty, zs_almost_empty, zs_almost_full, zs_full}) leaked += first_in(c, f) ? 1 : 0;
    M::release(c.shared);
  }
  for (MapArea& a : areas_) M::release_array(a.buffer);
  if (!teardown_) M::release(pool_);  // else the worker sleeps on a word of it
  return leaked;
}

template <class M>
void Zsmalloc<M>::prepare_teardown() {
  teardown_ = M::template allocate<teardown<M>>("teardown");
}

// What zs_destroy_pool waits for before it frees anything: the worker and, as of 5.3, the zspages that migration has.
template <class M>
void Zsmalloc<M>::drain() {
  typename M::function here{"zs_unregister_migration"};
  if (RACE_CHANGED(M, "zs_destroy_pool.wait-isolated")) {
    kernel::unlock_store<M, std::uint32_t>(
        RACE_SITE("zs_unregister_migration.destroying", store_mb, "that the flag is set before it looks at the count"),
        teardown_[&teardown<M>::destroying], 1u);
    kernel::wait_event<M>(teardown_[&teardown<M>::wakeups],
                          RACE_SITE("wait_for_isolated_drain.wait_event", wait_event,
                                    "that it is on the wait queue, and the flag set, before it looks at the count"),
                          [&] { return M::known(teardown_[&teardown<M>::isolated].load(Order::acquire)) == 0; });
  }
  work_pending().await([](auto v) { return v == 0u; }, Order::acquire);  // flush_work
  teardown_[&teardown<M>::worker_busy].await([](auto v) { return v == 0u; }, Order::acquire);
}

// The first isolated page of a zspage has come, or the last one has gone.
template <class M>
void Zsmalloc<M>::count_isolated_zspage(bool more) {
  if (!teardown_ || !RACE_CHANGED(M, "zs_destroy_pool.wait-isolated")) return;
  const auto count = teardown_[&teardown<M>::isolated];
  const auto destroying = teardown_[&teardown<M>::destroying];
  if (more) {
    count.fetch_add(1u, Order::plain);
    return;
  }
  typename M::function here{"zs_pool_dec_isolated"};
  const bool flag_first = RACE_CHANGED(M, "zs_pool_dec_isolated.order");
  bool wanted = flag_first && M::known(destroying.read_once()) != 0;
  const auto old = kernel::unlock_atomic<M>(
      RACE_SITE("zs_pool_dec_isolated.dec_and_test", ref_put, "the flag of who waits, which is read after it"),
      [&](Order o) { return count.fetch_sub(1u, o); });
  if (M::known(old) != 1) return;
  if (!flag_first) wanted = M::known(destroying.read_once()) != 0;
  if (wanted) kernel::wake_up_all<M>(teardown_[&teardown<M>::wakeups]);
}

template <class M>
auto Zsmalloc<M>::zs_get_total_pages() const -> u64 {
  return pool_[&zs_pool<M>::pages_allocated].read_once();
}

}  // namespace race::zsmalloc
