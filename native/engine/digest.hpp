// One number for everything that executions did: each answer of the chooser, each access with its value and time, how they ended.
// Where two machines, two compilers or two versions of this program give the same number, they went the same way.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/random.hpp"
#include "engine/weak_engine.hpp"

namespace race {

class Digest {
 public:
  Digest();
  void add(std::uint64_t v) { value_ = Rng::mix(value_ * 0x9e3779b97f4a7c15 + v); }
  void add(std::string_view text);
  // One execution.
  void add(const Outcome& outcome, const std::vector<Deviation>& deviations, const weak::Trace& trace);
  std::uint64_t value() const { return value_; }

 private:
  void add(const weak::Event& e);
  void add_function(const char* name);

  std::uint64_t value_ = 0;
  std::vector<std::uint64_t> sites_;  // of their names: the numbers of sites are the linker's
  const char* function_ = nullptr;    // the last one, and what it gave
  std::uint64_t function_value_ = 0;
};

}  // namespace race
