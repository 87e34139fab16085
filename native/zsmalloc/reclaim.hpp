// Reclaim of a zspage, as of 6.2 and as far as its handles need it: the evict callback uses a handle while its object may be freed.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
void Zsmalloc<M>::prepare_reclaim() {
  reclaim_ = M::template allocate<reclaim<M>>("reclaim");
}

template <class M>
bool Zsmalloc<M>::under_reclaim(Zspage z) const {
  return M::known(field(z[&zspage<M>::meta].read_once(), Meta::reclaim_shift, Meta::reclaim_mask)) != 0;
}

// The end of a zs_free whose zspage is being reclaimed: the handle outlives the object. Under the class lock.
template <class M>
void Zsmalloc<M>::defer_free(Class c, Zspage z, u64 obj, u64 handle) {
  const auto deferred = reclaim_[&reclaim<M>::deferred];
  const bool by_handle = RACE_CHANGED(M, "zs_free.defer");
  if (by_handle) {
    obj_free(c, obj);
    record_obj(handle, deferred.load());
    deferred.store(handle);
  } else {
    // The object keeps it, and stays off the free list until reclaim is done.
    const Location at = obj_to_location(obj);
    word_at(at.page, offset_in_page(c, at.index))[std::uint64_t{0}].store(handle | obj_deferred_tag);
  }
  kernel::read_unlock<M>(z[&zspage<M>::lock],
                         RACE_SITE("zs_free.zspage.read_unlock-deferred", read_unlock, "nothing: only reads"));
  if (!by_handle)
    unpin_tag(handle, RACE_SITE("zs_free.unpin-deferred", bit_spin_unlock, "nothing: the object is free"));
  unlock_class(c, RACE_SITE("zs_free.class.unlock-deferred", spin_unlock, "the deferred handle"));
}

// Takes a zspage of the class that serves such objects and calls evict(handle) for each of them, without locks.
template <class M>
template <class Evict>
void Zsmalloc<M>::zs_reclaim_page(std::uint32_t size, Evict evict) {
  typename M::function here{"zs_reclaim_page"};
  Class c = class_info(geometry_.for_request(size));
  lock_class(c, RACE_SITE("zs_reclaim_page.class.lock", spin_lock, "the zspage"));
  Zspage z = nullptr;
  for (const Fullness f : {zs_full, zs_almost_full, zs_almost_empty}) {
    z = first_in(c, f);
    if (!z) continue;
    remove_zspage(c, z, f);
    break;
  }
  if (!z) return unlock_class(c, RACE_SITE("zs_reclaim_page.class.unlock-none", spin_unlock, "nothing"));
  set_field(z, Meta::reclaim_shift, Meta::reclaim_mask, 1);
  unlock_class(c, RACE_SITE("zs_reclaim_page.class.unlock", spin_unlock, "that it is being reclaimed"));

  const auto each_header = [&](auto visit) {
    std::uint32_t number = 0;
    for (Page p = z[&zspage<M>::first_page].load(); p; p = get_next_page(p))
      for (u32 at = first_object_offset(c, p); M::known(at) < pages_.page_size() && number < c.objects;
           at = at + c.size)
        visit(obj_to_head(c, p, at), location_to_obj(c, p, number++));
  };
  each_header([&](u64 head, u64) {
    if ((head & obj_deferred_tag) == obj_allocated_tag) evict(M::known(head & ~obj_allocated_tag));
  });

  lock_class(c, RACE_SITE("zs_reclaim_page.class.relock", spin_lock, "what was freed meanwhile"));
  set_field(z, Meta::reclaim_shift, Meta::reclaim_mask, 0);
  if (!RACE_CHANGED(M, "zs_free.defer"))
    each_header([&](u64 head, u64 obj) {
      if ((head & obj_deferred_tag) != obj_deferred_tag) return;
      obj_free(c, obj);
      M::release(ptr<handle_word<M>>::from_address(head & ~obj_deferred_tag));
    });
  const auto deferred = reclaim_[&reclaim<M>::deferred];
  for (u64 handle = deferred.load(); M::known(handle) != 0;) {
    const u64 next = handle_to_obj(handle);
    M::release(ptr<handle_word<M>>::from_address(handle));
    handle = next;
  }
  deferred.store(0u);
  if (putback_zspage(c, z) == zs_empty) free_zspage(c, z);
  unlock_class(c, RACE_SITE("zs_reclaim_page.class.reunlock", spin_unlock, "the zspage"));
}

}  // namespace race::zsmalloc
