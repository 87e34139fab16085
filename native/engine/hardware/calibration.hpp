// What this host is seen to reorder: the classic litmus tests on its own threads, tuned by a search for what shows most.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/hardware/shapes.hpp"
#include "engine/hardware/tuning.hpp"

namespace race::hardware {

struct Measured {
  std::uint64_t iterations = 0, weak = 0;
  std::uint64_t late = 0;                     // batches in which the threads gave up waiting for each other
  double seconds = 0;                         // from the first batch to the last, preparation and counting included
  std::array<std::uint64_t, 256> outcomes{};  // by what the first thread read, 16 * that, and the second
  void add(const Measured& other);
  double weak_per_second() const { return seconds > 0 ? static_cast<double>(weak) / seconds : 0; }
  double iterations_per_second() const { return seconds > 0 ? static_cast<double>(iterations) / seconds : 0; }
};

// Ends at whichever comes first; 0: no limit. At least one batch is run.
struct Budget {
  double seconds = 0;
  std::uint64_t iterations = 0;
};

// One test with one tuning, on the CPUs given: one for each thread of the test, then those of the stress threads.
Measured measure(std::size_t shape, const Tuning& tuning, const std::vector<unsigned>& cpus, Budget budget, Rng& rng);

struct Calibration {
  std::array<Measured, shapes::all.size()> best{};    // with the tuning that was kept
  std::array<Measured, shapes::all.size()> others{};  // with all that the search drew
  Tuning tuning;
  std::uint32_t trials = 0;
  double seconds = 0;
  std::vector<unsigned> cpus;  // of the last measurement
  bool enough_cpus = false;    // two, so that the threads ran at the same time
  bool pinned = true;

  std::uint64_t iterations(std::size_t shape) const { return best[shape].iterations + others[shape].iterations; }
  std::uint64_t weak(std::size_t shape) const { return best[shape].weak + others[shape].weak; }
};

// Takes about so long; iterations bounds each measurement. cancelled may become true from another thread.
Calibration calibrate(const Topology& topology, Budget budget, std::uint64_t seed, const std::atomic<bool>& cancelled);

}  // namespace race::hardware
