// zspages: how they are built from pages, locked, and freed, at once or by the worker.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

// Links the pages of a zspage in order. Every next pointer passes through null, also when migration does this again.
template <class M>
void Zsmalloc<M>::create_page_chain(Class c, Zspage z, const Page* chain) {
  for (std::uint32_t k = 0; k < c.pages; ++k) {
    const Page p = chain[k];
    p[&kernel::page<M>::private_data].write_once(z.address());
    p[&kernel::page<M>::freelist].store(0u);
    if (k == 0) {
      z[&zspage<M>::first_page].store(p);
      kernel::set_page_flag<M>(p, kernel::pg_private);
      if (c.huge) kernel::set_page_flag<M>(p, kernel::pg_owner_priv_1);
    } else {
      chain[k - 1][&kernel::page<M>::freelist].store(p.address());
    }
    if (k == c.pages - 1) kernel::set_page_flag<M>(p, kernel::pg_private_2);
  }
}

// Threads the free list through all objects in index order.
template <class M>
void Zsmalloc<M>::init_zspage(Class c, Zspage z) {
  Page p = z[&zspage<M>::first_page].load();
  std::uint32_t offset = 0;
  std::uint32_t object = 0;
  for (std::uint32_t k = 0; k < c.pages; ++k) {
    p[&kernel::page<M>::units].store(offset);
    const Words words = pages_.page_address(p);
    for (; offset < pages_.page_size(); offset += c.size, ++object) {
      // The last object ends the list. So does a start behind it that no object has: scans of the page look there.
      const std::uint64_t next = object + 1 < c.objects ? object + 1 : ~std::uint64_t{0};
      words[std::uint64_t{offset / 8}].store(next << obj_tag_bits);
    }
    offset -= pages_.page_size();
    if (k + 1 < c.pages) p = next_page_or_oops(z, p);
  }
  set_freeobj(c, z, 0u);
}

template <class M>
auto Zsmalloc<M>::alloc_zspage(Class c) -> Zspage {
  typename M::function here{"alloc_zspage"};
  const Zspage z = M::template allocate<zspage<M>>("zspage");
  if (!z) return nullptr;
  z[&zspage<M>::meta].write_once(Meta::magic << Meta::magic_shift);
  kernel::init_list_head<M>(z[&zspage<M>::list]);
  Page chain[max_pages_per_zspage];
  for (std::uint32_t k = 0; k < c.pages; ++k) {
    chain[k] = pages_.alloc_page();
    if (chain[k]) {
      isolation_over(chain[k]);  // whatever became of the frame before
      continue;
    }
    while (k-- > 0)
      pages_.put_page(chain[k], RACE_SITE("alloc_zspage.put_page", ref_put, "nothing: nobody saw these pages"));
    M::release(z);
    return nullptr;
  }
  create_page_chain(c, z, chain);
  init_zspage(c, z);
  if (RACE_CHANGED(M, "zs_malloc.movable-last"))
    for (std::uint32_t k = 0; k < c.pages; ++k) kernel::set_page_movable<M>(chain[k], pool_.address());
  if (observer != nullptr) observer->zspage_created(z, c.index);
  return z;
}

// Under the class lock, once the zspage is complete. Nobody can hold these page locks: the pages were not movable until now.
template <class M>
void Zsmalloc<M>::set_zspage_movable(Zspage z) {
  typename M::function here{"SetZsPageMovable"};
  for (Page p = z[&zspage<M>::first_page].load(); p; p = get_next_page(p)) {
    if (!kernel::trylock_page<M>(
            p, RACE_SITE("SetZsPageMovable.page.trylock", page_lock, "the new zspage, with the unlock")))
      report({.oracle = Oracle::stale_page,
              .what = "a page of a zspage that is being built is locked by somebody else",
              .where = M::address_of(p[&kernel::page<M>::flags])},
             z);
    kernel::set_page_movable<M>(p, pool_.address());
    kernel::unlock_page<M>(
        p, RACE_SITE("SetZsPageMovable.page.unlock", page_unlock, "the new zspage, for who isolates one of its pages"));
  }
}

template <class M>
void Zsmalloc<M>::reset_page(Page p) {
  const bool movable = RACE_CHANGED(M, "reset_page.clear-movable");
  if (!movable) kernel::clear_page_movable<M>(p);
  kernel::clear_page_flags<M>(p, kernel::pg_private | kernel::pg_private_2 | kernel::pg_owner_priv_1 |
                                     (movable ? std::uint64_t{kernel::pg_isolated} : 0u));
  p[&kernel::page<M>::private_data].write_once(0u);
  p[&kernel::page<M>::freelist].store(0u);
}

template <class M>
bool Zsmalloc<M>::trylock_zspage(Zspage z) {
  typename M::function here{"trylock_zspage"};
  const Page first = z[&zspage<M>::first_page].load();
  for (Page p = first; p; p = get_next_page(p)) {
    if (kernel::trylock_page<M>(p, RACE_SITE("trylock_zspage.page.trylock", page_lock, "the page's marks"))) continue;
    for (Page q = first; q != p; q = get_next_page(q))
      kernel::unlock_page<M>(q, RACE_SITE("trylock_zspage.page.unlock", page_unlock, "nothing: nothing was changed"));
    return false;
  }
  return true;
}

// Returns how many pages it has locked.
template <class M>
std::uint32_t Zsmalloc<M>::lock_zspage(Zspage z) {
  typename M::function here{"lock_zspage"};
  const bool careful = RACE_CHANGED(M, "lock_zspage.walk");
  const bool moves = RACE_CHANGED(M, "zs_page_migrate.empty");  // in 4.8 no page of it can be migrated now
  const auto lock = z[&zspage<M>::lock];
  std::uint32_t locked = 0;
  for (Page last = nullptr;;) {
    if (careful)
      kernel::read_lock<M>(lock,
                           RACE_SITE("lock_zspage.zspage.read_lock", read_lock, "the chain, which migration relinks"));
    const Page p = last ? get_next_page(last) : z[&zspage<M>::first_page].load();
    bool mine = bool(p);
    if (p && !careful) kernel::lock_page<M>(p, RACE_SITE("lock_zspage.page.lock", page_lock, "the page's marks"));
    if (p && careful) {
      mine = kernel::trylock_page<M>(p, RACE_SITE("lock_zspage.page.trylock", page_lock, "the page's marks"));
      if (!mine) pages_.get_page(p);
    }
    if (careful)
      kernel::read_unlock<M>(lock, RACE_SITE("lock_zspage.zspage.read_unlock", read_unlock, "nothing: only reads"));
    if (!p) return locked;
    if (!mine) {
      // It may be moving away: wait until that is over, and look again.
      kernel::wait_on_page_locked<M>(p);
      pages_.put_page(p, RACE_SITE("lock_zspage.put_page", ref_put, "the page until it is freed"));
      continue;
    }
    if (moves && M::peek(p[&kernel::page<M>::private_data]) != M::known(z.address()))
      report({.oracle = Oracle::stale_page,
              .what = "the worker has locked a page that is not the zspage's",
              .where = M::address_of(p[&kernel::page<M>::private_data])},
             z);
    last = p;
    ++locked;
  }
}

// All its pages are locked, and so is the class.
template <class M>
void Zsmalloc<M>::free_locked_zspage(Class c, Zspage z) {
  typename M::function here{"__free_zspage"};
  const auto inuse = z[&zspage<M>::inuse];
  if (const std::uint32_t objects = M::known(inuse.load()); objects != 0)
    report({.oracle = Oracle::accounting,
            .what = "a zspage that holds objects is freed",
            .value = objects,
            .where = M::address_of(inuse),
            .kind = ValueKind::number,
            .expected = 0},
           z);
  Page p = z[&zspage<M>::first_page].load();
  for (std::uint32_t k = 0; k < c.pages; ++k) {
    const Page next = get_next_page(p);
    if (k + 1 < c.pages && !next) ran_past(z, p);
    reset_page(p);
    kernel::unlock_page<M>(p, RACE_SITE("__free_zspage.page.unlock", page_unlock, "the cleared movable mark"));
    pages_.put_page(p, RACE_SITE("__free_zspage.put_page", ref_put, "the page until it is freed"));
    p = next;
  }
  if (observer != nullptr) observer->zspage_freed(z);
  M::release(z);
  stat_add(c, obj_allocated, ~std::uint64_t{0} * c.objects);
  pool_[&zs_pool<M>::pages_allocated].fetch_sub(c.pages, Order::plain);
}

// Under the class lock. If a page is locked by somebody, the worker does it.
template <class M>
void Zsmalloc<M>::free_zspage(Class c, Zspage z) {
  typename M::function here{"free_zspage"};
  if (!trylock_zspage(z)) return kick_deferred_free();
  if (!RACE_CHANGED(M, "zs_free.leave-isolated") || on_list(z)) remove_zspage(c, z, zs_empty);
  free_locked_zspage(c, z);
}

template <class M>
void Zsmalloc<M>::kick_deferred_free() {
  if (observer != nullptr) observer->pool_used("work is scheduled for a pool that was destroyed");
  kernel::schedule_work<M>(pool_[&zs_pool<M>::free_work],
                           RACE_SITE("schedule_work", work_queue, "the empty zspage that the worker is to find"));
}

template <class M>
void Zsmalloc<M>::async_free_zspage() {
  if (teardown_) {  // there is somebody who waits until the worker is idle
    work_pending().await([](auto v) { return v != 0u; }, Order::plain);
    teardown_[&teardown<M>::worker_busy].store(1u, Order::plain);
  }
  kernel::take_work<M>(pool_[&zs_pool<M>::free_work],
                       RACE_SITE("process_one_work", work_take, "requests that come while the worker runs"));
  typename M::function here{"async_free_zspage"};
  const auto list = pool_[&zs_pool<M>::free_pages];
  kernel::init_list_head<M>(list);
  for (Class c : classes_) {
    lock_class(c, RACE_SITE("async_free_zspage.class.lock", spin_lock, "the list of empty zspages"));
    kernel::list_splice_init<M>(fullness_list(c, zs_empty), list);
    unlock_class(c, RACE_SITE("async_free_zspage.class.unlock", spin_unlock, "the list of empty zspages"));
  }
  while (const auto node = kernel::list_first<M>(list)) {
    const Zspage z = Zspage::container_of(node, &zspage<M>::list);
    kernel::list_del_init<M>(node);
    const std::uint32_t locked = lock_zspage(z);
    Class c = class_of(z);
    if (locked != c.pages && RACE_CHANGED(M, "zs_page_migrate.empty"))
      report({.oracle = Oracle::stale_page,
              .what = "the worker has not locked every page of the zspage",
              .value = locked,
              .where = M::address_of(z[&zspage<M>::first_page]),
              .kind = ValueKind::number,
              .expected = c.pages},
             z);
    lock_class(c, RACE_SITE("async_free_zspage.class.relock", spin_lock, "the zspage and the statistics"));
    free_locked_zspage(c, z);
    unlock_class(c, RACE_SITE("async_free_zspage.class.reunlock", spin_unlock, "the statistics"));
  }
  if (teardown_) teardown_[&teardown<M>::worker_busy].store(0u, Order::release);
}

}  // namespace race::zsmalloc
