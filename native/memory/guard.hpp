// Guards: steps of the code itself, not of its ordering, that a barrier plan can have done otherwise than Linux 4.8 does them: left
// out, as a historic bug had it, or as another kernel version has it. By themselves all are as in 4.8.
//
// A new one takes a line in guard_list, which is in the order of the history, and RACE_CHANGED(M, "name") where the code is to
// differ.
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
    Guard{"migrate_zspage.give-pin", "4.8", "by-store",
          "the object's bytes: by-store, the store of the new place gives the pin away, without a barrier",
          "proposed as v3 of c102f07ca0b0 and rejected (January 2016)"},
    Guard{"migrate_zspage.keep-class-lock", "on", "off", "that nobody waits for a pin whose holder does not run",
          "v3 of the migration patches (April 2016) let go of the lock with objects pinned; never merged"},
    Guard{"reset_page.clear-movable", "on", "off", "a freed page: off, only its isolated mark is cleared",
          "v3 of the migration patches (April 2016); never merged"},
    Guard{"zs_free.leave-isolated", "on", "off",
          "an empty zspage of which a page is isolated: it is freed when that is put back",
          "v3 of the migration patches (April 2016); never merged"},
    Guard{"zs_malloc.movable-last", "on", "off",
          "a zspage that is being built: off, its pages are movable from the start",
          "v3 of the migration patches (April 2016); never merged"},
    Guard{"zs_can_compact.check", "on", "off",
          "the shrinker's count, where OBJ_USED is read to be more than OBJ_ALLOCATED",
          "missing from 4.3 until May 2016"},
    Guard{"get_first_obj_offset.rule", "4.8", "v7", "which headers migration and compaction look at in a page",
          "v7 of the migration patches (June 2016) lost a rounding; mended before the merge"},
    Guard{"zs_page_migrate.pin-objects", "on", "off",
          "where an object is, for who maps or frees it while its page moves",
          "never missing: a step that the design needs"},
    Guard{"zs_map_object.read-lock", "on", "off", "the second page of a mapped object that straddles two",
          "never missing: a step that the design needs"},
    Guard{"zspage.class-bits", "enough", "short",
          "the class of a zspage: short, the last size class is taken for class 0",
          "4.8 with 64 KiB pages; widened in April 2017"},
    Guard{"zs_page_isolate.refuse-empty", "on", "off",
          "an empty zspage, which the worker may have on a list of its own",
          "never missing: a step that the design needs"},
    Guard{"zs_page_migrate.empty", "4.8", "4.14", "4.14: a page of a zspage without objects is migrated too",
          "since 77ff465799c6 (July 2017)"},
    Guard{"zs_page_migrate.free-empty", "on", "off",
          "a zspage that is empty when its last isolated page has moved (with zs_page_migrate.empty=4.14)",
          "missing from 4.14 until August 2019"},
    Guard{"zs_destroy_pool.wait-isolated", "4.8", "5.3",
          "the pool, while pages of it are isolated: 5.3 waits until there are none",
          "since 701d678599d0 (August 2019)"},
    Guard{"zs_pool_dec_isolated.order", "count-first", "flag-first",
          "who waits for the last isolated zspage (with wait-isolated=5.3)",
          "flag-first from 5.3 until afe8605ca454 (July 2021)"},
    Guard{"__zs_compact.count-pages", "4.8", "5.12", "the pool's count of compacted pages: 4.8 adds without an atomic",
          "atomic since 2395928158059 (February 2021)"},
    Guard{"zs_page_isolate.off-list", "4.8", "5.17",
          "5.17: a zspage stays on its fullness list while pages of it are isolated",
          "since c4549b871102 (November 2021)"},
    Guard{"zs_page_isolate.class-lock", "on", "off",
          "the isolated count, which shares a word with the fullness (with off-list=5.17)",
          "from 5.17 until 4b5d1e47b694 (July 2023)"},
    Guard{"lock_zspage.walk", "4.8", "5.18",
          "the chain that the worker walks: 5.18 holds zspage->lock and tries the page locks",
          "since 2505a981114d (May 2022)"},
    Guard{"zs_free.defer", "by-header", "by-handle",
          "a handle that reclaim still has: by-handle, the next deferred one is stored over the object's place",
          "6.2; mended by 85b325815b56 (January 2023)"},
    Guard{"__zs_compact.clear-source", "on", "off", "that compaction puts a source back once",
          "missing in 6.4's rework, mended in April 2023"},
    Guard{
        "zs_map_object.hold-pin", "4.8", "5.17",
        "5.17: the pin is held only to look the object up, then zspage->lock alone; compaction takes that for writing",
        "since b475d42d2c43 (November 2021)"},
    Guard{"migrate_zspage.write-lock", "on", "off", "mapped objects of the source (with zs_map_object.hold-pin=5.17)",
          "empty without CONFIG_COMPACTION until 568b567f78ac (February 2024)"},
    Guard{"zs_free.hold-pin", "4.8", "2026",
          "2026: no pin and no zspage->lock; the class is read from the handle's word, which names it",
          "posted in May and June 2026"},
    Guard{"zs_free.reread", "on", "off",
          "where the object is, once the class lock is held (with zs_free.hold-pin=2026)",
          "never missing: a step that the design needs"},
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
  static inline const bool registered = [] {
    guard_places().push_back({Number, below_native(File.view()), Line});
    return true;
  }();
  // The number is a constant of the code; that it is asked for is what registers the place.
  static GuardId number() {
    static_cast<void>(&registered);
    return Number;
  }
};

// Whether the plan of this run has the guard otherwise than Linux 4.8.
#define RACE_CHANGED(machine, guard_name) \
  (machine::changed(::race::GuardUse<::race::guard_number(guard_name), __FILE__, __LINE__>::number()))

}  // namespace race
