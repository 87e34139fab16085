// Page migration: what zsmalloc does when the mm core isolates, moves or puts back one of its pages.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
bool Zsmalloc<M>::zs_page_isolate(Page p) {
  typename M::function here{"zs_page_isolate"};
  const Zspage z = get_zspage(p);
  Class c = class_of(z);
  if (RACE_CHANGED(M, "zs_page_isolate.off-list")) return isolate_on_list(c, z);
  lock_class(c, RACE_SITE("zs_page_isolate.class.lock", spin_lock, "inuse, fullness lists, the isolated count"));
  // Refused: an empty zspage, which the worker may be freeing (then the list node is the worker's), and one that
  // compaction holds off its list.
  bool taken = false;
  if (M::known(z[&zspage<M>::inuse].load()) != 0 || RACE_CHANGED(M, "zs_page_isolate.refuse-empty")) {
    const bool listed = on_list(z);
    const std::uint32_t count = isolated(z);
    taken = listed || count != 0;
    // From the first isolation on nobody allocates from it.
    if (listed && count == 0) {
      remove_zspage(c, z, stored_fullness(z));
      count_isolated_zspage(true);
    }
    if (taken) set_field(z, Meta::isolated_shift, Meta::isolated_mask, count + 1);
  }
  unlock_class(c, RACE_SITE("zs_page_isolate.class.unlock", spin_unlock, "fullness lists, the isolated count"));
  return taken;
}

// As of 5.17: the zspage stays on its list, and the count alone changes; under zspage->lock until that proved too little.
template <class M>
bool Zsmalloc<M>::isolate_on_list(Class c, Zspage z) {
  if (RACE_CHANGED(M, "zs_page_isolate.class-lock")) {
    kernel::write_lock<M>(z[&zspage<M>::lock],
                          RACE_SITE("zs_page_isolate.zspage.write_lock", write_lock, "the isolated count"));
    set_field(z, Meta::isolated_shift, Meta::isolated_mask, isolated(z) + 1);
    kernel::write_unlock<M>(z[&zspage<M>::lock],
                            RACE_SITE("zs_page_isolate.zspage.write_unlock", write_unlock, "the isolated count"));
    return true;
  }
  lock_class(c, RACE_SITE("zs_page_isolate.class.lock-on-list", spin_lock, "the isolated count"));
  set_field(z, Meta::isolated_shift, Meta::isolated_mask, isolated(z) + 1);
  unlock_class(c, RACE_SITE("zs_page_isolate.class.unlock-on-list", spin_unlock, "the isolated count"));
  return true;
}

// Puts `fresh` in the place of `old` in the chain.
template <class M>
void Zsmalloc<M>::replace_sub_page(Class c, Zspage z, Page fresh, Page old) {
  typename M::function here{"replace_sub_page"};
  Page chain[max_pages_per_zspage];
  Page p = z[&zspage<M>::first_page].load();
  for (std::uint32_t k = 0; k < c.pages; ++k) {
    chain[k] = p == old ? fresh : p;
    if (k + 1 < c.pages) p = next_page_or_oops(z, p);
  }
  create_page_chain(c, z, chain);
  fresh[&kernel::page<M>::units].store(old[&kernel::page<M>::units].load());
  if (c.huge) fresh[&kernel::page<M>::freelist].store(old[&kernel::page<M>::freelist].load());
  kernel::set_page_movable<M>(fresh, pool_.address());
}

// A fault that a test of an engine can inject, on a machine that has it: the page is copied behind the class lock.
template <class M>
bool publishes_before_copy() {
  if constexpr (requires { M::publishes_before_copy(); }) return M::publishes_before_copy();
  return false;
}

template <class M>
auto Zsmalloc<M>::zs_page_migrate(Page fresh, Page old) -> MigrateResult {
  typename M::function here{"zs_page_migrate"};
  const Zspage z = get_zspage(old);
  kernel::write_lock<M>(z[&zspage<M>::lock], RACE_SITE("zs_page_migrate.zspage.write_lock", write_lock,
                                                       "what readers of a straddling object wrote"));
  Class c = class_of(z);
  lock_class(c, RACE_SITE("zs_page_migrate.class.lock", spin_lock, "headers and links in the page, inuse, the chain"));
  MigrateResult result = MigrateResult::busy;
  if (M::known(z[&zspage<M>::inuse].load()) != 0 || RACE_CHANGED(M, "zs_page_migrate.empty")) {
    const u32 first = first_object_offset(c, old);
    const Words from = pages_.page_address(old);
    result = MigrateResult::success;
    // Where headers are read from at the end: the old page's memory, which the caller's reference keeps alive.
    Page heads = old;

    const bool pins = !RACE_CHANGED(M, "zs_page_migrate.pin-objects");
    // Pin every allocated object that starts in the page, so that nobody reads where it is while it moves.
    u32 end = first;
    for (; M::known(end) < pages_.page_size(); end = end + c.size) {
      const u64 head = obj_to_head(c, old, end);
      if ((head & obj_allocated_tag) == 0u) continue;
      if (!pins || trypin_tag(head & ~obj_allocated_tag, RACE_SITE("zs_page_migrate.trypin", bit_spin_lock,
                                                                   "the object's bytes, and where its handle leads")))
        continue;
      result = MigrateResult::again;
      break;
    }

    if (result == MigrateResult::success) {
      if (!publishes_before_copy<M>()) M::copy(pages_.page_address(fresh), from, pages_.words_per_page());
      for (u32 at = first; M::known(at < end); at = at + c.size) {
        const u64 head = obj_to_head(c, old, at);
        if ((head & obj_allocated_tag) == 0u) continue;
        const u64 handle = head & ~obj_allocated_tag;
        const u64 obj = handle_to_obj(handle);
        const u64 pin = pins ? u64(handle_pin_bit) : obj & handle_pin_bit;
        record_obj(handle, location_to_obj(c, fresh, obj_to_location(obj).index) | pin);
      }
      isolation_over(fresh);
      replace_sub_page(c, z, fresh, old);
      pages_.get_page(fresh);
      if (RACE_CHANGED(M, "zs_page_isolate.off-list")) {
        if (!RACE_CHANGED(M, "zs_page_isolate.class-lock")) dec_isolated(z);
      } else if (dec_isolated(z) == 0) {
        const Fullness f = putback_zspage(c, z);
        if (f == zs_empty && !RACE_CHANGED(M, "zs_page_migrate.free-empty")) kick_deferred_free();
        count_isolated_zspage(false);
      }
      reset_page(old);
      pages_.put_page(old,
                      RACE_SITE("zs_page_migrate.put_page", ref_put,
                                "the old page; as a full barrier it also orders the copy before the class unlock"));
      if (c.huge) heads = fresh;
    }
    for (u32 at = first; pins && M::known(at < end); at = at + c.size) {
      const u64 head = obj_to_head(c, heads, at);
      if ((head & obj_allocated_tag) == 0u) continue;
      unpin_tag(head & ~obj_allocated_tag, RACE_SITE("zs_page_migrate.unpin", bit_spin_unlock,
                                                     "the object's bytes and its new place, for who maps it"));
    }
  }
  unlock_class(
      c, RACE_SITE("zs_page_migrate.class.unlock", spin_unlock, "the copy of the page, the chain, fullness lists"));
  if (result == MigrateResult::success && RACE_CHANGED(M, "zs_page_isolate.off-list") &&
      RACE_CHANGED(M, "zs_page_isolate.class-lock"))
    dec_isolated(z);
  if (publishes_before_copy<M>() && result == MigrateResult::success)
    M::copy(pages_.page_address(fresh), pages_.page_address(old), pages_.words_per_page());
  kernel::write_unlock<M>(z[&zspage<M>::lock], RACE_SITE("zs_page_migrate.zspage.write_unlock", write_unlock,
                                                         "the copy of the page, for who maps a straddling object"));
  return result;
}

template <class M>
void Zsmalloc<M>::zs_page_putback(Page p) {
  typename M::function here{"zs_page_putback"};
  const Zspage z = get_zspage(p);
  Class c = class_of(z);
  if (RACE_CHANGED(M, "zs_page_isolate.off-list") && RACE_CHANGED(M, "zs_page_isolate.class-lock")) {
    kernel::write_lock<M>(z[&zspage<M>::lock],
                          RACE_SITE("zs_page_putback.zspage.write_lock", write_lock, "the isolated count"));
    dec_isolated(z);
    kernel::write_unlock<M>(z[&zspage<M>::lock],
                            RACE_SITE("zs_page_putback.zspage.write_unlock", write_unlock, "the isolated count"));
    return;
  }
  lock_class(c, RACE_SITE("zs_page_putback.class.lock", spin_lock, "inuse, fullness lists, the isolated count"));
  // The page is locked, so an empty zspage cannot be freed here.
  if (dec_isolated(z) == 0 && !RACE_CHANGED(M, "zs_page_isolate.off-list")) {
    if (putback_zspage(c, z) == zs_empty) kick_deferred_free();
    count_isolated_zspage(false);
  }
  unlock_class(c, RACE_SITE("zs_page_putback.class.unlock", spin_unlock, "fullness lists, the isolated count"));
}

}  // namespace race::zsmalloc
