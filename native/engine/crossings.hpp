// How often the executions of a sample came to each ordering site, and how often an access really moved across it. Read from
// their traces, so that a campaign pays nothing for it.
//
// An access moved across a site if it was performed on the other side of the site's operation than program order has it, in a
// way that the strength of the base plan forbids:
//   release, dmb.ishst   a store (release: or a load) before it was performed after the operation's store was
//   acquire, dmb.ishld   a load behind it returned a value that was no longer current when the value that the operation's load
//                        (dmb.ishld: or a load before it) returned was written; or an access behind it was performed first
//   dmb.ish, full        an access before the barrier was performed after one behind it; or a load behind it returned a value
//                        that was no longer current when an access before the barrier was performed
#pragma once

#include <cstdint>
#include <vector>

#include "memory/site.hpp"
#include "memory/weak/pending.hpp"
#include "memory/weak/trace.hpp"

namespace race {

struct SiteCrossings {
  std::uint64_t executions = 0;  // in which the site's operation ran
  std::uint64_t times = 0;       // how often it ran, all executions together
  std::uint64_t tried = 0;       // executions in which an access moved across it
};

class Crossings {
 public:
  explicit Crossings(const BarrierPlan& base) : base_(base), sites_(sites().all().size()) {}
  void add(const weak::Trace& trace);  // of one execution
  std::uint64_t executions() const { return executions_; }
  const std::vector<SiteCrossings>& by_site() const { return sites_; }  // by SiteId

 private:
  static constexpr std::uint32_t never = 0xffffffff;

  // An access at its place in program order. Positions are events of the trace.
  struct Access {
    std::uint32_t at;             // where it was issued
    std::uint32_t first = never;  // when its load was performed; a store: when it was committed
    std::uint32_t done = never;   // when all of it was performed
    std::uint64_t address = 0;
    weak::Time read = 0;     // a load: time of the write that it read
    weak::Time written = 0;  // a store: time of its commit
    weak::Time overwritten =
        never;  // a load that did not read the newest value: when the one that it read was replaced
    bool loads = false, stores = false;
  };
  // The same over all accesses before a place, or from a place on.
  struct Before {
    std::uint32_t done = 0, stored = 0;  // the last to be performed; of the stores
    weak::Time time = 0, read = 0;       // the latest time of an access; of a load
  };
  struct Behind {
    std::uint32_t first = never;
    weak::Time overwritten = never;
  };
  struct Program {  // of one CPU
    std::vector<Access> accesses;
    std::vector<Before> before;  // [i]: of accesses 0 .. i - 1
    std::vector<Behind> behind;  // [i]: of accesses i ..
  };

  void read_accesses(const weak::Trace& trace);
  bool moved(const Program& p, const weak::Crossing& c) const;

  BarrierPlan base_;
  std::uint64_t executions_ = 0;
  std::vector<SiteCrossings> sites_;
  std::vector<Program> programs_;     // by CPU
  std::vector<std::uint32_t> place_;  // of an event that issued an access: its number in its program
  std::vector<std::uint64_t> last_;   // of a site: the last execution that came to it, and the last in which one moved
  std::vector<std::uint64_t> last_moved_;
};

}  // namespace race
