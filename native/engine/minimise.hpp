// From an execution with a finding to one with as few deviations as still give the same finding: fewest reorderings first, then
// fewest context switches, then whatever else. Delta debugging (Zeller and Hildebrandt, 2002) over the deviations by their
// place, then one by one, until each that is left is needed.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "engine/rerun.hpp"

namespace race {

// Of a minimisation that another thread watches.
struct Progress {
  std::atomic<std::uint64_t> executions{0};
  std::atomic<std::uint32_t> reorderings{0}, switches{0};
};

// A deviation that is left, and what becomes of the execution without it.
struct Needed {
  Choice kind{};
  std::uint32_t step = 0;
  std::string text, without;
  bool necessary = false;  // without it there is not this finding; else there is, but dearer
};

struct Minimised {
  bool reproduced = false;  // the execution that was given has a finding
  FindingRecord finding;    // of the smallest one
  Cost before, after;
  std::vector<Needed> needed;
  std::uint64_t executions = 0;
  bool complete = false;  // neither the limit nor a cancel ended it
};

class Minimiser {
 public:
  Minimiser(Rerun& rerun, std::uint64_t limit, Progress& progress, const std::atomic<bool>& cancelled)
      : rerun_(rerun), limit_(limit), progress_(progress), cancelled_(cancelled) {}
  Minimised run(const std::vector<Deviation>& deviations);

 private:
  struct Best {
    std::vector<Placed> placed;
    std::vector<Deviation> deviations;
    Cost cost;
  };
  using Group = bool (*)(Choice);
  static constexpr std::uint64_t accesses_each = 4096;  // long executions use the limit up sooner
  bool is_over() const {
    return executions_ >= limit_ || accesses_ >= limit_ * accesses_each || cancelled_.load(std::memory_order_relaxed);
  }
  Ran attempt(const std::vector<Placed>& candidate);
  bool same(const Ran& r) const;
  bool accept(const std::vector<Placed>& candidate);  // if it is the same finding and cheaper
  std::vector<std::size_t> members(Group group) const;
  bool remove(Group group);
  bool simplify();
  std::vector<Needed> account();
  std::string describe(const Explain& explain, const weak::Trace& trace, const Placed& p) const;

  Rerun& rerun_;
  const std::uint64_t limit_;
  Progress& progress_;
  const std::atomic<bool>& cancelled_;
  std::uint64_t executions_ = 0, accesses_ = 0;
  FindingRecord wanted_;
  Best best_;
};

}  // namespace race
