// A campaign on this host's own CPUs: batches of instances, raced by pinned threads that start together.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/campaign.hpp"
#include "engine/hardware/calibration.hpp"
#include "engine/hardware/instance.hpp"
#include "engine/hardware/watch.hpp"

namespace race::hardware {

class HardwareCampaign {
 public:
  // What is done with a finding that is kept; called by one thread at a time.
  using OnFinding = std::function<void(const FindingRecord&)>;
  // Throws std::invalid_argument if the set-up finds something. tuning: what the calibration kept.
  HardwareCampaign(const Plan& plan, const Topology& topology, const Tuning& tuning, std::uint64_t first);
  ~HardwareCampaign() { watched_counts(nullptr); }
  HardwareCampaign(const HardwareCampaign&) = delete;
  HardwareCampaign& operator=(const HardwareCampaign&) = delete;

  // Batches until the budget is used up or `cancelled`; at least one.
  void run(Budget budget, const std::atomic<bool>& cancelled, const OnFinding& on_finding);

  const Counts& counts() const { return counts_; }
  double total_seconds() const { return seconds_; }  // in run()
  bool own_worker() const { return own_worker_; }    // deferred frees have a thread; else they come after the others
  bool oversubscribed() const { return threads_ > topology_.cpus().size(); }
  bool pinned() const { return pinned_; }

 private:
  struct Round;
  void round(Budget left, const std::atomic<bool>& cancelled, const OnFinding& on_finding);
  void member(Round& r, unsigned me);
  void race_one(Round& r, unsigned me, std::uint32_t i, Rng& rng);
  void judge(Round& r, std::uint32_t i, Rng& rng);
  FindingRecord record(const Instance& instance, const Found& found, std::uint64_t execution) const;
  const char* thread_name(unsigned cpu) const;

  const Plan& plan_;
  const Topology& topology_;
  Tuning tuning_;
  Rng rng_;
  unsigned threads_;  // that race: the scenario's, and the worker if there is a CPU for it
  bool own_worker_;
  bool pinned_ = true;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::uint64_t next_;         // number of the next execution
  std::uint64_t longest_ = 0;  // ticks that a thread's program took
  double seconds_ = 0;
  Counts counts_;
};

}  // namespace race::hardware
