// Mapping objects: in place if the object lies in one page, else through the CPU's buffer.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

// Copies words from_word.. of a straddling object that starts at `offset` of `first`, to the buffer or back.
template <class M>
void Zsmalloc<M>::copy_object(Class c, Page first, std::uint32_t offset, Words buffer, std::uint32_t from_word,
                              bool to_buffer) {
  const Page second = get_next_page(first);
  if (!second)
    fail({.oracle = Oracle::oops,
          .what = "a straddling object has no second page",
          .where = M::address_of(first[&kernel::page<M>::freelist])},
         get_zspage(first));
  const Words in_first = word_at(first, offset);
  const Words in_second = pages_.page_address(second);
  const std::uint32_t split = (pages_.page_size() - offset) / 8;
  for (std::uint32_t w = from_word; w < c.size / 8; ++w) {
    const auto object = w < split ? in_first[std::uint64_t{w}] : in_second[std::uint64_t{w - split}];
    const auto copy = buffer[std::uint64_t{w}];
    if (to_buffer)
      copy.store(object.load());
    else
      object.store(copy.load());
  }
}

template <class M>
auto Zsmalloc<M>::zs_map_object(u64 handle, MapMode mode) -> Mapping {
  typename M::function here{"zs_map_object"};
  pin_tag(handle, RACE_SITE("zs_map_object.pin", bit_spin_lock, "where the object is, and its bytes after compaction"));
  const Location at = obj_to_location(handle_to_obj(handle));
  const Zspage z = get_zspage(at.page);
  if (!RACE_CHANGED(M, "zs_map_object.read-lock"))
    kernel::read_lock<M>(z[&zspage<M>::lock], RACE_SITE("zs_map_object.zspage.read_lock", read_lock,
                                                        "the object's bytes and the second page of a straddler"));
  if (RACE_CHANGED(M, "zs_map_object.hold-pin"))
    unpin_tag(handle, RACE_SITE("zs_map_object.unpin", bit_spin_unlock, "nothing: zspage->lock is held"));
  Class c = class_of(z);
  const std::uint32_t offset = offset_in_page(c, at.index);
  MapArea& area = areas_[M::cpu()];
  area.mode = mode;
  const std::uint32_t header = c.huge ? 0 : 1;
  if (offset + c.size <= pages_.page_size())
    return {word_at(at.page, offset) + std::uint64_t{header}, c.size / 8 - header};
  if (mode != MapMode::write_only) copy_object(c, at.page, offset, area.buffer, 0, true);
  return {area.buffer + std::uint64_t{header}, c.size / 8 - header};
}

template <class M>
void Zsmalloc<M>::zs_unmap_object(u64 handle) {
  typename M::function here{"zs_unmap_object"};
  const Location at = obj_to_location(handle_to_obj(handle));
  const Zspage z = get_zspage(at.page);
  Class c = class_of(z);
  const std::uint32_t offset = offset_in_page(c, at.index);
  const MapArea& area = areas_[M::cpu()];
  if (offset + c.size > pages_.page_size() && area.mode != MapMode::read_only)
    copy_object(c, at.page, offset, area.buffer, 1, false);
  if (!RACE_CHANGED(M, "zs_map_object.read-lock"))
    kernel::read_unlock<M>(z[&zspage<M>::lock], RACE_SITE("zs_unmap_object.zspage.read_unlock", read_unlock,
                                                          "the object's bytes, for the migration that copies them"));
  if (!RACE_CHANGED(M, "zs_map_object.hold-pin"))
    unpin_tag(handle, RACE_SITE("zs_unmap_object.unpin", bit_spin_unlock,
                                "the object's bytes, for the compaction or the CPU that has the object next"));
}

}  // namespace race::zsmalloc
