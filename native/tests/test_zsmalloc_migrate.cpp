// The allocator on the hardware machine, one thread: isolation, migration and putback.
#include "tests/allocator_pool.hpp"

using namespace race;
using namespace race::test;

// ---------------------------------------------------------------- migration

TEST_CASE("migrate: each page of each class, contents and handles follow") {
  for (const std::uint32_t page_size : {256u, 1024u, 4096u}) {
    Pool pool(page_size, 8);
    for (const SizeClassGeometry& c : pool.zs.geometry().classes()) {
      CAPTURE(page_size);
      CAPTURE(c.size);
      auto handles = pool.fill(c.max_request, c.objects);
      // Full, then with a hole for every third object.
      for (const bool holes : {false, true}) {
        if (holes)
          for (std::uint32_t i = 0; i + 1 < c.objects; i += 3) {
            pool.zs.zs_free(handles[i]);
            handles[i] = 0;
          }
        const Zspage z = pool.view.zspage_of(handles.back());
        for (std::uint32_t k = 0; k < c.pages; ++k) {
          const Page old = pool.view.page(z, k);
          const std::uint32_t freeobj = View::freeobj(z);
          REQUIRE(pool.isolate(old));
          REQUIRE(pool.move(old) == MigrateResult::success);
          const Page fresh = pool.view.page(z, k);
          CHECK_FALSE(View::same(old, fresh));
          CHECK(View::freeobj(z) == freeobj);
          CHECK(View::refcount(old) == 0);
          CHECK(View::flags(old) == 0);
          CHECK((View::mapping(old) & ~std::uint64_t{2}) == 0);
          CHECK(H::peek(old[&kernel::page<H>::private_data]) == 0);
          CHECK(pool.check() == "");
        }
        bool same = true;
        for (std::uint32_t i = 0; i < c.objects; ++i)
          if (handles[i] != 0) same = same && pool.holds(handles[i], i) && pool.view.index_of(handles[i]) == i;
        CHECK(same);
      }
      for (const std::uint64_t h : handles)
        if (h != 0) pool.zs.zs_free(h);
      CHECK(pool.pages.free_frames() == 8);
    }
  }
}

TEST_CASE("migrate: a page of free objects, and its links are used afterwards") {
  Pool pool;
  auto handles = pool.fill(request_48, 1);  // pages 1 and 2 hold free objects only
  const Zspage z = pool.view.zspage_of(handles[0]);
  for (const std::uint32_t k : {2u, 1u}) {
    const Page p = pool.view.page(z, k);
    REQUIRE(pool.isolate(p));
    REQUIRE(pool.move(p) == MigrateResult::success);
    CHECK(pool.check() == "");
  }
  for (std::uint32_t i = 1; i < 256; ++i) {
    handles.push_back(pool.zs.zs_malloc(request_48));
    CHECK(pool.view.index_of(handles.back()) == i);
    pool.write(handles.back(), i);
  }
  for (std::uint32_t i = 0; i < 256; ++i) CHECK(pool.holds(handles[i], i));
  CHECK(pool.check() == "");
  pool.free(handles);
}

TEST_CASE("isolate: off the list while isolated, up to four pages, back when the last one is") {
  Pool pool;
  auto handles = pool.fill(request_3264, 2);
  const Zspage z = pool.view.zspage_of(handles[0]);
  const auto& c = pool.class_for(request_3264);
  Page p[4];
  for (std::uint32_t k = 0; k < 4; ++k) {
    p[k] = pool.view.page(z, k);
    REQUIRE(pool.isolate(p[k]));
    CHECK_FALSE(pool.isolate(p[k]));  // once only
    CHECK(View::isolated(z) == k + 1);
    CHECK(View::refcount(p[k]) == 2);
    CHECK((View::flags(p[k]) & kernel::pg_isolated) != 0);
    CHECK((View::flags(p[k]) & kernel::pg_locked) == 0);
    for (const std::uint32_t f : {zs_empty, zs_almost_empty, zs_almost_full, zs_full}) {
      CHECK(pool.view.list(c, f).empty());
      CHECK(pool.view.stat(c, f) == 0);
    }
  }
  // Nobody allocates from it, but frees go on; the stored group follows, the lists do not.
  const std::uint64_t other = pool.zs.zs_malloc(request_3264);
  CHECK_FALSE(View::same(pool.view.zspage_of(other), z));
  pool.zs.zs_free(handles[1]);
  handles.pop_back();
  CHECK(View::fullness(z) == zs_almost_empty);
  CHECK(pool.view.list(c, zs_almost_empty).size() == 1);

  pool.put_back(p[3]);
  CHECK(View::isolated(z) == 3);
  CHECK(pool.move(p[1]) == MigrateResult::success);
  CHECK(View::isolated(z) == 2);
  pool.put_back(p[2]);
  CHECK(View::isolated(z) == 1);
  CHECK(pool.view.list(c, zs_almost_empty).size() == 1);
  CHECK(pool.move(p[0]) == MigrateResult::success);
  CHECK(View::isolated(z) == 0);
  CHECK(pool.view.list(c, zs_almost_empty).size() == 2);
  CHECK(pool.check() == "");
  CHECK(pool.holds(handles[0], 0));
  pool.zs.zs_free(handles[0]);
  pool.zs.zs_free(other);
  CHECK(pool.check() == "");
}

TEST_CASE(
    "isolate: refused for a page that is free, foreign, locked, or of a zspage that is empty or held off its list") {
  Pool pool;
  auto handles = pool.fill(request_2720, 2);
  const Zspage z = pool.view.zspage_of(handles[0]);
  const Page p = pool.view.page(z, 0);

  CHECK_FALSE(pool.isolate(pool.pages.frame(31)));  // free
  const Page foreign = pool.pages.alloc_page();
  CHECK_FALSE(pool.isolate(foreign));
  CHECK(View::refcount(foreign) == 1);
  pool.pages.put_page(foreign, no_site);

  pool.lock(p);
  CHECK_FALSE(pool.isolate(p));
  CHECK(View::refcount(p) == 1);
  pool.unlock(p);

  // As compaction holds its source and destination.
  const auto node = z[&zspage<H>::list];
  const auto head = H::peek(node[&kernel::list_head<H>::prev]);
  kernel::list_del_init<H>(node);
  CHECK_FALSE(pool.isolate(p));
  CHECK(View::isolated(z) == 0);
  CHECK(View::refcount(p) == 1);
  kernel::list_add<H>(node, head);
  CHECK(pool.check() == "");

  // Empty: only page_isolate can be asked, for the page has to be locked to keep it.
  pool.lock(p);
  pool.free(handles);
  CHECK(View::inuse(z) == 0);
  CHECK_FALSE(pool.zs.zs_page_isolate(p));
  CHECK(View::isolated(z) == 0);
  pool.unlock(p);
  CHECK_FALSE(pool.isolate(p));
  CHECK(View::refcount(p) == 1);
  CHECK(pool.check() == "");
  pool.zs.async_free_zspage();
  CHECK(pool.check() == "");
  CHECK_FALSE(pool.isolate(p));  // movable once, free now
}

TEST_CASE("migrate: busy when the zspage became empty; it goes to the worker") {
  Pool pool;
  auto handles = pool.fill(request_2720, 2);
  const Zspage z = pool.view.zspage_of(handles[0]);
  const Page p = pool.view.page(z, 1), q = pool.view.page(z, 0);
  REQUIRE(pool.isolate(p));
  REQUIRE(pool.isolate(q));
  pool.free(handles);
  CHECK(View::fullness(z) == zs_empty);
  CHECK(View::isolated(z) == 2);
  CHECK_FALSE(pool.view.work_pending());
  CHECK(pool.pages.free_frames() == 30);
  CHECK(pool.move(p) == MigrateResult::busy);
  CHECK_FALSE(pool.view.work_pending());  // still isolated
  pool.put_back(q);
  CHECK(pool.view.work_pending());
  CHECK(pool.view.list(pool.class_for(request_2720), zs_empty).size() == 1);
  CHECK(pool.check() == "");
  pool.zs.async_free_zspage();
  CHECK(pool.pages.free_frames() == 32);
  CHECK(pool.check() == "");
}

TEST_CASE("migrate: again when an object that starts in the page is pinned; all pins that were taken are given back") {
  Pool pool;
  auto handles = pool.fill(request_48, 256);
  const Zspage z = pool.view.zspage_of(handles[0]);
  const auto page_number = [&](std::uint64_t h) {
    for (std::uint32_t k = 0; k < 3; ++k)
      if (View::same(pool.view.page(z, k), pool.view.page_of(h))) return k;
    return 3u;
  };
  for (const std::uint32_t pinned : {0u, 40u, 85u, 86u, 170u, 171u, 255u}) {
    const std::uint32_t k = page_number(handles[pinned]);
    CAPTURE(pinned);
    pool.pin(handles[pinned]);
    for (std::uint32_t page = 0; page < 3; ++page) {
      const Page p = pool.view.page(z, page);
      REQUIRE(pool.isolate(p));
      // A straddler's pin keeps the page where it starts, not the next.
      CHECK(pool.move(p) == (page == k ? MigrateResult::again : MigrateResult::success));
      CHECK(View::same(pool.view.page(z, page), p) == (page == k));
    }
    CHECK(View::pinned(handles[pinned]));
    pool.unpin(handles[pinned]);
    CHECK(pool.check() == "");
    CHECK(pool.pages.free_frames() == 29);
  }
  for (std::uint32_t i = 0; i < 256; ++i) CHECK(pool.holds(handles[i], i));
  pool.free(handles);
}

TEST_CASE("migrate: a page that was freed while isolated is dropped") {
  // The owner cannot free an isolated page; a page of another kind is made to.
  Pool pool;
  const Page p = pool.pages.alloc_page();
  kernel::set_page_flag<H>(p, kernel::pg_isolated);
  pool.pages.get_page(p);  // as isolation does
  kernel::clear_page_movable<H>(p);
  pool.pages.put_page(p, no_site);  // the owner's
  CHECK(pool.move(p) == MigrateResult::success);
  CHECK(pool.pages.free_frames() == 32);
  CHECK(pool.check() == "");
}
