// A scenario as the engines run it: the pool, the set-up, and a program for each thread. Made from the plan (capi/plan.cpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory/finding.hpp"
#include "memory/site.hpp"
#include "memory/weak/machine.hpp"

namespace race {

enum class Op : std::uint8_t {
  allocate,         // slot = zs_malloc(size)
  free,             // zs_free(slot)
  write,            // zs_map_object write-only: a new payload
  read,             // read-only: verify the payload
  update,           // read-write: verify, then a new payload
  migrate,          // isolate page `page` of the zspage that holds the slot's object, and migrate it
  isolate_putback,  // isolate it, and put it back as after a failed migration
  migrate_any,      // the same for a page of the chooser's choice
  compact,
  can_compact,
  total_pages,
  lock,  // the client's own lock number `lock`
  unlock,
  reclaim,  // of a zspage that serves objects of `size`: maps each of its objects
  destroy,  // the pool
  random,   // `count` operations drawn from `mix` over `slots` and `sizes`
  count
};
constexpr std::array<std::string_view, static_cast<std::size_t>(Op::count)> op_names{
    "malloc",  "free",        "write",       "read", "update", "migrate", "isolate_putback", "migrate_any",
    "compact", "can_compact", "total_pages", "lock", "unlock", "reclaim", "destroy",         "random"};

struct Step {
  Op op = Op::compact;
  std::uint32_t slot = 0;
  std::uint32_t size = 0;  // bytes
  std::uint32_t page = 0;  // number within the zspage
  std::uint32_t lock = 0;
  // random
  std::uint32_t count = 0;
  std::vector<std::uint32_t> slots;
  std::vector<std::uint32_t> sizes;
  std::vector<Op> mix;  // each operation as often as its weight
};

struct ThreadProgram {
  std::string name;
  std::vector<Step> steps;
  std::int32_t shares_cpu_with =
      -1;  // the thread that has the CPU first once this one comes to a cond_resched; -1: none
};

struct Plan {
  std::string scenario;
  weak::Model model = weak::Model::armv8;
  std::uint64_t seed = 1;
  std::uint32_t page_size = 4096;
  std::uint32_t frames = 16;
  BarrierPlan barriers;
  BarrierPlan setup_barriers = BarrierPlan::arm64();  // the kernel's, with the guards that the scenario holds
  std::uint32_t oracles = 0;                          // bit (1 << Oracle): enabled
  std::vector<std::string> slots;
  std::uint32_t locks = 0;
  std::vector<Step> setup;
  std::vector<ThreadProgram> threads;
  std::uint32_t max_findings = 100;  // kept of each oracle: the first ones
  std::uint32_t max_traces = 1;      // of those, how many with their steps
  std::uint64_t step_limit = 0;      // 0: from the length of a plain execution

  bool has(Op op) const {
    return std::any_of(threads.begin(), threads.end(), [op](const ThreadProgram& t) {
      return std::any_of(t.steps.begin(), t.steps.end(), [op](const Step& s) { return s.op == op; });
    });
  }
  bool enabled(Oracle o) const { return (oracles >> static_cast<unsigned>(o) & 1) != 0; }
};

}  // namespace race
