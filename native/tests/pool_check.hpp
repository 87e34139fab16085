// The complete check of a pool that nobody uses: all that must hold between operations, read by M::peek alone.
#pragma once

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/pool_view.hpp"

namespace race::test {

struct Expected {
  const std::set<std::uint64_t>* handles = nullptr;  // the objects that exist; null: not known
  std::uint32_t frames_elsewhere = 0;                // in use by others than the pool
};

template <class M>
class PoolCheck {
 public:
  using View = PoolView<M>;
  using Zs = typename View::Zs;
  using Zspage = typename View::Zspage;
  using Page = typename View::Page;
  using Class = typename View::Class;

  PoolCheck(const Zs& zs, const Expected& expected)
      : zs_(zs), view_(zs), expected_(expected), seen_frame_(zs.pages().frames()) {}

  // What is wrong, a line each; empty if all is well.
  std::string run() {
    for (Class c : zs_.geometry().classes()) check_class(c);
    check_pool();
    check_frames();
    return wrong_.str();
  }

 private:
  template <class... Parts>
  void wrong(Class c, const Parts&... parts) {
    if (++count_ > 20) return;
    wrong_ << "class " << c.size << ": ";
    (wrong_ << ... << parts) << '\n';
  }
  template <class... Parts>
  void wrong(const Parts&... parts) {
    if (++count_ > 20) return;
    (wrong_ << ... << parts) << '\n';
  }

  static std::uint32_t group(Class c, std::uint32_t inuse) {
    if (inuse == 0) return zsmalloc::zs_empty;
    if (inuse == c.objects) return zsmalloc::zs_full;
    return inuse <= 3 * c.objects / 4 ? zsmalloc::zs_almost_empty : zsmalloc::zs_almost_full;
  }

  void check_class(Class c) {
    const auto s = zs_.class_at(c.index);
    const auto lock = s[&View::ClassType::lock];
    if (M::peek(lock[&kernel::spinlock<M>::next]) != M::peek(lock[&kernel::spinlock<M>::owner]))
      wrong(c, "its lock is held");
    std::uint64_t used = 0, zspages = 0;
    for (std::uint32_t f = 0; f < zsmalloc::fullness_groups; ++f) {
      const auto members = view_.list(c, f, zs_.pages().frames() + 1);
      if (members.size() > zs_.pages().frames()) {
        wrong(c, "list ", f, " does not end");
        continue;
      }
      check_list(c, f, members);
      for (const Zspage z : members) {
        check_zspage(c, z, f);
        used += View::inuse(z);
      }
      zspages += members.size();
      // The worker takes empty zspages off without counting, in Linux 4.8 too: that counter may be too high.
      const std::uint64_t counted = view_.stat(c, f);
      if (f == zsmalloc::zs_empty ? counted < members.size() : counted != members.size())
        wrong(c, "counter ", f, " says ", counted, ", its list has ", members.size());
      // Only a zspage that waits for the worker may stay empty.
      if (f == zsmalloc::zs_empty && !members.empty() && !view_.work_pending())
        wrong(c, "an empty zspage waits for a worker that was not asked");
    }
    if (view_.stat(c, zsmalloc::obj_used) != used)
      wrong(c, "OBJ_USED is ", view_.stat(c, zsmalloc::obj_used), ", in use are ", used);
    if (view_.stat(c, zsmalloc::obj_allocated) != zspages * c.objects)
      wrong(c, "OBJ_ALLOCATED is ", view_.stat(c, zsmalloc::obj_allocated), " for ", zspages, " zspages");
  }

  // The links back; what view_.list() does not look at.
  void check_list(Class c, std::uint32_t f, const std::vector<Zspage>& members) {
    using Node = kernel::list_head<M>;
    const auto head = zs_.class_at(c.index)[&View::ClassType::fullness_list] + std::uint64_t{f};
    auto before = head;
    for (const Zspage z : members) {
      const auto node = z[&View::ZspageType::list];
      if (bool(M::peek(node[&Node::prev]) != before)) wrong(c, "list ", f, " is not linked back");
      before = node;
    }
    if (bool(M::peek(head[&Node::prev]) != before)) wrong(c, "list ", f, " is not closed");
  }

  void check_zspage(Class c, Zspage z, std::uint32_t f) {
    if (View::magic(z) != zsmalloc::Meta::magic) return wrong(c, "list ", f, " leads to something that is no zspage");
    if (View::slot(z) != c.index) return wrong(c, "holds a zspage of slot ", View::slot(z));
    if (View::isolated(z) != 0) wrong(c, "isolated count ", View::isolated(z));
    if (View::meta(z) >> (zsmalloc::Meta::magic_shift + 8) != 0) wrong(c, "stray bits in the zspage's bit-fields");
    if (M::peek(z[&View::ZspageType::lock][&kernel::rwlock<M>::word]) != 0) wrong(c, "a zspage's lock is held");
    const std::uint32_t inuse = View::inuse(z);
    if (inuse > c.objects) return wrong(c, "inuse ", inuse, " of ", c.objects);
    if (View::fullness(z) != f || group(c, inuse) != f)
      wrong(c, "on list ", f, ", stored group ", View::fullness(z), ", inuse ", inuse, " of ", c.objects);
    if (!check_pages(c, z)) return;
    check_objects(c, z, inuse);
    check_free_list(c, z, inuse);
  }

  bool check_pages(Class c, Zspage z) {
    Page p = M::peek(z[&View::ZspageType::first_page]);
    for (std::uint32_t k = 0; k < c.pages; ++k) {
      if (!p || !view_.is_page(p)) return wrong(c, "page ", k, " of a zspage is no page"), false;
      chain_[k] = p;
      const std::uint32_t frame = view_.frame_of(p);
      if (seen_frame_[frame]) return wrong(c, "frame ", frame, " belongs to two zspages"), false;
      seen_frame_[frame] = true;
      ++pages_;
      std::uint64_t flags = 0;
      if (k == 0) flags |= kernel::pg_private;
      if (k + 1 == c.pages) flags |= kernel::pg_private_2;
      if (c.huge) flags |= kernel::pg_owner_priv_1;
      if (View::flags(p) != flags) wrong(c, "page ", k, " has flags ", View::flags(p), ", not ", flags);
      if (View::refcount(p) != 1) wrong(c, "page ", k, " has ", View::refcount(p), " references");
      if (!View::same(View::zspage_of(p), z)) wrong(c, "page ", k, " leads to another zspage");
      if (View::mapping(p) != (M::known(zs_.pool().address()) | kernel::page_mapping_movable))
        wrong(c, "page ", k, " is not marked movable");
      if (View::units(p) != c.first_object_offset(k, view_.page_size()))
        wrong(c, "page ", k, " has first-object offset ", View::units(p));
      if (c.huge) return true;  // the word of the next page holds the handle
      p = Page::from_address(View::freelist(p));
    }
    if (p) wrong(c, "a zspage has too many pages");
    return true;
  }

  // Where the zspage's byte `at` lies; the pages are in chain_.
  std::uint64_t word(std::uint32_t at) const {
    return view_.content(chain_[at / view_.page_size()], at % view_.page_size() / 8);
  }
  std::uint64_t header(Class c, std::uint32_t object) const {
    return c.huge ? View::freelist(chain_[0]) : word(object * c.size);
  }
  // A huge object that was freed leaves its handle in page->index.
  bool allocated(Class c, Zspage z, std::uint32_t object) const {
    return (header(c, object) & zsmalloc::obj_allocated_tag) != 0 && !(c.huge && View::inuse(z) == 0);
  }

  void check_objects(Class c, Zspage z, std::uint32_t inuse) {
    std::uint32_t count = 0;
    for (std::uint32_t object = 0; object < c.objects; ++object) {
      if (!allocated(c, z, object)) continue;
      ++count;
      const std::uint64_t handle = header(c, object) & ~zsmalloc::obj_allocated_tag;
      if (!handles_.insert(handle).second) wrong(c, "object ", object, " has the handle of another one");
      if (expected_.handles != nullptr && !expected_.handles->contains(handle)) {
        wrong(c, "object ", object, " has a handle that nobody has");
        continue;
      }
      const Page home = chain_[object * c.size / view_.page_size()];
      const std::uint64_t obj = M::known(zs_.location_to_obj(zs_.class_of_slot(c.index), home, object));
      if (View::word(handle) != obj)
        wrong(c, "the handle of object ", object, " holds ", View::word(handle), ", not ", obj);
    }
    if (count != inuse) wrong(c, "inuse is ", inuse, ", allocated are ", count);
    // Scans of a page also look at a start behind the last object.
    const std::uint32_t end = c.objects * c.size;
    if (end < c.pages * view_.page_size() && (word(end) & zsmalloc::obj_allocated_tag) != 0)
      wrong(c, "what lies behind the last object looks like an allocated one");
  }

  void check_free_list(Class c, Zspage z, std::uint32_t inuse) {
    std::vector<bool> on_list(c.objects);
    std::uint64_t next = View::freeobj(z);
    for (std::uint32_t n = inuse; n < c.objects; ++n) {
      if (next >= c.objects) return wrong(c, "the free list leads to ", next, " after ", n - inuse, " objects");
      if (on_list[next]) return wrong(c, "the free list comes to object ", next, " twice");
      on_list[next] = true;
      if (allocated(c, z, static_cast<std::uint32_t>(next)))
        return wrong(c, "allocated object ", next, " on the free list");
      const std::uint64_t link = word(static_cast<std::uint32_t>(next) * c.size);
      if ((link & zsmalloc::obj_allocated_tag) != 0)
        return wrong(c, "the link ", link, " of object ", next, " has its tag set");
      next = link >> zsmalloc::obj_tag_bits;
    }
    // A link of 64 ones, or of 32; shifted, and with all objects in use cut to 32 bits.
    const bool end = next == 0x7fffffff || next == (inuse == c.objects ? 0xffffffffu : ~std::uint64_t{0} >> 1);
    if (!end) wrong(c, "the free list ends with ", next);
  }

  void check_pool() {
    using Node = kernel::list_head<M>;
    if (view_.pages_allocated() != pages_)
      wrong("pages_allocated is ", view_.pages_allocated(), ", the zspages have ", pages_);
    const auto list = zs_.pool()[&zsmalloc::zs_pool<M>::free_pages];
    const auto next = M::peek(list[&Node::next]);
    if (next && bool(next != list)) wrong("the worker left zspages on its list");
    if (expected_.handles != nullptr && expected_.handles->size() != handles_.size())
      wrong("there are ", handles_.size(), " objects, not ", expected_.handles->size());
  }

  void check_frames() {
    const auto& pages = zs_.pages();
    const std::uint64_t used = pages_ + expected_.frames_elsewhere;
    if (pages.free_frames() + used != pages.frames())
      wrong(pages.frames(), " frames: ", pages_, " in zspages, ", expected_.frames_elsewhere, " elsewhere, ",
            pages.free_frames(), " free");
    std::uint32_t referenced = 0;
    for (std::uint32_t f = 0; f < pages.frames(); ++f) referenced += View::refcount(pages.frame(f)) != 0 ? 1 : 0;
    if (referenced != used) wrong(referenced, " frames have references, ", used, " are in use");
  }

  const Zs& zs_;
  View view_;
  Expected expected_;
  std::vector<bool> seen_frame_;
  std::set<std::uint64_t> handles_;
  std::uint64_t pages_ = 0;
  Page chain_[zsmalloc::max_pages_per_zspage];
  std::ostringstream wrong_;
  std::uint32_t count_ = 0;
};

// What is wrong with a quiet pool; empty if all is well.
template <class M>
std::string check_pool(const zsmalloc::Zsmalloc<M>& zs, const Expected& expected = {}) {
  return PoolCheck<M>(zs, expected).run();
}

}  // namespace race::test
