// Page frames, their struct pages (mem_map) and their reference counts.
//
// A frame enters use with its poison in every word. The allocator's own lists are the host's: its locking is not under test.
// What the zone lock orders when a frame goes from one CPU to another is kept (M::handover).
//
// A frame is live from its allocation until its last reference is put; an access to another one is an oops. An access is judged
// where it is issued. So a store that its CPU still holds when the frame is freed is none: it commits to the free frame, which
// nobody sees, or into the frame's next life, where it overwrites what the new owner has there, as on hardware.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "kernel/page.hpp"
#include "kernel/poison.hpp"

namespace race::kernel {

template <class M>
class PageAllocator {
 public:
  using Page = PagePtr<M>;
  using Word = typename M::template shared<std::uint64_t>;
  using Words = typename M::template ptr<Word>;
  using u64 = typename M::template value<std::uint64_t>;

  static constexpr std::uint64_t first_pfn = 0x80000;  // where ARM64 boards have their DRAM
  static constexpr std::uint32_t most_frames = 4095;   // poison names a frame in 12 bits

  // spare: frames that are there besides, so that each CPU can have its own where executions are explored; at no time are more
  // than `frames` in use.
  PageAllocator(std::uint32_t page_size, std::uint32_t frames, std::uint32_t spare = 0)
      : page_size_(page_size),
        frames_(frames + spare),
        spare_(spare),
        mem_map_(M::template allocate_array<page<M>>("page", frames_)),
        memory_(M::template allocate_array<Word>("memory", std::uint64_t{frames_} * words_per_page())) {
    for (std::uint32_t f = 0; f < frames_; ++f) {
      fill(f);
      M::set_live(words_of(f), words_per_page(), false);
      state_.free.push_back({f, 0, false});
    }
  }

  std::uint32_t page_size() const { return page_size_; }
  std::uint32_t words_per_page() const { return page_size_ / 8; }
  std::uint32_t frames() const { return frames_; }
  std::uint32_t most_in_use() const { return frames_ - spare_; }
  std::uint32_t free_frames() const { return static_cast<std::uint32_t>(state_.free.size() - state_.head); }

  // A page with one reference, or null. The frame that has been free for longest.
  Page alloc_page() {
    Free next;
    {
      const std::lock_guard guard(lock_);
      if (free_frames() == spare_) return nullptr;
      next = state_.free[next_free()];
      ++state_.head;
    }
    typename M::function here{"alloc_page"};
    const Page p = mem_map_ + next.frame;
    M::set_live(words_of(next.frame), words_per_page(), true);
    if (next.used) {
      M::handover(next.by);
      fill(next.frame);
    }
    // Plain stores, as the kernel's: a CPU that comes upon the page by its frame number may still see it as it was.
    p[&page<M>::flags].write_once(0u);
    p[&page<M>::refcount].write_once(1u);
    return p;
  }

  void get_page(Page p) { p[&page<M>::refcount].fetch_add(1u, Order::plain); }
  bool get_page_unless_zero(Page p, SiteId site) {
    const auto count = p[&page<M>::refcount];
    if constexpr (requires { M::explored(); })
      if (M::explored()) {
        M::at(site);
        const Strength s = M::strength(site);
        const auto seen = count.fetch_add_if(
            1u, s == Strength::full ? Order::release : lock_order(s), [](std::uint32_t v) { return v != 0; }, false);
        if (M::known(seen) == 0) return false;
        fence_after_lock<M>(s);
        return true;
      }
    for (;;) {
      const std::uint32_t old = M::known(count.read_once());
      if (old == 0) return false;
      const auto seen = lock_atomic<M>(site, [&](Order o) { return count.compare_exchange(old, old + 1, o); });
      if (M::known(seen) == old) return true;
    }
  }
  void put_page(Page p, SiteId site) {
    const auto old = unlock_atomic<M>(site, [&](Order o) { return p[&page<M>::refcount].fetch_sub(1u, o); });
    const std::uint32_t count = M::known(old);
    if (count == 0)
      report<M>({.oracle = Oracle::accounting,
                 .what = "put_page of a page without a reference",
                 .where = M::address_of(p[&page<M>::refcount])});
    if (count == 1) free(p);
  }

  u64 page_to_pfn(Page p) const { return p - mem_map_ + first_pfn; }
  Page pfn_to_page(u64 pfn) const { return mem_map_ + (pfn - first_pfn); }
  // kmap_atomic: the words of the page.
  Words page_address(Page p) const { return memory_ + (p - mem_map_) * words_per_page(); }
  Page frame(std::uint32_t f) const { return mem_map_ + f; }
  Words memory() const { return memory_; }

  // The queue of free frames: which place of it comes next, how many there are, and the frame at one.
  std::size_t queue_head() const { return state_.head; }
  std::size_t queue_size() const { return state_.free.size(); }
  std::uint32_t queued(std::size_t i) const { return state_.free[i].frame; }

  // What an execution starts from, and back to it.
  void save() { saved_ = state_; }
  void restore() {
    state_.head = saved_.head;
    state_.free.resize(saved_.free.size());
    state_.taken = {};
  }

 private:
  struct Free {
    std::uint32_t frame;
    unsigned by;  // the CPU that freed it
    bool used;
  };
  struct State {
    std::vector<Free> free;  // a queue: taken at head, never moved
    std::size_t head = 0;
    std::array<std::uint32_t, 17> taken{};  // by each CPU, where executions are explored
  };
  // The place in the queue. Where executions are explored each CPU has every n-th, so that no frame depends on which CPU came
  // first, and none is used twice.
  std::size_t next_free() {
    if constexpr (requires { M::explored(); })
      if (M::explored()) {
        const std::size_t at = saved_.head + M::cpu() + std::size_t{state_.taken[M::cpu()]++} * M::cpus();
        if (state_.head + spare_ >= saved_.free.size() || at >= saved_.free.size())
          throw std::runtime_error("the exhaustive engine uses no page frame twice: give the pool more frames");
        return at;
      }
    return state_.head;
  }
  // Nobody has a reference. Then the frame is dead at once, whatever of this CPU's stores is still held.
  void free(Page p) {
    typename M::function here{"free_pages_prepare"};
    const std::uint64_t f = M::known(page_to_pfn(p)) - first_pfn;
    if (f >= frames_ || M::known(frame(static_cast<std::uint32_t>(f)) != p))
      M::fail({.oracle = Oracle::oops,
               .what = "put_page of something that is no struct page",
               .value = M::known(p.address()),
               .where = M::known(p.address()),
               .kind = ValueKind::address});
    free_frame(static_cast<std::uint32_t>(f), p);
  }
  void free_frame(std::uint32_t f, Page p) {
    M::set_live(words_of(f), words_per_page(), false);
    p[&page<M>::mapping].write_once(0u);
    const std::lock_guard guard(lock_);
    state_.free.push_back({f, M::cpu(), true});
  }
  Words words_of(std::uint32_t f) const { return memory_ + std::uint64_t{f} * words_per_page(); }
  void fill(std::uint32_t f) {
    const Words words = words_of(f);
    for (std::uint32_t w = 0; w < words_per_page(); ++w) M::poke(words[w], poison(f, w));
  }

  std::uint32_t page_size_;
  std::uint32_t frames_, spare_;
  Page mem_map_;
  Words memory_;
  std::mutex lock_;
  State state_, saved_;
};

}  // namespace race::kernel
