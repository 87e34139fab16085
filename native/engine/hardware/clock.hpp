// The counter that all CPUs of a host share: what threads agree on without talking to each other.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace race::hardware {

inline std::uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t now;
  asm volatile("mrs %0, cntvct_el0" : "=r"(now));
  return now;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// How many of them a second has: the CPU says it, or it is measured once, for 5 ms.
inline double ticks_per_second() {
#if defined(__aarch64__)
  std::uint64_t frequency;
  asm volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
  return static_cast<double>(frequency);
#else
  static const double measured = [] {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    const std::uint64_t first = ticks();
    while (Clock::now() - began < std::chrono::milliseconds(5)) {
    }
    return static_cast<double>(ticks() - first) / std::chrono::duration<double>(Clock::now() - began).count();
  }();
  return measured;
#endif
}

inline std::uint64_t ticks_of_ns(double ns) {
  return static_cast<std::uint64_t>(std::llround(ns * 1e-9 * ticks_per_second()));
}

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace race::hardware
