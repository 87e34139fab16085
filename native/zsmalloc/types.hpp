// The structures of zsmalloc that CPUs share (mm/zsmalloc.c, Linux 4.8). What never changes once the pool exists is in Geometry.
#pragma once

#include "kernel/list.hpp"
#include "kernel/page.hpp"
#include "kernel/rwlock.hpp"
#include "kernel/spinlock.hpp"
#include "kernel/workqueue.hpp"

namespace race::zsmalloc {

enum Fullness : std::uint32_t { zs_empty, zs_almost_empty, zs_almost_full, zs_full };
constexpr std::uint32_t fullness_groups = 4;

// Counters of a size class: one for each fullness group, then these.
enum Stat : std::uint32_t { obj_allocated = fullness_groups, obj_used, class_stats };

// The fields that the kernel keeps in one word of bit-fields share one word here.
struct Meta {
  static constexpr std::uint32_t fullness_shift = 0, class_shift = 2, isolated_shift = 2 + 8, magic_shift = 2 + 8 + 3;
  static constexpr std::uint32_t fullness_mask = 3, class_mask = 0xff, isolated_mask = 7, magic_mask = 0xff;
  static constexpr std::uint32_t reclaim_shift = magic_shift + 8, reclaim_mask = 1;  // 6.2: it is being reclaimed
  static constexpr std::uint32_t magic = 0x58;
};

constexpr std::uint64_t obj_allocated_tag = 1;  // in an object's header: handle | tag; clear in a free object's link
constexpr std::uint64_t obj_deferred_tag = 3;   // 6.2: the object is freed, but reclaim may still have its handle
constexpr std::uint64_t handle_pin_bit = 1;     // in the word that a handle names
constexpr unsigned obj_tag_bits = 1;

// The end of a free list: -1 from the set-up, and what is left of it once a full zspage had an object freed.
constexpr bool is_end_marker(std::uint32_t freeobj) { return freeobj == 0xffffffff || freeobj == 0x7fffffff; }

template <class M>
struct zspage {
  typename M::template shared<std::uint32_t> meta;  // see Meta
  typename M::template shared<std::uint32_t> inuse;
  typename M::template shared<std::uint32_t> freeobj;
  typename M::template shared<kernel::PagePtr<M>> first_page;
  kernel::list_head<M> list;  // in a fullness list
  kernel::rwlock<M> lock;     // mappers read, migration writes
};

template <class M>
struct size_class {
  kernel::spinlock<M> lock;
  kernel::list_head<M> fullness_list[fullness_groups];
  typename M::template shared<std::uint64_t> stats[class_stats];
};

template <class M>
struct zs_pool {
  typename M::template shared<std::uint64_t> pages_allocated;
  typename M::template shared<std::uint64_t> pages_compacted;
  kernel::work_struct<M> free_work;
  kernel::list_head<M> free_pages;  // the worker's own: empty zspages that it is about to free
};

// What later kernels have besides. They exist only where a scenario has a step that needs them.
template <class M>
struct teardown {                                       // 5.3: a pool goes down while pages of it are migrated
  typename M::template shared<std::uint32_t> isolated;  // zspages
  typename M::template shared<std::uint32_t> destroying;
  typename M::template shared<std::uint32_t> wakeups;      // of who waits until none is isolated
  typename M::template shared<std::uint32_t> worker_busy;  // for flush_work
};
template <class M>
struct reclaim {                                        // 6.2
  typename M::template shared<std::uint64_t> deferred;  // the first of the handles that are freed when reclaim is done
};

// What a handle names: where the object is, and the pin bit.
template <class M>
struct handle_word {
  typename M::template shared<std::uint64_t> obj;
};

}  // namespace race::zsmalloc
