// The allocator on the hardware machine, one thread: the free list, encodings, fullness groups.
#include "tests/allocator_pool.hpp"

using namespace race;
using namespace race::test;

// ---------------------------------------------------------------- encodings and the free list

TEST_CASE("encoding: a handle's word, headers and links") {
  Pool pool;
  const auto handles = pool.fill(request_2720, 3);
  const Zspage z = pool.view.zspage_of(handles[0]);
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(View::same(pool.view.zspage_of(handles[i]), z));
    CHECK(pool.view.index_of(handles[i]) == i);
    // Object 1 starts at 2720 of page 0, object 2 at 5440 = 1344 of page 1.
    const Page home = pool.view.page(z, i == 2 ? 1 : 0);
    CHECK(View::same(pool.view.page_of(handles[i]), home));
    const std::uint64_t pfn = 0x80000 + pool.view.frame_of(home);
    CHECK(View::word(handles[i]) == (pfn << 27 | i) << 1);
    CHECK(pool.view.link(z, i) == (handles[i] | 1));
    CHECK(handles[i] % 8 == 0);
  }
  CHECK(pool.check() == "");
  pool.zs.zs_free(handles[1]);
  CHECK(pool.view.link(z, 1) == 0xfffffffe);
  pool.zs.zs_free(handles[2]);
  CHECK(pool.view.link(z, 2) == 1 << 1);
  pool.zs.zs_free(handles[0]);
  CHECK(pool.pages.free_frames() == pool.pages.frames());
  CHECK(pool.check() == "");
}

TEST_CASE("encoding: index bits follow the page size") {
  for (const std::uint32_t page_size : {256u, 512u, 1024u, 65536u}) {
    Pool pool(page_size, 8);
    const auto handles = pool.fill(24, 3);
    const unsigned index_bits = 64 - 1 - (48 - pool.zs.geometry().page_shift());
    for (std::uint32_t i = 0; i < 3; ++i) {
      const std::uint64_t pfn = 0x80000 + pool.view.frame_of(pool.view.page_of(handles[i]));
      CHECK(View::word(handles[i]) == (pfn << index_bits | i) << 1);
    }
    pool.free(handles);
  }
}

TEST_CASE("a new zspage: its chain, marks and links") {
  Pool pool;
  const std::uint64_t h = pool.zs.zs_malloc(request_3264);
  const Zspage z = pool.view.zspage_of(h);
  CHECK(View::magic(z) == 0x58);
  CHECK(View::slot(z) == 202);
  CHECK(View::isolated(z) == 0);
  CHECK(View::inuse(z) == 1);
  CHECK(View::freeobj(z) == 1);
  const std::uint32_t units[] = {0, 2432, 1600, 768};
  for (std::uint32_t k = 0; k < 4; ++k) {
    const Page p = pool.view.page(z, k);
    REQUIRE(p);
    CHECK(View::units(p) == units[k]);
    CHECK(View::flags(p) == (k == 0 ? kernel::pg_private : k == 3 ? kernel::pg_private_2 : std::uint64_t{0}));
    CHECK(View::mapping(p) == (pool.zs.pool().address() | 2));
    CHECK(View::refcount(p) == 1);
    CHECK(View::freelist(p) == (k == 3 ? 0 : pool.view.page(z, k + 1).address()));
  }
  for (std::uint32_t i = 1; i < 4; ++i) CHECK(pool.view.link(z, i) == std::uint64_t{i + 1} << 1);
  CHECK(pool.view.link(z, 4) == ~std::uint64_t{0} << 1);
  // What belongs to no object stays poison: bytes 16328.. of the four pages.
  const Page last = pool.view.page(z, 3);
  CHECK(pool.view.content(last, 511) == kernel::poison(pool.view.frame_of(last), 511));
  CHECK(pool.zs.zs_get_total_pages() == 4);
  pool.zs.zs_free(h);
  CHECK(pool.zs.zs_get_total_pages() == 0);
  CHECK(pool.check() == "");
}

TEST_CASE("free list: both end markers") {
  Pool pool;
  auto handles = pool.fill(request_2720, 2);
  const Zspage z = pool.view.zspage_of(handles[0]);
  CHECK(View::freeobj(z) == 2);
  handles.push_back(pool.zs.zs_malloc(request_2720));
  CHECK(View::freeobj(z) == 0xffffffff);  // from the set-up
  CHECK(pool.check() == "");
  for (int round = 0; round < 3; ++round) {  // after a free into a full zspage the shift has cost a bit, once
    pool.zs.zs_free(handles[2]);
    CHECK(View::freeobj(z) == 2);
    CHECK(pool.view.link(z, 2) == 0xfffffffe);
    CHECK(pool.check() == "");
    handles[2] = pool.zs.zs_malloc(request_2720);
    CHECK(View::freeobj(z) == 0x7fffffff);
    CHECK(pool.check() == "");
  }
  pool.free(handles);
  CHECK(is_end_marker(0xffffffff));
  CHECK(is_end_marker(0x7fffffff));
  CHECK_FALSE(is_end_marker(0x3fffffff));
  CHECK_FALSE(is_end_marker(0xfffffffe));
}

TEST_CASE("free list: last in, first out") {
  Pool pool;
  auto handles = pool.fill(request_48, 256);
  const Zspage z = pool.view.zspage_of(handles[0]);
  for (std::uint32_t i = 0; i < 256; ++i) CHECK(pool.view.index_of(handles[i]) == i);
  for (const std::uint32_t i : {7u, 200u, 90u, 255u}) {
    pool.zs.zs_free(handles[i]);
    CHECK(View::freeobj(z) == i);
    CHECK(pool.check() == "");
  }
  for (const std::uint32_t i : {255u, 90u, 200u, 7u}) {
    handles[i] = pool.zs.zs_malloc(request_48);
    CHECK(pool.view.index_of(handles[i]) == i);
    CHECK(View::same(pool.view.zspage_of(handles[i]), z));
  }
  pool.free(handles);
  CHECK(pool.check() == "");
}

// ---------------------------------------------------------------- fullness groups

TEST_CASE("fullness: the group of each count, stored and listed") {
  struct Case {
    std::uint32_t request, objects, last_almost_empty;
  };
  for (const Case c :
       {Case{request_2720, 3, 2}, Case{request_3264, 5, 3}, Case{request_48, 256, 192}, Case{2048 - 8, 2, 1}}) {
    Pool pool;
    std::vector<std::uint64_t> handles;
    const auto& geometry = pool.class_for(c.request);
    REQUIRE(geometry.objects == c.objects);
    const auto expect = [&](std::uint32_t inuse) {
      const std::uint32_t group = inuse == c.objects             ? zs_full
                                  : inuse <= c.last_almost_empty ? zs_almost_empty
                                                                 : zs_almost_full;
      for (const std::uint32_t f : {zs_empty, zs_almost_empty, zs_almost_full, zs_full}) {
        const auto members = pool.view.list(geometry, f);
        CHECK(members.size() == (f == group ? 1 : 0));
        CHECK(pool.view.stat(geometry, f) == members.size());
      }
      CHECK(View::fullness(pool.view.zspage_of(handles[0])) == group);
      CHECK(pool.view.stat(geometry, obj_used) == inuse);
      CHECK(pool.view.stat(geometry, obj_allocated) == c.objects);
    };
    for (std::uint32_t n = 1; n <= c.objects; ++n) {
      handles.push_back(pool.zs.zs_malloc(c.request));
      expect(n);
    }
    for (std::uint32_t n = c.objects - 1; n >= 1; --n) {
      pool.zs.zs_free(handles.back());
      handles.pop_back();
      expect(n);
    }
    pool.free(handles);
    for (std::uint32_t s = 0; s < class_stats; ++s) CHECK(pool.view.stat(geometry, s) == 0);
    CHECK(pool.check() == "");
  }
}

TEST_CASE("fullness: a zspage goes to the head of its list, or behind a fuller head") {
  Pool pool(4096, 64);
  const auto& c = pool.class_for(request_48);
  std::vector<std::vector<std::uint64_t>> zspages;  // each full
  std::vector<Zspage> z;
  for (int i = 0; i < 4; ++i) {
    zspages.push_back(pool.fill(request_48, 256));
    z.push_back(pool.view.zspage_of(zspages.back()[0]));
  }
  const auto shrink = [&](std::size_t i, std::size_t to) {
    while (zspages[i].size() > to) {
      pool.zs.zs_free(zspages[i].back());
      zspages[i].pop_back();
    }
  };
  const auto order = [&](std::uint32_t f) {
    std::vector<std::size_t> numbers;
    for (const Zspage member : pool.view.list(c, f))
      for (std::size_t i = 0; i < z.size(); ++i)
        if (View::same(member, z[i])) numbers.push_back(i);
    return numbers;
  };
  using Order = std::vector<std::size_t>;
  CHECK(order(zs_full) == Order{3, 2, 1, 0});
  shrink(0, 255);
  CHECK(order(zs_almost_full) == Order{0});
  shrink(1, 255);
  shrink(1, 200);  // stays where it was inserted, with 255
  CHECK(order(zs_almost_full) == Order{1, 0});
  shrink(2, 255);  // 255 is not fewer than the head's 200
  CHECK(order(zs_almost_full) == Order{2, 1, 0});
  shrink(2, 210);
  shrink(0, 205);
  // 192 comes from almost full with 192 in use; an allocation brings it back with 193, fewer than the head's 210.
  shrink(1, 192);
  CHECK(order(zs_almost_empty) == Order{1});
  CHECK(order(zs_almost_full) == Order{2, 0});
  shrink(0, 193);
  shrink(0, 192);
  CHECK(order(zs_almost_empty) == Order{0, 1});
  shrink(0, 100);
  shrink(2, 192);
  CHECK(order(zs_almost_empty) == Order{2, 0, 1});
  shrink(3, 192);  // at 255 it became the head of almost full
  CHECK(order(zs_almost_empty) == Order{3, 2, 0, 1});
  // An allocation takes the head; the others stay in order. 193 objects: almost full.
  zspages[3].push_back(pool.zs.zs_malloc(request_48));
  CHECK(View::same(pool.view.zspage_of(zspages[3].back()), z[3]));
  CHECK(order(zs_almost_full) == Order{3});
  zspages[3].push_back(pool.zs.zs_malloc(request_48));
  CHECK(View::same(pool.view.zspage_of(zspages[3].back()), z[3]));
  // Behind the head when it has fewer objects: 2 returns with 192, the head has 194.
  shrink(2, 100);
  shrink(3, 192);
  CHECK(order(zs_almost_empty) == Order{3, 2, 0, 1});
  CHECK(pool.check() == "");
  for (const auto& handles : zspages) pool.free(handles);
  CHECK(pool.check() == "");
}

TEST_CASE("fullness: a new zspage with fewer objects goes right behind the head") {
  Pool pool(4096, 64);
  const auto& c = pool.class_for(request_2720);
  // Two full zspages, each loses an object: almost empty, two of three in use.
  auto a = pool.fill(request_2720, 3), b = pool.fill(request_2720, 3), d = pool.fill(request_2720, 3);
  const Zspage za = pool.view.zspage_of(a[0]), zb = pool.view.zspage_of(b[0]), zd = pool.view.zspage_of(d[0]);
  const auto drop = [&](std::vector<std::uint64_t>& handles) {
    pool.zs.zs_free(handles.back());
    handles.pop_back();
  };
  drop(a);
  drop(b);
  auto members = pool.view.list(c, zs_almost_empty);
  REQUIRE(members.size() == 2);
  CHECK(View::same(members[0], zb));
  CHECK(View::same(members[1], za));
  // Isolated, it loses two objects off the list; it returns with one, the head has two.
  const Page p = pool.view.page(zd, 0);
  REQUIRE(pool.isolate(p));
  drop(d);
  drop(d);
  pool.put_back(p);
  members = pool.view.list(c, zs_almost_empty);
  REQUIRE(members.size() == 3);
  CHECK(View::same(members[0], zb));
  CHECK(View::same(members[1], zd));
  CHECK(View::same(members[2], za));
  CHECK(pool.check() == "");
  for (const auto& handles : {a, b, d}) pool.free(handles);
}

TEST_CASE("zs_malloc: almost full first, then almost empty, then empty, then a new zspage") {
  Pool pool(4096, 64);
  auto full = pool.fill(request_3264, 5), four = pool.fill(request_3264, 5);
  auto one = pool.fill(request_3264, 5), none = pool.fill(request_3264, 5);
  const Zspage zfour = pool.view.zspage_of(four[0]), zone = pool.view.zspage_of(one[0]),
               znone = pool.view.zspage_of(none[0]);
  pool.zs.zs_free(four[4]);
  four.pop_back();
  for (int i = 0; i < 4; ++i) {
    pool.zs.zs_free(one.back());
    one.pop_back();
  }
  const Page locked = pool.view.page(znone, 2);
  pool.lock(locked);  // so that it stays, empty
  pool.free(none);
  pool.unlock(locked);
  CHECK(pool.view.work_pending());
  CHECK(pool.view.list(pool.class_for(request_3264), zs_empty).size() == 1);
  CHECK(pool.check() == "");

  std::vector<std::uint64_t> more;
  const auto next = [&] {
    more.push_back(pool.zs.zs_malloc(request_3264));
    return pool.view.zspage_of(more.back());
  };
  CHECK(View::same(next(), zfour));
  for (int i = 0; i < 4; ++i) CHECK(View::same(next(), zone));
  CHECK(pool.pages.free_frames() == 64 - 16);
  for (int i = 0; i < 5; ++i) CHECK(View::same(next(), znone));
  CHECK(pool.pages.free_frames() == 64 - 16);
  CHECK_FALSE(View::same(next(), znone));
  CHECK(pool.pages.free_frames() == 64 - 20);
  // The worker finds nothing to do.
  CHECK(pool.check() == "");
  pool.zs.async_free_zspage();
  CHECK_FALSE(pool.view.work_pending());
  CHECK(pool.check() == "");
  for (const auto& handles : {full, four, one, more}) pool.free(handles);
  CHECK(pool.check() == "");
}
