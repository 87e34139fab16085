// The allocator on the hardware machine, one thread: mapping, sizes, huge objects, running out of memory.
#include "tests/allocator_pool.hpp"

using namespace race;
using namespace race::test;

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
