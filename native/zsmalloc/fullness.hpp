// Fullness groups: the four lists of a size class, ordered by how full their zspages are, and the class statistics.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
void Zsmalloc<M>::set_field(Zspage z, std::uint32_t shift, std::uint32_t mask, std::uint32_t v) {
  const auto meta = z[&zspage<M>::meta];
  meta.write_once((meta.read_once() & ~(mask << shift)) | ((v & mask) << shift));
}

template <class M>
auto Zsmalloc<M>::class_of(Zspage z) const -> ClassInfo {
  const u32 slot = field(z[&zspage<M>::meta].read_once(), Meta::class_shift, Meta::class_mask);
  const std::uint32_t number = M::known(slot);
  if (number >= geometry_.slots() || geometry_.at_slot(number).index != number)
    fail({.oracle = Oracle::oops,
          .what = "the zspage names a size class that does not exist",
          .value = number,
          .where = M::address_of(z[&zspage<M>::meta]),
          .kind = ValueKind::number},
         z);
  ClassInfo c = class_info(geometry_.at_slot(number));
  c.shared = c.shared + M::template cast<std::uint64_t>(slot - number);  // 0, and the dependency
  return c;
}

template <class M>
std::uint32_t Zsmalloc<M>::isolated(Zspage z) {
  return M::known(field(z[&zspage<M>::meta].read_once(), Meta::isolated_shift, Meta::isolated_mask));
}

// One page of the zspage is isolated no longer. Returns how many still are.
template <class M>
std::uint32_t Zsmalloc<M>::dec_isolated(Zspage z) {
  const std::uint32_t count = isolated(z);
  if (count == 0)
    report({.oracle = Oracle::accounting,
            .what = "the isolated count of a zspage falls below 0",
            .where = M::address_of(z[&zspage<M>::meta])},
           z);
  set_field(z, Meta::isolated_shift, Meta::isolated_mask, count - 1);
  return (count - 1) & Meta::isolated_mask;
}

template <class M>
Fullness Zsmalloc<M>::get_fullness_group(Class c, Zspage z) const {
  const std::uint32_t inuse = M::known(z[&zspage<M>::inuse].load());
  if (inuse == 0) return zs_empty;
  if (inuse == c.objects) return zs_full;
  return inuse <= 3 * c.objects / 4 ? zs_almost_empty : zs_almost_full;
}

// The shrinker reads the counters without the lock.
template <class M>
void Zsmalloc<M>::stat_add(Class c, u32 s, std::uint64_t n) const {
  const auto counter = stat(c, s);
  counter.write_once(counter.read_once() + n);
}

template <class M>
auto Zsmalloc<M>::first_in(Class c, Fullness f) const -> Zspage {
  const auto node = kernel::list_first<M>(fullness_list(c, f));
  return node ? Zspage::container_of(node, &zspage<M>::list) : Zspage(nullptr);
}

// At the head of its list; right behind the head if that one is fuller.
template <class M>
void Zsmalloc<M>::insert_zspage(Class c, Zspage z, Fullness f) {
  stat_add(c, f, 1);
  const auto list = fullness_list(c, f);
  if (const Zspage head = first_in(c, f)) {
    // One access a statement: the order of two in one expression is the compiler's, and executions must not depend on it.
    const u32 mine = z[&zspage<M>::inuse].load();
    const u32 first = head[&zspage<M>::inuse].load();
    if (mine < first) return kernel::list_add<M>(z[&zspage<M>::list], head[&zspage<M>::list]);
  }
  kernel::list_add<M>(z[&zspage<M>::list], list);
}

template <class M>
void Zsmalloc<M>::remove_zspage(Class c, Zspage z, u32 f) {
  if (const auto list = fullness_list(c, f); kernel::list_empty<M>(list))
    report({.oracle = Oracle::accounting,
            .what = "a zspage is taken off a fullness list that is empty",
            .where = M::address_of(list[&kernel::list_head<M>::next]),
            .size_class = static_cast<std::int32_t>(c.index)},
           z);
  kernel::list_del_init<M>(z[&zspage<M>::list]);
  stat_add(c, f, ~std::uint64_t{0});
}

// After a change of inuse: moves the zspage to the list where it belongs now, unless it is isolated.
template <class M>
Fullness Zsmalloc<M>::fix_fullness_group(Class c, Zspage z) {
  const u32 old = stored_fullness(z);
  const Fullness now = get_fullness_group(c, z);
  if (M::known(old) == now) return now;
  if (RACE_CHANGED(M, "zs_page_isolate.off-list") || isolated(z) == 0) {
    remove_zspage(c, z, old);
    insert_zspage(c, z, now);
  }
  set_field(z, Meta::fullness_shift, Meta::fullness_mask, now);
  return now;
}

template <class M>
Fullness Zsmalloc<M>::putback_zspage(Class c, Zspage z) {
  const Fullness f = get_fullness_group(c, z);
  insert_zspage(c, z, f);
  set_field(z, Meta::fullness_shift, Meta::fullness_mask, f);
  return f;
}

// A zspage to allocate from. One that waits on the empty list for the worker may be used again.
template <class M>
auto Zsmalloc<M>::find_get_zspage(Class c) const -> Zspage {
  for (const Fullness f : {zs_almost_full, zs_almost_empty, zs_empty})
    if (const Zspage z = first_in(c, f)) return z;
  return nullptr;
}

}  // namespace race::zsmalloc
