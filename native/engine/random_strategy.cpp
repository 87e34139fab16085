#include "engine/random_strategy.hpp"

#include <algorithm>

namespace race {

namespace {

constexpr std::size_t at(Choice k) { return static_cast<std::size_t>(k); }

// Means of the gap between two deviations, drawn by four random bits. 0: none in this execution.
constexpr std::uint32_t fail_mean = 8;      // store exclusives that could succeed
constexpr std::uint32_t most_late = 64;     // late loads of an execution, about
constexpr std::uint32_t once = 0xffffffff;  // a single one, anywhere in the program
constexpr std::array<std::uint32_t, 16> delay_means{0, 0, once, once, once, once, 64, 64, 64, 8, 8, 8, 8, 2, 2, 1};
constexpr std::array<std::uint32_t, 16> commit_means{0, 0, 0, 0, 0, 0, 0, 0, 256, 256, 32, 32, 8, 8, 2, 2};
constexpr std::array<std::uint32_t, 16> stale_means{0, 0, 0, 0, 0, 0, 16, 16, 4, 4, 4, 2, 2, 2, 1, 1};
constexpr std::array<std::uint32_t, 16> late_means{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 1};
constexpr std::array<std::uint8_t, 16> preemptions{0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 4, 6, 255};

}  // namespace

// Uniform in [1, 2 mean - 1], less one: how many to leave alone; never for a mean of 0. Without a branch, which chance would
// make the CPU mispredict.
std::uint32_t RandomStrategy::gap(std::uint32_t mean) {
  const std::uint32_t some = rng_.below(2 * mean - 1 + 2 * static_cast<std::uint32_t>(mean == 0));
  return mean == 0 ? never : some;
}

std::uint32_t RandomStrategy::first(const Points& p) {
  if (p.period != 0) return gap(p.period);
  return p.count == 0 ? never : p.at[0];
}

std::uint32_t RandomStrategy::after(Points& p) {
  if (p.period != 0) return gap(p.period);
  if (++p.next >= p.count) return never;
  return p.at[p.next] - std::min(p.at[p.next], p.at[p.next - 1] + 1);
}

std::array<std::uint32_t, choice_kinds> RandomStrategy::begin(std::uint64_t k) {
  rng_ = Rng(Rng::mix(seed_ ^ Rng::mix(k + 1)));
  std::uint64_t bits = rng_.next();
  const auto draw = [&bits] {
    const auto b = static_cast<unsigned>(bits & 15);
    bits >>= 4;
    return b;
  };
  delay_mean_ = delay_means[draw()];
  commit_mean_ = commit_means[draw()];
  stale_mean_ = stale_means[draw()];
  late_mean_ = late_means[draw()];
  // A long copy of late loads takes long and shows nothing that a few dozen do not.
  if (late_mean_ != 0) late_mean_ = std::max(late_mean_, extent_[at(Choice::preempt)] / most_late);
  const unsigned count = preemptions[draw()];
  plain_.count = plain_.next = plain_.period = 0;
  sync_.count = sync_.next = sync_.period = 0;
  if (count == 255) {
    sync_.period = 1u << (1 + (draw() & 3));
    plain_.period = std::max(2u, extent_[at(Choice::preempt)] >> 3);
  } else {
    // Half of the points stand at synchronising accesses, however few those are.
    for (unsigned i = 0; i < count; ++i) {
      const Choice kind = (draw() & 1) != 0 ? Choice::preempt_sync : Choice::preempt;
      Points& p = points(kind);
      p.at[p.count++] = rng_.below(extent_[at(kind)] + 1);
    }
    if (plain_.count > 1) std::sort(plain_.at.begin(), plain_.at.begin() + plain_.count);
    if (sync_.count > 1) std::sort(sync_.at.begin(), sync_.at.begin() + sync_.count);
  }

  std::array<std::uint32_t, choice_kinds> skips{};
  skips[at(Choice::preempt)] = first(plain_);
  skips[at(Choice::preempt_sync)] = first(sync_);
  if (delay_mean_ == once) {
    skips[at(Choice::delay)] = rng_.below(extent_[at(Choice::delay)] + 1);
    delay_mean_ = 0;
  } else {
    skips[at(Choice::delay)] = gap(delay_mean_);
  }
  skips[at(Choice::commit)] = gap(commit_mean_);
  skips[at(Choice::stale)] = gap(stale_mean_);
  skips[at(Choice::late)] = gap(late_mean_);
  skips[at(Choice::fail)] = gap(fail_mean);
  return skips;
}

Strategy::Answer RandomStrategy::decide(Choice kind, std::uint32_t n) {
  switch (kind) {
    case Choice::preempt:
    case Choice::preempt_sync: return {n == 1 ? 0 : 1 + rng_.below(n - 1), after(points(kind))};
    case Choice::delay: return {1, gap(delay_mean_)};
    case Choice::commit: return {1 + rng_.below(n - 1), gap(commit_mean_)};
    case Choice::stale:  // every other time the oldest: it differs most
      return {(rng_.next() & 1) != 0 ? n - 1 : 1 + rng_.below(n - 1), gap(stale_mean_)};
    case Choice::late: return {1, gap(late_mean_)};
    case Choice::fail: return {1, gap(fail_mean)};
    default: return {rng_.below(n), 0};
  }
}

std::array<std::uint32_t, choice_kinds> PlainStrategy::begin() {
  std::array<std::uint32_t, choice_kinds> skips{};
  for (const Choice k : {Choice::preempt, Choice::preempt_sync, Choice::delay, Choice::commit, Choice::stale,
                         Choice::late, Choice::fail})
    skips[at(k)] = Strategy::never;
  return skips;
}

}  // namespace race
