// A litmus-sized program for tests: a few words, a function for each CPU, and the set of outcomes that executions reach.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "engine/weak_engine.hpp"
#include "memory/weak/types.hpp"

namespace race::test {

using M = weak::machine;
using Word = M::shared<std::uint64_t>;
using Words = M::ptr<Word>;
using Registers = std::vector<std::uint64_t>;

class SmallProgram final : public Workload {
 public:
  using Thread = std::function<void(Words, Registers&)>;
  // words: initial values; registers: how many each outcome has.
  SmallProgram(std::vector<std::uint64_t> words, std::size_t registers, std::vector<Thread> threads)
      : initial_(std::move(words)), threads_(std::move(threads)), registers_(registers) {}

  unsigned cpus() const override { return static_cast<unsigned>(threads_.size()); }
  void set_up() override {
    memory_ = M::allocate_array<Word>("x", initial_.size());
    for (std::size_t i = 0; i < initial_.size(); ++i) memory_[i].store(initial_[i]);
  }
  void begin(weak::Machine&) override { std::fill(registers_.begin(), registers_.end(), 0); }
  void thread(unsigned cpu) override { threads_[cpu](memory_, registers_); }
  bool has_finish() const override { return true; }
  void finish() override {
    final_ = registers_;
    for (std::size_t i = 0; i < initial_.size(); ++i) final_.push_back(M::peek(memory_[i]));
  }
  // Registers, then the final words.
  const Registers& final() const { return final_; }

 private:
  std::vector<std::uint64_t> initial_;
  std::vector<Thread> threads_;
  Registers registers_, final_;
  Words memory_;
};

// The outcomes of `executions` random executions; only the registers.
inline std::set<Registers> outcomes(SmallProgram program, weak::Model model = weak::Model::armv8,
                                    std::uint64_t executions = 20'000) {
  weak::Machine machine(model, 4096);
  WeakEngine engine(machine, program);
  engine.prepare(1);
  RandomStrategy strategy(1, engine.extent());
  std::set<Registers> reached;
  Registers registers;
  for (std::uint64_t k = 0; k < executions; ++k) {
    const Outcome o = engine.run(strategy, strategy.begin(k));
    if (o.failed) throw std::runtime_error(o.fault.what);
    reached.insert(program.final());
  }
  return reached;
}

}  // namespace race::test
