// The page allocator of the kernel: frames that go round, their poison, and their references; alone, from several threads, and on
// the weak machine.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "kernel/page_allocator.hpp"
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

using Pages = PageAllocator<H>;

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

}  // namespace

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
}
