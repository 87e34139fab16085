// Runs every execution of a program: a depth-first search over the choices of the weak machine that visits no state twice.
//
// Only the accesses that are pending are choices, and what a CPU issues is not (memory/weak/search.cpp), so the search is
// over the orders in which the memory can be read and written, not over interleavings of instructions. Each execution begins
// anew and follows the choices that led to its branch.
#pragma once

#include <unordered_set>
#include <vector>

#include "engine/weak_engine.hpp"
#include "memory/weak/search.hpp"

namespace race {

// The part of a state that a program holds for one CPU.
struct CpuState {
  std::uint64_t at;                  // where it stands
  weak::Machine::Relevant relevant;  // which views it may still use
  std::vector<weak::Loaded> live;    // the values it may still use
};

class SearchedWorkload : public Workload {
 public:
  virtual CpuState state(unsigned cpu) = 0;
};

class ExhaustiveEngine {
 public:
  ExhaustiveEngine(weak::Machine& machine, SearchedWorkload& workload);

  // One more execution. Its outcome may be that it was abandoned: it reached a state that was seen before, or cannot be
  // completed.
  Outcome run();
  bool complete() const { return complete_; }

 private:
  struct Search final : SearchStrategy {
    void settle() override;
    Answer decide(Choice kind, std::uint32_t n) override;
    bool next();  // to the next branch; false: there is none

    struct Step {
      std::uint32_t answer, n;
    };
    struct Hasher {
      std::size_t operator()(const weak::Hash::Value& v) const { return v.a; }
    };
    ExhaustiveEngine* engine = nullptr;
    std::vector<Step> path;
    std::size_t depth = 0;
    std::unordered_set<weak::Hash::Value, Hasher> seen;
  };
  weak::Hash::Value fingerprint(Choice kind);

  weak::Machine& machine_;
  SearchedWorkload& workload_;
  WeakEngine engine_;
  Search search_;
  bool complete_ = false;
  bool set_up_ = false;
};

}  // namespace race
