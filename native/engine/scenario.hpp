// A scenario on the weak machine: pages, pool, oracles and client, made once and rewound for every execution.
#pragma once

#include <memory>

#include "engine/client.hpp"
#include "engine/weak_engine.hpp"
#include "memory/weak/types.hpp"
#include "oracle/oracles.hpp"

namespace race {

class Scenario final : public Workload {
 public:
  using M = weak::machine;
  using Zs = zsmalloc::Zsmalloc<M>;

  // spare: page frames besides, see there.
  explicit Scenario(const Plan& plan, std::uint32_t spare = 0) : plan_(plan), spare_(spare) {}

  // CPUs: the threads of the plan, then the worker of deferred frees.
  unsigned cpus() const override { return static_cast<unsigned>(plan_.threads.size()) + 1; }
  void set_up() override;
  void begin(weak::Machine& machine) override;
  void thread(unsigned cpu) override;
  bool has_finish() const override { return true; }
  void finish() override { oracles_->check_quiescent(); }

  const char* thread_name(unsigned cpu) const;
  const Zs& zs() const { return *zs_; }
  const Client<M>& client() const { return *client_; }
  const kernel::PageAllocator<M>& pages() const { return *pages_; }
  // How many words of simulated memory an execution of this plan can need.
  static std::uint32_t words_needed(const Plan& plan, std::uint32_t spare = 0);
  // For an exploration: every CPU has frames of its own.
  static std::uint32_t frames_to_spare(const Plan& plan);

 private:
  const Plan& plan_;
  const std::uint32_t spare_;
  std::unique_ptr<kernel::PageAllocator<M>> pages_;
  std::unique_ptr<Zs> zs_;
  std::unique_ptr<oracle::Oracles<M>> oracles_;
  std::unique_ptr<Client<M>> client_;
};

}  // namespace race
