// The strategy of the weak engine.
//
// Uniform choices at every step find little: most bugs need few preemptions at the right place, one late store among hundreds,
// or one stale load. So every execution draws a temperament first: at how many points it preempts (context-bounded search:
// Musuvathi and Qadeer, PLDI 2007; positions as in PCT: Burckhardt et al., ASPLOS 2010), how often it holds stores back, how
// soon they commit, and how often loads are stale or late, each apart from the others (swarm testing: Groce et al., ISSTA 2012).
#pragma once

#include <array>
#include <cstdint>

#include "engine/random.hpp"
#include "memory/choice.hpp"

namespace race {

// How many questions of each kind a plain execution of the program asks: positions are drawn from these.
using Extent = std::array<std::uint32_t, choice_kinds>;

class RandomStrategy final : public Strategy {
 public:
  RandomStrategy(std::uint64_t seed, const Extent& extent) : seed_(seed), extent_(extent), rng_(0) {}

  // Draws the temperament of execution k; the skips are for Chooser::begin.
  std::array<std::uint32_t, choice_kinds> begin(std::uint64_t k);
  Answer decide(Choice kind, std::uint32_t n) override;

 private:
  static constexpr unsigned max_points = 6;
  struct Points {  // where to preempt, ascending; or every so often
    std::array<std::uint32_t, max_points> at{};
    unsigned count = 0, next = 0;
    std::uint32_t period = 0;
  };
  std::uint32_t gap(std::uint32_t mean);
  std::uint32_t first(const Points& p);
  std::uint32_t after(Points& p);
  Points& points(Choice kind) { return kind == Choice::preempt ? plain_ : sync_; }

  std::uint64_t seed_;
  Extent extent_;
  Rng rng_;
  Points plain_, sync_;
  std::uint32_t delay_mean_ = 0, commit_mean_ = 0, stale_mean_ = 0, late_mean_ = 0;  // 0: never, or once only
};

// Runs each CPU until it waits or ends, stores in order, loads fresh; only the program's own random operations vary.
class PlainStrategy final : public Strategy {
 public:
  explicit PlainStrategy(std::uint64_t seed) : rng_(Rng::mix(seed)) {}
  static std::array<std::uint32_t, choice_kinds> begin();
  Answer decide(Choice kind, std::uint32_t n) override { return {kind == Choice::client ? rng_.below(n) : 0, 0}; }

 private:
  Rng rng_;
};

}  // namespace race
