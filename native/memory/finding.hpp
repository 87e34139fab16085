// What can go wrong, by name, and the facts that every report of it carries.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace race {

enum class Oracle : std::uint8_t {
  garbage_freeobj,
  free_list,
  double_allocation,
  stale_object,
  stale_page,
  accounting,
  unlock_of_unlocked,
  oops,
  deadlock,
  livelock,
  counter,
  isolated_twice,
  use_after_destroy,
  lost_wakeup,
  count
};

struct OracleInfo {
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array<OracleInfo, static_cast<std::size_t>(Oracle::count)> oracles{{
    {"garbage-freeobj", "at a class unlock, freeobj is neither an object of the zspage nor a legal end marker"},
    {"free-list", "the free list has a cycle, the wrong length, or an allocated object on it"},
    {"double-allocation", "zs_malloc handed out an object that is already allocated"},
    {"stale-object", "an object's payload differs from what its owner wrote last"},
    {"stale-page", "a page or object was used that no longer belongs to the zspage it led to"},
    {"accounting", "inuse, class statistics, page references or pages left over do not add up"},
    {"unlock-of-unlocked", "a lock was released that was not held"},
    {"oops", "an access outside any live page or structure"},
    {"deadlock", "every unfinished CPU waits for a store that nobody will make"},
    {"livelock", "the execution exceeded its step limit"},
    {"counter", "a count that no lock protects is not the sum of what was counted"},
    {"isolated-twice", "a page was isolated whose isolation is not over"},
    {"use-after-destroy", "the pool was used, or something of it was left, when it had been destroyed"},
    {"lost-wakeup", "a CPU sleeps for good: what it waits for has happened, and nobody wakes it"},
}};

constexpr const OracleInfo& info(Oracle o) { return oracles[static_cast<std::size_t>(o)]; }

// What the value of a fault is: whoever shows it must know how to read it.
enum class ValueKind : std::uint8_t {
  none,         // there is no value
  number,       // a count, an offset, an index
  bits,         // flags
  freeobj,      // as zspage->freeobj holds it: the index of an object, or an end marker
  object_word,  // the first word of an object: a link, shifted over the tag bit; or a header, handle | tag
  handle_word,  // what a handle names: page, index, pin bit
  meta,         // the bit-fields of a zspage
  group,        // a fullness group
  content,      // a word of an object's payload
  address,      // of an access
};

// What M::fail is told. The machine adds CPU, function and site by itself.
struct Fault {
  Oracle oracle;
  const char* what;                         // a sentence without a full stop
  std::uint64_t zspage = 0;                 // address of the zspage, 0 if none
  std::int64_t object = -1;                 // index of the object in it, -1 if none
  std::uint64_t value = 0;                  // the wrong value
  std::uint64_t where = 0;                  // address of the word that holds, or led to, the wrong value; 0 if none
  ValueKind kind = ValueKind::none;         // of the value
  std::int32_t size_class = -1;             // slot number; -1: that of the zspage, or none
  std::optional<std::uint64_t> expected{};  // what the value should have been, of the same kind
};

// A fault after which the kernel would go on. So it ends the execution only where a run looks for it.
template <class M>
void report(const Fault& f) {
  if (M::judges(f.oracle)) M::fail(f);
}

}  // namespace race
