// Threads that are pinned to CPUs, and how they wait for each other.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "memory/hardware.hpp"

namespace race::hardware {

constexpr std::size_t line = 128;  // bytes apart: no false sharing, with the neighbour that some CPUs fetch too

// Threads meet here again and again. It spins; with more threads than CPUs it yields.
class SpinBarrier {
 public:
  explicit SpinBarrier(unsigned members) : members_(members) {}
  void wait() {
    const std::uint32_t phase = __atomic_load_n(&phase_, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == members_) {
      __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
      __atomic_store_n(&phase_, phase + 1, __ATOMIC_RELEASE);
      return;
    }
    for (unsigned turn = 0; __atomic_load_n(&phase_, __ATOMIC_ACQUIRE) == phase; ++turn) {
      access::pause();
      if (turn % 256 == 255) sched_yield();
    }
  }

 private:
  alignas(line) std::uint32_t arrived_ = 0;
  alignas(line) std::uint32_t phase_ = 0;
  alignas(line) const unsigned members_;
};

// Runs body(thread) on one thread for each of the CPUs, and returns when all have ended. Returns false if one could not be
// pinned; it ran nevertheless. What a body throws is thrown here.
bool run_pinned(const std::vector<unsigned>& cpus, const std::function<void(unsigned)>& body);

}  // namespace race::hardware
