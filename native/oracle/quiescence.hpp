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
  using Node = kernel::list_head<M>;

  explicit Quiescence(const Zs& zs) : zs_(zs) {}

  // known: addresses of the zspages that were created and not freed. Returns the first fault that this run looks for; if there
  // is none, one that kept the check from being complete; else Fault::what is null.
  Fault check(const std::vector<std::uint64_t>& known) {
    fault_ = {};
    fault_.what = nullptr;
    in_the_way_ = fault_;
    listed_ = 0;
    pages_ = 0;
    most_ = known.size();
    for (Class c : zs_.geometry().classes()) {
      check_class(c);
      if (fault_.what != nullptr) return fault_;
    }
    if (in_the_way_.what == nullptr) check_sums(known.size());
    return fault_.what != nullptr ? fault_ : in_the_way_;
  }

 private:
  // A fault with which the check can go on: true if it is to.
  bool passes(Fault f, Class c, Zspage z = nullptr) {
    if (!M::judges(f.oracle)) return true;
    f.size_class = static_cast<std::int32_t>(c.index);
    f.zspage = M::known(z.address());
    fault_ = f;
    return false;
  }
  // A fault behind which there is nothing to check. Always false.
  bool stops(Fault f, Class c, Zspage z = nullptr) {
    if (passes(f, c, z) && in_the_way_.what == nullptr) {
      in_the_way_ = f;
      in_the_way_.size_class = static_cast<std::int32_t>(c.index);
      in_the_way_.zspage = M::known(z.address());
    }
    return false;
  }
  // A word that holds a number other than expected.
  template <class T>
  static Fault number(Oracle o, const char* what, typename M::template ref<T> word, std::uint64_t expected) {
    return {.oracle = o,
            .what = what,
            .value = M::peek(word),
            .where = M::address_of(word),
            .kind = ValueKind::number,
            .expected = expected};
  }
  static Fault in_group(const char* what, std::uint32_t group, std::uint32_t expected, std::uint64_t where) {
    return {.oracle = Oracle::accounting,
            .what = what,
            .value = group,
            .where = where,
            .kind = ValueKind::group,
            .expected = expected};
  }
  static Fault meta(Oracle o, const char* what, Zspage z) {
    const auto word = z[&ZspageType::meta];
    return {.oracle = o, .what = what, .value = M::peek(word), .where = M::address_of(word), .kind = ValueKind::meta};
  }

  void check_sums(std::uint64_t zspages) {
    if (listed_ != zspages) return count("the fullness lists hold fewer zspages than exist", listed_, zspages, 0);
    const auto counter = zs_.pool()[&zsmalloc::zs_pool<M>::pages_allocated];
    if (const std::uint64_t allocated = M::peek(counter); allocated != pages_)
      return count("pages_allocated differs from the pages of all zspages", allocated, pages_, M::address_of(counter));
    if (const std::uint32_t used = zs_.pages().frames() - zs_.pages().free_frames(); used != pages_)
      count("the page frames in use are not those of all zspages", used, pages_, 0);
  }
  void count(const char* what, std::uint64_t found, std::uint64_t expected, std::uint64_t where) {
    if (!M::judges(Oracle::accounting)) return;
    fault_ = {.oracle = Oracle::accounting,
              .what = what,
              .value = found,
              .where = where,
              .kind = ValueKind::number,
              .expected = expected};
  }

  bool check_class(Class c) {
    const auto s = zs_.class_at(c.index);
    const auto lock = s[&ClassType::lock];
    const auto owner = lock[&kernel::spinlock<M>::owner];
    if (const std::uint32_t next = M::peek(lock[&kernel::spinlock<M>::next]); next != M::peek(owner))
      if (!passes(
              number(Oracle::accounting, "a class lock is still held: its owner is not its next ticket", owner, next),
              c))
        return false;
    std::uint64_t used = 0, zspages = 0;
    for (std::uint32_t f = 0; f < zsmalloc::fullness_groups; ++f) {
      const auto head = s[&ClassType::fullness_list] + std::uint64_t{f};
      const auto first = head[&Node::next];
      std::uint64_t members = 0;
      for (auto node = M::peek(first); M::known(node != head); node = M::peek(node[&Node::next])) {
        if (++listed_ > most_)
          return stops({.oracle = Oracle::accounting,
                        .what = "the fullness lists hold more zspages than exist",
                        .value = listed_,
                        .where = M::address_of(first),
                        .kind = ValueKind::number,
                        .expected = most_},
                       c);
        const Zspage z = Zspage::container_of(node, &ZspageType::list);
        if (!check_zspage(c, z, f)) return false;
        used += M::peek(z[&ZspageType::inuse]);
        ++members;
      }
      zspages += members;
      if (f == zsmalloc::zs_empty && members != 0)
        if (!passes({.oracle = Oracle::accounting,
                     .what = "an empty zspage was left behind: no work is pending that would free it",
                     .where = M::address_of(first)},
                    c, Zspage::container_of(M::peek(first), &ZspageType::list)))
          return false;
      // The worker takes empty zspages off without counting, in 4.8 too: that counter may only be too high.
      const auto counter = s[&ClassType::stats][std::uint64_t{f}];
      const std::uint64_t counted = M::peek(counter);
      if (f == zsmalloc::zs_empty ? counted < members : counted != members)
        if (!passes(number(Oracle::accounting, "a fullness group's counter differs from its list", counter, members),
                    c))
          return false;
    }
    const auto objects_used = s[&ClassType::stats][std::uint64_t{zsmalloc::obj_used}];
    if (M::peek(objects_used) != used)
      if (!passes(number(Oracle::accounting, "OBJ_USED differs from the sum of inuse", objects_used, used), c))
        return false;
    const auto allocated = s[&ClassType::stats][std::uint64_t{zsmalloc::obj_allocated}];
    if (M::peek(allocated) != zspages * c.objects)
      return passes(number(Oracle::accounting, "OBJ_ALLOCATED differs from the objects of the zspages that exist",
                           allocated, zspages * c.objects),
                    c);
    return true;
  }

  bool check_zspage(Class c, Zspage z, std::uint32_t f) {
    using zsmalloc::Meta;
    const std::uint32_t bits = M::peek(z[&ZspageType::meta]);
    if ((bits >> Meta::magic_shift & Meta::magic_mask) != Meta::magic)
      return stops(meta(Oracle::stale_page, "a fullness list leads to something that is no zspage", z), c, z);
    if ((bits >> Meta::class_shift & Meta::class_mask) != c.index)
      return stops(meta(Oracle::accounting, "a zspage is on a list of another size class", z), c, z);
    if ((bits >> Meta::isolated_shift & Meta::isolated_mask) != 0)
      if (!passes(meta(Oracle::accounting, "a zspage is still isolated", z), c, z)) return false;
    const auto in_use = z[&ZspageType::inuse];
    const std::uint32_t inuse = M::peek(in_use);
    if (inuse > c.objects)
      return stops(number(Oracle::accounting, "inuse exceeds the objects of the zspage", in_use, c.objects), c, z);
    const std::uint32_t group = inuse == 0                   ? zsmalloc::zs_empty
                                : inuse == c.objects         ? zsmalloc::zs_full
                                : inuse <= 3 * c.objects / 4 ? zsmalloc::zs_almost_empty
                                                             : zsmalloc::zs_almost_full;
    if (group != f)
      if (!passes(in_group("a zspage is on a fullness list where its inuse does not belong", f, group,
                           M::address_of(in_use)),
                  c, z))
        return false;
    if (const std::uint32_t stored = bits & Meta::fullness_mask; stored != f)
      if (!passes(in_group("a zspage's bit-fields name another fullness group than its list", stored, f,
                           M::address_of(z[&ZspageType::meta])),
                  c, z))
        return false;
    const auto lock = z[&ZspageType::lock][&kernel::rwlock<M>::word];
    if (M::peek(lock) != 0)
      if (!passes(number(Oracle::accounting, "a zspage's lock is still held", lock, 0), c, z)) return false;
    return check_pages(c, z) && check_objects(c, z, inuse);
  }

  bool check_pages(Class c, Zspage z) {
    const auto first = z[&ZspageType::first_page];
    Page p = M::peek(first);
    std::uint64_t link = M::address_of(first);  // the word that p was read from
    for (std::uint32_t k = 0; k < c.pages; ++k) {
      if (!p)
        return stops({.oracle = Oracle::stale_page,
                      .what = "a zspage has too few pages",
                      .value = k,
                      .where = link,
                      .kind = ValueKind::number,
                      .expected = c.pages},
                     c, z);
      chain_[k] = p;
      ++pages_;
      const auto owner = p[&PageType::private_data];
      if (M::peek(owner) != M::known(z.address()))
        return stops({.oracle = Oracle::stale_page,
                      .what = "a page of the zspage belongs to another, or to none",
                      .value = M::peek(owner),
                      .where = M::address_of(owner),
                      .kind = ValueKind::address,
                      .expected = M::known(z.address())},
                     c, z);
      std::uint64_t flags = k == 0 ? std::uint64_t{kernel::pg_private} : 0;
      if (k + 1 == c.pages) flags |= kernel::pg_private_2;
      if (c.huge) flags |= kernel::pg_owner_priv_1;
      const auto page_flags = p[&PageType::flags];
      if (M::peek(page_flags) != flags) {
        Fault f =
            number(Oracle::accounting, "a page's flags are not those of a quiet zspage's page", page_flags, flags);
        f.kind = ValueKind::bits;
        if (!passes(f, c, z)) return false;
      }
      const auto count = p[&PageType::refcount];
      if (M::peek(count) != 1)
        if (!passes(number(Oracle::accounting, "a page's reference count is not 1", count, 1), c, z)) return false;
      const auto mapping = p[&PageType::mapping];
      if (M::peek(mapping) <= kernel::page_mapping_movable)
        if (!passes({.oracle = Oracle::accounting,
                     .what = "a page of the zspage is not movable",
                     .value = M::peek(mapping),
                     .where = M::address_of(mapping),
                     .kind = ValueKind::bits},
                    c, z))
          return false;
      const auto units = p[&PageType::units];
      const std::uint32_t offset = c.first_object_offset(k, zs_.geometry().page_size());
      if (M::peek(units) != offset)
        if (!passes(number(Oracle::accounting, "a page's first-object offset is wrong", units, offset), c, z))
          return false;
      if (c.huge) continue;
      const auto next = p[&PageType::freelist];
      p = Page::from_address(M::peek(next));
      link = M::address_of(next);
    }
    if (!c.huge && p)
      return passes({.oracle = Oracle::stale_page,
                     .what = "a zspage has too many pages: the last one leads on",
                     .value = M::known(p.address()),
                     .where = link,
                     .kind = ValueKind::address,
                     .expected = 0},
                    c, z);
    return true;
  }

  auto word_of(Class c, std::uint32_t object) const {
    const std::uint32_t at = object * c.size;
    const std::uint32_t size = zs_.geometry().page_size();
    return zs_.pages().page_address(chain_[at / size])[std::uint64_t{at % size / 8}];
  }

  bool check_objects(Class c, Zspage z, std::uint32_t inuse) {
    state_.assign(c.objects, unseen);
    const auto head = z[&ZspageType::freeobj];
    std::uint64_t from = M::address_of(head);  // the word that `next` was read from
    // A link of the list, as freeobj would hold it; the first is freeobj itself.
    const auto link = [&](const char* what, std::uint32_t next) {
      return Fault{.oracle = Oracle::free_list, .what = what, .value = next, .where = from, .kind = ValueKind::freeobj};
    };
    const auto word = [&](Oracle o, const char* what, std::uint32_t object, auto at) {
      return Fault{.oracle = o,
                   .what = what,
                   .object = object,
                   .value = M::peek(at),
                   .where = M::address_of(at),
                   .kind = ValueKind::object_word};
    };
    std::uint32_t next = M::peek(head);
    for (std::uint32_t n = 0; n < c.objects - inuse; ++n) {
      if (next >= c.objects)
        return stops(link(zsmalloc::is_end_marker(next) ? "the free list ends too early: objects are lost"
                                                        : "the free list leads out of the zspage",
                          next),
                     c, z);
      if (state_[next] == on_free_list) return stops(link("the free list has a cycle", next), c, z);
      state_[next] = on_free_list;
      const auto at = word_of(c, next);
      const std::uint64_t first = M::peek(at);
      if (!c.huge && (first & zsmalloc::obj_allocated_tag) != 0)
        return stops(word(Oracle::free_list, "an allocated object is on the free list", next, at), c, z);
      next = static_cast<std::uint32_t>(first >> zsmalloc::obj_tag_bits);
      from = M::address_of(at);
    }
    if (!zsmalloc::is_end_marker(next))
      if (!passes(link("the free list is longer than the zspage has free objects", next), c, z)) return false;
    for (std::uint32_t object = 0; object < c.objects; ++object) {
      if (state_[object] == on_free_list) continue;
      const auto at = c.huge ? chain_[0][&PageType::freelist] : word_of(c, object);
      const std::uint64_t header = M::peek(at);
      if ((header & zsmalloc::obj_allocated_tag) == 0) {
        if (!passes(word(Oracle::free_list, "an object is neither allocated nor on the free list", object, at), c, z))
          return false;
        continue;
      }
      const auto handle = Zs::handle_to_word(header & ~zsmalloc::obj_allocated_tag);
      const std::uint64_t value = M::peek(handle);
      const Fault f{.oracle = Oracle::accounting,
                    .what = "an object is still pinned",
                    .object = object,
                    .value = value,
                    .where = M::address_of(handle),
                    .kind = ValueKind::handle_word};
      if ((value & zsmalloc::handle_pin_bit) != 0 && !passes(f, c, z)) return false;
      const auto place = zs_.obj_to_location(value);
      const Page home = chain_[object * c.size / zs_.geometry().page_size()];
      if (M::known(place.index) != object || M::known(place.page != home)) {
        Fault elsewhere = f;
        elsewhere.oracle = Oracle::stale_page;
        elsewhere.what = "an object's handle leads to another place";
        elsewhere.expected = M::known(zs_.location_to_obj(zs_.class_of_slot(c.index), home, object));
        if (!passes(elsewhere, c, z)) return false;
      }
    }
    return true;
  }

  enum State : std::uint8_t { unseen, on_free_list };
  const Zs& zs_;
  Fault fault_{}, in_the_way_{};
  std::size_t listed_ = 0, most_ = 0;
  std::uint64_t pages_ = 0;
  Page chain_[zsmalloc::max_pages_per_zspage];
  std::vector<State> state_;
};

}  // namespace race::oracle
