// Why an execution is not sequentially consistent: a critical cycle of program order and communication (Shasha and Snir,
// 1988), found in its trace. It is what a litmus test of the execution consists of.
#pragma once

#include <string>
#include <vector>

#include "engine/scenario.hpp"

namespace race {

// An access of the cycle, or of an ordering site that stands between two of them in program order.
struct CycleAccess {
  std::uint32_t step = 0;       // where it was issued
  std::uint32_t performed = 0;  // where a load was performed, or a store became visible; 0: not before the end
  unsigned cpu = 0;
  std::string kind;  // load, store, atomic
  std::string thread, function, place, value;
  std::string site, primitive, strength;  // empty: it is no ordering site's
  unsigned location = 0;                  // the same number: the same word
  unsigned order = 0;  // of a write: its place among all writes here to that location, from 1; else 0
  int reads = -1;      // of a load or an atomic: the access here that it read from
  bool in_cycle = false;
};

struct Communication {
  unsigned from = 0, to = 0;  // indices of accesses
  std::string kind;           // rf, co, fr
};

struct Cycle {
  std::vector<CycleAccess> accesses;  // by CPU, each in program order
  std::vector<Communication> communications;
  bool found() const { return !communications.empty(); }
};

// The cycle through the load that the wrong value came from; if that is not known, or is on none, through the last load that is
// on one. None: all that happened can be explained by an interleaving.
Cycle cycle_of(const weak::Machine& machine, const Scenario& scenario, const weak::Trace& trace, std::uint32_t culprit);

}  // namespace race
