#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
void Zsmalloc<M>::zs_free(u64 handle) {
  typename M::function here{"zs_free"};
  if (M::known(handle) == 0) return;
  pin_tag(handle, RACE_SITE("zs_free.pin", bit_spin_lock, "where the object is: migration and compaction move it"));
  const u64 obj = handle_to_obj(handle);
  const Zspage z = get_zspage(obj_to_location(obj).page);
  kernel::read_lock<M>(z[&zspage<M>::lock], RACE_SITE("zs_free.zspage.read_lock", read_lock, "the zspage's pages"));
  Class c = class_of(z);
  lock_class(c, RACE_SITE("zs_free.class.lock", spin_lock, "freeobj, inuse, fullness lists"));
  obj_free(c, obj);
  const Fullness f = fix_fullness_group(c, z);
  if (f != zs_empty) {
    kernel::read_unlock<M>(z[&zspage<M>::lock],
                           RACE_SITE("zs_free.zspage.read_unlock", read_unlock, "nothing: only reads"));
  } else {
    const bool off_list = isolated(z) != 0;
    kernel::read_unlock<M>(z[&zspage<M>::lock],
                           RACE_SITE("zs_free.zspage.read_unlock-empty", read_unlock, "nothing: only reads"));
    // An isolated zspage is freed when its last page is put back.
    if (!off_list) free_zspage(c, z);
  }
  unlock_class(
      c, RACE_SITE("zs_free.class.unlock", spin_unlock, "freeobj, the link in the object, inuse, fullness lists"));
  unpin_tag(handle, RACE_SITE("zs_free.unpin", bit_spin_unlock, "nothing: the handle is freed next"));
  M::release(ptr<handle_word<M>>::from_address(handle));
}

}  // namespace race::zsmalloc
