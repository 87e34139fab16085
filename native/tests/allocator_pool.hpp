// A pool on the hardware machine with what its tests do to it: written contents, filled zspages, locks and pins taken by hand.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/random.hpp"
#include "kernel/poison.hpp"
#include "tests/hardware.hpp"

namespace race::test {

using namespace race::zsmalloc;
using kernel::MigrateResult;
using View = HardwarePool::View;
using Zspage = View::Zspage;
using Page = View::Page;

// Good classes at 4 KiB. 2720: two pages, three objects, object 1 straddles. 3264: four pages, five objects, three
// straddle.
inline constexpr std::uint32_t request_2720 = 2712, request_3264 = 3256, request_48 = 40;

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

}  // namespace race::test
