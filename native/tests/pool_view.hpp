// Reads the structures of a pool by M::peek alone: no accesses, on either machine.
#pragma once

#include <vector>

#include "zsmalloc/zsmalloc.hpp"

namespace race::test {

template <class M>
class PoolView {
 public:
  using Zs = zsmalloc::Zsmalloc<M>;
  using Zspage = typename Zs::Zspage;
  using Page = typename Zs::Page;
  using Class = const zsmalloc::SizeClassGeometry&;
  using ZspageType = zsmalloc::zspage<M>;
  using ClassType = zsmalloc::size_class<M>;
  using PageType = kernel::page<M>;
  using Meta = zsmalloc::Meta;

  explicit PoolView(const Zs& zs) : zs_(zs) {}

  // ---- handles
  static std::uint64_t word(std::uint64_t handle) { return M::peek(Zs::handle_to_word(handle)); }
  static bool pinned(std::uint64_t handle) { return (word(handle) & zsmalloc::handle_pin_bit) != 0; }
  Page page_of(std::uint64_t handle) const { return zs_.obj_to_location(word(handle)).page; }
  std::uint32_t index_of(std::uint64_t handle) const { return M::known(zs_.obj_to_location(word(handle)).index); }
  Zspage zspage_of(std::uint64_t handle) const { return zspage_of(page_of(handle)); }

  // ---- pages
  static Zspage zspage_of(Page p) { return Zspage::from_address(M::peek(p[&PageType::private_data])); }
  static std::uint64_t flags(Page p) { return M::peek(p[&PageType::flags]); }
  static std::uint32_t refcount(Page p) { return M::peek(p[&PageType::refcount]); }
  static std::uint64_t mapping(Page p) { return M::peek(p[&PageType::mapping]); }
  static std::uint32_t units(Page p) { return M::peek(p[&PageType::units]); }
  static std::uint64_t freelist(Page p) { return M::peek(p[&PageType::freelist]); }
  std::uint64_t content(Page p, std::uint32_t w) const {
    return M::peek(zs_.pages().page_address(p)[std::uint64_t{w}]);
  }
  // Of a pointer that may be wrong: is there such a struct page?
  bool is_page(Page p) const {
    const std::uint64_t first = M::known(zs_.pages().frame(0).address());
    const std::uint64_t bytes = M::known(zs_.pages().frame(1).address()) - first;
    const std::uint64_t offset = M::known(p.address()) - first;
    return offset % bytes == 0 && offset / bytes < zs_.pages().frames();
  }
  std::uint32_t frame_of(Page p) const {
    return static_cast<std::uint32_t>(M::known(zs_.pages().page_to_pfn(p)) - Zs::Pages::first_pfn);
  }

  // ---- zspages
  static std::uint32_t meta(Zspage z) { return M::peek(z[&ZspageType::meta]); }
  static std::uint32_t fullness(Zspage z) { return meta(z) >> Meta::fullness_shift & Meta::fullness_mask; }
  static std::uint32_t slot(Zspage z) { return meta(z) >> Meta::class_shift & Meta::class_mask; }
  static std::uint32_t isolated(Zspage z) { return meta(z) >> Meta::isolated_shift & Meta::isolated_mask; }
  static std::uint32_t magic(Zspage z) { return meta(z) >> Meta::magic_shift & Meta::magic_mask; }
  static std::uint32_t inuse(Zspage z) { return M::peek(z[&ZspageType::inuse]); }
  static std::uint32_t freeobj(Zspage z) { return M::peek(z[&ZspageType::freeobj]); }
  Class class_of(Zspage z) const { return zs_.geometry().at_slot(slot(z)); }
  // Page k, or null if the chain is shorter.
  Page page(Zspage z, std::uint32_t k) const {
    Page p = M::peek(z[&ZspageType::first_page]);
    for (; k != 0 && p && is_page(p); --k) {
      if ((flags(p) & kernel::pg_owner_priv_1) != 0) return nullptr;
      p = Page::from_address(freelist(p));
    }
    return p;
  }
  // The first word of an object: a free one's link.
  std::uint64_t link(Zspage z, std::uint32_t object) const {
    const std::uint32_t at = object * class_of(z).size;
    return content(page(z, at / page_size()), at % page_size() / 8);
  }

  // ---- classes and the pool
  std::uint64_t stat(Class c, std::uint32_t s) const {
    return M::peek(zs_.class_at(c.index)[&ClassType::stats][std::uint64_t{s}]);
  }
  // The members of a fullness list, head first; at most `most`.
  std::vector<Zspage> list(Class c, std::uint32_t f, std::size_t most = 100'000) const {
    using Node = kernel::list_head<M>;
    std::vector<Zspage> members;
    const auto head = zs_.class_at(c.index)[&ClassType::fullness_list] + std::uint64_t{f};
    for (auto node = M::peek(head[&Node::next]); bool(node != head) && members.size() < most;
         node = M::peek(node[&Node::next]))
      members.push_back(Zspage::container_of(node, &ZspageType::list));
    return members;
  }
  bool work_pending() const { return M::peek(zs_.work_pending()) != 0; }
  std::uint64_t pages_allocated() const { return M::peek(zs_.pool()[&zsmalloc::zs_pool<M>::pages_allocated]); }
  std::uint32_t page_size() const { return zs_.geometry().page_size(); }

  static bool same(Zspage a, Zspage b) { return M::known(a.address()) == M::known(b.address()); }
  static bool same(Page a, Page b) { return M::known(a.address()) == M::known(b.address()); }

 private:
  const Zs& zs_;
};

}  // namespace race::test
