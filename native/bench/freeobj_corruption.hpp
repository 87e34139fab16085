// scenarios/freeobj-corruption.toml, at any page size.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "engine/program.hpp"
#include "zsmalloc/geometry.hpp"

namespace race {

inline Plan freeobj_corruption(std::uint32_t page_size, bool on) {
  Plan p;
  p.page_size = page_size;
  p.frames = 24;
  p.oracles = ~0u;
  p.slots = {"a", "b", "c", "d"};
  std::uint32_t size = 0;
  const zsmalloc::Geometry geometry(page_size);
  for (const auto& c : geometry.classes())
    if (size == 0 && c.pages == 2 && c.objects == 3) size = c.max_request;
  if (size == 0) throw std::logic_error("no class has three objects in two pages");
  const auto step = [size](Op op, std::uint32_t slot) {
    Step s;
    s.op = op;
    s.slot = slot;
    s.size = size;
    s.page = 1;
    return s;
  };
  p.setup = {step(Op::allocate, 0), step(Op::write, 0), step(Op::allocate, 1),
             step(Op::allocate, 2), step(Op::free, 1),  step(Op::free, 2)};
  p.threads = {{"migrator", {step(Op::migrate, 0)}}, {"allocator", {step(Op::allocate, 3)}}};
  if (on) p.barriers = BarrierPlan::arm64();
  for (std::size_t i = 1; i < sites().all().size(); ++i)
    if (sites().all()[i].name == "zs_page_migrate.put_page") p.barriers.set(static_cast<SiteId>(i), Strength::none);
  return p;
}

}  // namespace race
