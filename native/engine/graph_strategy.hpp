// Steers the random machine through an execution that was explored on a graph, so that it is told as deviations like any other.
//
// The graph orders accesses in part; the machine needs one order of commits. Whatever has to happen at a certain moment (a write;
// under tso and sc a load) happens as soon as all that comes before it has: if its CPU is there, in order; else what stands between is
// held or late. A load may be issued long after its moment, and then reads a version that is stale by that time.
#pragma once

#include <array>
#include <exception>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/graph_execution.hpp"
#include "memory/weak/trace.hpp"

namespace race {

class GraphStrategy final : public Strategy {
 public:
  // What the graph leaves open is decided so in one way and otherwise in another.
  struct Way {
    // A store whose CPU reads it is held until it has: the load is no later then.
    bool holds_for_loads = false;
    // What oracles look at is left to chance: there may be no moment between an access and the look behind it.
    bool ignores_looks = false;
    bool high_first = false;    // of CPUs that can go on, the one with the highest number
    bool commits_late = false;  // what is pending stays so as long as anything else can go on
  };
  static constexpr unsigned ways = 16;
  static Way way(unsigned n) { return {(n & 1) != 0, (n & 2) != 0, (n & 4) != 0, (n & 8) != 0}; }

  // Thrown out of the execution when it can no longer become the one that is wanted.
  struct Astray : std::exception {
    explicit Astray(std::string what) : text(std::move(what)) {}
    const char* what() const noexcept override { return text.c_str(); }
    std::string text;
  };

  // The machine has this trace while it runs.
  GraphStrategy(const GraphExecution& wanted, const weak::Machine& machine, const weak::Trace& trace, Way way);
  static std::array<std::uint32_t, choice_kinds> begin() { return {}; }  // every question is asked
  Answer decide(Choice kind, std::uint32_t n) override;

 private:
  static constexpr std::uint32_t none = GraphExecution::none;
  using Access = GraphExecution::Access;
  // An access of the random machine: one of the graph, or both halves of an atomic.
  struct Unit {
    std::uint32_t load = none, write = none;
    std::vector<std::uint32_t> ghosts;  // that its CPU comes to right behind it
    bool issued = false;
  };
  struct CpuState {
    std::vector<std::uint32_t> units;   // in program order
    std::vector<std::uint32_t> ghosts;  // before the first
    std::size_t next = 0;
    bool at_end() const { return next == units.size(); }
  };
  enum class Step : std::uint8_t {
    plain,       // its moment has come
    deviates,    // it can be issued, held or late
    impossible,  // not now
  };

  void make_units(unsigned cpu);
  bool is_ignored(const Access& a) const { return way_.ignores_looks && a.ghost && a.pair == none; }
  bool ready(std::uint32_t access, std::uint32_t with = none, const std::vector<std::uint32_t>& ghosts = {}) const;
  bool all_ready(const std::vector<std::uint32_t>& ghosts, std::uint32_t with) const;
  void happened(std::uint32_t access);
  Step step(const Unit& u, std::uint32_t with) const;
  Step next_step(unsigned cpu, std::uint32_t with = none) const;
  bool is_last(unsigned cpu) const;
  std::uint32_t deviations_to_go(unsigned cpu) const;
  unsigned pick(std::uint32_t cpus);
  std::uint32_t pick_pending(bool hurry) const;
  std::uint32_t moment_of(std::uint32_t pending) const;
  std::uint32_t perform(std::uint32_t pending);
  std::uint32_t version(std::uint32_t load) const;

  void catch_up();
  void issued(std::uint32_t event);
  void check_read(std::uint32_t load, std::uint32_t event);
  void committed(std::uint32_t unit, std::uint32_t time);
  void same_word(std::uint32_t access, std::uint64_t address);
  const Unit* next_unit() const;
  [[noreturn]] void astray(const std::string& what) const;

  const GraphExecution& wanted_;
  const weak::Machine& machine_;
  const weak::Trace& trace_;
  const Way way_;
  const bool in_order_;  // tso, sc: a load is performed when it is issued
  const bool sc_;
  const bool cut_;  // by a fault

  std::vector<Unit> units_;
  std::vector<CpuState> cpus_;
  std::vector<std::uint64_t> open_;  // what has a moment that has not come
  std::vector<std::uint32_t> time_;  // of each access, when it was committed
  // Of each free: the units that are issued before it.
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> before_free_;
  // Of each write: how many loads of its CPU are to be issued before it commits.
  std::vector<std::uint32_t> own_readers_;
  std::unordered_map<std::uint32_t, std::uint32_t> newest_;  // of each word: the place of the write that happened last
  std::unordered_map<std::uint32_t, std::uint64_t> address_of_;  // of each word on the random machine
  std::unordered_map<std::uint64_t, std::uint32_t> word_at_;
  std::size_t seen_ = 1;                            // events of the trace
  std::vector<std::uint32_t> unit_of_event_{none};  // that it issued
  std::uint32_t performing_ = none;                 // the late access that was chosen
};

// One run so. Whatever it came to: it is for the caller to see whether that is what was found on the graph.
struct Steered {
  Outcome outcome;
  std::vector<Deviation> deviations;
  std::string astray;  // why it did not become that execution; empty: it may have
};
Steered steer(weak::Machine& machine, WeakEngine& engine, const GraphExecution& wanted, GraphStrategy::Way way);

}  // namespace race
