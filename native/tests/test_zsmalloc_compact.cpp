// The allocator on the hardware machine, one thread: deferred frees, compaction, destruction, and what the checks see.
#include "oracle/quiescence.hpp"
#include "tests/allocator_pool.hpp"

using namespace race;
using namespace race::test;

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
    const auto handles = pool.fill(request_3264, 5, std::uint64_t{10} * n);
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
    kernel::list_add<H>(pool.view.zspage_of(live[std::size_t{2} * n])[&zspage<H>::list],
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
  CHECK(f.where == p[&View::PageType::private_data].address());  // the word, not the page's first one
  pool.free(handles);
}

TEST_CASE("the pool check and the oracle of the end see what is wrong") {
  Pool pool;
  auto handles = pool.fill(request_3264, 3);
  const Zspage z = pool.view.zspage_of(handles[0]);
  const Page p = pool.view.page(z, 1);
  const auto& c = pool.class_for(request_3264);
  oracle::Quiescence<H> at_the_end(pool.zs);
  const std::vector<std::uint64_t> zspages{z.address()};
  CHECK(at_the_end.check(zspages).what == nullptr);
  // Two checks that were written apart have to agree.
  const auto wrong_with = [&](auto ref, auto value) {
    const auto before = H::peek(ref);
    H::poke(ref, value);
    std::string wrong = pool.check();
    CHECK((at_the_end.check(zspages).what == nullptr) == wrong.empty());
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
    CHECK((wrong_with(pool.zs.class_at(c.index)[&size_class<H>::stats][s], 7u).empty()) == (s == zs_empty));
  CHECK(wrong_with(pool.zs.pool()[&zs_pool<H>::pages_allocated], 5u) != "");
  // What a run does not look for hides nothing that it does. What cannot be passed is given where nothing else is found.
  const auto first_without = [&](Oracle off) {
    H::judged = ~(1u << static_cast<unsigned>(off));
    const Fault f = at_the_end.check(zspages);
    H::judged = ~0u;
    return f.what == nullptr ? Oracle::count : f.oracle;
  };
  const auto counter = pool.zs.class_at(c.index)[&size_class<H>::stats][obj_used];
  H::poke(counter, 7u);
  CHECK(at_the_end.check(zspages).oracle == Oracle::accounting);
  CHECK(at_the_end.check(zspages).value == 7);
  CHECK(at_the_end.check(zspages).expected == 3);
  CHECK(at_the_end.check(zspages).size_class == static_cast<std::int32_t>(c.index));
  CHECK(at_the_end.check(zspages).where == counter.address());
  CHECK(first_without(Oracle::accounting) == Oracle::count);
  H::poke(p[&PageType::flags], 7u);
  H::poke(z[&zspage<H>::freeobj], 9u);
  CHECK(at_the_end.check(zspages).oracle == Oracle::accounting);
  CHECK(first_without(Oracle::accounting) == Oracle::free_list);
  H::poke(p[&PageType::flags], 0u);
  H::poke(z[&zspage<H>::freeobj], 3u);
  H::poke(counter, 3u);
  CHECK(at_the_end.check(zspages).what == nullptr);
  H::poke(p[&PageType::private_data], 0u);
  CHECK(first_without(Oracle::stale_page) == Oracle::stale_page);
  H::poke(p[&PageType::private_data], z.address());
  const std::set<std::uint64_t> two{handles[0], handles[1]};
  CHECK(pool.check({&two}) != "");
  CHECK(pool.check({nullptr, 1}) != "");
  CHECK(pool.check() == "");
  pool.free(handles);
}
