// What happened in one execution, step by step. Filled only when an execution is run again to be shown.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/site.hpp"

namespace race::weak {

struct Event {
  enum class Kind : std::uint8_t {
    load,
    late,  // a load or an atomic was issued; its `load` or `rmw` comes later
    store,
    commit,
    rmw,
    fence,
    runs,
    waits,
    fault
  };
  Kind kind;
  std::uint8_t cpu;
  SiteId site;
  const char* function;
  std::uint64_t address;
  std::uint64_t value;   // loaded, stored or committed; rmw: the new value
  std::uint64_t newest;  // load: the newest committed value; rmw: the old value
  std::uint32_t time;    // number of commits so far
  std::uint32_t issue;   // commit: the event of the store; store: the load event that its data came from; load: of the
                         // forwarded store, or of its issue; 0: none
  std::uint32_t read;    // load: time of the write that it read
  bool stale;            // load: not the newest value
  bool held;             // store: not committed at once
  bool forwarded;        // load: from a held store of this CPU
};

// A CPU came to the operation of a site.
struct Crossing {
  std::uint32_t event;  // the first event that may be of the operation
  std::uint8_t cpu;
  SiteId site;
};

struct Trace {
  std::vector<Event> events{Event{}};    // event 0 is no event
  std::vector<std::uint32_t> writer{0};  // for each commit time the event of its store
  std::vector<Crossing> crossings;
  std::uint32_t add(const Event& e) {
    events.push_back(e);
    return static_cast<std::uint32_t>(events.size() - 1);
  }
  void crossed(unsigned cpu, SiteId site) {
    crossings.push_back({static_cast<std::uint32_t>(events.size()), static_cast<std::uint8_t>(cpu), site});
  }
  void clear() {
    events.resize(1);
    writer.resize(1);
    crossings.clear();
  }
};

}  // namespace race::weak
