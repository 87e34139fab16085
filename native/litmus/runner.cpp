#include "litmus/runner.hpp"

#include <algorithm>
#include <stdexcept>

namespace race::litmus {

namespace {

// An execution of a test with loops may be unlucky for ever: its state is then not counted.
constexpr std::uint64_t step_limit = 20'000;

// A few words: a call of memcmp would take longer.
bool same(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::uint64_t differs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differs |= a[i] ^ b[i];
  return differs == 0;
}

}  // namespace

// Exclusives may fail at any time, what a CAS writes may not depend on what it reads, and a loop may go on for ever: for these
// there is the search over states.
bool has_graph(const Program& program) {
  for (const Thread& t : program.threads)
    for (std::size_t pc = 0; pc < t.code.size(); ++pc) {
      const Instruction& in = t.code[pc];
      if (in.op == Op::load_exclusive || in.op == Op::store_exclusive || in.op == Op::compare_swap) return false;
      if (in.op == Op::branch && in.target <= pc) return false;
    }
  return true;
}

Runner::Runner(Program program) : program_(std::move(program)), machine_(program_.model, 1024), interpreter_(program_) {
  if (program_.by_orders && has_graph(program_)) {
    graph_ = std::make_unique<GraphSearch>(machine_, interpreter_);
    graph_->reduce_by(program_.reductions);
    graph_->shuffle(program_.order);
    return;
  }
  if (program_.exhaustive) {
    exhaustive_ = std::make_unique<ExhaustiveEngine>(machine_, interpreter_);
    return;
  }
  weak_ = std::make_unique<WeakEngine>(machine_, interpreter_, step_limit);
  if (const Outcome o = weak_->prepare(program_.seed); o.failed && o.fault.oracle != Oracle::livelock) broken(o);
  strategy_ = std::make_unique<RandomStrategy>(program_.seed, weak_->extent());
}

void Runner::broken(const Outcome& o) const {
  throw std::invalid_argument("P" + std::to_string(o.cpu) + ": " + o.fault.what);
}

std::uint64_t Runner::run(std::uint64_t first, std::uint64_t count) {
  cancelled_.store(false, std::memory_order_relaxed);
  std::uint64_t done = 0;
  for (; done < count && !cancelled_.load(std::memory_order_relaxed) && !complete(); ++done) {
    const Outcome o = graph_ != nullptr ? explore()
                      : exhaustive_     ? exhaustive_->run()
                                        : weak_->run(*strategy_, strategy_->begin(first + done));
    if (graph_ == nullptr || !o.abandoned) ++executions_;
    if (o.failed && o.fault.oracle != Oracle::livelock) broken(o);
    if (!o.failed && !o.abandoned) record();
  }
  return done;
}

Outcome Runner::explore() {
  const GraphSearch::Result r = graph_->run();
  Outcome o = graph_->outcome();
  o.abandoned = r == GraphSearch::Result::redundant;
  return o;
}

void Runner::record() {
  interpreter_.observe(values_);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (!same(states_[i].values, values_)) continue;
    ++states_[i].count;
    if (i != 0) std::swap(states_[i - 1], states_[i]);  // the common ones come first
    return;
  }
  states_.push_back({values_, 1});
}

int Runner::location(std::uint64_t address) const {
  for (unsigned i = 0; i < program_.locations.size(); ++i)
    if (interpreter_.address(i) == address) return static_cast<int>(i);
  return -1;
}

}  // namespace race::litmus
