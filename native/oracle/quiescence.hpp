// The complete check of a pool that nobody uses: every invariant of zsmalloc's structures, read without accesses.
#pragma once

#include <algorithm>
#include <vector>

#include "zsmalloc/zsmalloc.hpp"

namespace race::oracle {

template <class M>
class Quiescence {
 public:
  using Zs = zsmalloc::Zsmalloc<M>;
  using Zspage = typename Zs::Zspage;
  using Page = typename Zs::Page;
  using Class = const zsmalloc::SizeClassGeometry&;
  using ZspageType = zsmalloc::zspage<M>;
  using ClassType = zsmalloc::size_class<M>;
  using PageType = kernel::page<M>;

  explicit Quiescence(const Zs& zs) : zs_(zs) {}

  // known: addresses of the zspages that were created and not freed. Returns the first fault; Fault::what is null if none.
  Fault check(const std::vector<std::uint64_t>& known) {
    fault_ = {};
    fault_.what = nullptr;
    listed_ = 0;
    pages_ = 0;
    most_ = known.size();
    for (Class c : zs_.geometry().classes())
      if (!check_class(c)) return fault_;
    if (listed_ != known.size())
      return report(Oracle::accounting, "a zspage is on no fullness list and was not freed", nullptr, -1,
                    known.size() - listed_);
    if (M::peek(zs_.pool()[&zsmalloc::zs_pool<M>::pages_allocated]) != pages_)
      return report(Oracle::accounting, "pages_allocated differs from the pages of all zspages", nullptr, -1,
                    M::peek(zs_.pool()[&zsmalloc::zs_pool<M>::pages_allocated]));
    if (zs_.pages().frames() - zs_.pages().free_frames() != pages_)
      return report(Oracle::accounting, "a page frame is neither free nor in a zspage", nullptr, -1,
                    zs_.pages().frames() - zs_.pages().free_frames() - pages_);
    return fault_;
  }

 private:
  Fault report(Oracle o, const char* what, Zspage z, std::int64_t object = -1, std::uint64_t value = 0,
               std::uint64_t where = 0) {
    fault_ = {o, what, M::known(z.address()), object, value, where};
    return fault_;
  }
  bool bad(Oracle o, const char* what, Zspage z, std::int64_t object = -1, std::uint64_t value = 0,
           std::uint64_t where = 0) {
    report(o, what, z, object, value, where);
    return false;
  }

  bool check_class(Class c) {
    const auto s = zs_.class_at(c.index);
    const auto lock = s[&ClassType::lock];
    if (M::peek(lock[&kernel::spinlock<M>::next]) != M::peek(lock[&kernel::spinlock<M>::owner]))
      return bad(Oracle::accounting, "a class lock is still held", nullptr, -1, c.size);
    std::uint64_t used = 0, zspages = 0;
    for (std::uint32_t f = 0; f < zsmalloc::fullness_groups; ++f) {
      const auto head = s[&ClassType::fullness_list] + std::uint64_t{f};
      std::uint64_t members = 0;
      for (auto node = M::peek(head[&kernel::list_head<M>::next]); M::known(node != head);
           node = M::peek(node[&kernel::list_head<M>::next])) {
        if (++listed_ > most_)
          return bad(Oracle::accounting, "the fullness lists hold more zspages than exist", nullptr, -1, c.size);
        const Zspage z = Zspage::container_of(node, &ZspageType::list);
        if (!check_zspage(c, z, f)) return false;
        used += M::peek(z[&ZspageType::inuse]);
        ++members;
      }
      zspages += members;
      if (f == zsmalloc::zs_empty && members != 0)
        return bad(Oracle::accounting, "an empty zspage was left behind: no work is pending that would free it",
                   Zspage::container_of(M::peek(head[&kernel::list_head<M>::next]), &ZspageType::list));
      // The worker takes empty zspages off without counting, in 4.8 too: that counter may only be too high.
      const std::uint64_t counted = M::peek(s[&ClassType::stats][std::uint64_t{f}]);
      if (f == zsmalloc::zs_empty ? counted < members : counted != members)
        return bad(Oracle::accounting, "a fullness group's counter differs from its list", nullptr, -1, counted);
    }
    if (M::peek(s[&ClassType::stats][std::uint64_t{zsmalloc::obj_used}]) != used)
      return bad(Oracle::accounting, "OBJ_USED differs from the sum of inuse", nullptr, -1,
                 M::peek(s[&ClassType::stats][std::uint64_t{zsmalloc::obj_used}]));
    if (M::peek(s[&ClassType::stats][std::uint64_t{zsmalloc::obj_allocated}]) != zspages * c.objects)
      return bad(Oracle::accounting, "OBJ_ALLOCATED differs from the zspages that exist", nullptr, -1,
                 M::peek(s[&ClassType::stats][std::uint64_t{zsmalloc::obj_allocated}]));
    return true;
  }

  bool check_zspage(Class c, Zspage z, std::uint32_t f) {
    using zsmalloc::Meta;
    const std::uint32_t meta = M::peek(z[&ZspageType::meta]);
    if ((meta >> Meta::magic_shift & Meta::magic_mask) != Meta::magic)
      return bad(Oracle::stale_page, "a fullness list leads to something that is no zspage", z, -1, meta);
    if ((meta >> Meta::class_shift & Meta::class_mask) != c.index)
      return bad(Oracle::accounting, "a zspage is on a list of another size class", z, -1, meta);
    if ((meta >> Meta::isolated_shift & Meta::isolated_mask) != 0)
      return bad(Oracle::accounting, "a zspage is still isolated", z, -1, meta);
    const std::uint32_t inuse = M::peek(z[&ZspageType::inuse]);
    const std::uint32_t group = inuse == 0                   ? zsmalloc::zs_empty
                                : inuse == c.objects         ? zsmalloc::zs_full
                                : inuse <= 3 * c.objects / 4 ? zsmalloc::zs_almost_empty
                                                             : zsmalloc::zs_almost_full;
    if (inuse > c.objects) return bad(Oracle::accounting, "inuse exceeds the objects of the zspage", z, -1, inuse);
    if (group != f || (meta & Meta::fullness_mask) != f)
      return bad(Oracle::accounting, "a zspage is on the wrong fullness list", z, -1, inuse);
    if (M::peek(z[&ZspageType::lock][&kernel::rwlock<M>::word]) != 0)
      return bad(Oracle::accounting, "a zspage's lock is still held", z);
    return check_pages(c, z) && check_objects(c, z, inuse);
  }

  bool check_pages(Class c, Zspage z) {
    Page p = M::peek(z[&ZspageType::first_page]);
    for (std::uint32_t k = 0; k < c.pages; ++k) {
      if (!p) return bad(Oracle::stale_page, "a zspage has too few pages", z, -1, k);
      chain_[k] = p;
      ++pages_;
      if (M::peek(p[&PageType::private_data]) != M::known(z.address()))
        return bad(Oracle::stale_page, "a page of the zspage belongs to another, or to none", z, -1, k);
      std::uint64_t flags = k == 0 ? std::uint64_t{kernel::pg_private} : 0;
      if (k + 1 == c.pages) flags |= kernel::pg_private_2;
      if (c.huge) flags |= kernel::pg_owner_priv_1;
      if (M::peek(p[&PageType::flags]) != flags)
        return bad(Oracle::accounting, "a page's flags are not those of a quiet zspage's page", z, -1,
                   M::peek(p[&PageType::flags]));
      if (M::peek(p[&PageType::refcount]) != 1)
        return bad(Oracle::accounting, "a page's reference count is not 1", z, -1, M::peek(p[&PageType::refcount]));
      if (M::peek(p[&PageType::mapping]) <= kernel::page_mapping_movable)
        return bad(Oracle::accounting, "a page of the zspage is not movable", z, -1, k);
      if (M::peek(p[&PageType::units]) != c.first_object_offset(k, zs_.geometry().page_size()))
        return bad(Oracle::accounting, "a page's first-object offset is wrong", z, -1, M::peek(p[&PageType::units]));
      if (!c.huge) p = Page::from_address(M::peek(p[&PageType::freelist]));
    }
    if (!c.huge && p) return bad(Oracle::stale_page, "a zspage has too many pages", z);
    return true;
  }

  auto word_of(Class c, std::uint32_t object) const {
    const std::uint32_t at = object * c.size;
    const std::uint32_t size = zs_.geometry().page_size();
    return zs_.pages().page_address(chain_[at / size])[std::uint64_t{at % size / 8}];
  }

  bool check_objects(Class c, Zspage z, std::uint32_t inuse) {
    state_.assign(c.objects, unseen);
    std::uint32_t next = M::peek(z[&ZspageType::freeobj]);
    for (std::uint32_t n = 0; n < c.objects - inuse; ++n) {
      if (next >= c.objects)
        return zsmalloc::is_end_marker(next)
                   ? bad(Oracle::free_list, "the free list ends too early: objects are lost", z, n, next)
                   : bad(Oracle::free_list, "the free list leads out of the zspage", z, -1, next);
      if (state_[next] == on_free_list) return bad(Oracle::free_list, "the free list has a cycle", z, next);
      state_[next] = on_free_list;
      const std::uint64_t link = M::peek(word_of(c, next));
      if (!c.huge && (link & zsmalloc::obj_allocated_tag) != 0)
        return bad(Oracle::free_list, "an allocated object is on the free list", z, next, link,
                   M::address_of(word_of(c, next)));
      next = static_cast<std::uint32_t>(link >> zsmalloc::obj_tag_bits);
    }
    if (!zsmalloc::is_end_marker(next))
      return bad(Oracle::free_list, "the free list is longer than the zspage has free objects", z, -1, next);
    for (std::uint32_t object = 0; object < c.objects; ++object) {
      if (state_[object] == on_free_list) continue;
      const auto head = c.huge ? chain_[0][&PageType::freelist] : word_of(c, object);
      const std::uint64_t header = M::peek(head);
      if ((header & zsmalloc::obj_allocated_tag) == 0)
        return bad(Oracle::free_list, "an object is neither allocated nor on the free list", z, object, header,
                   M::address_of(head));
      const std::uint64_t value = M::peek(Zs::handle_to_word(header & ~zsmalloc::obj_allocated_tag));
      if ((value & zsmalloc::handle_pin_bit) != 0)
        return bad(Oracle::accounting, "an object is still pinned", z, object, value);
      const auto place = zs_.obj_to_location(value);
      if (M::known(place.index) != object ||
          M::known(place.page != chain_[object * c.size / zs_.geometry().page_size()]))
        return bad(Oracle::stale_page, "an object's handle leads to another place", z, object, value);
    }
    return true;
  }

  enum State : std::uint8_t { unseen, on_free_list };
  const Zs& zs_;
  Fault fault_{};
  std::size_t listed_ = 0, most_ = 0;
  std::uint64_t pages_ = 0;
  Page chain_[zsmalloc::max_pages_per_zspage];
  std::vector<State> state_;
};

}  // namespace race::oracle
