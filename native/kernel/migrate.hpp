// The part of mm/migrate.c (Linux 4.8) that moves a movable page which is not on an LRU: isolate_movable_page, unmap_and_move,
// putback_movable_page. The owner of such pages has three callbacks: page_isolate, page_migrate, page_putback.
#pragma once

#include "kernel/page_allocator.hpp"

namespace race::kernel {

enum class MigrateResult : std::uint8_t { success, again, busy, no_memory };

template <class M, class Owner>
bool isolate_movable_page(PageAllocator<M>& pages, Owner& owner, PagePtr<M> p) {
  typename M::function here{"isolate_movable_page"};
  if (!pages.get_page_unless_zero(
          p, RACE_SITE("isolate_movable_page.get_page", ref_get, "the page's state before it was freed")))
    return false;
  bool isolated = false;
  if (page_has_movable_mark<M>(p) &&
      trylock_page<M>(p, RACE_SITE("isolate_movable_page.page.trylock", page_lock,
                                   "the movable mark and the zspage of a page that zs_malloc has just published"))) {
    if (page_movable<M>(p) && !test_page_flag<M>(p, pg_isolated) && owner.page_isolate(p)) {
      set_page_flag<M>(p, pg_isolated);
      isolated = true;
    }
    unlock_page<M>(p, RACE_SITE("isolate_movable_page.page.unlock", page_unlock, "the isolated mark"));
  }
  if (!isolated) pages.put_page(p, RACE_SITE("isolate_movable_page.put_page", ref_put, "the page until it is freed"));
  return isolated;
}

// Has its owner freed it since it was isolated?
template <class M>
bool page_was_freed(PagePtr<M> p) {
  if (RACE_CHANGED(M, "reset_page.clear-movable")) return !test_page_flag<M>(p, pg_isolated);
  return !page_movable<M>(p);
}

// Gives an isolated page back to its owner: the end of a failed migration.
template <class M, class Owner>
void putback_movable_page(PageAllocator<M>& pages, Owner& owner, PagePtr<M> p) {
  typename M::function here{"putback_movable_page"};
  lock_page<M>(p, RACE_SITE("putback_movable_page.page.lock", page_lock, "the movable mark"));
  if (!page_was_freed<M>(p)) owner.page_putback(p);
  clear_page_flags<M>(p, pg_isolated);
  unlock_page<M>(p, RACE_SITE("putback_movable_page.page.unlock", page_unlock, "the isolated mark"));
  pages.put_page(p, RACE_SITE("putback_movable_page.put_page", ref_put, "the page until it is freed"));
}

// Moves an isolated page to a new one. On failure the page is put back.
template <class M, class Owner>
MigrateResult unmap_and_move(PageAllocator<M>& pages, Owner& owner, PagePtr<M> p) {
  typename M::function here{"unmap_and_move"};
  const PagePtr<M> fresh = pages.alloc_page();
  if (!fresh) {
    putback_movable_page(pages, owner, p);
    return MigrateResult::no_memory;
  }
  MigrateResult result = MigrateResult::success;
  lock_page<M>(
      p, RACE_SITE("unmap_and_move.page.lock", page_lock, "the movable mark, and the page's place in its zspage"));
  lock_page<M>(fresh, RACE_SITE("unmap_and_move.newpage.lock", page_lock, "the new page"));
  if (!page_was_freed<M>(p)) result = owner.page_migrate(fresh, p);
  if (result == MigrateResult::success) clear_page_flags<M>(p, pg_isolated);
  unlock_page<M>(fresh, RACE_SITE("unmap_and_move.newpage.unlock", page_unlock, "the new page's place in the zspage"));
  unlock_page<M>(p, RACE_SITE("unmap_and_move.page.unlock", page_unlock, "the isolated mark"));
  if (result == MigrateResult::success)
    pages.put_page(p, RACE_SITE("unmap_and_move.put_page", ref_put, "the old page until it is freed"));
  else
    putback_movable_page(pages, owner, p);
  pages.put_page(fresh, RACE_SITE("unmap_and_move.put_newpage", ref_put, "the new page until it is freed"));
  return result;
}

}  // namespace race::kernel
