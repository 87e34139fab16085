// The kernel's primitives on the hardware machine: what they do alone, and that they exclude at every strength that
// orders.
#include <doctest/doctest.h>

#include "kernel/list.hpp"
#include "kernel/page.hpp"
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

TEST_SUITE("weak") {
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
