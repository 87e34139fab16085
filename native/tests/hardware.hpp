// The hardware machine in tests: its barrier plan, faults as exceptions, threads that start together, a pool.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "memory/hardware.hpp"
#include "tests/pool_check.hpp"

namespace race::test {

using H = hardware::machine;

// A barrier plan for as long as this lives.
class WithPlan {
 public:
  explicit WithPlan(const BarrierPlan& plan) { H::plan = plan; }
  ~WithPlan() { H::plan = {}; }
  WithPlan(const WithPlan&) = delete;
  WithPlan& operator=(const WithPlan&) = delete;
};

// The fault that `operation` ends with on this thread; Oracle::count if it ends well.
template <class F>
Fault fault_of(F operation) {
  // NOLINTNEXTLINE(bugprone-std-exception-baseclass): nothing but the catch below sees it
  hardware::context.fail = [](const Fault& f, const hardware::Context&) { throw Fault(f); };
  Fault fault{Oracle::count, ""};
  try {
    operation();
  } catch (const Fault& f) {
    fault = f;
  }
  hardware::context.fail = nullptr;
  return fault;
}

// Runs body(cpu) on n threads that begin together.
inline void run_threads(unsigned n, const std::function<void(unsigned)>& body) {
  std::atomic<unsigned> waiting{n};
  std::vector<std::thread> threads;
  for (unsigned cpu = 0; cpu < n; ++cpu)
    threads.emplace_back([&, cpu] {
      hardware::context.cpu = cpu;
      --waiting;
      while (waiting != 0) std::this_thread::yield();
      body(cpu);
    });
  for (std::thread& t : threads) t.join();
}

struct HardwarePool {
  using Zs = zsmalloc::Zsmalloc<H>;
  using View = PoolView<H>;

  explicit HardwarePool(std::uint32_t page_size = 4096, std::uint32_t frames = 32, unsigned cpus = 1)
      : pages(page_size, frames), zs(pages, cpus), view(zs) {}
  ~HardwarePool() {
    destroy();
    H::release_array(pages.frame(0));
    H::release_array(pages.memory());
  }
  HardwarePool(const HardwarePool&) = delete;
  HardwarePool& operator=(const HardwarePool&) = delete;

  std::uint32_t destroy() {
    if (destroyed) return 0;
    destroyed = true;
    return zs.zs_destroy_pool();
  }
  std::string check(const Expected& expected = {}) const { return check_pool(zs, expected); }

  Zs::Pages pages;
  Zs zs;
  View view;
  bool destroyed = false;
};

}  // namespace race::test
