// A machine that has a trace for as long as this lives, whatever is thrown.
#pragma once

#include "memory/weak/machine.hpp"

namespace race {

class Tracing {
 public:
  Tracing(weak::Machine& machine, weak::Trace& trace) : machine_(machine) { machine_.trace = &trace; }
  ~Tracing() { machine_.trace = nullptr; }
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

 private:
  weak::Machine& machine_;
};

}  // namespace race
