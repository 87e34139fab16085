// Guards: steps of the code itself, not of its ordering, that a barrier plan can have done otherwise than Linux 4.8 does them: left
// out, as a historic bug had it, or as another kernel version has it. By themselves all are as in 4.8.
//
// A new one takes a line in guard_list, and RACE_CHANGED(M, "name") where the code is to differ.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "memory/fixed_string.hpp"

namespace race {

struct Guard {
  std::string_view name;      // "<function>.<step>"
  std::string_view normal;    // its state as Linux 4.8 has it
  std::string_view other;     // what a plan can give it instead
  std::string_view protects;  // one line: what the step, or the other version of it, is there for
  std::string_view history;
};

constexpr std::array guard_list{
    Guard{"migrate_zspage.keep-pin", "on", "off", "the pin of an object, while compaction records where it moved it to",
          "missing until c102f07ca0b0 (January 2016)"},
    Guard{"get_first_obj_offset.rule", "4.8", "v7", "which headers migration and compaction look at in a page",
          "v7 of the migration patches (June 2016) lost a rounding; mended before the merge"},
    Guard{"__zs_compact.count-pages", "4.8", "5.12", "the pool's count of compacted pages: 4.8 adds without an atomic",
          "atomic since 2395928158059 (February 2021)"},
};

using GuardId = std::uint8_t;

// Its number in the list. A name that is not there does not compile.
consteval GuardId guard_number(std::string_view name) {
  GuardId n = 0;
  while (guard_list.at(n).name != name) ++n;
  return n;
}

// Where the code asks for a guard. Filled during static initialisation.
struct GuardPlace {
  GuardId guard;
  std::string_view file;  // below native/
  std::uint32_t line;
};

inline std::vector<GuardPlace>& guard_places() {
  static std::vector<GuardPlace> places;
  return places;
}

template <GuardId Number, FixedString File, std::uint32_t Line>
struct GuardUse {
  static inline const GuardId id = [] {
    guard_places().push_back({Number, below_native(File.view()), Line});
    return Number;
  }();
};

// Whether the plan of this run has the guard otherwise than Linux 4.8.
#define RACE_CHANGED(machine, guard_name) \
  (machine::changed(::race::GuardUse<::race::guard_number(guard_name), __FILE__, __LINE__>::id))

}  // namespace race
