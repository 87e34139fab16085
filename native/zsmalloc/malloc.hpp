#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
auto Zsmalloc<M>::zs_malloc(std::uint32_t size) -> u64 {
  typename M::function here{"zs_malloc"};
  if (size == 0 || size > pages_.page_size()) return no_memory;
  const u64 handle = M::template allocate<handle_word<M>>("handle").address();
  if (M::known(handle) == 0) return no_memory;
  Class c = class_info(geometry_.for_request(size));

  lock_class(c, RACE_SITE("zs_malloc.class.lock", spin_lock,
                          "fullness lists, freeobj, the page chain and the links in the pages"));
  if (const Zspage z = find_get_zspage(c)) {
    const u64 obj = obj_malloc(c, z, handle);
    fix_fullness_group(c, z);
    record_obj(handle, obj);
    unlock_class(
        c, RACE_SITE("zs_malloc.class.unlock", spin_unlock, "freeobj, the object's header, inuse, fullness lists"));
    return handle;
  }
  unlock_class(c, RACE_SITE("zs_malloc.class.unlock-empty", spin_unlock, "nothing: no zspage was found"));

  const Zspage z = alloc_zspage(c);
  if (!z) {
    M::release(ptr<handle_word<M>>::from_address(handle));
    return no_memory;
  }
  lock_class(c, RACE_SITE("zs_malloc.class.relock", spin_lock, "fullness lists and statistics"));
  const u64 obj = obj_malloc(c, z, handle);
  const Fullness f = get_fullness_group(c, z);
  insert_zspage(c, z, f);
  set_field(z, Meta::class_shift, Meta::class_mask,
            RACE_CHANGED(M, "zspage.class-bits") ? c.index % (geometry_.slots() - 1) : c.index);
  set_field(z, Meta::fullness_shift, Meta::fullness_mask, f);
  record_obj(handle, obj);
  pool_[&zs_pool<M>::pages_allocated].fetch_add(c.pages, Order::plain);
  stat_add(c, obj_allocated, c.objects);
  if (!RACE_CHANGED(M, "zs_malloc.movable-last")) set_zspage_movable(z);
  unlock_class(
      c, RACE_SITE("zs_malloc.class.reunlock", spin_unlock, "the new zspage: its list, pages, links and headers"));
  return handle;
}

}  // namespace race::zsmalloc
