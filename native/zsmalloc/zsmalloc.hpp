// zsmalloc as of Linux 4.8 with page migration, over a machine M. Our own code: function names, structure and rules are the
// kernel's (mm/zsmalloc.c, documented behaviour), the text is not.
//
// Lock order: page locks > pin > zspage->lock > class lock. Under a class lock, pins and page locks are only tried.
#pragma once

#include <functional>
#include <vector>

#include "kernel/migrate.hpp"
#include "kernel/page_allocator.hpp"
#include "kernel/wait.hpp"
#include "zsmalloc/geometry.hpp"
#include "zsmalloc/observer.hpp"
#include "zsmalloc/types.hpp"

namespace race::zsmalloc {

enum class MapMode : std::uint8_t { read_write, read_only, write_only };

template <class M>
class Zsmalloc {
 public:
  template <class T>
  using ptr = typename M::template ptr<T>;
  using u32 = typename M::template value<std::uint32_t>;
  using u64 = typename M::template value<std::uint64_t>;
  using Pages = kernel::PageAllocator<M>;
  using Page = kernel::PagePtr<M>;
  using Word = typename Pages::Word;
  using Words = typename Pages::Words;
  using Zspage = ptr<zspage<M>>;
  using SizeClass = ptr<size_class<M>>;
  // A size class as a function has it: its constants, and what CPUs share of it. Found through a zspage, the pointer depends
  // on the load of the zspage's class field, as pool->size_class[class_idx] does.
  struct ClassInfo : SizeClassGeometry {
    SizeClass shared;
  };
  using Class = const ClassInfo&;
  using MigrateResult = kernel::MigrateResult;

  // What zs_map_object gives: the object's bytes as words, in place or in the CPU's buffer.
  struct Mapping {
    Words words;
    std::uint32_t count = 0;
  };

  // pool.hpp. cpus: how many CPUs may map objects.
  static constexpr std::uint64_t no_memory = 0;
  Zsmalloc(Pages& pages, unsigned cpus);  // zs_create_pool
  std::uint32_t zs_destroy_pool();        // how many fullness lists still held zspages: those are leaked, as in 4.8
  void prepare_teardown();                // before CPUs use the pool, if it is to be destroyed while they do
  u64 zs_get_total_pages() const;
  u64 pages_compacted() const { return pool_[&zs_pool<M>::pages_compacted].read_once(); }

  u64 zs_malloc(std::uint32_t size);  // malloc.hpp. A handle, or no_memory (also for a size that no class serves)
  void zs_free(u64 handle);           // free.hpp

  // map.hpp. One mapping a CPU; the caller excludes other users of the same object.
  Mapping zs_map_object(u64 handle, MapMode mode);
  void zs_unmap_object(u64 handle);

  // migrate.hpp: the callbacks of the mm core. The page is locked; for page_migrate both are.
  bool page_isolate(Page p) {
    if (observer != nullptr) observer->page_isolated(p);
    const bool isolated = zs_page_isolate(p);
    if (!isolated) isolation_over(p);
    return isolated;
  }
  MigrateResult page_migrate(Page fresh, Page p) {
    if (observer != nullptr) observer->pool_used("a page of a pool that was destroyed is migrated");
    const MigrateResult result = zs_page_migrate(fresh, p);
    if (result == MigrateResult::success) isolation_over(p);
    return result;
  }
  void page_putback(Page p) {
    if (observer != nullptr) observer->pool_used("a page of a pool that was destroyed is put back");
    isolation_over(p);
    zs_page_putback(p);
  }
  bool zs_page_isolate(Page p);
  MigrateResult zs_page_migrate(Page fresh, Page old);
  void zs_page_putback(Page p);

  // compact.hpp
  std::uint64_t zs_compact();      // pages freed so far by compaction
  std::uint64_t zs_can_compact();  // the shrinker's count: pages that compaction could free; read without locks

  // Where the CPU may go to somebody else: called at each cond_resched.
  std::function<void()> on_resched;

  // reclaim.hpp
  void prepare_reclaim();  // before CPUs use the pool, if one of them will reclaim
  template <class Evict>
  void zs_reclaim_page(std::uint32_t size, Evict evict);

  // zspage.hpp. The worker of deferred frees: waits until work is scheduled, and does it.
  void async_free_zspage();
  auto work_pending() const { return pool_[&zs_pool<M>::free_work][&kernel::work_struct<M>::pending]; }

  const Geometry& geometry() const { return geometry_; }
  Pages& pages() const { return pages_; }
  SizeClass class_at(std::uint32_t slot) const { return class_of_slot(slot).shared; }
  Class class_of_slot(std::uint32_t slot) const { return class_info(geometry_.at_slot(slot)); }
  ptr<zs_pool<M>> pool() const { return pool_; }
  Observer<M>* observer = nullptr;

  // obj.hpp: encodings
  struct Location {
    Page page;  // where the object starts
    u32 index;  // within its zspage
  };
  u64 location_to_obj(Class c, Page p, u32 index) const;
  Location obj_to_location(u64 obj) const;
  static auto handle_to_word(u64 handle) { return ptr<handle_word<M>>::from_address(handle)[&handle_word<M>::obj]; }

 private:
  // obj.hpp
  u64 handle_to_obj(u64 handle) const { return handle_to_word(handle).read_once(); }
  static void record_obj(u64 handle, u64 obj) { handle_to_word(handle).write_once(obj); }
  static void pin_tag(u64 handle, SiteId site) {
    kernel::bit_spin_lock<M>(handle_to_word(handle), handle_pin_bit, site);
  }
  static bool trypin_tag(u64 handle, SiteId site) {
    return kernel::bit_spin_trylock<M>(handle_to_word(handle), handle_pin_bit, site);
  }
  static void unpin_tag(u64 handle, SiteId site) {
    kernel::bit_spin_unlock<M>(handle_to_word(handle), handle_pin_bit, site, "unpin of a handle that is not pinned");
  }
  unsigned number_bits() const;
  ClassInfo class_in(u64 obj) const;
  u64 obj_malloc(Class c, Zspage z, u64 handle);
  void obj_free(Class c, u64 obj);
  void set_freeobj(Class c, Zspage z, u32 index);
  Words word_at(Page p, std::uint32_t offset) const { return pages_.page_address(p) + std::uint64_t{offset / 8}; }
  Class class_info(const SizeClassGeometry& g) const {
    return classes_[static_cast<std::size_t>(&g - geometry_.classes().data())];
  }
  std::uint32_t offset_in_page(Class c, u32 index) const {
    return static_cast<std::uint32_t>(std::uint64_t{c.size} * M::known(index) & (pages_.page_size() - 1));
  }
  u32 first_object_offset(Class c, Page p) const;
  u64 obj_to_head(Class c, Page p, u32 offset) const;
  Zspage get_zspage(Page p) const;
  Page get_next_page(Page p) const;
  Page next_page_or_oops(Zspage z, Page p) const;
  [[noreturn]] static void ran_past(Zspage z, Page p);

  // fullness.hpp. Under the class lock, but for class_of, which needs none: a zspage never changes its class.
  static u32 field(u32 meta, std::uint32_t shift, std::uint32_t mask) { return meta >> shift & mask; }
  static void set_field(Zspage z, std::uint32_t shift, std::uint32_t mask, std::uint32_t v);
  ClassInfo class_of(Zspage z) const;
  u32 stored_fullness(Zspage z) const {
    return field(z[&zspage<M>::meta].read_once(), Meta::fullness_shift, Meta::fullness_mask);
  }
  Fullness get_fullness_group(Class c, Zspage z) const;
  static std::uint32_t isolated(Zspage z);
  static std::uint32_t dec_isolated(Zspage z);
  static bool on_list(Zspage z) { return !kernel::list_empty<M>(z[&zspage<M>::list]); }
  auto fullness_list(Class c, u32 f) const {
    return c.shared[&size_class<M>::fullness_list] + M::template cast<std::uint64_t>(f);
  }
  auto stat(Class c, u32 s) const { return c.shared[&size_class<M>::stats][M::template cast<std::uint64_t>(s)]; }
  void stat_add(Class c, u32 s, std::uint64_t n) const;
  Zspage first_in(Class c, Fullness f) const;
  void insert_zspage(Class c, Zspage z, Fullness f);
  void remove_zspage(Class c, Zspage z, u32 f);
  Fullness fix_fullness_group(Class c, Zspage z);
  Fullness putback_zspage(Class c, Zspage z);
  Zspage find_get_zspage(Class c) const;

  void lock_class(Class c, SiteId site) { kernel::spin_lock<M>(c.shared[&size_class<M>::lock], site); }
  void unlock_class(Class c, SiteId site) {
    M::at(site);  // what an oracle finds is found here
    if (observer != nullptr) observer->class_unlock(c.index);
    kernel::spin_unlock<M>(c.shared[&size_class<M>::lock], site);
  }

  void isolation_over(Page p) {
    if (observer != nullptr) observer->page_isolation_over(p);
  }

  // zspage.hpp
  Zspage alloc_zspage(Class c);
  void create_page_chain(Class c, Zspage z, const Page* chain);
  void init_zspage(Class c, Zspage z);
  void set_zspage_movable(Zspage z);
  static void reset_page(Page p);
  bool trylock_zspage(Zspage z);
  std::uint32_t lock_zspage(Zspage z);
  void free_zspage(Class c, Zspage z);
  void free_locked_zspage(Class c, Zspage z);
  void kick_deferred_free();

  // map.hpp
  void copy_object(Class c, Page first, std::uint32_t offset, Words buffer, std::uint32_t from_word, bool to_buffer);

  // pool.hpp
  void drain();
  void count_isolated_zspage(bool more);

  // reclaim.hpp
  bool under_reclaim(Zspage z) const;
  void defer_free(Class c, Zspage z, u64 obj, u64 handle);

  // migrate.hpp
  bool isolate_on_list(Class c, Zspage z);
  void replace_sub_page(Class c, Zspage z, Page fresh, Page old);

  // compact.hpp
  struct CompactControl {
    Page source;
    std::uint32_t index;  // within the source page
    Page destination;
  };
  void compact_class(Class c);
  void count_compacted(std::uint64_t n);
  Zspage isolate_zspage(Class c, bool source);
  bool migrate_zspage(Class c, CompactControl& cc);
  u64 find_allocated_object(Class c, Page p, std::uint32_t& index);
  void zs_object_copy(Class c, u64 to, u64 from);
  std::uint64_t can_compact(Class c) const;
  void cond_resched() {
    M::relax();
    if (on_resched) on_resched();
  }

  [[noreturn]] static void fail(Fault f, Zspage z = nullptr) {
    f.zspage = M::known(z.address());
    M::fail(f);
  }
  static void report(Fault f, Zspage z = nullptr) {
    f.zspage = M::known(z.address());
    race::report<M>(f);
  }

  struct MapArea {  // per CPU
    Words buffer;
    MapMode mode = MapMode::read_write;
  };

  Pages& pages_;
  Geometry geometry_;
  ptr<zs_pool<M>> pool_;
  ptr<teardown<M>> teardown_ = nullptr;
  ptr<reclaim<M>> reclaim_ = nullptr;
  std::vector<ClassInfo> classes_;  // as geometry_.classes(): the largest first
  std::vector<MapArea> areas_;
};

}  // namespace race::zsmalloc

#include "zsmalloc/compact.hpp"
#include "zsmalloc/free.hpp"
#include "zsmalloc/fullness.hpp"
#include "zsmalloc/malloc.hpp"
#include "zsmalloc/map.hpp"
#include "zsmalloc/migrate.hpp"
#include "zsmalloc/obj.hpp"
#include "zsmalloc/pool.hpp"
#include "zsmalloc/reclaim.hpp"
#include "zsmalloc/zspage.hpp"
