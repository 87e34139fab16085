// The allocator by itself on the hardware machine: one thread, every operation and every refusal.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/random.hpp"
#include "kernel/poison.hpp"
#include "tests/hardware.hpp"

using namespace race;
using namespace race::zsmalloc;
using kernel::MigrateResult;
using test::H;
using test::HardwarePool;
using View = HardwarePool::View;
using Zspage = View::Zspage;
using Page = View::Page;

namespace {

// Good classes at 4 KiB. 2720: two pages, three objects, object 1 straddles. 3264: four pages, five objects, three
// straddle.
constexpr std::uint32_t request_2720 = 2712, request_3264 = 3256, request_48 = 40;

// A pool, and what was written to its objects.
struct Pool : HardwarePool {
  using HardwarePool::HardwarePool;

  const SizeClassGeometry& class_for(std::uint32_t size) const { return zs.geometry().for_request(size); }

  std::uint64_t content(std::uint64_t seed, std::uint32_t w) const { return Rng::mix(seed * 4096 + w + 1); }
  void write(std::uint64_t handle, std::uint64_t seed, MapMode mode = MapMode::write_only) {
    const auto m = zs.zs_map_object(handle, mode);
    for (std::uint32_t w = 0; w < m.count; ++w) m.words[w].store(content(seed, w));
    zs.zs_unmap_object(handle);
  }
  bool holds(std::uint64_t handle, std::uint64_t seed) {
    const auto m = zs.zs_map_object(handle, MapMode::read_only);
    bool same = true;
    for (std::uint32_t w = 0; w < m.count; ++w) same = same && m.words[w].load() == content(seed, w);
    zs.zs_unmap_object(handle);
    return same;
  }
  // n objects, each with its number as seed.
  std::vector<std::uint64_t> fill(std::uint32_t size, std::uint32_t n, std::uint64_t seed = 0) {
    std::vector<std::uint64_t> handles;
    for (std::uint32_t i = 0; i < n; ++i) {
      handles.push_back(zs.zs_malloc(size));
      REQUIRE(handles.back() != Zs::no_memory);
      write(handles.back(), seed + i);
    }
    return handles;
  }
  void free(const std::vector<std::uint64_t>& handles) {
    for (const std::uint64_t h : handles) zs.zs_free(h);
  }
  bool isolate(Page p) { return kernel::isolate_movable_page(pages, zs, p); }
  MigrateResult move(Page p) { return kernel::unmap_and_move(pages, zs, p); }
  void put_back(Page p) { kernel::putback_movable_page(pages, zs, p); }
  static void lock(Page p) { REQUIRE(kernel::trylock_page<H>(p, no_site)); }
  static void unlock(Page p) { kernel::unlock_page<H>(p, no_site); }
  static void pin(std::uint64_t handle) { Zs::handle_to_word(handle).fetch_or(handle_pin_bit, Order::plain); }
  static void unpin(std::uint64_t handle) { Zs::handle_to_word(handle).fetch_and(~handle_pin_bit, Order::plain); }
};

}  // namespace

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

// ---------------------------------------------------------------- mapping

TEST_CASE("map: every mode, in place and straddling") {
  Pool pool;
  auto handles = pool.fill(request_3264, 5);
  const auto& c = pool.class_for(request_3264);
  for (std::uint32_t i = 0; i < 5; ++i) {
    CAPTURE(i);
    const std::uint64_t h = handles[i];
    const bool straddles = i * c.size % 4096 + c.size > 4096;
    CHECK(straddles == (i == 1 || i == 2 || i == 3));
    CHECK(pool.holds(h, i));

    // Read-only: the mapping shows the object; what is written to a copy is lost.
    auto m = pool.zs.zs_map_object(h, MapMode::read_only);
    CHECK(m.count == 3256 / 8);
    CHECK(View::pinned(h));
    CHECK(H::peek(pool.view.zspage_of(h)[&zspage<H>::lock][&kernel::rwlock<H>::word]) == 1);
    if (straddles) m.words[std::uint64_t{5}].store(1);
    pool.zs.zs_unmap_object(h);
    CHECK_FALSE(View::pinned(h));
    CHECK(H::peek(pool.view.zspage_of(h)[&zspage<H>::lock][&kernel::rwlock<H>::word]) == 0);
    CHECK(pool.holds(h, i));

    // Read-write: what is not written stays.
    m = pool.zs.zs_map_object(h, MapMode::read_write);
    const std::uint64_t last = m.count - 1;
    CHECK(m.words[last].load() == pool.content(i, m.count - 1));
    m.words[last].store(77);
    pool.zs.zs_unmap_object(h);
    m = pool.zs.zs_map_object(h, MapMode::read_only);
    CHECK(m.words[last].load() == 77);
    CHECK(m.words[last - 1].load() == pool.content(i, m.count - 2));
    pool.zs.zs_unmap_object(h);

    // Write-only: the whole object is new, and nothing was copied in.
    pool.write(h, 50 + i, MapMode::write_only);
    CHECK(pool.holds(h, 50 + i));
    if (straddles) {
      const std::uint32_t other = i % 3 + 1;  // leaves its words in the buffer
      CHECK(pool.holds(handles[other], other));
      m = pool.zs.zs_map_object(h, MapMode::write_only);
      CHECK(m.words[std::uint64_t{9}].load() == pool.content(other, 9));
      for (std::uint32_t w = 0; w < m.count; ++w) m.words[w].store(pool.content(60 + i, w));
      pool.zs.zs_unmap_object(h);
      CHECK(pool.holds(h, 60 + i));
    }
    pool.write(h, i);
    // Headers and neighbours are untouched.
    CHECK(pool.check() == "");
  }
  pool.free(handles);
}

TEST_CASE("map: neighbours keep their words, to the last") {
  for (const std::uint32_t page_size : {256u, 1024u, 4096u}) {
    Pool pool(page_size, 8);
    for (const SizeClassGeometry& c : pool.zs.geometry().classes()) {
      auto handles = pool.fill(c.max_request, c.objects);
      for (std::uint32_t i = 0; i < c.objects; ++i) pool.write(handles[i], 1000 + i, MapMode::read_write);
      bool same = true;
      for (std::uint32_t i = 0; i < c.objects; ++i) same = same && pool.holds(handles[i], 1000 + i);
      CHECK_MESSAGE(same, "class ", c.size, " of page size ", page_size);
      CHECK(pool.check() == "");
      pool.free(handles);
    }
    CHECK(pool.pages.free_frames() == 8);
    CHECK(pool.check() == "");
  }
}

TEST_CASE("map: readers of one zspage share its lock, each CPU has its own buffer") {
  Pool pool(4096, 32, 2);
  auto handles = pool.fill(request_3264, 5);
  const auto first = pool.zs.zs_map_object(handles[1], MapMode::read_write);
  hardware::context.cpu = 1;
  const auto second = pool.zs.zs_map_object(handles[2], MapMode::read_write);
  CHECK(first.words != second.words);
  CHECK(H::peek(pool.view.zspage_of(handles[1])[&zspage<H>::lock][&kernel::rwlock<H>::word]) == 2);
  second.words[0u].store(22);
  pool.zs.zs_unmap_object(handles[2]);
  hardware::context.cpu = 0;
  first.words[0u].store(11);
  pool.zs.zs_unmap_object(handles[1]);
  for (const std::uint32_t i : {1u, 2u}) {
    const auto m = pool.zs.zs_map_object(handles[i], MapMode::read_only);
    CHECK(m.words[0u].load() == 11 * i);
    CHECK(m.words[1u].load() == pool.content(i, 1));
    pool.zs.zs_unmap_object(handles[i]);
  }
  pool.free(handles);
}

// ---------------------------------------------------------------- sizes

TEST_CASE("sizes: none is lost, and what no class serves is refused") {
  Pool pool;
  CHECK(pool.zs.zs_malloc(0) == Pool::Zs::no_memory);
  CHECK(pool.zs.zs_malloc(4097) == Pool::Zs::no_memory);
  CHECK(pool.zs.zs_malloc(0xffffffff) == Pool::Zs::no_memory);
  pool.zs.zs_free(Pool::Zs::no_memory);
  CHECK(pool.check() == "");
  for (const std::uint32_t size : {1u,    2u,    7u,    8u,    9u,    23u,   24u,   25u,   33u,   39u,   41u,
                                   1000u, 1001u, 2719u, 3255u, 3256u, 3257u, 4087u, 4088u, 4089u, 4095u, 4096u}) {
    CAPTURE(size);
    const std::uint64_t h = pool.zs.zs_malloc(size);
    REQUIRE(h != Pool::Zs::no_memory);
    const auto& c = pool.class_for(size);
    const auto m = pool.zs.zs_map_object(h, MapMode::read_write);
    CHECK(m.count * 8 >= size);
    CHECK(m.count * 8 == (c.huge ? 4096 : c.size - 8));
    pool.zs.zs_unmap_object(h);
    pool.write(h, size);
    CHECK(pool.holds(h, size));
    CHECK(pool.check() == "");
    pool.zs.zs_free(h);
  }
  CHECK(pool.pages.free_frames() == pool.pages.frames());
}

TEST_CASE("huge objects: the handle lives in the page, all bytes are the user's") {
  Pool pool;
  const std::uint64_t h = pool.zs.zs_malloc(4000);
  pool.write(h, 5);
  const Zspage z = pool.view.zspage_of(h);
  Page p = pool.view.page_of(h);
  CHECK(View::slot(z) == 254);
  CHECK(View::flags(p) == (kernel::pg_private | kernel::pg_private_2 | kernel::pg_owner_priv_1));
  CHECK(View::freelist(p) == (h | 1));
  CHECK(View::fullness(z) == zs_full);
  CHECK(View::freeobj(z) == 0xffffffff);
  const auto m = pool.zs.zs_map_object(h, MapMode::read_write);
  CHECK(m.count == 512);
  CHECK(m.words == pool.pages.page_address(p));
  m.words[0u].store(0x8000000000000001);  // looks like a header, and is none
  pool.zs.zs_unmap_object(h);
  CHECK(pool.check() == "");

  REQUIRE(pool.isolate(p));
  CHECK(pool.move(p) == MigrateResult::success);
  CHECK_FALSE(View::same(pool.view.page_of(h), p));
  CHECK(View::freelist(p) == 0);
  p = pool.view.page_of(h);
  CHECK(View::freelist(p) == (h | 1));
  CHECK_FALSE(View::pinned(h));
  CHECK(pool.view.content(p, 0) == 0x8000000000000001);
  CHECK(pool.view.content(p, 511) == pool.content(5, 511));
  CHECK(pool.check() == "");

  pool.pin(h);
  REQUIRE(pool.isolate(p));
  CHECK(pool.move(p) == MigrateResult::again);
  CHECK(View::same(pool.view.page_of(h), p));
  pool.unpin(h);
  CHECK(pool.check() == "");

  // Freed with its page locked, it waits empty; the next one takes it over.
  pool.lock(p);
  pool.zs.zs_free(h);
  pool.unlock(p);
  CHECK(pool.check() == "");
  const std::uint64_t again = pool.zs.zs_malloc(4096);
  CHECK(View::same(pool.view.page_of(again), p));
  CHECK(View::freeobj(z) == 0x7fffffff);
  CHECK(pool.check() == "");
  pool.zs.zs_free(again);
  CHECK(pool.pages.free_frames() == pool.pages.frames());
}

TEST_CASE("out of memory: nothing is lost") {
  Pool pool(4096, 7);
  std::vector<std::uint64_t> handles = pool.fill(request_3264, 5);
  CHECK(pool.zs.zs_malloc(request_3264) == Pool::Zs::no_memory);  // three frames of the four it needs
  CHECK(pool.pages.free_frames() == 3);
  CHECK(pool.check() == "");
  handles.push_back(pool.zs.zs_malloc(request_48));
  CHECK(pool.pages.free_frames() == 0);
  CHECK(pool.zs.zs_malloc(4096) == Pool::Zs::no_memory);
  handles.push_back(pool.zs.zs_malloc(request_48));  // needs no page
  CHECK(handles.back() != Pool::Zs::no_memory);

  // Nor is there a page to migrate to: it is put back.
  const Page p = pool.view.page_of(handles[0]);
  REQUIRE(pool.isolate(p));
  CHECK(View::refcount(p) == 2);
  CHECK(pool.move(p) == MigrateResult::no_memory);
  CHECK(pool.check() == "");
  pool.zs.zs_free(handles[0]);
  handles[0] = pool.zs.zs_malloc(request_3264);
  CHECK(handles[0] != Pool::Zs::no_memory);
  CHECK(pool.check() == "");
  pool.free(handles);
  CHECK(pool.pages.free_frames() == 7);
  CHECK(pool.check() == "");
}

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

// ---------------------------------------------------------------- deferred free

TEST_CASE("deferred free: a locked page leaves the zspage to the worker, which counts no empty one off") {
  Pool pool;
  const auto& c = pool.class_for(request_3264);
  for (std::uint32_t k = 0; k < 4; ++k) {
    const auto handles = pool.fill(request_3264, 5);
    const Zspage z = pool.view.zspage_of(handles[0]);
    const Page p = pool.view.page(z, k);
    pool.lock(p);
    pool.free(handles);
    CHECK(pool.pages.free_frames() == 28);
    CHECK(View::inuse(z) == 0);
    CHECK(View::fullness(z) == zs_empty);
    CHECK(pool.view.list(c, zs_empty).size() == 1);
    CHECK(pool.view.stat(c, zs_empty) == k + 1);
    CHECK(pool.view.work_pending());
    for (std::uint32_t other = 0; other < 4; ++other)  // the pages that were locked on the way are not
      CHECK(((View::flags(pool.view.page(z, other)) & kernel::pg_locked) != 0) == (other == k));
    pool.unlock(p);
    CHECK(pool.check() == "");
    pool.zs.async_free_zspage();
    CHECK_FALSE(pool.view.work_pending());
    CHECK(pool.pages.free_frames() == 32);
    CHECK(pool.zs.zs_get_total_pages() == 0);
    CHECK(pool.view.list(c, zs_empty).empty());
    CHECK(pool.view.stat(c, zs_empty) == k + 1);  // drifts, as in Linux 4.8
    CHECK(pool.view.stat(c, obj_allocated) == 0);
    CHECK(pool.check() == "");
  }
}

TEST_CASE("deferred free: the worker takes the empty zspages of all classes") {
  Pool pool(4096, 64);
  for (const std::uint32_t request : {request_48, request_2720, request_3264, 4096u, request_48}) {
    const auto handles = pool.fill(request, 1);
    const Page p = pool.view.page_of(handles[0]);
    pool.lock(p);
    pool.free(handles);
    pool.unlock(p);
  }
  CHECK(pool.pages.free_frames() == 64 - 3 - 2 - 4 - 1);  // the second 48 used the empty one
  pool.zs.async_free_zspage();
  CHECK(pool.pages.free_frames() == 64);
  CHECK(pool.check() == "");
}

// ---------------------------------------------------------------- compaction

TEST_CASE("compaction: moves objects together, keeps contents and handles, frees the sources") {
  Pool pool(4096, 64);
  const auto& c = pool.class_for(request_3264);
  // Six zspages with two objects each, at different places.
  std::vector<std::uint64_t> live;
  std::vector<std::uint64_t> seeds;
  for (std::uint32_t n = 0; n < 6; ++n) {
    const auto handles = pool.fill(request_3264, 5, 10 * n);
    for (std::uint32_t i = 0; i < 5; ++i)
      if (i == n % 5 || i == (n + 2) % 5) {
        live.push_back(handles[i]);
        seeds.push_back(10 * n + i);
      }
    REQUIRE(live.size() == 2 * (n + 1));
    for (std::uint32_t i = 0; i < 5; ++i)
      if (std::find(live.begin(), live.end(), handles[i]) == live.end()) {
        pool.zs.zs_free(handles[i]);
      }
    // Nothing may be allocated into these holes: the next fill needs a whole new zspage.
    for (const Zspage z : pool.view.list(c, zs_almost_empty)) kernel::list_del_init<H>(z[&zspage<H>::list]);
  }
  // Back on their list. The counter never noticed.
  for (std::uint32_t n = 6; n-- > 0;)
    kernel::list_add<H>(pool.view.zspage_of(live[2 * n])[&zspage<H>::list],
                        pool.zs.class_at(c.index)[&size_class<H>::fullness_list] + std::uint64_t{zs_almost_empty});
  const std::set<std::uint64_t> handles(live.begin(), live.end());
  REQUIRE(pool.check({&handles}) == "");

  CHECK(pool.zs.zs_can_compact() == (30 - 12) / 5 * 4);
  CHECK(pool.zs.zs_get_total_pages() == 24);
  CHECK(pool.zs.zs_compact() == 12);  // 12 objects fit three zspages
  CHECK(pool.zs.pages_compacted() == 12);
  CHECK(pool.zs.zs_get_total_pages() == 12);
  CHECK(pool.zs.zs_can_compact() == 0);
  CHECK(pool.pages.free_frames() == 64 - 12);
  CHECK(pool.view.stat(c, obj_allocated) == 15);
  CHECK(pool.view.stat(c, obj_used) == 12);
  CHECK(pool.check({&handles}) == "");
  for (std::size_t i = 0; i < live.size(); ++i) CHECK(pool.holds(live[i], seeds[i]));

  CHECK(pool.zs.zs_compact() == 12);  // nothing more to gain
  CHECK(pool.check({&handles}) == "");
  pool.free(live);
  CHECK(pool.check() == "");
}

TEST_CASE("compaction: in every class and at every small page size") {
  for (const std::uint32_t page_size : {256u, 512u, 1024u, 4096u}) {
    Pool pool(page_size, 64);
    std::uint64_t compacted = 0;
    for (const SizeClassGeometry& c : pool.zs.geometry().classes()) {
      CAPTURE(page_size);
      CAPTURE(c.size);
      std::vector<std::uint64_t> handles;
      for (std::uint32_t i = 0; i < 6 * c.objects; ++i) {
        handles.push_back(pool.zs.zs_malloc(c.max_request));
        pool.write(handles.back(), i);
      }
      std::vector<std::uint64_t> live, seeds;
      for (std::uint32_t i = 0; i < handles.size(); ++i) {
        if (i % 3 == 1) {
          live.push_back(handles[i]);
          seeds.push_back(i);
        } else {
          pool.zs.zs_free(handles[i]);
        }
      }
      const std::set<std::uint64_t> known(live.begin(), live.end());
      const std::uint64_t gain = pool.zs.zs_can_compact();
      if (c.huge) CHECK(gain == 0);
      compacted += gain;
      CHECK(pool.zs.zs_compact() == compacted);
      CHECK(pool.zs.zs_can_compact() == 0);
      CHECK(pool.check({&known}) == "");
      bool same = true;
      for (std::size_t i = 0; i < live.size(); ++i) same = same && pool.holds(live[i], seeds[i]);
      CHECK(same);
      pool.free(live);
      CHECK(pool.zs.zs_get_total_pages() == 0);
    }
  }
}

TEST_CASE("compaction: a pinned object stays where it is") {
  Pool pool(4096, 64);
  const auto& c = pool.class_for(request_2720);
  const auto a = pool.fill(request_2720, 3), b = pool.fill(request_2720, 3, 3);
  pool.free({b[0], b[2], a[1]});
  // The source is a: both of its objects could go to b.
  const Zspage za = pool.view.zspage_of(a[0]), zb = pool.view.zspage_of(b[1]);
  REQUIRE(View::same(pool.view.list(c, zs_almost_empty)[0], za));
  CHECK(pool.zs.zs_can_compact() == 2);
  const std::uint64_t word = View::word(a[0]);
  pool.pin(a[0]);
  CHECK(pool.zs.zs_compact() == 2);
  // a[2] went to b; then b, the fuller one and so the head, was emptied into a.
  CHECK(View::word(a[0]) == (word | handle_pin_bit));
  pool.unpin(a[0]);
  CHECK(View::same(pool.view.zspage_of(a[2]), za));
  CHECK(View::same(pool.view.zspage_of(b[1]), za));
  CHECK_FALSE(View::same(za, zb));
  CHECK(pool.check() == "");
  CHECK(pool.holds(a[0], 0));
  CHECK(pool.holds(a[2], 2));
  CHECK(pool.holds(b[1], 4));
  pool.free({a[0], a[2], b[1]});
}

TEST_CASE("compaction: goes on as long as a pinned object keeps it from its gain") {
  const test::WithPlan with(BarrierPlan::arm64());
  Pool pool(4096, 64, 2);
  const auto a = pool.fill(request_2720, 3), b = pool.fill(request_2720, 3, 3);
  pool.free({a[1], a[2], b[0], b[2]});
  test::run_threads(2, [&](unsigned cpu) {
    if (cpu == 0) {
      for (int i = 0; i < 20; ++i) {
        const auto m = pool.zs.zs_map_object(b[1], MapMode::read_only);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        if (m.words[0u].load() != pool.content(4, 0)) std::abort();
        pool.zs.zs_unmap_object(b[1]);
      }
    } else {
      pool.zs.zs_compact();
    }
  });
  CHECK(pool.zs.zs_get_total_pages() == 2);
  CHECK(pool.check() == "");
  CHECK(pool.holds(a[0], 0));
  CHECK(pool.holds(b[1], 4));
  pool.free({a[0], b[1]});
}

TEST_CASE("compaction: a source with a locked page is emptied and left to the worker") {
  Pool pool(4096, 64);
  const auto& c = pool.class_for(request_2720);
  auto handles = pool.fill(request_2720, 6);
  std::vector<std::uint64_t> live{handles[0], handles[3]};
  for (const std::uint32_t i : {1u, 2u, 4u, 5u}) pool.zs.zs_free(handles[i]);
  const Zspage source = pool.view.list(c, zs_almost_empty)[0];
  const Page p = pool.view.page(source, 1);
  pool.lock(p);
  CHECK(pool.zs.zs_compact() == 2);  // counted, though they are freed later
  pool.unlock(p);
  CHECK(View::inuse(source) == 0);
  CHECK(pool.view.work_pending());
  CHECK(pool.zs.zs_get_total_pages() == 4);
  CHECK(pool.check() == "");
  pool.zs.async_free_zspage();
  CHECK(pool.zs.zs_get_total_pages() == 2);
  CHECK(pool.check() == "");
  CHECK(pool.holds(live[0], 0));
  CHECK(pool.holds(live[1], 3));
  pool.free(live);
}

TEST_CASE("compaction: leaves isolated zspages alone") {
  Pool pool(4096, 64);
  auto handles = pool.fill(request_2720, 6);
  std::vector<std::uint64_t> live{handles[0], handles[3]};
  for (const std::uint32_t i : {1u, 2u, 4u, 5u}) pool.zs.zs_free(handles[i]);
  const Page p = pool.view.page_of(live[0]);
  REQUIRE(pool.isolate(p));
  const std::uint64_t words[] = {View::word(live[0]), View::word(live[1])};
  CHECK(pool.zs.zs_can_compact() == 2);
  CHECK(pool.zs.zs_compact() == 0);
  CHECK(View::word(live[0]) == words[0]);
  CHECK(View::word(live[1]) == words[1]);
  pool.put_back(p);
  CHECK(pool.check() == "");
  CHECK(pool.zs.zs_compact() == 2);
  CHECK(pool.check() == "");
  pool.free(live);
}

// ---------------------------------------------------------------- the pool's end

TEST_CASE("destroy: an empty pool leaves nothing, pending work is done first") {
  Pool pool;
  const auto handles = pool.fill(request_2720, 1);
  const Page p = pool.view.page_of(handles[0]);
  pool.lock(p);
  pool.free(handles);
  pool.unlock(p);
  CHECK(pool.pages.free_frames() == 30);
  CHECK(pool.destroy() == 0);
  CHECK(pool.pages.free_frames() == 32);
}

TEST_CASE("destroy: what is still in use is leaked, as in Linux 4.8") {
  Pool pool;
  const auto one = pool.fill(request_2720, 2), two = pool.fill(request_3264, 5), three = pool.fill(request_3264, 1);
  std::set<std::uint64_t> zspages;
  for (const auto& handles : {one, two, three}) zspages.insert(pool.view.zspage_of(handles[0]).address());
  CHECK(zspages.size() == 3);
  CHECK(pool.destroy() == 3);  // lists that hold something
  CHECK(pool.pages.free_frames() == 32 - 2 - 4 - 4);
  for (const std::uint64_t z : zspages) H::release(Zspage::from_address(z));
  for (const auto& handles : {one, two, three})
    for (const std::uint64_t h : handles) H::release(hardware::ptr<handle_word<H>>::from_address(h));
}

// ---------------------------------------------------------------- faults that the allocator names itself

TEST_CASE("a page that has left its zspage is named") {
  Pool pool;
  const auto handles = pool.fill(request_2720, 2);
  const Page p = pool.view.page_of(handles[0]);
  REQUIRE(pool.isolate(p));
  REQUIRE(pool.move(p) == MigrateResult::success);
  const Fault f = test::fault_of([&] { pool.zs.zs_page_putback(p); });
  CHECK(f.oracle == Oracle::stale_page);
  CHECK(f.where == p.address());
  pool.free(handles);
}

TEST_CASE("the pool check sees what is wrong") {
  Pool pool;
  auto handles = pool.fill(request_3264, 3);
  const Zspage z = pool.view.zspage_of(handles[0]);
  const Page p = pool.view.page(z, 1);
  const auto& c = pool.class_for(request_3264);
  const auto wrong_with = [&](auto ref, auto value) {
    const auto before = H::peek(ref);
    H::poke(ref, value);
    const std::string wrong = pool.check();
    H::poke(ref, before);
    return wrong;
  };
  using PageType = kernel::page<H>;
  CHECK(pool.check() == "");
  CHECK(wrong_with(z[&zspage<H>::freeobj], 0u) != "");
  CHECK(wrong_with(z[&zspage<H>::freeobj], 0xd0010000u) != "");
  CHECK(wrong_with(z[&zspage<H>::freeobj], 4u) != "");
  CHECK(wrong_with(z[&zspage<H>::inuse], 4u) != "");
  CHECK(wrong_with(z[&zspage<H>::meta], H::peek(z[&zspage<H>::meta]) ^ 1) != "");
  CHECK(wrong_with(z[&zspage<H>::meta], H::peek(z[&zspage<H>::meta]) ^ 1 << 2) != "");
  CHECK(wrong_with(z[&zspage<H>::meta], H::peek(z[&zspage<H>::meta]) ^ 1 << 10) != "");
  CHECK(wrong_with(p[&PageType::refcount], 2u) != "");
  CHECK(wrong_with(p[&PageType::flags], kernel::pg_locked) != "");
  CHECK(wrong_with(p[&PageType::units], 3248u) != "");
  CHECK(wrong_with(p[&PageType::mapping], 2u) != "");
  CHECK(wrong_with(p[&PageType::private_data], 0u) != "");
  CHECK(wrong_with(p[&PageType::freelist], 0u) != "");
  CHECK(wrong_with(Pool::Zs::handle_to_word(handles[1]), View::word(handles[1]) | 1) != "");
  CHECK(wrong_with(Pool::Zs::handle_to_word(handles[1]), View::word(handles[1]) + 2) != "");
  for (std::uint32_t s = 0; s < class_stats; ++s)
    CHECK((wrong_with(pool.zs.class_at(c.index)[&size_class<H>::stats][s], 7u) == "") == (s == zs_empty));
  CHECK(wrong_with(pool.zs.pool()[&zs_pool<H>::pages_allocated], 5u) != "");
  const std::set<std::uint64_t> two{handles[0], handles[1]};
  CHECK(pool.check({&two}) != "");
  CHECK(pool.check({nullptr, 1}) != "");
  CHECK(pool.check() == "");
  pool.free(handles);
}
