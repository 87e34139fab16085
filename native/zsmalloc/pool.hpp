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
  if (M::known(work_pending().read_once()) != 0) async_free_zspage();  // flush_work
  std::uint32_t leaked = 0;
  for (Class c : classes_) {
    for (const Fullness f : {zs_empty, zs_almost_empty, zs_almost_full, zs_full}) leaked += first_in(c, f) ? 1 : 0;
    M::release(c.shared);
  }
  for (MapArea& a : areas_) M::release_array(a.buffer);
  M::release(pool_);
  return leaked;
}

template <class M>
auto Zsmalloc<M>::zs_get_total_pages() const -> u64 {
  return pool_[&zs_pool<M>::pages_allocated].read_once();
}

}  // namespace race::zsmalloc
