// An execution that was explored on a graph, as plain data: what each CPU did, and which accesses come before which.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/weak_engine.hpp"
#include "memory/weak/graph.hpp"

namespace race {

struct GraphExecution {
  static constexpr std::uint32_t none = ~0u;

  struct Access {
    std::uint32_t word = 0;
    bool write = false;  // a store, or the store of an atomic
    bool acquire = false, release = false;
    bool performed = false;     // else it was pending when the execution ended
    bool ghost = false;         // a step of the host or a look of an oracle: the random machine has no access there
    std::uint32_t pair = none;  // the other half of an atomic
    std::uint32_t base = none;  // load: the write that it reads. write: the one before it. none: what memory held
    std::uint32_t place = 0;    // write: its place among those of its word, from 1
    std::uint32_t bit = 0;      // of it in pasts, if it was performed
  };

  GraphExecution(const weak::Graph& graph, unsigned cpus, const Outcome& outcome);
  // What this CPU did and no other needs. It has failed before: if it goes on to that, nothing comes after it.
  void leave_out_end_of(unsigned cpu);

  // All that comes before a performed access, and itself.
  const std::uint64_t* past(std::uint32_t access) const {
    return pasts.data() + std::size_t{accesses[access].bit} * width;
  }
  bool comes_before(std::uint32_t a, std::uint32_t b) const {
    return (past(b)[accesses[a].bit / 64] >> (accesses[a].bit % 64) & 1) != 0;
  }

  std::vector<Access> accesses;
  std::vector<std::vector<std::uint32_t>> programs;  // by CPU, in program order
  struct Free {  // by a step of the host: what others do with these words they have issued before
    std::uint32_t access;
    std::uint32_t first, words;
  };
  std::vector<Free> frees;
  std::vector<bool> waits;  // by CPU: for a value that did not come
  std::uint32_t width = 0;  // of a set of accesses, in words of 64
  std::vector<std::uint64_t> pasts;
  Outcome outcome;
  // A fault ended it at once, so that the other CPUs may have been anywhere.
  bool is_cut() const {
    return outcome.failed && outcome.cpu < programs.size() && outcome.fault.oracle != Oracle::deadlock &&
           outcome.fault.oracle != Oracle::lost_wakeup;
  }
};

}  // namespace race
