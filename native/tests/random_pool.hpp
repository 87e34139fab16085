// Random operations on a pool by one thread, each beside a reference that knows what must come of it.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/random.hpp"
#include "tests/pool_check.hpp"

namespace race::test {

struct RandomPoolOptions {
  std::vector<std::uint32_t> sizes;  // what is asked for
  std::uint32_t objects = 100;       // about as many are alive at most
  std::uint32_t check_every = 100;   // operations between two complete checks
};

// How often a run came where it should come.
struct RandomPoolReached {
  std::uint64_t allocated = 0, refused = 0, accesses = 0, isolated = 0, not_isolated = 0, put_back = 0, worker = 0,
                checks = 0;
  std::uint64_t compacted = 0;  // pages
  std::uint64_t most_objects = 0;
  std::array<std::uint64_t, 4> migrations{};  // by MigrateResult

  void add(const RandomPoolReached& r) {
    allocated += r.allocated;
    refused += r.refused;
    accesses += r.accesses;
    isolated += r.isolated;
    not_isolated += r.not_isolated;
    put_back += r.put_back;
    worker += r.worker;
    checks += r.checks;
    compacted += r.compacted;
    most_objects = std::max(most_objects, r.most_objects);
    for (std::size_t i = 0; i < migrations.size(); ++i) migrations[i] += r.migrations[i];
  }
};

template <class M>
class RandomPool {
 public:
  using View = PoolView<M>;
  using Zs = typename View::Zs;
  using Zspage = typename View::Zspage;
  using Page = typename View::Page;
  using MapMode = zsmalloc::MapMode;
  using MigrateResult = kernel::MigrateResult;

  RandomPool(Zs& zs, const RandomPoolOptions& options, std::uint64_t seed)
      : zs_(zs), view_(zs), options_(options), rng_(Rng::mix(seed)) {}

  // What went wrong first; empty if nothing.
  const std::string& problem() const { return problem_; }
  const RandomPoolReached& reached() const { return reached_; }

  void run(std::uint32_t operations) {
    for (std::uint32_t n = 1; n <= operations && problem_.empty(); ++n) {
      one();
      if (n % options_.check_every == 0) check();
    }
  }

  // Frees everything; no page may be left.
  void finish() {
    check();
    while (problem_.empty() && !order_.empty()) free(order_.back());
    if (view_.work_pending()) zs_.async_free_zspage();
    check();
    if (problem_.empty() && zs_.pages().free_frames() != zs_.pages().frames()) wrong("frames are lost");
  }

 private:
  using Contents = std::vector<std::uint64_t>;
  struct Object {
    std::uint32_t size;
    std::size_t place;  // in order_
    Contents contents;
  };

  template <class... Parts>
  void wrong(const Parts&... parts) {
    if (!problem_.empty()) return;
    std::ostringstream text;
    text << "operation " << operation_ << ": ";
    (text << ... << parts);
    problem_ = text.str();
  }
  std::uint32_t below(std::uint32_t n) { return rng_.below(n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

  void one() {
    ++operation_;
    if (operation_ % 256 == 0) growing_ = !growing_;
    const std::uint32_t dice = below(100);
    if (order_.empty() || dice < (growing_ && order_.size() < options_.objects ? 35 : 15)) return allocate();
    if (dice < 50) return one_in(8) ? free_while_a_page_is_locked() : free(any());
    if (dice < 58) return read(any());
    if (dice < 64) return write(any());
    if (dice < 72) return update(any());
    if (dice < 84) return isolate(any_page());
    if (dice < 93) return isolated_.empty() ? isolate(any_page()) : settle();
    if (dice < 95) return compact();
    if (dice < 97) return work();
    can_compact();
  }

  std::uint64_t any() { return order_[below(static_cast<std::uint32_t>(order_.size()))]; }
  Page any_page() {
    if (one_in(4)) return zs_.pages().frame(below(zs_.pages().frames()));
    const Zspage z = view_.zspage_of(any());
    return view_.page(z, below(view_.class_of(z).pages));
  }

  // ---- objects

  void allocate() {
    const std::uint32_t size = options_.sizes[below(static_cast<std::uint32_t>(options_.sizes.size()))];
    const auto& c = zs_.geometry().for_request(size);
    bool possible = zs_.pages().free_frames() >= c.pages;
    for (const std::uint32_t f : {zsmalloc::zs_almost_full, zsmalloc::zs_almost_empty, zsmalloc::zs_empty})
      possible = possible || !view_.list(c, f, 1).empty();
    const std::uint64_t handle = M::known(zs_.zs_malloc(size));
    if ((handle != Zs::no_memory) != possible) return wrong("zs_malloc(", size, ") gave ", handle);
    if (handle == Zs::no_memory) {
      ++reached_.refused;
      return;
    }
    if (objects_.contains(handle)) return wrong("zs_malloc gave a handle that is in use");
    if (view_.class_of(view_.zspage_of(handle)).index != c.index) return wrong("zs_malloc took another class");
    objects_[handle] = {size, order_.size(), {}};
    order_.push_back(handle);
    ++reached_.allocated;
    reached_.most_objects = std::max<std::uint64_t>(reached_.most_objects, order_.size());
    write(handle);
  }

  void free(std::uint64_t handle) {
    zs_.zs_free(handle);
    const std::size_t place = objects_.at(handle).place;
    order_[place] = order_.back();
    objects_.at(order_[place]).place = place;
    order_.pop_back();
    objects_.erase(handle);
  }

  // The zspage cannot be freed at once then.
  void free_while_a_page_is_locked() {
    const std::uint64_t handle = any();
    const Zspage z = view_.zspage_of(handle);
    const Page p = view_.page(z, below(view_.class_of(z).pages));
    const bool last = View::inuse(z) == 1, isolated = View::isolated(z) != 0;
    if (!kernel::trylock_page<M>(p, no_site)) return wrong("a page is locked");
    free(handle);
    if (last && !isolated && !view_.work_pending()) wrong("the worker was not asked to free a zspage");
    if (last && !View::same(View::zspage_of(p), z)) wrong("a zspage was freed while one of its pages was locked");
    kernel::unlock_page<M>(p, no_site);
  }

  template <class F>
  void with_mapping(std::uint64_t handle, MapMode mode, F use) {
    const auto mapping = zs_.zs_map_object(handle, mode);
    const auto& c = zs_.geometry().for_request(objects_.at(handle).size);
    if (mapping.count != (c.huge ? c.size : c.size - zsmalloc::handle_size) / 8) wrong("a mapping has another size");
    if (!View::pinned(handle)) wrong("a mapped object is not pinned");
    use(mapping);
    ++reached_.accesses;
    zs_.zs_unmap_object(handle);
    if (View::pinned(handle)) wrong("an unmapped object is pinned");
  }
  void verify(std::uint64_t handle, const typename Zs::Mapping& mapping) {
    const Contents& expected = objects_.at(handle).contents;
    for (std::uint32_t w = 0; w < mapping.count; ++w)
      if (const std::uint64_t seen = M::known(mapping.words[std::uint64_t{w}].load()); seen != expected[w])
        return wrong("word ", w, " of an object of ", objects_.at(handle).size, " bytes is ", seen, ", not ",
                     expected[w]);
  }
  void read(std::uint64_t handle) {
    with_mapping(handle, MapMode::read_only, [&](const auto& mapping) { verify(handle, mapping); });
  }
  void write(std::uint64_t handle) {
    Contents& contents = objects_.at(handle).contents;
    with_mapping(handle, MapMode::write_only, [&](const auto& mapping) {
      contents.resize(mapping.count);
      for (std::uint32_t w = 0; w < mapping.count; ++w) {
        contents[w] = rng_.next();
        mapping.words[std::uint64_t{w}].store(contents[w]);
      }
    });
  }
  void update(std::uint64_t handle) {
    Contents& contents = objects_.at(handle).contents;
    with_mapping(handle, MapMode::read_write, [&](const auto& mapping) {
      verify(handle, mapping);
      for (std::uint32_t n = below(4); n-- > 0;) {
        const std::uint32_t w = below(mapping.count);
        contents[w] = rng_.next();
        mapping.words[std::uint64_t{w}].store(contents[w]);
      }
    });
  }

  // ---- pages

  void isolate(Page p) {
    bool possible = false;
    if (View::refcount(p) != 0 && View::mapping(p) > kernel::page_mapping_movable &&
        (View::flags(p) & kernel::pg_isolated) == 0)
      possible = View::inuse(View::zspage_of(p)) != 0;
    if (kernel::isolate_movable_page(zs_.pages(), zs_, p) != possible)
      return wrong("isolation was ", possible ? "refused" : "granted");
    ++(possible ? reached_.isolated : reached_.not_isolated);
    if (possible) isolated_.push_back(p);
  }

  // Ends one isolation: migration, at times with a pinned object, or giving back.
  void settle() {
    const std::uint32_t i = below(static_cast<std::uint32_t>(isolated_.size()));
    const Page p = isolated_[i];
    isolated_[i] = isolated_.back();
    isolated_.pop_back();
    if (one_in(4)) {
      ++reached_.put_back;
      return kernel::putback_movable_page(zs_.pages(), zs_, p);
    }

    std::optional<std::uint64_t> pinned;
    if (one_in(3) && !order_.empty()) {
      pinned = any();
      Zs::handle_to_word(*pinned).fetch_or(zsmalloc::handle_pin_bit, Order::plain);
    }
    const Zspage z = View::zspage_of(p);
    MigrateResult expected = MigrateResult::success;
    if (zs_.pages().free_frames() == 0)
      expected = MigrateResult::no_memory;
    else if (View::inuse(z) == 0)
      expected = MigrateResult::busy;
    else if (pinned && View::same(view_.page_of(*pinned), p))
      expected = MigrateResult::again;
    const MigrateResult result = kernel::unmap_and_move(zs_.pages(), zs_, p);
    ++reached_.migrations[static_cast<std::size_t>(result)];
    if (result != expected) wrong("migration gave ", int(result), ", not ", int(expected));
    if (pinned) {
      if (!View::pinned(*pinned)) wrong("migration took the pin off a foreign object");
      Zs::handle_to_word(*pinned).fetch_and(~zsmalloc::handle_pin_bit, Order::plain);
    }
    if (result == MigrateResult::success && View::refcount(p) != 0) wrong("a page that was migrated is not free");
  }

  // ---- the pool

  void compact() {
    const std::uint64_t pages = view_.pages_allocated();
    const std::uint64_t before = M::known(zs_.pages_compacted());
    const std::uint64_t after = zs_.zs_compact();
    reached_.compacted += after - before;
    if (after - before != pages - view_.pages_allocated())
      wrong("compaction says ", after - before, " pages, and freed ", pages - view_.pages_allocated());
    for (const auto& c : zs_.geometry().classes()) {
      const std::size_t partial =
          view_.list(c, zsmalloc::zs_almost_empty).size() + view_.list(c, zsmalloc::zs_almost_full).size();
      const std::uint64_t room = view_.stat(c, zsmalloc::obj_allocated) - view_.stat(c, zsmalloc::obj_used);
      if (partial > 1 && room >= c.objects) wrong("compaction left something to gain in class ", c.size);
    }
  }

  void can_compact() {
    std::uint64_t expected = 0;
    for (const auto& c : zs_.geometry().classes())
      expected += (view_.stat(c, zsmalloc::obj_allocated) - view_.stat(c, zsmalloc::obj_used)) / c.objects * c.pages;
    if (zs_.zs_can_compact() != expected) wrong("zs_can_compact is not ", expected);
    if (M::known(zs_.zs_get_total_pages()) != view_.pages_allocated()) wrong("zs_get_total_pages is wrong");
  }

  void work() {
    if (!view_.work_pending()) return;
    zs_.async_free_zspage();
    ++reached_.worker;
    if (view_.work_pending()) wrong("the worker left its work pending");
    for (const auto& c : zs_.geometry().classes())
      if (!view_.list(c, zsmalloc::zs_empty, 1).empty()) wrong("the worker left an empty zspage in class ", c.size);
  }

  void check() {
    while (!isolated_.empty() && problem_.empty()) settle();
    if (!problem_.empty()) return;
    ++reached_.checks;
    std::set<std::uint64_t> handles;
    for (const auto& [handle, object] : objects_) handles.insert(handle);
    if (const std::string found = check_pool(zs_, {&handles}); !found.empty()) wrong("the pool check says\n", found);
    for (const auto& [handle, object] : objects_) read(handle);
  }

  Zs& zs_;
  View view_;
  RandomPoolOptions options_;
  Rng rng_;
  std::map<std::uint64_t, Object> objects_;  // by handle
  std::vector<std::uint64_t> order_;         // the handles, to draw from
  std::vector<Page> isolated_;
  RandomPoolReached reached_;
  std::uint64_t operation_ = 0;
  bool growing_ = true;
  std::string problem_;
};

}  // namespace race::test
