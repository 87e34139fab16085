#include "engine/scenario.hpp"

#include <algorithm>

namespace race {

void Scenario::set_up() {
  pages_ = std::make_unique<kernel::PageAllocator<M>>(plan_.page_size, plan_.frames, spare_);
  zs_ = std::make_unique<Zs>(*pages_, cpus() + 1);
  oracles_ = std::make_unique<oracle::Oracles<M>>(*zs_);
  oracles_->may_be_destroyed = plan_.has(Op::destroy);
  client_ = std::make_unique<Client<M>>(
      *zs_, plan_, [](std::uint32_t n) { return weak::current->chooser.choose(Choice::client, n); });
  client_->run(plan_.setup);
  if (M::peek(zs_->work_pending()) != 0) zs_->async_free_zspage();
  client_->prepare();
  client_->save();
  oracles_->save();
  pages_->save();
}

void Scenario::begin(weak::Machine& machine) {
  client_->restore();
  oracles_->restore();
  pages_->restore();
  machine.sleep_until_written(cpus() - 1, M::address_of(zs_->work_pending()));
}

void Scenario::thread(unsigned cpu) {
  if (cpu < plan_.threads.size()) return client_->run_thread(cpu);
  for (;;) zs_->async_free_zspage();
}

const char* Scenario::thread_name(unsigned cpu) const {
  if (cpu < plan_.threads.size()) return plan_.threads[cpu].name.c_str();
  return cpu == plan_.threads.size() ? "worker" : "(the end)";
}

std::uint32_t Scenario::frames_to_spare(const Plan& plan) {
  const auto others = static_cast<std::uint32_t>(plan.threads.size());
  return std::min(plan.frames * others, kernel::PageAllocator<M>::most_frames - plan.frames);
}

std::uint32_t Scenario::words_needed(const Plan& plan, std::uint32_t spare) {
  constexpr std::uint32_t slack = 1u << 16;  // zspages and handles; released ones are reused only when memory is short
  const std::uint32_t page = plan.page_size / 8;
  return (plan.frames + spare) * (page + 8) + static_cast<std::uint32_t>(plan.threads.size() + 3) * (page + 1) + slack;
}

}  // namespace race
