// Objects: their encoding in a handle's word, their headers, and the free list that runs through them.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

// Bits that number the object in its zspage. Where the class is named too, its slot stands above them.
template <class M>
unsigned Zsmalloc<M>::number_bits() const {
  return RACE_CHANGED(M, "zs_free.hold-pin") ? geometry_.index_bits() - class_bits : geometry_.index_bits();
}

template <class M>
auto Zsmalloc<M>::location_to_obj(Class c, Page p, u32 index) const -> u64 {
  const u64 mask = (std::uint64_t{1} << number_bits()) - 1;
  const std::uint64_t slot = RACE_CHANGED(M, "zs_free.hold-pin") ? std::uint64_t{c.index} << number_bits() : 0;
  return ((pages_.page_to_pfn(p) << geometry_.index_bits()) | slot | (M::template cast<std::uint64_t>(index) & mask))
         << obj_tag_bits;
}

// The class that an object's word names.
template <class M>
auto Zsmalloc<M>::class_in(u64 obj) const -> ClassInfo {
  const std::uint64_t slot = M::known(obj) >> obj_tag_bits >> number_bits() & ((1u << class_bits) - 1);
  return class_info(geometry_.at_slot(static_cast<std::uint32_t>(slot)));
}

template <class M>
auto Zsmalloc<M>::obj_to_location(u64 obj) const -> Location {
  const u64 untagged = obj >> obj_tag_bits;
  const std::uint64_t mask = (std::uint64_t{1} << number_bits()) - 1;
  return {pages_.pfn_to_page(untagged >> geometry_.index_bits()), M::template cast<std::uint32_t>(untagged & mask)};
}

// The zspage that a page belongs to.
template <class M>
auto Zsmalloc<M>::get_zspage(Page p) const -> Zspage {
  const auto private_data = p[&kernel::page<M>::private_data];
  const u64 owner = private_data.read_once();
  if (M::known(owner) == 0)
    report({.oracle = Oracle::stale_page,
            .what = "page->private is empty: the page has left its zspage",
            .where = M::address_of(private_data)});
  const Zspage z = Zspage::from_address(owner);
  const auto word = z[&zspage<M>::meta];
  const std::uint32_t meta = M::known(word.read_once());
  if ((meta >> Meta::magic_shift & Meta::magic_mask) != Meta::magic)
    report({.oracle = Oracle::stale_page,
            .what = "page->private leads to something that is no zspage",
            .value = meta,
            .where = M::address_of(word),
            .kind = ValueKind::meta},
           z);
  return z;
}

// A huge object's page has its handle where others have the next page.
template <class M>
auto Zsmalloc<M>::get_next_page(Page p) const -> Page {
  if (kernel::test_page_flag<M>(p, kernel::pg_owner_priv_1)) return nullptr;
  return Page::from_address(p[&kernel::page<M>::freelist].load());
}

template <class M>
void Zsmalloc<M>::ran_past(Zspage z, Page p) {
  fail({.oracle = Oracle::oops,
        .what = "the walk over the zspage's pages ran past the last one",
        .where = M::address_of(p[&kernel::page<M>::freelist])},
       z);
}

template <class M>
auto Zsmalloc<M>::next_page_or_oops(Zspage z, Page p) const -> Page {
  const Page next = get_next_page(p);
  if (!next) ran_past(z, p);
  return next;
}

template <class M>
void Zsmalloc<M>::set_freeobj(Class c, Zspage z, u32 index) {
  z[&zspage<M>::freeobj].store(index);
  if (observer != nullptr) observer->freeobj_changed(z, c.index);
}

// Takes the object at the head of the zspage's free list. Under the class lock.
template <class M>
auto Zsmalloc<M>::obj_malloc(Class c, Zspage z, u64 handle) -> u64 {
  typename M::function here{"obj_malloc"};
  const u32 index = z[&zspage<M>::freeobj].load();
  const u32 offset = index * c.size;  // wraps as the kernel's int does
  Page p = z[&zspage<M>::first_page].load();
  const std::int32_t pages = static_cast<std::int32_t>(M::known(offset)) >> geometry_.page_shift();
  for (std::int32_t i = 0; i < pages; ++i) p = next_page_or_oops(z, p);
  const auto word = pages_.page_address(p)[M::template cast<std::uint64_t>(offset & (pages_.page_size() - 1)) / 8u];
  set_freeobj(c, z, M::template cast<std::uint32_t>(word.load() >> obj_tag_bits));
  const u64 header = handle | obj_allocated_tag;
  if (c.huge)
    z[&zspage<M>::first_page].load()[&kernel::page<M>::freelist].store(header);
  else
    word.store(header);
  const auto inuse = z[&zspage<M>::inuse];
  inuse.store(inuse.load() + 1u);
  stat_add(c, obj_used, 1);
  if (observer != nullptr) observer->object_allocated(z, c.index, M::known(index), M::known(handle));
  return location_to_obj(c, p, index);
}

// Puts an object back at the head. Under the class lock.
template <class M>
void Zsmalloc<M>::obj_free(Class c, u64 obj) {
  typename M::function here{"obj_free"};
  const Location at = obj_to_location(obj);
  const Zspage z = get_zspage(at.page);
  const auto link = pages_.page_address(at.page)[std::uint64_t{offset_in_page(c, at.index) / 8}];
  // freeobj is 32 bits wide and so is the shift: the end marker loses its top bit here.
  const u32 next = z[&zspage<M>::freeobj].load() << obj_tag_bits;
  link.store(M::template cast<std::uint64_t>(next));
  set_freeobj(c, z, at.index);
  const auto inuse = z[&zspage<M>::inuse];
  inuse.store(inuse.load() - 1u);
  stat_add(c, obj_used, ~std::uint64_t{0});
  if (observer != nullptr) observer->object_freed(z, c.index, M::known(at.index));
}

// Where the first object that starts in the page does.
template <class M>
auto Zsmalloc<M>::first_object_offset(Class c, Page p) const -> u32 {
  if (!RACE_CHANGED(M, "get_first_obj_offset.rule")) return p[&kernel::page<M>::units].load();
  std::uint32_t k = 0;
  for (Page at = get_zspage(p)[&zspage<M>::first_page].load(); at != p; ++k) at = next_page_or_oops(get_zspage(p), at);
  return c.first_object_offset_v7(k, pages_.page_size());
}

// The header of the object that starts at this offset of the page.
template <class M>
auto Zsmalloc<M>::obj_to_head(Class c, Page p, u32 offset) const -> u64 {
  if (c.huge) return p[&kernel::page<M>::freelist].load();
  return pages_.page_address(p)[M::template cast<std::uint64_t>(offset) / 8u].load();
}

}  // namespace race::zsmalloc
