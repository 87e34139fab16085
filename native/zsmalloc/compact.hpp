// Compaction: moves objects out of sparse zspages, so that those can be freed. Only the pin keeps users of an object away.
#pragma once

#include "zsmalloc/zsmalloc.hpp"

namespace race::zsmalloc {

template <class M>
std::uint64_t Zsmalloc<M>::can_compact(Class c) const {
  const std::uint64_t allocated = M::known(stat(c, obj_allocated).read_once());
  const std::uint64_t used = M::known(stat(c, obj_used).read_once());
  if (allocated <= used && !RACE_CHANGED(M, "zs_can_compact.check"))
    return 0;  // read without the lock, the two need not fit each other
  return (allocated - used) / c.objects * c.pages;
}

template <class M>
std::uint64_t Zsmalloc<M>::zs_can_compact() {
  typename M::function here{"zs_can_compact"};
  std::uint64_t pages = 0;
  for (Class c : classes_) pages += can_compact(c);
  return pages;
}

// The first zspage of the sparser group for a source, of the fuller one for a destination; off its list.
template <class M>
auto Zsmalloc<M>::isolate_zspage(Class c, bool source) -> Zspage {
  const Fullness order[2] = {source ? zs_almost_empty : zs_almost_full, source ? zs_almost_full : zs_almost_empty};
  for (const Fullness f : order) {
    const Zspage z = first_in(c, f);
    if (!z) continue;
    remove_zspage(c, z, f);
    return z;
  }
  return nullptr;
}

// From `index` on, the handle of an allocated object that starts in the page, pinned; or 0. index is left at the object.
template <class M>
auto Zsmalloc<M>::find_allocated_object(Class c, Page p, std::uint32_t& index) -> u64 {
  const u32 first = first_object_offset(c, p);
  for (u32 at = first + index * c.size; M::known(at) < pages_.page_size(); at = at + c.size, ++index) {
    const u64 head = obj_to_head(c, p, at);
    if ((head & obj_allocated_tag) == 0u) continue;
    const u64 handle = head & ~obj_allocated_tag;
    if (trypin_tag(handle, RACE_SITE("migrate_zspage.trypin", bit_spin_lock, "the object's bytes, and where it is")))
      return handle;
  }
  return 0u;
}

// All bytes, header included; either side may straddle two pages.
template <class M>
void Zsmalloc<M>::zs_object_copy(Class c, u64 to, u64 from) {
  typename M::function here{"zs_object_copy"};
  struct Side {
    Words first, second;
    std::uint32_t split;
  };
  const auto side = [&](u64 obj) {
    const Location at = obj_to_location(obj);
    const std::uint32_t offset = offset_in_page(c, at.index);
    Side s{word_at(at.page, offset), Words(nullptr), (pages_.page_size() - offset) / 8};
    if (s.split < c.size / 8) s.second = pages_.page_address(next_page_or_oops(get_zspage(at.page), at.page));
    return s;
  };
  const Side source = side(from);
  const Side target = side(to);
  const auto word = [](const Side& s, std::uint32_t w) {
    return w < s.split ? s.first[std::uint64_t{w}] : s.second[std::uint64_t{w - s.split}];
  };
  for (std::uint32_t w = 0; w < c.size / 8; ++w) word(target, w).store(word(source, w).load());
}

// Moves objects from the source, from where cc stands, until the source is done (true) or the destination full (false).
template <class M>
bool Zsmalloc<M>::migrate_zspage(Class c, CompactControl& cc) {
  typename M::function here{"migrate_zspage"};
  for (;;) {
    const u64 handle = find_allocated_object(c, cc.source, cc.index);
    if (M::known(handle) == 0) {
      const Page next = get_next_page(cc.source);
      if (!next) return true;
      cc.source = next;
      cc.index = 0;
      continue;
    }
    if (RACE_CHANGED(M, "migrate_zspage.keep-class-lock")) {
      unlock_class(c, RACE_SITE("migrate_zspage.class.unlock", spin_unlock, "everything of the class"));
      cond_resched();
      lock_class(c, RACE_SITE("migrate_zspage.class.relock", spin_lock, "everything of the class"));
    }
    const Zspage destination = get_zspage(cc.destination);
    if (M::known(destination[&zspage<M>::inuse].load()) == c.objects) {
      unpin_tag(handle, RACE_SITE("migrate_zspage.unpin-full", bit_spin_unlock, "nothing: the object stays"));
      return false;
    }
    const u64 from = handle_to_obj(handle);
    const u64 to = obj_malloc(c, destination, handle);
    zs_object_copy(c, to, from);
    ++cc.index;
    const bool by_store = RACE_CHANGED(M, "migrate_zspage.give-pin");
    record_obj(handle, by_store || RACE_CHANGED(M, "migrate_zspage.keep-pin") ? to : to | handle_pin_bit);
    if (!by_store)
      unpin_tag(handle, RACE_SITE("migrate_zspage.unpin", bit_spin_unlock, "the object's bytes at their new place"));
    obj_free(c, from);
  }
}

// The counter is the pool's, the lock that is held the class's.
template <class M>
void Zsmalloc<M>::count_compacted(std::uint64_t n) {
  const auto compacted = pool_[&zs_pool<M>::pages_compacted];
  if (RACE_CHANGED(M, "__zs_compact.count-pages"))
    compacted.fetch_add(n, Order::plain);
  else
    compacted.write_once(compacted.read_once() + n);
  if (observer != nullptr) observer->pages_compacted(n);
}

template <class M>
void Zsmalloc<M>::compact_class(Class c) {
  typename M::function here{"__zs_compact"};
  lock_class(c, RACE_SITE("__zs_compact.class.lock", spin_lock, "everything of the class"));
  const bool write_locks = RACE_CHANGED(M, "zs_map_object.hold-pin") && !RACE_CHANGED(M, "migrate_zspage.write-lock");
  Zspage stale = nullptr;  // a source that was put back, where the code does not forget it
  for (;;) {
    const Zspage source = isolate_zspage(c, true);
    if (!source || can_compact(c) == 0) {
      if (source) putback_zspage(c, source);
      if (stale) putback_zspage(c, stale);
      break;
    }
    if (write_locks)
      kernel::write_lock<M>(source[&zspage<M>::lock], RACE_SITE("__zs_compact.zspage.write_lock", write_lock,
                                                                "what mappers of the source wrote"));
    CompactControl cc{source[&zspage<M>::first_page].load(), 0, nullptr};
    Zspage destination = nullptr;
    while ((destination = isolate_zspage(c, false))) {
      cc.destination = destination[&zspage<M>::first_page].load();
      if (migrate_zspage(c, cc)) break;
      putback_zspage(c, destination);  // full: the next one
    }
    if (write_locks)
      kernel::write_unlock<M>(source[&zspage<M>::lock], RACE_SITE("__zs_compact.zspage.write_unlock", write_unlock,
                                                                  "where the objects of the source have gone"));
    if (destination) putback_zspage(c, destination);
    const bool emptied = putback_zspage(c, source) == zs_empty;
    // Without pins to be busy with there is no point in trying again.
    if (!destination || (!emptied && RACE_CHANGED(M, "zs_map_object.hold-pin"))) break;
    if (emptied) {
      free_zspage(c, source);
      count_compacted(c.pages);
    }
    stale = !emptied && RACE_CHANGED(M, "__zs_compact.clear-source") ? source : Zspage(nullptr);
    unlock_class(c, RACE_SITE("__zs_compact.class.unlock-resched", spin_unlock, "everything of the class"));
    cond_resched();  // while pins are busy this loop is waiting for their holders
    lock_class(c, RACE_SITE("__zs_compact.class.relock", spin_lock, "everything of the class"));
  }
  unlock_class(c, RACE_SITE("__zs_compact.class.unlock", spin_unlock, "everything of the class"));
}

template <class M>
std::uint64_t Zsmalloc<M>::zs_compact() {
  typename M::function here{"zs_compact"};
  for (Class c : classes_) compact_class(c);
  return M::known(pages_compacted());
}

}  // namespace race::zsmalloc
