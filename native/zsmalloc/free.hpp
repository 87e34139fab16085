#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
void Zsmalloc<M>::zs_free(u64 handle) {
  typename M::function here{"zs_free"};
  if (M::known(handle) == 0) return;
  const bool pins = !RACE_CHANGED(M, "zs_free.hold-pin");
  const bool reads = pins && !RACE_CHANGED(M, "zs_map_object.hold-pin");  // where compaction takes zspage->lock
  if (pins)
    pin_tag(handle, RACE_SITE("zs_free.pin", bit_spin_lock, "where the object is: migration and compaction move it"));
  u64 obj = handle_to_obj(handle);
  Zspage z = pins ? get_zspage(obj_to_location(obj).page) : nullptr;
  if (reads)
    kernel::read_lock<M>(z[&zspage<M>::lock], RACE_SITE("zs_free.zspage.read_lock", read_lock, "the zspage's pages"));
  const ClassInfo c = pins ? class_of(z) : class_in(obj);
  lock_class(c, RACE_SITE("zs_free.class.lock", spin_lock, "freeobj, inuse, fullness lists"));
  if (!pins) {
    if (!RACE_CHANGED(M, "zs_free.reread")) obj = handle_to_obj(handle);
    z = get_zspage(obj_to_location(obj).page);
  }
  if (reclaim_ && under_reclaim(z)) return defer_free(c, z, obj, handle);
  obj_free(c, obj);
  const Fullness f = fix_fullness_group(c, z);
  if (f != zs_empty) {
    if (reads)
      kernel::read_unlock<M>(z[&zspage<M>::lock],
                             RACE_SITE("zs_free.zspage.read_unlock", read_unlock, "nothing: only reads"));
  } else {
    const bool off_list = isolated(z) != 0 && !RACE_CHANGED(M, "zs_page_isolate.off-list");
    if (reads)
      kernel::read_unlock<M>(z[&zspage<M>::lock],
                             RACE_SITE("zs_free.zspage.read_unlock-empty", read_unlock, "nothing: only reads"));
    // An isolated zspage is freed when its last page is put back.
    if (!off_list || RACE_CHANGED(M, "zs_free.leave-isolated")) free_zspage(c, z);
  }
  unlock_class(
      c, RACE_SITE("zs_free.class.unlock", spin_unlock, "freeobj, the link in the object, inuse, fullness lists"));
  if (pins) unpin_tag(handle, RACE_SITE("zs_free.unpin", bit_spin_unlock, "nothing: the handle is freed next"));
  M::release(ptr<handle_word<M>>::from_address(handle));
}

}  // namespace race::zsmalloc
