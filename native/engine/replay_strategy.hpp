// An execution again, from its deviations: a question that one of them names gets that answer, every other one 0.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "memory/choice.hpp"
#include "memory/weak/trace.hpp"

namespace race {

// The first deviation that the execution had no place for.
struct Misfit {
  Deviation deviation;
  std::uint32_t answers;  // how many its question had; 0: there was no such question
  std::uint32_t step;     // of the trace, if there is one: where that showed
};

class ReplayStrategy final : public Strategy {
 public:
  // Throws std::invalid_argument if they cannot be those of one random execution.
  explicit ReplayStrategy(const std::vector<Deviation>& deviations, const weak::Trace* trace = nullptr);

  std::array<std::uint32_t, choice_kinds> begin();  // the skips for Chooser::begin
  Answer decide(Choice kind, std::uint32_t n) override;
  std::optional<Misfit> misfit() const;  // after the execution

 private:
  struct Queue {
    std::vector<Deviation> all;  // of one kind, by ordinal
    std::size_t next = 0;
  };
  std::uint32_t step() const;

  std::array<Queue, choice_kinds> queues_;
  const weak::Trace* trace_;
  std::optional<Misfit> misfit_;
};

}  // namespace race
