// The one source of chance. Everything that the weak machine, the scheduler and the client leave open is asked here.
//
// Answer 0 is always the plain one: go on with the same CPU, commit the store now, read the newest value. An execution is
// therefore described by its deviations: the questions that were answered with something else.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace race {

enum class Choice : std::uint8_t {
  schedule,      // who runs when the running CPU waits or has finished
  preempt,       // at a plain access: 0 go on, k the k-th other runnable CPU
  preempt_sync,  // the same at a synchronising access
  delay,         // at a store: 0 commit now, 1 hold it back
  commit,        // while stores are held: 0 none, k the k-th held store commits now
  flush,         // nobody can run: which held store commits
  stale,         // at a load: 0 the newest value, k the k-th older one that may still be read
  client,        // the scenario's own random operations
  late,          // at a load or an atomic without acquire: 0 performed now, 1 later
  fail,          // at a store exclusive: 0 it succeeds if it can, 1 it fails
  forward,       // searching, at a load of a word with an own held store: 0 forwarded, 1 reads the memory later
  guess,         // searching, at a compare and swap: 0 it will succeed, 1 it will fail
  transition,    // searching, when no CPU can go on: which pending access is performed
  count
};
constexpr std::size_t choice_kinds = static_cast<std::size_t>(Choice::count);
constexpr std::array<std::string_view, choice_kinds> choice_names{
    "schedule", "preempt", "preempt-sync", "delay",   "commit", "flush",     "stale",
    "client",   "late",    "fail",         "forward", "guess",  "transition"};

// One answer other than 0. `ordinal` counts the questions of that kind, from 0.
struct Deviation {
  Choice kind;
  std::uint32_t ordinal;
  std::uint32_t answer;
};

// Decides. It is asked only where it wants to be: `skip` tells how many further questions of the kind are answered 0.
class Strategy {
 public:
  static constexpr std::uint32_t never = std::numeric_limits<std::uint32_t>::max();
  struct Answer {
    std::uint32_t answer;  // below n
    std::uint32_t skip;
  };
  virtual ~Strategy() = default;
  virtual Answer decide(Choice kind, std::uint32_t n) = 0;
};

class Chooser {
 public:
  // Starts an execution. skips: how many questions of each kind come before the first that the strategy wants.
  void begin(Strategy* strategy, const std::array<std::uint32_t, choice_kinds>& skips) {
    strategy_ = strategy;
    skip_ = skip_from_ = skips;
    before_ = {};
    deviations_.clear();
  }

  // Is the next question of this kind one that the strategy wants? If not, its answer is 0 and it is over.
  bool due(Choice kind) {
    std::uint32_t& skip = skip_[static_cast<std::size_t>(kind)];
    if (skip != 0) [[likely]] {
      --skip;
      return false;
    }
    return true;
  }
  // The answer to a question that is due.
  std::uint32_t ask(Choice kind, std::uint32_t n) {
    const auto k = static_cast<std::size_t>(kind);
    const std::uint32_t ordinal = before_[k] + skip_from_[k];
    const Strategy::Answer a = strategy_->decide(kind, n);
    skip_[k] = skip_from_[k] = a.skip;
    before_[k] = ordinal + 1;
    if (a.answer != 0) deviations_.push_back({kind, ordinal, a.answer});
    return a.answer;
  }
  std::uint32_t choose(Choice kind, std::uint32_t n) { return due(kind) ? ask(kind, n) : 0; }

  // How many questions of this kind there were.
  std::uint32_t asked(Choice kind) const {
    const auto k = static_cast<std::size_t>(kind);
    return before_[k] + (skip_from_[k] - skip_[k]);
  }
  const std::vector<Deviation>& deviations() const { return deviations_; }

 private:
  using Counters = std::array<std::uint32_t, choice_kinds>;
  Counters skip_{};       // questions left to answer with 0
  Counters skip_from_{};  // what skip_ started from
  Counters before_{};     // questions before that
  Strategy* strategy_ = nullptr;
  std::vector<Deviation> deviations_;
};

}  // namespace race
