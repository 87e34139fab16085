// What a simulated CPU has issued and the memory has not seen yet: held stores, late loads, late atomics; and the values that
// depend on them.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/site.hpp"

namespace race::weak {

using Time = std::uint32_t;           // number of committed writes in this execution; 0: before it began
constexpr Time not_yet = 0xffffffff;  // the time of a load that has not been performed
constexpr std::uint32_t nothing = 0;  // no pending access
using Function = std::uint64_t (*)(std::uint64_t, std::uint64_t);

// A loaded or computed value, and the time at which it can be known at the earliest. While a load that it came from has not
// been performed, view is not_yet and source is its node; afterwards source is the trace event of that load.
struct Loaded {
  std::uint64_t value;
  Time view;
  std::uint32_t source;
  bool pending() const { return view == not_yet; }
};

// When a value that was computed from two can be known.
enum class Join : std::uint8_t {
  later,    // no earlier than both
  earlier,  // than one of them (a pick dependency)
  second,   // than the second: the first must only have been performed, which holds back stores, not loads
};

// A value that is not known yet: the result of a late load or atomic (no function), or of arithmetic on such values.
struct Node {
  Loaded result;  // pending until it is known
  Function function;
  Loaded a, b;
  std::uint32_t access;  // the late load or atomic that gives it
  Join join;
  std::uint32_t waits;  // a node of an access without which it cannot be known: itself, if it is one
};

// What the store of an atomic, or of a successful exclusive pair, must directly follow.
enum class After : std::uint8_t {
  any,    // an ordinary store
  write,  // the write committed at time `of`
  load,   // what the pending load `of` will read
  store,  // the pending store `of` of the same CPU
};

enum class Access : std::uint8_t { store, load, atomic };

// An access that has been issued and not performed. A store is `held`, a load or an atomic is `late`.
struct Pending {
  Loaded data;  // store: its value; atomic: its operand
  std::uint32_t word;
  std::uint32_t below;       // next older pending access to the same word
  std::uint32_t next, prev;  // program order of the CPU's stores and atomics
  std::uint32_t slot;        // position in Cpu::pending
  std::uint32_t number;      // program order of all accesses of the CPU that were pending
  std::uint32_t epoch;       // dmb ishst passed before it was issued
  Time floor;                // load, atomic: no earlier than this. store: when its address was known
  std::uint32_t issue;       // trace event of its issue
  std::uint32_t of;          // see After
  Time read;                 // store of an atomic: when its load was performed; not_yet: it was not
  std::uint8_t cpu;
  Access access;
  After after;
  bool release;
  bool exclusive;  // a store waits to follow it
  bool busy;       // waiting for what must go before it
};

// What only loads, atomics and the stores of atomics have.
struct Detail {
  std::uint32_t node = 0;   // load, atomic: of the result
  std::uint32_t guess = 0;  // store: waits until this guess of its CPU is known to be right, 1 + index
  Time address_view = 0;    // atomic: when its address was known
  bool awaited = false;     // searching: its CPU waits for it
  bool acquire = false;     // searching: later accesses are no earlier
  bool no_return = false;   // an atomic without a result: neither an acquire nor ordered by dmb ishld
  bool compares = false;    // compare and swap
  bool picks = false;       // see Machine::Atomic
  Loaded compare{};         // the value that it must find
  bool reads_old = false;   // store of an atomic that was given `old`, when it is known: Pending::read follows from it
  Loaded old{};
  Function function{};  // atomic: new value from old and operand; null: the operand
};

// Compare-and-swap, late or searching: whether it succeeds is guessed when it is issued, and checked when it is known.
struct Guess {
  Loaded equal;  // 1 or 0
  bool expected;
  bool known;
};

// LDXR's mark. The exclusive store directly follows what LDXR read.
struct Monitor {
  std::uint32_t word = nothing;
  After after = After::any;  // any: no mark
  std::uint32_t of = 0;
  Time read = 0;  // when LDXR was performed
};

struct Cpu {
  // The views of Promising-ARM: all are lower bounds on when later accesses are performed.
  Time load_floor = 0;   // of later loads
  Time newest_load = 0;  // latest time of a load so far
  Time control = 0;      // of the loads that a branch or an address depended on: an isb makes it a floor
  Time release = 0;      // of the last committed release: an acquiring load is no earlier
  Time own = 0;          // of the last own write
  std::uint32_t epoch = 0;
  std::uint32_t oldest = nothing, youngest = nothing;  // held stores and late atomics in program order
  std::uint32_t held_releases = 0;
  std::uint32_t late_atomics = 0;  // that have a result
  std::uint32_t issued = 0;        // pending accesses so far
  bool want_newest = false;        // a waiting loop read a stale value: its next load reads the newest
  bool read_stale = false;         // the last load did not read the newest value
  bool daemon = false;             // may wait for ever
  std::uint32_t waits_for = 0;     // word
  std::uint64_t stage = 0;         // searching: how far it is in an atomic that is being issued
  std::uint32_t bit = 0;           // 1 << its number
  const char* function = "";
  SiteId site = no_site;
  Monitor monitor;
  std::vector<std::uint32_t> loads;    // late loads in program order
  std::vector<std::uint32_t> pending;  // all, in no order
  std::vector<Guess> guesses;
  std::vector<Loaded> given;  // what loads were given by pending stores and atomics before it was known

  void reset(Time floor) {
    load_floor = floor;
    newest_load = control = release = own = 0;
    epoch = oldest = youngest = held_releases = late_atomics = issued = waits_for = 0;
    stage = 0;
    want_newest = read_stale = daemon = false;
    function = "";
    site = no_site;
    monitor.after = After::any;
    loads.clear();
    guesses.clear();
    given.clear();
  }
};

}  // namespace race::weak
