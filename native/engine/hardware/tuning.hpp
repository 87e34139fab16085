// How threads are brought to the same place at the same time: what the self-tuning search draws, keeps and records.
#pragma once

#include <cstdint>
#include <string>

#include "engine/hardware/topology.hpp"

namespace race::hardware {

// Who touched a cache line last, before the threads start. Owned: written; shared: written, then read by the other.
enum class LineState : std::uint8_t { owned_by_first, owned_by_second, shared, flushed, count };
enum class Start : std::uint8_t {
  counter,
  flags,
  free,
  count
};  // each iteration at an agreed tick; by flags; only the first

struct Tuning {
  Placement placement = Placement::any;
  Start start = Start::counter;
  std::uint32_t period_ns = 100;  // counter: from one iteration to the next
  std::uint32_t skew_ns = 0;      // each thread is late by up to so much, drawn anew for each batch
  std::uint32_t batch = 1024;     // instances
  std::uint32_t stride = 128;     // bytes from one instance to the next
  bool shuffled = false;          // in which order the instances lie in memory
  LineState x = LineState::owned_by_second, y = LineState::owned_by_first;
  std::uint32_t stress = 0;  // threads that only make memory traffic

  // Drawn at random; with `from`, that with some of it drawn anew. spare: CPUs that no racing thread needs.
  static Tuning draw(Rng& rng, const Topology& topology, std::uint32_t spare, const Tuning* from = nullptr);
  std::string text() const;
};

}  // namespace race::hardware
