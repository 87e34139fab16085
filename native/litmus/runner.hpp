// Runs a litmus test by one of the engines and counts its final states.
#pragma once

#include <atomic>
#include <memory>

#include "engine/graph_search.hpp"
#include "litmus/interpreter.hpp"

namespace race::litmus {

struct State {
  std::vector<std::uint64_t> values;  // in the order of Program::observe
  std::uint64_t count = 0;
};

// Can its executions be explored on a graph?
bool has_graph(const Program& program);

class Runner {
 public:
  explicit Runner(Program program);

  // Weak: executions first to first + count - 1. Exhaustive: at most count more of the search. Returns how many were done:
  // fewer after a cancel, and when the search is complete. Throws if the test itself goes wrong.
  std::uint64_t run(std::uint64_t first, std::uint64_t count);
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  const std::vector<State>& states() const { return states_; }
  std::uint64_t executions() const { return executions_; }
  bool complete() const {
    return (graph_ != nullptr && graph_->complete()) || (exhaustive_ != nullptr && exhaustive_->complete());
  }
  // Index of the location that has this address, or -1.
  int location(std::uint64_t address) const;

 private:
  void record();
  Outcome explore();
  [[noreturn]] void broken(const Outcome& o) const;

  Program program_;
  weak::Machine machine_;
  Interpreter interpreter_;
  std::unique_ptr<WeakEngine> weak_;
  std::unique_ptr<RandomStrategy> strategy_;
  std::unique_ptr<ExhaustiveEngine> exhaustive_;
  std::unique_ptr<GraphSearch> graph_;
  std::vector<State> states_;
  std::vector<std::uint64_t> values_;
  std::uint64_t executions_ = 0;
  std::atomic<bool> cancelled_{false};
};

}  // namespace race::litmus
