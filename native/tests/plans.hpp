// Plans that several tests run.
#pragma once

#include <stdexcept>

#include "engine/program.hpp"
#include "zsmalloc/geometry.hpp"

namespace race::test {

inline Step step(Op op, std::uint32_t slot = 0, std::uint32_t size = 0, std::uint32_t page = 0) {
  Step s;
  s.op = op;
  s.slot = slot;
  s.size = size;
  s.page = page;
  return s;
}

inline std::uint32_t request_of(std::uint32_t page_size, std::uint32_t pages, std::uint32_t objects) {
  const zsmalloc::Geometry geometry(page_size);
  for (const auto& c : geometry.classes())
    if (c.pages == pages && c.objects == objects) return c.max_request;
  throw std::invalid_argument("no such class");
}

// A zspage of two pages and three objects, object 0 allocated, object 2 at the head of the free list and in page 1, which
// one CPU migrates while the other allocates.
inline Plan freeobj_corruption(std::uint32_t page_size) {
  Plan p;
  p.page_size = page_size;
  p.frames = 24;
  p.oracles = ~0u;
  p.slots = {"a", "b", "c", "d"};
  const std::uint32_t size = request_of(page_size, 2, 3);
  p.setup = {step(Op::allocate, 0, size), step(Op::write, 0), step(Op::allocate, 1, size),
             step(Op::allocate, 2, size), step(Op::free, 1),  step(Op::free, 2)};
  p.threads = {{"migrator", {step(Op::migrate, 0, 0, 1)}}, {"allocator", {step(Op::allocate, 3, size)}}};
  return p;
}

}  // namespace race::test
