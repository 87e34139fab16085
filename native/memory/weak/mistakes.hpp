// Mistakes that the search over orders could make, by name, so that a test build can make one and show that a test notices: a
// final state is lost, or the search itself sees that something is wrong. In any other build the question costs nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace race::weak {

enum class Mistake : std::uint8_t {
  begin_dropped,        // one of the branches that races found is not begun
  other_dropped,        // of the writes that a load could read, one is not tried
  need_dropped,         // a branch begins without what its first access comes after
  base_need_dropped,    // ... without what the write that it reads comes after
  loads_reordered,      // ... without its CPU's earlier loads of the same words
  never_wakes,          // what sleeps goes on sleeping when there is another write to read
  all_sleep,            // what is still to be begun sleeps already
  no_race_with_load,    // a write does not race with loads
  forwarded_ignored,    // an atomic that read a held store: nothing before the store is looked at
  atomic_needs_load,    // what comes after the load of an atomic is taken to come after its store's place too
  condition_forgotten,  // what waits for a value does not race with the write that took it away
  own_reads,            // what the architecture orders before a write includes what its CPU has read
  own_all,              // ... includes all that its CPU did
  newest_only,          // a load reads the newest write only
  seen_too_wide,        // a load reads nothing older than what any CPU has read
  no_split,             // an atomic's load never comes long before its store
  count
};

constexpr std::array<std::string_view, static_cast<std::size_t>(Mistake::count)> mistake_names{
    "begin-dropped",     "other-dropped",     "need-dropped",        "base-need-dropped",
    "loads-reordered",   "never-wakes",       "all-sleep",           "no-race-with-load",
    "forwarded-ignored", "atomic-needs-load", "condition-forgotten", "own-reads",
    "own-all",           "newest-only",       "seen-too-wide",       "no-split"};

#ifdef RACE_BREAKABLE
inline Mistake made = Mistake::count;
inline bool makes(Mistake m) { return m == made; }
#else
constexpr bool makes(Mistake) { return false; }
#endif

}  // namespace race::weak
