// Runs the executions of a program on the weak machine: fibres for the CPUs, a strategy for the choices.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "engine/fibre.hpp"
#include "engine/random_strategy.hpp"
#include "memory/weak/graph.hpp"
#include "memory/weak/machine.hpp"

namespace race {

// A program of several CPUs. All its shared memory lives on the machine; what it keeps beside is saved and restored here.
class Workload {
 public:
  virtual ~Workload() = default;
  virtual unsigned cpus() const = 0;
  virtual void set_up() = 0;  // alone, on CPU 0; its result is where every execution begins
  virtual void thread(unsigned cpu) = 0;
  virtual bool has_finish() const { return false; }
  virtual void finish() {}  // alone, after all threads, with every store committed: the last checks
  virtual void begin(weak::Machine&) {
  }  // before each execution, outside of it: restores what set_up() left; daemons go to sleep
};

// Chooses every transition of the memory.
class SearchStrategy : public Strategy {
 public:
  virtual void settle() = 0;  // before the transitions of a state are listed
};

struct Outcome {
  bool failed = false;
  bool abandoned = false;  // its stores could not be put in order: no execution at all (see Machine::abandon)
  Fault fault{};
  unsigned cpu = 0;  // == cpus(): in finish()
  const char* function = "";
  SiteId site = no_site;
};

// Says which CPU runs next while a graph is explored.
class GraphSchedule {
 public:
  virtual ~GraphSchedule() = default;
  virtual bool next(unsigned& cpu) = 0;           // false: the execution ends
  virtual void failed(const Outcome& found) = 0;  // this CPU ends here
};

class WeakEngine {
 public:
  WeakEngine(weak::Machine& machine, Workload& workload, std::uint64_t step_limit = 0);

  Outcome set_up(std::uint64_t seed);  // and checkpoint
  // Set-up, checkpoint, and one plain execution that measures the program. An outcome that failed is a broken program.
  Outcome prepare(std::uint64_t seed);
  // One execution from the checkpoint; the caller has drawn the strategy's skips.
  Outcome run(Strategy& strategy, const std::array<std::uint32_t, choice_kinds>& skips);
  // One execution in which the strategy chooses every transition of the memory (see ExhaustiveEngine).
  Outcome explore(SearchStrategy& search);
  // One execution in which the guide and the schedule decide everything (see GraphSearch). Without its last checks.
  Outcome explore(weak::Graph& graph, weak::Guide& guide, GraphSchedule& schedule, std::uint32_t width);
  Outcome finish();  // the last checks of an execution that is complete
  Outcome deadlock(unsigned cpu, std::uint32_t word);
  const Extent& extent() const { return extent_; }
  bool is_set_up() const { return set_up_; }

 private:
  enum class Phase : std::uint8_t { set_up, threads, finish };
  Outcome execute();
  bool alone(Phase phase, unsigned cpu);  // runs one phase on one CPU; false: it failed
  bool resume(unsigned cpu);              // false: the execution failed. Throws what the workload threw
  Outcome outcome() const;
  static void entry(void* slot);
  static void leave(weak::Machine& m, void* self);

  struct Slot {
    WeakEngine* engine;
    unsigned cpu;
    bool fresh;
    Fibre fibre;
  };
  weak::Machine& machine_;
  Workload& workload_;
  const unsigned cpus_;
  std::uint64_t step_limit_;
  bool automatic_limit_;
  bool set_up_ = false;
  Phase phase_ = Phase::set_up;
  std::array<std::unique_ptr<Slot>, weak::max_cpus + 1> slots_;
  Slot* running_ = nullptr;
  std::exception_ptr thrown_;  // by the workload on a fibre
  Extent extent_{};
  std::vector<weak::Transition> transitions_;
};

}  // namespace race
