#include "litmus/interpreter.hpp"

#include "memory/weak/types.hpp"

namespace race::litmus {

using weak::Function;

Interpreter::Interpreter(const Program& program)
    : program_(program),
      cpus_(program.threads.size()),
      needs_(program.threads.size()),
      initial_(program.threads.size()) {
  for (unsigned t = 0; t < cpus(); ++t) {
    analyse(t);
    find_registers(t);
  }
}

void Interpreter::set_up() {
  machine_ = weak::current;
  const auto n = static_cast<std::uint32_t>(program_.locations.size());
  if (n != 0) memory_ = machine_->allocate("location", n, n);
  for (unsigned i = 0; i < n; ++i) machine_->poke(address(i), value(program_.locations[i]));
  for (unsigned t = 0; t < cpus(); ++t)
    for (auto& [r, v] : initial_[t])
      for (const auto& [given, to] : program_.threads[t].registers)
        if (given == r) v = value(to);
}

void Interpreter::begin(weak::Machine&) {
  for (unsigned t = 0; t < cpus_.size(); ++t) {
    Cpu& c = cpus_[t];
    c.pc = 0;
    for (const auto& [r, v] : initial_[t]) c.r[r] = {v, 0, 0};
  }
}

weak::Loaded Interpreter::address_of(const Cpu& c, const Instruction& in) {
  Loaded a = c.r[in.n];
  if (in.m != zero_register && in.op != Op::compare_swap) a = machine_->combine(in.function, a, c.r[in.m]);
  a = machine_->resolve(a);
  a.value += in.imm;
  return a;
}

void Interpreter::step(Cpu& c, const Instruction& in) {
  const auto set = [&c](unsigned r, Loaded v) {
    if (r != zero_register) c.r[r] = v;
  };
  const auto cut = [this, &in](Loaded v) {
    if (!v.pending()) [[likely]] {
      v.value &= in.mask;
      return v;
    }
    if (in.mask == ~0ull) return v;
    return machine_->combine(
        [](std::uint64_t a, std::uint64_t) -> std::uint64_t { return static_cast<std::uint32_t>(a); }, v, {});
  };
  weak::Machine& m = *machine_;
  switch (in.op) {
    case Op::alu: {
      const Loaded second = in.immediate ? Loaded{in.imm, 0, 0} : c.r[in.m];
      const Loaded first = c.r[in.n];
      if (in.flags != nullptr) c.r[flags_register] = m.combine(in.flags, first, second);
      set(in.d, m.combine(in.function, first, second));
      break;
    }
    case Op::branch: {
      bool taken = in.always;
      if (!taken) {
        const Loaded v = m.resolve(m.combine(in.function, c.r[in.n], {in.imm, 0, 0}));
        m.branch(v.view);
        taken = v.value != 0;
      }
      if (taken) {
        const bool back = in.target <= c.pc;
        c.pc = in.target;
        if (back) m.spin();
        return;
      }
      break;
    }
    case Op::load: {
      const Loaded a = address_of(c, in);
      set(in.d, cut(m.load<true>(a.value, a.view, in.order)));
      break;
    }
    case Op::store: {
      const Loaded a = address_of(c, in);
      m.store<true>(a.value, a.view, cut(c.r[in.s]), in.order);
      break;
    }
    case Op::load_exclusive: {
      const Loaded a = address_of(c, in);
      set(in.d, cut(m.load_exclusive(a.value, a.view, in.order)));
      break;
    }
    case Op::store_exclusive: {
      bool done = false;
      if (!m.fail_exclusive()) {
        const Loaded a = address_of(c, in);
        done = m.store_exclusive(a.value, a.view, cut(c.r[in.s]), in.order);
      }
      set(in.d, {done ? 0u : 1u, 0, 0});
      break;
    }
    case Op::atomic: {
      const Loaded a = address_of(c, in);
      weak::Machine::Atomic atomic{in.function, cut(c.r[in.s])};
      atomic.no_return = in.d == zero_register;
      set(in.d, cut(m.atomic(a.value, a.view, in.order, atomic)));
      break;
    }
    case Op::compare_swap: {
      const Loaded a = address_of(c, in);
      weak::Machine::Atomic atomic{nullptr, cut(c.r[in.m])};
      atomic.compare = cut(c.r[in.s]);
      atomic.compare_exchange = atomic.picks = true;
      atomic.no_return = in.s == zero_register;
      set(in.s, cut(m.atomic(a.value, a.view, in.order, atomic)));
      break;
    }
    case Op::fence: m.fence(in.fence); break;
    case Op::isb: m.isb(); break;
  }
  ++c.pc;
}

void Interpreter::thread(unsigned n) {
  const std::vector<Instruction>& code = program_.threads[n].code;
  Cpu& c = cpus_[n];
  while (c.pc < code.size()) step(c, code[c.pc]);
}

void Interpreter::observe(std::vector<std::uint64_t>& values) {
  values.resize(program_.observe.size());
  std::uint64_t* to = values.data();
  for (const Observed& o : program_.observe)
    *to++ =
        o.is_location ? machine_->peek_issued(address(o.index)) : machine_->resolve(cpus_[o.thread].r[o.index]).value;
}

// ---------------------------------------------------------------- what the rest of a thread can still tell apart

Interpreter::Needs Interpreter::analyse_one(const Instruction& in, Needs after) {
  const auto bit = [](unsigned r) { return r == zero_register ? 0 : std::uint64_t{1} << r; };
  Needs n = after;
  std::uint64_t reads = bit(in.n), writes = 0;
  bool access = false;
  switch (in.op) {
    case Op::alu:
      reads |= in.immediate ? 0 : bit(in.m);
      writes = bit(in.d) | (in.flags != nullptr ? bit(flags_register) : 0);
      break;
    case Op::branch: reads = in.always ? 0 : bit(in.n); break;
    case Op::load:
    case Op::load_exclusive:
      access = true;
      reads |= bit(in.m);
      writes = bit(in.d);
      break;
    case Op::store: reads |= bit(in.m) | bit(in.s); break;
    case Op::store_exclusive:
      reads |= bit(in.s);
      writes = bit(in.d);
      break;
    case Op::atomic:
      access = true;
      reads |= bit(in.s);
      writes = bit(in.d);
      break;
    case Op::compare_swap:
      access = true;
      reads |= bit(in.s) | bit(in.m);
      break;
    case Op::fence:
      reads = 0;
      n.views.newest_load |= in.fence != Fence::ishst;
      n.views.own |= in.fence == Fence::ish;
      break;
    case Op::isb:
      reads = 0;
      n.views.control = true;
      break;
  }
  n.registers = (n.registers & ~writes) | reads;
  n.views.load_floor |= access;
  n.views.release |= access && acquires(in.order);
  return n;
}

void Interpreter::analyse(unsigned t) {
  const std::vector<Instruction>& code = program_.threads[t].code;
  std::vector<Needs>& needs = needs_[t];
  needs.assign(code.size() + 1, {});
  for (const Observed& o : program_.observe)
    if (!o.is_location && o.thread == t) needs.back().registers |= std::uint64_t{1} << o.index;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t pc = code.size(); pc-- > 0;) {
      const Instruction& in = code[pc];
      Needs after = in.op == Op::branch && in.always ? needs[in.target] : needs[pc + 1];
      if (in.op == Op::branch) {
        const Needs& target = needs[in.target];
        after.registers |= target.registers;
        after.views.load_floor |= target.views.load_floor;
        after.views.newest_load |= target.views.newest_load;
        after.views.own |= target.views.own;
        after.views.control |= target.views.control;
        after.views.release |= target.views.release;
      }
      const Needs now = analyse_one(in, after);
      changed |= !(now == needs[pc]);
      needs[pc] = now;
    }
  }
}

// The registers that a thread names: the others stay as they are.
void Interpreter::find_registers(unsigned t) {
  std::uint64_t named = needs_[t].front().registers | needs_[t].back().registers;
  for (const Instruction& in : program_.threads[t].code)
    for (const unsigned r : {in.d, in.n, in.m, in.s}) named |= std::uint64_t{1} << r;
  named |= std::uint64_t{1} << flags_register;
  named &= ~(std::uint64_t{1} << zero_register);
  for (unsigned r = 0; r < registers; ++r)
    if ((named >> r & 1) != 0) initial_[t].emplace_back(r, 0);
}

CpuState Interpreter::state(unsigned n) {
  const Cpu& c = cpus_[n];
  const Needs& needs = needs_[n][c.pc];
  CpuState s{c.pc, needs.views, {}};
  for (unsigned r = 0; r < registers; ++r)
    if ((needs.registers >> r & 1) != 0) s.live.push_back(c.r[r]);
  return s;
}

}  // namespace race::litmus
