// The rules of the weak machine by name, so that a test build can switch one off and show that a litmus test notices.
// In any other build the question costs nothing. Data and control dependencies are no rules: a value that is not known cannot
// be stored or branched on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace race::weak {

enum class Rule : std::uint8_t {
  coherence,             // a CPU reads nothing older than what it already read or wrote in that word
  store_order,           // stores of a CPU to one word commit in program order
  load_store_order,      // a store commits after the earlier loads of its word
  forwarding,            // a load reads the CPU's own held store
  forwarded_view,        // a forwarded load is no earlier than the store's address and data were known
  load_floor,            // a load reads nothing that was overwritten before its floor
  address_dependency,    // a load is no earlier than its address was known
  acquire_floor,         // accesses after an acquiring load are no earlier than it
  release_waits,         // a releasing store commits after everything before it
  release_acquire,       // LDAR comes after the STLRs before it (LDAPR does not)
  dmb_ish_waits,         // dmb ish: everything before it is done
  dmb_ish_floor,         // dmb ish: later loads are no earlier than what came before
  dmb_ishld_waits,       // dmb ishld: the loads before it are done
  dmb_ishld_floor,       // dmb ishld: later loads are no earlier than the loads before it
  dmb_ishst,             // dmb ishst: stores after it commit after the stores before it
  isb_floor,             // isb: later loads are no earlier than what a branch or an address depended on
  atomicity,             // nothing comes between the load and the store of an atomic or of a successful exclusive pair
  acquire_release_view,  // accesses after an atomic with acquire and release come after its store
  count
};

constexpr std::array<std::string_view, static_cast<std::size_t>(Rule::count)> rule_names{
    "coherence",     "store-order",        "load-store-order",    "forwarding",      "forwarded-view",
    "load-floor",    "address-dependency", "acquire-floor",       "release-waits",   "release-acquire",
    "dmb-ish-waits", "dmb-ish-floor",      "dmb-ishld-waits",     "dmb-ishld-floor", "dmb-ishst",
    "isb-floor",     "atomicity",          "acquire-release-view"};

#ifdef RACE_BREAKABLE
inline Rule broken = Rule::count;
inline bool holds(Rule r) { return r != broken; }
#else
constexpr bool holds(Rule) { return true; }
#endif

}  // namespace race::weak
