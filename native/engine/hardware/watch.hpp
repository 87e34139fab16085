// Looks after a process that races: a signal, or threads that no longer get on, are told in one line before the process ends.
#pragma once

#include <array>
#include <cstdint>

#include "memory/hardware.hpp"

namespace race::hardware {

constexpr unsigned most_watched = 32;

// For as long as it lives, this thread is one of those that race; its context is told if something happens.
class Watched {
 public:
  explicit Watched(unsigned thread);
  ~Watched();
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  unsigned thread_;
};

// The thread begins this execution: a sign of life, and plain stores of its own.
void watched_execution(unsigned thread, std::uint64_t execution);

// What a process has run and found so far. Both lines below end with it: "status": {"executions": 7, "cut_short": 0, "counts": {}}
struct Counts {
  std::uint64_t executions = 0, cut_short = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Oracle::count)> by_oracle{};
  std::array<std::uint64_t, static_cast<std::size_t>(Oracle::count)> kept{};  // findings that were handed on
};
void watched_counts(const Counts* counts);  // null: none

// Handlers for the signals that a broken program gets. What they write to fd is a line of JSON:
//   {"died": "SIGSEGV", "address": "0x10", "racing": true, "execution": 7, "cpu": 1, "function": "obj_malloc", "site": "..."}
// racing: the thread was carrying out a scenario, so that it is the allocator that went wrong.
void report_signals(int fd);

// While it lives: if no execution begins for so many seconds while some thread races, a line
//   {"hang": 10, "threads": [{"cpu": 0, "execution": 7, "function": "...", "site": "..."}, ...]}
// is written to fd and the process ends.
class Watchdog {
 public:
  Watchdog(int fd, double seconds);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct State;
  State* state_;
};

constexpr int died_status = 70, hang_status = 71;  // how the process ends then

}  // namespace race::hardware
