// Runs the threads of a litmus test on the weak machine, one simulated CPU a thread.
#pragma once

#include <array>

#include "engine/exhaustive_engine.hpp"
#include "litmus/program.hpp"

namespace race::litmus {

class Interpreter final : public SearchedWorkload {
 public:
  explicit Interpreter(const Program& program);

  unsigned cpus() const override { return static_cast<unsigned>(program_.threads.size()); }
  void set_up() override;
  void begin(weak::Machine& machine) override;
  void thread(unsigned cpu) override;
  CpuState state(unsigned cpu) override;

  // After a complete execution: what is observed, in order.
  void observe(std::vector<std::uint64_t>& values);
  std::uint64_t address(unsigned location) const { return memory_ + 8ull * location; }

 private:
  using Loaded = weak::Loaded;
  struct Cpu {
    std::array<Loaded, registers> r{};
    std::uint32_t pc = 0;
  };
  // What is still needed of a CPU's state when it stands before an instruction.
  struct Needs {
    std::uint64_t registers = 0;  // bit mask
    weak::Machine::Relevant views{};
    bool operator==(const Needs&) const = default;
  };
  static Needs analyse_one(const Instruction& in, Needs after);
  void analyse(unsigned thread);
  void find_registers(unsigned thread);
  Loaded address_of(const Cpu& c, const Instruction& in);
  [[gnu::always_inline]] inline void step(Cpu& c, const Instruction& in);
  std::uint64_t value(const Initial& v) const {
    return v.is_location ? address(static_cast<unsigned>(v.value)) : v.value;
  }

  const Program& program_;
  weak::Machine* machine_ = nullptr;
  std::uint64_t memory_ = 0;  // address of location 0
  std::vector<Cpu> cpus_;
  std::vector<std::vector<Needs>> needs_;
  std::vector<std::vector<std::pair<unsigned, std::uint64_t>>> initial_;  // of the registers that each thread names
};

}  // namespace race::litmus
