// The allocator on real threads, with the barriers of Linux 4.8: nothing goes wrong, and ThreadSanitizer sees no race.
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/random.hpp"
#include "tests/hardware.hpp"

using namespace race;
using namespace race::test;
using zsmalloc::MapMode;

namespace {

#if RACE_TSAN
constexpr std::uint32_t rounds = 30'000;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::uint32_t rounds = 6000;
#else
constexpr std::uint32_t rounds = 60'000;
#endif

struct Object {
  std::uint64_t handle = 0;
  std::uint64_t seed = 0;
};

// Objects that one thread leaves for another.
class Exchange {
 public:
  Object swap(std::size_t place, const Object& mine) {
    const std::lock_guard guard(lock_);
    return std::exchange(places_[place % places_.size()], mine);
  }

 private:
  std::mutex lock_;
  std::array<Object, 8> places_;
};

// One thread's random operations on a pool that others use too.
class Mutator {
 public:
  Mutator(HardwarePool& pool, Exchange& exchange, const std::vector<std::uint32_t>& sizes, std::uint64_t seed)
      : pool_(pool), exchange_(exchange), sizes_(sizes), rng_(Rng::mix(seed)) {}

  void run() {
    for (std::uint32_t n = 0; n < rounds; ++n) {
      if (n % 256 == 0) growing_ = !growing_;
      one();
    }
  }
  void take(const Object& o) { objects_.push_back(o); }
  const std::vector<Object>& objects() const { return objects_; }
  std::uint32_t wrong() const { return wrong_; }
  std::uint32_t migrated() const { return migrated_; }

  void verify(const Object& o) {
    access(o, MapMode::read_only,
           [&](auto word, std::uint64_t expected) { wrong_ += word.load() != expected ? 1 : 0; });
  }
  void free_all() {
    for (const Object& o : objects_) pool_.zs.zs_free(o.handle);
    objects_.clear();
  }

 private:
  using Zs = HardwarePool::Zs;

  std::uint32_t below(std::uint32_t n) { return rng_.below(n); }

  void one() {
    const std::uint32_t dice = below(100);
    if (objects_.empty() || (dice < (growing_ ? 30 : 14) && objects_.size() < 40)) return allocate();
    Object& o = objects_[below(static_cast<std::uint32_t>(objects_.size()))];
    if (dice < 44) {
      pool_.zs.zs_free(o.handle);
      o = objects_.back();
      objects_.pop_back();
    } else if (dice < 60) {
      verify(o);
    } else if (dice < 72) {
      write(o);
    } else if (dice < 76) {
      const Object other = exchange_.swap(dice, o);
      if (other.handle != 0) {
        o = other;
        verify(o);
      } else {
        o = objects_.back();
        objects_.pop_back();
      }
    } else if (dice < 96) {
      // Any frame, as the scanner of memory compaction comes upon it.
      const auto p = pool_.pages.frame(below(pool_.pages.frames()));
      if (!kernel::isolate_movable_page(pool_.pages, pool_.zs, p)) return;
      if (below(4) == 0)
        kernel::putback_movable_page(pool_.pages, pool_.zs, p);
      else if (kernel::unmap_and_move(pool_.pages, pool_.zs, p) == kernel::MigrateResult::success)
        ++migrated_;
    } else if (dice < 98) {
      pool_.zs.zs_compact();
    } else {
      pool_.zs.zs_can_compact();
      pool_.zs.zs_get_total_pages();
    }
  }

  void allocate() {
    Object o;
    o.handle = pool_.zs.zs_malloc(sizes_[below(static_cast<std::uint32_t>(sizes_.size()))]);
    if (o.handle == Zs::no_memory) return;
    write(o);
    objects_.push_back(o);
  }

  template <class F>
  void access(const Object& o, MapMode mode, F visit) {
    const auto m = pool_.zs.zs_map_object(o.handle, mode);
    for (std::uint32_t w = 0; w < m.count; ++w) visit(m.words[w], Rng::mix(o.seed + w));
    pool_.zs.zs_unmap_object(o.handle);
  }
  void write(Object& o) {
    o.seed = rng_.next();
    access(o, MapMode::write_only, [](auto word, std::uint64_t value) { word.store(value); });
  }

  HardwarePool& pool_;
  Exchange& exchange_;
  const std::vector<std::uint32_t>& sizes_;
  Rng rng_;
  std::vector<Object> objects_;
  bool growing_ = false;
  std::uint32_t wrong_ = 0, migrated_ = 0;
};

// `mutators` threads beside the worker of deferred frees; then the pool at rest.
void hammer(std::uint32_t page_size, std::uint32_t frames, const std::vector<std::uint32_t>& sizes, unsigned mutators,
            std::uint64_t seed) {
  CAPTURE(page_size);
  CAPTURE(seed);
  const WithPlan with(BarrierPlan::arm64());
  HardwarePool pool(page_size, frames, mutators + 1);
  Exchange exchange;
  std::vector<std::unique_ptr<Mutator>> threads;
  for (unsigned i = 0; i < mutators; ++i)
    threads.push_back(std::make_unique<Mutator>(pool, exchange, sizes, seed * 100 + i));

  std::atomic<bool> stop{false};
  std::thread worker([&] {
    hardware::context.cpu = mutators;
    while (!stop) pool.zs.async_free_zspage();
  });
  run_threads(mutators, [&](unsigned cpu) { threads[cpu]->run(); });
  stop = true;
  kernel::schedule_work<H>(pool.zs.pool()[&zsmalloc::zs_pool<H>::free_work], no_site);
  worker.join();
  // What came between its last look and the end.
  if (pool.view.work_pending()) pool.zs.async_free_zspage();

  for (std::size_t place = 0; place < 8; ++place)
    if (const Object o = exchange.swap(place, {}); o.handle != 0) threads[0]->take(o);
  std::set<std::uint64_t> handles;
  std::size_t objects = 0;
  for (const auto& t : threads) {
    objects += t->objects().size();
    for (const Object& o : t->objects()) handles.insert(o.handle);
  }
  CHECK(handles.size() == objects);
  CHECK(pool.check({&handles}) == "");
  std::uint32_t migrated = 0;
  for (const auto& t : threads) {
    for (const Object& o : t->objects()) t->verify(o);
    CHECK(t->wrong() == 0);
    migrated += t->migrated();
  }
  CHECK(migrated > rounds / 100);
  for (const auto& t : threads) t->free_all();
  if (pool.view.work_pending()) pool.zs.async_free_zspage();
  CHECK(pool.check() == "");
  CHECK(pool.pages.free_frames() == frames);
  CHECK(pool.destroy() == 0);
}

}  // namespace

TEST_CASE("threads: one size class of straddling objects") {
  hammer(4096, 96, {2712}, 3, 1);
  hammer(256, 96, {zsmalloc::Geometry(256).classes()[1].max_request}, 3, 2);
}

TEST_CASE("threads: small objects, huge objects, and several classes at once") {
  hammer(256, 128, {24, 40, 100, 150, 180, 256}, 4, 3);
  hammer(1024, 96, {24, 600, 700, 1000}, 3, 4);
  hammer(4096, 96, {40, 2712, 3256, 4096}, 4, 5);
}

TEST_CASE("threads: with too little memory") {
  hammer(256, 20, {24, 100, 150, 180, 256}, 4, 6);
  hammer(4096, 14, {1500, 2712, 3256, 4000}, 3, 7);
}
