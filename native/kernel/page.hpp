// struct page as zsmalloc uses it (include/linux/mm_types.h, page-flags.h, Linux 4.8), with its lock and its bits.
#pragma once

#include "kernel/bit_spinlock.hpp"

namespace race::kernel {

template <class M>
struct page {
  using Ptr = typename M::template ptr<page>;
  typename M::template shared<std::uint64_t> flags;
  typename M::template shared<std::uint64_t> private_data;  // zsmalloc: the zspage
  typename M::template shared<std::uint64_t> freelist;  // zsmalloc: the next page; shares its word with `index`: a huge
                                                        // object's handle
  typename M::template shared<std::uint64_t> mapping;   // owner | page_mapping_movable
  typename M::template shared<std::uint32_t> units;     // zsmalloc: offset of the first object that starts here
  typename M::template shared<std::uint32_t> refcount;
};

template <class M>
using PagePtr = typename page<M>::Ptr;

enum PageFlag : std::uint64_t {
  pg_locked = 1,
  pg_private = 2,       // zsmalloc: first page of a zspage
  pg_private_2 = 4,     // zsmalloc: last page of a zspage
  pg_owner_priv_1 = 8,  // zsmalloc: holds one huge object
  pg_isolated = 16,
};

constexpr std::uint64_t page_mapping_movable = 2;

template <class M>
bool test_page_flag(PagePtr<M> p, PageFlag flag) {
  return bool((p[&page<M>::flags].read_once() & flag) != 0u);
}
template <class M>
void set_page_flag(PagePtr<M> p, PageFlag flag) {  // set_bit: no order
  p[&page<M>::flags].fetch_or(flag, Order::plain);
}
template <class M>
void clear_page_flags(PagePtr<M> p, std::uint64_t flags) {
  p[&page<M>::flags].fetch_and(~flags, Order::plain);
}

template <class M>
bool trylock_page(PagePtr<M> p, SiteId site) {
  return bit_spin_trylock<M>(p[&page<M>::flags], pg_locked, site);
}
template <class M>
void lock_page(PagePtr<M> p, SiteId site) {
  bit_spin_lock<M>(p[&page<M>::flags], pg_locked, site);
}
template <class M>
void unlock_page(PagePtr<M> p, SiteId site) {
  bit_spin_unlock<M>(p[&page<M>::flags], pg_locked, site, "unlock_page of a page that is not locked");
}

template <class M>
void wait_on_page_locked(PagePtr<M> p) {
  p[&page<M>::flags].await([](auto v) { return (v & pg_locked) == 0u; }, Order::plain);
}

// __PageMovable stays set when __ClearPageMovable has taken the owner away; PageMovable asks for both.
template <class M>
bool page_has_movable_mark(PagePtr<M> p) {
  return bool((p[&page<M>::mapping].read_once() & page_mapping_movable) != 0u);
}
template <class M>
bool page_movable(PagePtr<M> p) {
  return bool(p[&page<M>::mapping].read_once() > page_mapping_movable);
}
template <class M>
void set_page_movable(PagePtr<M> p, typename M::template value<std::uint64_t> owner) {
  p[&page<M>::mapping].write_once(owner | page_mapping_movable);
}
template <class M>
void clear_page_movable(PagePtr<M> p) {
  p[&page<M>::mapping].write_once(page_mapping_movable);
}

}  // namespace race::kernel
