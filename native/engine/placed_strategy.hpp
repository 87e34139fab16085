// Deviations by their place in the program: before which access of which CPU, and what they name by what it is: a CPU, a store.
//
// The ordinal of a question shifts as soon as an earlier one is answered otherwise, or is no longer asked. Its place does not:
// so a changed execution (a deviation fewer, other barriers) can be told to deviate where the old one did.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "engine/replay_strategy.hpp"
#include "memory/weak/machine.hpp"

namespace race {

struct Access {
  std::uint32_t cpu = 0, number = 0;  // the CPU's accesses so far; the turns of a waiting loop are one
  std::uint32_t turn = 0;             // which of them
  bool operator==(const Access&) const = default;
};

struct Placed {
  Choice kind{};
  Access at;                 // asked before this access
  std::uint32_t repeat = 0;  // which of its questions of this kind there
  // The answer, by kind.
  std::uint32_t number = 0;  // stale, client, and those with one other answer
  std::uint32_t cpu = 0;     // schedule, preempt: who runs
  Access access;             // commit, flush: what is performed
  // Where the execution has it.
  std::uint32_t step = 0;  // the trace's event that follows
  std::uint32_t n = 0;     // how many answers the question had
  // flush: it is no deviation, but one comes behind it at the same place. The whole order is kept there, so that it stays the
  // same when there is less to perform.
  bool plain = false;
};

// Asks itself at every question; only while the machine has a trace, from which the places are read.
class PlacedStrategy final : public Strategy {
 public:
  PlacedStrategy(const weak::Machine& machine, const weak::Trace& trace) : machine_(machine), trace_(trace) {}
  // What to answer: deviations by ordinal, or by place.
  void answer(const std::vector<Deviation>& deviations);
  void answer(const std::vector<Placed>& placed);

  std::array<std::uint32_t, choice_kinds> begin() const;
  Answer decide(Choice kind, std::uint32_t n) override;
  std::vector<Placed> used() const;  // in the order of the execution

 private:
  using Key = std::uint64_t;
  static Key key(Choice kind, Access at, std::uint32_t repeat) {
    return (std::uint64_t{at.number} << 32) | (repeat << 8) | (at.cpu << 4) | static_cast<std::uint32_t>(kind);
  }
  void catch_up();
  bool again(const weak::Event& e) const;  // is it no new access of its CPU?
  Placed place(Choice kind);
  bool name(Placed& p, std::uint32_t k) const;                      // the answer k by what it is
  std::uint32_t number_of(const Placed& p, std::uint32_t n) const;  // and back; 0: there is no such answer here
  bool is_pending(Access a) const;
  std::vector<unsigned> candidates() const;  // schedule, preempt: who can be chosen

  const weak::Machine& machine_;
  const weak::Trace& trace_;
  std::unordered_map<Key, Placed> placed_;
  std::unordered_map<Key, std::deque<Access>> flushes_;  // the order at each place
  std::array<std::map<std::uint32_t, std::uint32_t>, choice_kinds> ordinals_;
  bool by_ordinal_ = false;
  bool late_ = false;
  std::vector<Placed> used_;
  std::size_t seen_ = 1;                    // events of the trace
  std::vector<Access> accesses_{Access{}};  // of each event
  std::array<std::uint32_t, 16> counts_{};  // accesses of each CPU
  std::array<std::uint32_t, 16> turns_{};
  std::array<weak::Event, 16> newest_{};  // event of each CPU
  std::array<std::uint32_t, choice_kinds> asked_{};
  struct Last {
    std::uint32_t number = 0, asked = 0, asked_waiting = 0;
  };
  std::array<std::array<Last, 16>, choice_kinds> last_{};
};

// Is this event the issue of an access, rather than what became of one that was issued before?
inline bool is_issue(const weak::Event& e) {
  using Kind = weak::Event::Kind;
  switch (e.kind) {
    case Kind::load: return e.issue == 0 || e.forwarded;
    case Kind::rmw: return e.issue == 0;
    case Kind::late:
    case Kind::store: return true;
    default: return false;
  }
}

}  // namespace race
