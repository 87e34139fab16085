#include "engine/replay_strategy.hpp"

#include <algorithm>
#include <stdexcept>

namespace race {

ReplayStrategy::ReplayStrategy(const std::vector<Deviation>& deviations, const weak::Trace* trace) : trace_(trace) {
  for (const Deviation& d : deviations) {
    const auto k = static_cast<std::size_t>(d.kind);
    if (k > static_cast<std::size_t>(Choice::fail)) throw std::invalid_argument("a choice that no execution asks for");
    if (d.answer == 0) throw std::invalid_argument("a deviation whose answer is 0");
    queues_[k].all.push_back(d);
  }
  for (Queue& q : queues_) {
    std::sort(q.all.begin(), q.all.end(), [](const Deviation& a, const Deviation& b) { return a.ordinal < b.ordinal; });
    const auto twice = std::adjacent_find(
        q.all.begin(), q.all.end(), [](const Deviation& a, const Deviation& b) { return a.ordinal == b.ordinal; });
    if (twice != q.all.end()) throw std::invalid_argument("two answers to one question");
  }
}

std::array<std::uint32_t, choice_kinds> ReplayStrategy::begin() {
  misfit_.reset();
  std::array<std::uint32_t, choice_kinds> skips{};
  for (std::size_t k = 0; k < choice_kinds; ++k) {
    queues_[k].next = 0;
    skips[k] = queues_[k].all.empty() ? never : queues_[k].all.front().ordinal;
  }
  return skips;
}

Strategy::Answer ReplayStrategy::decide(Choice kind, std::uint32_t n) {
  Queue& q = queues_[static_cast<std::size_t>(kind)];
  if (q.next == q.all.size()) return {0, never};
  const Deviation d = q.all[q.next++];
  const bool fits = d.answer < n;
  if (!fits && !misfit_) misfit_ = {d, n, step()};
  return {fits ? d.answer : 0, q.next == q.all.size() ? never : q.all[q.next].ordinal - d.ordinal - 1};
}

std::optional<Misfit> ReplayStrategy::misfit() const {
  if (misfit_) return misfit_;
  for (const Queue& q : queues_)
    if (q.next != q.all.size()) return Misfit{q.all[q.next], 0, step()};
  return {};
}

std::uint32_t ReplayStrategy::step() const {
  return trace_ == nullptr ? 0 : static_cast<std::uint32_t>(trace_->events.size() - 1);
}

}  // namespace race
