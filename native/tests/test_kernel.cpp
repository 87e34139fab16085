// The kernel's primitives on the hardware machine: what they do alone, and that they exclude at every strength that
// orders.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "kernel/migrate.hpp"
#include "kernel/page_allocator.hpp"
#include "kernel/rwlock.hpp"
#include "kernel/spinlock.hpp"
#include "kernel/workqueue.hpp"
#include "tests/hardware.hpp"
#include "tests/small_program.hpp"

using namespace race;
using namespace race::kernel;
using race::test::fault_of;
using race::test::H;
using race::test::run_threads;
using race::test::WithPlan;

namespace {

// Sites of no kernel code: they are in no registry, only in the plans of these tests.
constexpr SiteId lock_site = 254, unlock_site = 255;

using Counter = H::shared<std::uint64_t>;
using Pages = PageAllocator<H>;

// What one thread changes and another reads, and every kind of lock.
struct Locked {
  spinlock<H> spin;
  rwlock<H> rw;
  Counter bit;
  page<H> frame;
  work_struct<H> work;
  Counter a, b;
};
using LockedPtr = H::ptr<Locked>;

struct Box {
  Locked locked;
  LockedPtr operator*() { return LockedPtr(&locked); }
};

class PagesFixture {
 public:
  PagesFixture(std::uint32_t page_size, std::uint32_t frames) : pages(page_size, frames) {}
  ~PagesFixture() {
    H::release_array(pages.frame(0));
    H::release_array(pages.memory());
  }
  PagesFixture(const PagesFixture&) = delete;
  PagesFixture& operator=(const PagesFixture&) = delete;
  Pages pages;
};

// Each strength pair that makes a critical section: what the later one reads is what the earlier one wrote.
template <class F>
void with_every_strength(F test) {
  for (const Strength lock : {Strength::acquire, Strength::dmb_ishld, Strength::full})
    for (const Strength unlock : {Strength::release, Strength::dmb_ish, Strength::full}) {
      REQUIRE(legal(Side::lock, lock));
      REQUIRE(legal(Side::unlock, unlock));
      // ThreadSanitizer sees a fence only when a fence answers it.
      const bool fences = lock == Strength::full && unlock != Strength::release;
      const bool accesses = lock == Strength::acquire && unlock == Strength::release;
      if (RACE_TSAN && !fences && !accesses) continue;
      BarrierPlan plan;
      plan.set(lock_site, lock);
      plan.set(unlock_site, unlock);
      const WithPlan with(plan);
      CAPTURE(name(lock));
      CAPTURE(name(unlock));
      test();
    }
}

// Three threads count in turn; without exclusion they lose counts.
template <class Lock, class Unlock>
void check_excludes(Lock lock, Unlock unlock) {
  with_every_strength([&] {
    constexpr unsigned threads = 3, rounds = 5'000;
    Box box;
    const LockedPtr p = *box;
    run_threads(threads, [&](unsigned) {
      for (unsigned i = 0; i < rounds; ++i) {
        lock(p);
        p[&Locked::a].store(p[&Locked::a].load() + 1);
        p[&Locked::b].store(p[&Locked::b].load() + 2);
        unlock(p);
      }
    });
    CHECK(H::peek(p[&Locked::a]) == threads * rounds);
    CHECK(H::peek(p[&Locked::b]) == 2 * threads * rounds);
  });
}

}  // namespace

TEST_CASE("spinlock: tickets, and an unlock that nobody is due") {
  Box box;
  const auto lock = (*box)[&Locked::spin];
  const auto next = lock[&spinlock<H>::next];
  const auto owner = lock[&spinlock<H>::owner];
  for (unsigned i = 0; i < 3; ++i) {
    CHECK(H::peek(next) == i);
    CHECK(H::peek(owner) == i);
    spin_lock<H>(lock, lock_site);
    CHECK(H::peek(next) == i + 1);
    CHECK(H::peek(owner) == i);
    spin_unlock<H>(lock, unlock_site);
  }
  const Fault f = fault_of([&] { spin_unlock<H>(lock, unlock_site); });
  CHECK(f.oracle == Oracle::unlock_of_unlocked);
  CHECK(std::string(f.what) == "spin_unlock of a spinlock that nobody holds");
}

TEST_CASE("spinlock: tickets wrap around") {
  Box box;
  const auto lock = (*box)[&Locked::spin];
  H::poke(lock[&spinlock<H>::next], 0xffffffff);
  H::poke(lock[&spinlock<H>::owner], 0xffffffff);
  spin_lock<H>(lock, lock_site);
  spin_unlock<H>(lock, unlock_site);
  CHECK(H::peek(lock[&spinlock<H>::next]) == 0);
  CHECK(H::peek(lock[&spinlock<H>::owner]) == 0);
  CHECK(fault_of([&] { spin_unlock<H>(lock, unlock_site); }).oracle == Oracle::unlock_of_unlocked);
}

TEST_CASE("spinlock: excludes at every strength") {
  check_excludes([](LockedPtr p) { spin_lock<H>(p[&Locked::spin], lock_site); },
                 [](LockedPtr p) { spin_unlock<H>(p[&Locked::spin], unlock_site); });
}

TEST_CASE("rwlock: counts readers, and knows when nobody holds it") {
  Box box;
  const auto lock = (*box)[&Locked::rw];
  const auto word = lock[&rwlock<H>::word];
  read_lock<H>(lock, lock_site);
  read_lock<H>(lock, lock_site);
  CHECK(H::peek(word) == 2);
  CHECK(fault_of([&] { write_unlock<H>(lock, unlock_site); }).oracle == Oracle::unlock_of_unlocked);
  read_unlock<H>(lock, unlock_site);
  read_unlock<H>(lock, unlock_site);
  CHECK(H::peek(word) == 0);
  CHECK(fault_of([&] { read_unlock<H>(lock, unlock_site); }).oracle == Oracle::unlock_of_unlocked);
  CHECK(fault_of([&] { write_unlock<H>(lock, unlock_site); }).oracle == Oracle::unlock_of_unlocked);
  write_lock<H>(lock, lock_site);
  CHECK(H::peek(word) == rwlock<H>::writer);
  CHECK(fault_of([&] { read_unlock<H>(lock, unlock_site); }).oracle == Oracle::unlock_of_unlocked);
  write_unlock<H>(lock, unlock_site);
  CHECK(H::peek(word) == 0);
}

TEST_CASE("rwlock: writers exclude writers at every strength") {
  check_excludes([](LockedPtr p) { write_lock<H>(p[&Locked::rw], lock_site); },
                 [](LockedPtr p) { write_unlock<H>(p[&Locked::rw], unlock_site); });
}

TEST_CASE("rwlock: readers never see a writer half-way, and run beside each other") {
  with_every_strength([] {
    Box box;
    const LockedPtr p = *box;
    std::atomic<unsigned> torn{0};
    run_threads(3, [&](unsigned cpu) {
      for (std::uint64_t i = 1; i <= 5000; ++i) {
        if (cpu == 0) {
          write_lock<H>(p[&Locked::rw], lock_site);
          p[&Locked::a].store(i);
          p[&Locked::b].store(i);
          write_unlock<H>(p[&Locked::rw], unlock_site);
        } else {
          read_lock<H>(p[&Locked::rw], lock_site);
          if (p[&Locked::a].load() != p[&Locked::b].load()) ++torn;
          read_unlock<H>(p[&Locked::rw], unlock_site);
        }
      }
    });
    CHECK(torn == 0);
    CHECK(H::peek(p[&Locked::a]) == 5000);
    CHECK(H::peek(p[&Locked::rw][&rwlock<H>::word]) == 0);
  });
  // Two readers wait for each other inside.
  Box box;
  const LockedPtr p = *box;
  std::atomic<unsigned> inside{0};
  run_threads(2, [&](unsigned) {
    read_lock<H>(p[&Locked::rw], lock_site);
    ++inside;
    while (inside != 2) std::this_thread::yield();
    read_unlock<H>(p[&Locked::rw], unlock_site);
  });
  CHECK(H::peek(p[&Locked::rw][&rwlock<H>::word]) == 0);
}

TEST_CASE("bit spinlock: one bit of a word, the others are left alone") {
  Box box;
  const auto word = (*box)[&Locked::bit];
  H::poke(word, 0xf0);
  CHECK(bit_spin_trylock<H>(word, 1, lock_site));
  CHECK_FALSE(bit_spin_trylock<H>(word, 1, lock_site));
  CHECK(H::peek(word) == 0xf1);
  CHECK(bit_spin_trylock<H>(word, 2, lock_site));
  bit_spin_unlock<H>(word, 1, unlock_site, "not held");
  CHECK(H::peek(word) == 0xf2);
  bit_spin_unlock<H>(word, 2, unlock_site, "not held");
  CHECK(H::peek(word) == 0xf0);
  const Fault f = fault_of([&] { bit_spin_unlock<H>(word, 1, unlock_site, "not held"); });
  CHECK(f.oracle == Oracle::unlock_of_unlocked);
  CHECK(std::string(f.what) == "not held");
}

TEST_CASE("bit spinlock: excludes at every strength") {
  check_excludes([](LockedPtr p) { bit_spin_lock<H>(p[&Locked::bit], 1, lock_site); },
                 [](LockedPtr p) { bit_spin_unlock<H>(p[&Locked::bit], 1, unlock_site, "not held"); });
}

TEST_CASE("page lock: a flag among the page's flags") {
  Box box;
  const PagePtr<H> p = (*box)[&Locked::frame];
  set_page_flag<H>(p, pg_private);
  set_page_flag<H>(p, pg_isolated);
  CHECK(trylock_page<H>(p, lock_site));
  CHECK_FALSE(trylock_page<H>(p, lock_site));
  CHECK(test_page_flag<H>(p, pg_private));
  CHECK_FALSE(test_page_flag<H>(p, pg_private_2));
  clear_page_flags<H>(p, pg_private | pg_isolated);
  CHECK(H::peek(p[&page<H>::flags]) == pg_locked);
  unlock_page<H>(p, unlock_site);
  CHECK(H::peek(p[&page<H>::flags]) == 0);
  CHECK(fault_of([&] { unlock_page<H>(p, unlock_site); }).oracle == Oracle::unlock_of_unlocked);
}

TEST_CASE("page lock: excludes at every strength") {
  check_excludes([](LockedPtr p) { lock_page<H>(p[&Locked::frame], lock_site); },
                 [](LockedPtr p) { unlock_page<H>(p[&Locked::frame], unlock_site); });
  check_excludes(
      [](LockedPtr p) {
        while (!trylock_page<H>(p[&Locked::frame], lock_site)) std::this_thread::yield();
      },
      [](LockedPtr p) { unlock_page<H>(p[&Locked::frame], unlock_site); });
}

TEST_CASE("page: the movable mark outlives the owner") {
  Box box;
  const PagePtr<H> p = (*box)[&Locked::frame];
  CHECK_FALSE(page_has_movable_mark<H>(p));
  CHECK_FALSE(page_movable<H>(p));
  set_page_movable<H>(p, 0x1000);
  CHECK(page_has_movable_mark<H>(p));
  CHECK(page_movable<H>(p));
  clear_page_movable<H>(p);
  CHECK(page_has_movable_mark<H>(p));
  CHECK_FALSE(page_movable<H>(p));
}

TEST_CASE("list: add, delete, splice keep both directions") {
  using Node = list_head<H>;
  Node nodes[8];
  const auto at = [&](unsigned i) { return ListPtr<H>(&nodes[i]); };
  const auto members = [&](unsigned head) {
    std::vector<unsigned> forward, backward;
    for (auto n = H::peek(at(head)[&Node::next]); n != at(head); n = H::peek(n[&Node::next]))
      forward.push_back(static_cast<unsigned>(n - at(0)));
    for (auto n = H::peek(at(head)[&Node::prev]); n != at(head); n = H::peek(n[&Node::prev]))
      backward.insert(backward.begin(), static_cast<unsigned>(n - at(0)));
    CHECK(forward == backward);
    return forward;
  };
  using Members = std::vector<unsigned>;
  for (unsigned i = 0; i < 8; ++i) init_list_head<H>(at(i));
  CHECK(list_empty<H>(at(0)));
  CHECK_FALSE(list_first<H>(at(0)));
  list_add<H>(at(2), at(0));
  list_add<H>(at(3), at(0));  // in front
  list_add<H>(at(4), at(3));  // right behind 3
  CHECK(members(0) == Members{3, 4, 2});
  CHECK(list_first<H>(at(0)) == at(3));
  CHECK_FALSE(list_empty<H>(at(4)));

  list_splice_init<H>(at(1), at(0));  // nothing
  CHECK(members(0) == Members{3, 4, 2});
  list_add<H>(at(5), at(1));
  list_add<H>(at(6), at(1));
  list_splice_init<H>(at(1), at(0));  // to the front
  CHECK(members(0) == Members{6, 5, 3, 4, 2});
  CHECK(list_empty<H>(at(1)));
  list_splice_init<H>(at(0), at(1));  // into an empty list
  CHECK(members(1) == Members{6, 5, 3, 4, 2});
  CHECK(list_empty<H>(at(0)));

  list_del_init<H>(at(3));
  CHECK(list_empty<H>(at(3)));
  list_del_init<H>(at(6));
  list_del_init<H>(at(2));
  CHECK(members(1) == Members{5, 4});
  list_del_init<H>(at(3));  // of one that is on no list: nothing
  list_del_init<H>(at(5));
  list_del_init<H>(at(4));
  CHECK(list_empty<H>(at(1)));
}

TEST_CASE("work: requests before the worker takes them are one, a request while it runs is another") {
  Box box;
  const auto work = (*box)[&Locked::work];
  const auto pending = work[&work_struct<H>::pending];
  schedule_work<H>(work, unlock_site);
  schedule_work<H>(work, unlock_site);
  CHECK(H::peek(pending) == 1);
  take_work<H>(work, lock_site);
  CHECK(H::peek(pending) == 0);
  schedule_work<H>(work, unlock_site);
  CHECK(H::peek(pending) == 1);
  take_work<H>(work, lock_site);
}

TEST_CASE("work: the worker sees what was stored before the request") {
  with_every_strength([] {
    Box box;
    const LockedPtr p = *box;
    std::atomic<unsigned> wrong{0};
    std::atomic<std::uint64_t> done{0};
    run_threads(2, [&](unsigned cpu) {
      for (std::uint64_t i = 1; i <= 300; ++i) {
        if (cpu == 0) {
          p[&Locked::a].store(i);
          schedule_work<H>(p[&Locked::work], unlock_site);
          while (done != i) std::this_thread::yield();
        } else {
          take_work<H>(p[&Locked::work], lock_site);
          if (p[&Locked::a].load() != i) ++wrong;
          done = i;
        }
      }
    });
    CHECK(wrong == 0);
  });
}

TEST_CASE("poison names its frame and word, and is no link that a free list could hold") {
  for (const std::uint32_t frame : {0u, 1u, 2u, 0x123u, 0x7ffu, 0xffeu})
    for (std::uint32_t word = 0; word < 8192; ++word) {
      const std::uint64_t p = poison(frame, word);
      const auto freeobj = static_cast<std::uint32_t>(p >> 1);
      const PoisonName n = read_poison(freeobj);
      if ((p & 1) != 0 || !n.is_poison || n.frame != frame || n.word != word || freeobj == 0xffffffff ||
          freeobj == 0x7fffffff || freeobj < 65536)
        FAIL("frame ", frame, ", word ", word, ": ", p);
    }
  CHECK_FALSE(read_poison(0xffffffff).is_poison);
  CHECK_FALSE(read_poison(0x7fffffff).is_poison);
  for (std::uint32_t object = 0; object < 65536; ++object)
    if (read_poison(object).is_poison) FAIL("object ", object, " reads as poison");
}

TEST_CASE("page allocator: frames go round, each poisoned anew") {
  PagesFixture fixture(256, 3);
  Pages& pages = fixture.pages;
  CHECK(pages.page_size() == 256);
  CHECK(pages.words_per_page() == 32);
  CHECK(pages.frames() == 3);
  CHECK(pages.free_frames() == 3);
  const auto poisoned = [&](PagePtr<H> p, std::uint32_t frame) {
    for (std::uint32_t w = 0; w < 32; ++w)
      if (H::peek(pages.page_address(p)[w]) != poison(frame, w)) return false;
    return true;
  };
  const auto dirty = [&](PagePtr<H> p) {
    for (std::uint32_t w = 0; w < 32; ++w) pages.page_address(p)[w].store(7);
    p[&page<H>::flags].store(pg_private);
    set_page_movable<H>(p, 0x1000);
  };
  PagePtr<H> p[3];
  for (std::uint32_t f = 0; f < 3; ++f) {
    p[f] = pages.alloc_page();
    REQUIRE(p[f] == pages.frame(f));
    CHECK(pages.page_to_pfn(p[f]) == Pages::first_pfn + f);
    CHECK(pages.pfn_to_page(Pages::first_pfn + f) == p[f]);
    CHECK(pages.page_address(p[f]) == pages.memory() + std::uint64_t{32} * f);
    CHECK(poisoned(p[f], f));
    CHECK(H::peek(p[f][&page<H>::refcount]) == 1);
    dirty(p[f]);
  }
  CHECK_FALSE(pages.alloc_page());
  CHECK(pages.free_frames() == 0);
  for (const std::uint32_t f : {2u, 0u, 1u}) pages.put_page(p[f], unlock_site);
  CHECK(pages.free_frames() == 3);
  for (const std::uint32_t f : {2u, 0u, 1u}) {  // the one that has been free for longest
    REQUIRE(pages.alloc_page() == pages.frame(f));
    CHECK(poisoned(p[f], f));
    CHECK(H::peek(p[f][&page<H>::flags]) == 0);
    CHECK(H::peek(p[f][&page<H>::mapping]) == 0);
    CHECK(H::peek(p[f][&page<H>::refcount]) == 1);
  }
  CHECK_FALSE(pages.alloc_page());
}

TEST_CASE("page allocator: a page is free when its last reference goes") {
  PagesFixture fixture(256, 1);
  Pages& pages = fixture.pages;
  CHECK_FALSE(pages.get_page_unless_zero(pages.frame(0), lock_site));  // free: nobody may take a reference
  const PagePtr<H> p = pages.alloc_page();
  pages.get_page(p);
  CHECK(pages.get_page_unless_zero(p, lock_site));
  CHECK(H::peek(p[&page<H>::refcount]) == 3);
  pages.put_page(p, unlock_site);
  pages.put_page(p, unlock_site);
  CHECK(pages.free_frames() == 0);
  pages.put_page(p, unlock_site);
  CHECK(pages.free_frames() == 1);
  CHECK_FALSE(pages.get_page_unless_zero(p, lock_site));
  const Fault f = fault_of([&] { pages.put_page(p, unlock_site); });
  CHECK(f.oracle == Oracle::accounting);
  CHECK(f.where == pages.frame(0)[&page<H>::refcount].address());
}

TEST_CASE("page allocator: save and restore") {
  PagesFixture fixture(256, 4);
  Pages& pages = fixture.pages;
  const PagePtr<H> first = pages.alloc_page();
  pages.save();
  const PagePtr<H> second = pages.alloc_page();
  pages.put_page(first, unlock_site);
  pages.put_page(second, unlock_site);
  pages.restore();
  CHECK(pages.free_frames() == 3);
  CHECK(pages.alloc_page() == second);
}

TEST_CASE("page allocator: threads take, share and give back, and no frame is lost or given twice") {
  BarrierPlan plan;
  plan.set(lock_site, Strength::full);
  plan.set(unlock_site, Strength::full);
  const WithPlan with(plan);
  constexpr std::uint32_t frames = 4;
  PagesFixture fixture(256, frames);
  Pages& pages = fixture.pages;
  std::atomic<unsigned> shared_writes{0};
  run_threads(3, [&](unsigned cpu) {
    for (std::uint32_t i = 0; i < 3000; ++i) {
      if (const PagePtr<H> p = pages.alloc_page()) {
        const auto word = pages.page_address(p)[i % 32];
        word.store(cpu);
        if (word.load() != cpu) ++shared_writes;
        pages.put_page(p, unlock_site);
      }
      // A reference to whatever the frame is now keeps it from coming back.
      const PagePtr<H> any = pages.frame(i % frames);
      if (!pages.get_page_unless_zero(any, lock_site)) continue;
      if (H::peek(any[&page<H>::refcount]) == 0) ++shared_writes;
      pages.put_page(any, unlock_site);
    }
  });
  CHECK(shared_writes == 0);
  CHECK(pages.free_frames() == frames);
  std::set<std::uint64_t> distinct;
  for (std::uint32_t f = 0; f < frames; ++f) distinct.insert(pages.alloc_page().address());
  CHECK(distinct.size() == frames);
  CHECK_FALSE(distinct.contains(0));
}

TEST_SUITE("weak") {
  TEST_CASE("page allocator: on the CPU that freed a frame, poison comes after every store to it") {
    using W = weak::machine;
    class Reuse final : public Workload {
     public:
      unsigned cpus() const override { return 1; }
      void set_up() override {
        pages_ = std::make_unique<PageAllocator<W>>(256, 1);
        pages_->save();
      }
      void begin(weak::Machine&) override { pages_->restore(); }
      void thread(unsigned) override {
        for (std::uint64_t round = 0; round < 3; ++round) {
          const auto p = pages_->alloc_page();
          const auto word = pages_->page_address(p)[3u];
          if (W::known(word.load()) != poison(0, 3) || page_has_movable_mark<W>(p))
            W::fail({.oracle = Oracle::accounting, .what = "a frame came back as it was left"});
          word.store(round);
          set_page_movable<W>(p, 0x1000u);
          pages_->put_page(p, no_site);
        }
      }

     private:
      std::unique_ptr<PageAllocator<W>> pages_;
    } program;
    weak::Machine machine(weak::Model::armv8, 4096);
    WeakEngine engine(machine, program);
    REQUIRE_FALSE(engine.prepare(1).failed);
    RandomStrategy strategy(1, engine.extent());
    unsigned failed = 0;
    for (std::uint64_t k = 0; k < 2000; ++k) failed += engine.run(strategy, strategy.begin(k)).failed ? 1 : 0;
    CHECK(failed == 0);
  }

  // One page that CPU 0 sets up, and what each CPU does with it.
  class OnePage final : public Workload {
   public:
    using W = weak::machine;
    using Pages = PageAllocator<W>;
    using Thread = std::function<void(Pages&, PagePtr<W>, W::ref<std::uint64_t>)>;
    explicit OnePage(std::vector<Thread> threads) : threads_(std::move(threads)) {}
    unsigned cpus() const override { return static_cast<unsigned>(threads_.size()); }
    void set_up() override {
      pages_ = std::make_unique<Pages>(256, 2);
      pages_->alloc_page();
      page_ = pages_->alloc_page();  // the only one that can be free again
      set_page_movable<W>(page_, 0x1000u);
      flag_ = W::allocate_array<W::shared<std::uint64_t>>("flag", 1);
      pages_->save();
    }
    void begin(weak::Machine&) override { pages_->restore(); }
    void thread(unsigned cpu) override { threads_[cpu](*pages_, page_, flag_[0u]); }

   private:
    std::vector<Thread> threads_;
    std::unique_ptr<Pages> pages_;
    PagePtr<W> page_;
    W::ptr<W::shared<std::uint64_t>> flag_;
  };

  // How many of so many random executions end with each message; "" is a good end.
  std::map<std::string, unsigned> endings(OnePage program, const BarrierPlan& plan = {},
                                          std::uint64_t executions = 3000) {
    weak::Machine machine(weak::Model::armv8, 4096);
    machine.plan = plan;
    WeakEngine engine(machine, program);
    engine.prepare(1);
    RandomStrategy strategy(1, engine.extent());
    std::map<std::string, unsigned> count;
    for (std::uint64_t k = 0; k < executions; ++k) {
      const Outcome o = engine.run(strategy, strategy.begin(k));
      ++count[o.failed ? std::string(info(o.fault.oracle).name) + ": " + o.fault.what : ""];
    }
    return count;
  }

  TEST_CASE("page allocator: a frame is dead from its last reference to its next allocation") {
    using W = weak::machine;
    using Pages = OnePage::Pages;
    using Flag = W::ref<std::uint64_t>;
    const auto only = [](OnePage::Thread thread, const std::string& end) {
      const auto found = endings(OnePage({std::move(thread)}), {}, 20);
      CAPTURE(end);
      CHECK(found.size() == 1);
      CHECK(found.contains(end));
    };
    only([](Pages& m, PagePtr<W> p, Flag) { m.page_address(p)[3u].store(1u); }, "");
    only(
        [](Pages& m, PagePtr<W> p, Flag) {
          m.put_page(p, no_site);
          m.page_address(p)[3u].load();
        },
        "oops: load from freed memory");
    only(
        [](Pages& m, PagePtr<W> p, Flag) {
          m.put_page(p, no_site);
          m.page_address(p)[3u].store(1u);
        },
        "oops: store to freed memory");
    only(
        [](Pages& m, PagePtr<W> p, Flag) {
          m.get_page(p);
          m.put_page(p, no_site);
          m.page_address(p)[3u].load();
        },
        "");
    only(
        [](Pages& m, PagePtr<W> p, Flag) {
          m.put_page(p, no_site);
          m.page_address(m.alloc_page())[31u].store(1u);
        },
        "");
    // A wrong pointer whose reference count happens to be 1 is no page to free.
    only(
        [](Pages& m, PagePtr<W> p, Flag) {
          set_page_flag<W>(p, pg_locked);
          m.put_page(PagePtr<W>(m.frame(0).bits() + 8, 0, 0), no_site);
        },
        "oops: put_page of something that is no struct page");
  }

  TEST_CASE(
      "page allocator: a store that was held when its frame was freed is none to a dead frame; it may come into its "
      "next life") {
    using W = weak::machine;
    using Pages = OnePage::Pages;
    using Flag = W::ref<std::uint64_t>;
    const auto program = [] {
      return OnePage({[](Pages& m, PagePtr<W> p, Flag flag) {
                        m.page_address(p)[3u].store(77u);
                        flag.store(1u);
                      },
                      [](Pages& m, PagePtr<W> p, Flag flag) {
                        flag.await([](auto v) { return v == 1u; }, Order::acquire);
                        m.put_page(p, no_site);
                        const auto word = m.page_address(m.alloc_page())[3u];
                        for (int i = 0; i < 3; ++i)
                          if (W::known(word.load()) == 77)
                            W::fail({.oracle = Oracle::stale_object, .what = "a store of the earlier life"});
                      }});
    };
    const auto found = endings(program());
    CHECK(found.size() == 2);
    CHECK(found.contains(""));
    CHECK(found.contains("stale-object: a store of the earlier life"));
  }

  TEST_CASE("page allocator: who takes a reference in order sees the page as its allocation left it, others may not") {
    using W = weak::machine;
    using Pages = OnePage::Pages;
    using Flag = W::ref<std::uint64_t>;
    const auto program = [] {
      return OnePage({[](Pages& m, PagePtr<W> p, Flag flag) {
                        m.put_page(p, no_site);
                        m.alloc_page();
                        flag.store(1u);
                      },
                      [](Pages& m, PagePtr<W> p, Flag flag) {
                        flag.await([](auto v) { return v == 1u; }, Order::plain);
                        if (!m.get_page_unless_zero(p, lock_site)) return;
                        if (page_has_movable_mark<W>(p))
                          W::fail({.oracle = Oracle::stale_page, .what = "the mark of the earlier life"});
                      }});
    };
    BarrierPlan full;
    full.set(lock_site, Strength::full);
    CHECK_FALSE(endings(program(), full).contains("stale-page: the mark of the earlier life"));
    CHECK(endings(program()).contains("stale-page: the mark of the earlier life"));
  }

  TEST_CASE("an unlock that nobody is due ends an execution only where it is looked for") {
    using W = weak::machine;
    const auto ending = [](std::uint32_t judged) {
      class Unlock final : public Workload {
       public:
        unsigned cpus() const override { return 1; }
        void set_up() override { locks_ = W::allocate<rwlock<W>>("lock"); }
        void thread(unsigned) override {
          write_unlock<W>(locks_, no_site);
          W::fail({.oracle = Oracle::accounting, .what = "went on"});
        }

       private:
        W::ptr<rwlock<W>> locks_;
      } program;
      weak::Machine machine(weak::Model::armv8, 4096);
      machine.judged = judged;
      WeakEngine engine(machine, program);
      return engine.prepare(1).fault.oracle;
    };
    CHECK(ending(~0u) == Oracle::unlock_of_unlocked);
    CHECK(ending(~(1u << static_cast<unsigned>(Oracle::unlock_of_unlocked))) == Oracle::accounting);
  }
}
