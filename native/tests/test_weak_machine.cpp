// The classic shapes on the weak machine: what each model must reach, and what each ordering must forbid.
#include <doctest/doctest.h>

#include "bench/seed_program.hpp"
#include "tests/small_program.hpp"

using namespace race;
using namespace race::test;
using weak::Model;

TEST_SUITE_BEGIN("weak");

namespace {

constexpr std::size_t x = 0, y = 1;

// Does some execution end with these registers?
bool reaches(const std::set<Registers>& all, const Registers& registers) {
  for (const Registers& r : all)
    if (std::equal(registers.begin(), registers.end(), r.begin())) return true;
  return false;
}

struct Mp {
  Order write = Order::plain, read = Order::plain;
  bool dmb_st = false, dmb_ld = false, address = false, ctrl_isb = false, ctrl = false;
};

// Message passing: data x, flag y. {1, 0} is the weak outcome.
SmallProgram mp(const Mp& o) {
  return {{0, 0},
          2,
          {[o](Words m, Registers&) {
             m[x].store(1);
             if (o.dmb_st) M::fence(Fence::ishst);
             o.write == Order::plain ? m[y].store(1) : m[y].store(1, o.write);
           },
           [o](Words m, Registers& r) {
             const auto flag = o.read == Order::plain ? m[y].load() : m[y].load(o.read);
             if (o.dmb_ld) M::fence(Fence::ishld);
             if (o.ctrl || o.ctrl_isb) {
               if (!flag) return;
               if (o.ctrl_isb) M::isb();
             }
             const auto data = m[o.address ? M::cast<std::uint64_t>(x + flag * 0u) : M::cast<std::uint64_t>(x)].load();
             r = {M::known(flag), M::known(data)};
           }}};
}

bool mp_weak(const Mp& o, Model model = Model::armv8) { return reaches(outcomes(mp(o), model), {1, 0}); }

SmallProgram sb(bool fences) {
  const auto side = [fences](std::size_t mine, std::size_t other, std::size_t reg) {
    return [=](Words m, Registers& r) {
      m[mine].store(1);
      if (fences) M::fence(Fence::ish);
      r[reg] = M::known(m[other].load());
    };
  };
  return {{0, 0}, 2, {side(x, y, 0), side(y, x, 1)}};
}

}  // namespace

TEST_CASE("message passing: each missing ordering shows, each sufficient pair forbids") {
  const Mp release_acquire{.write = Order::release, .read = Order::acquire};
  CHECK(mp_weak({}));
  CHECK(mp_weak({.read = Order::acquire}));
  CHECK(mp_weak({.write = Order::release}));
  CHECK(mp_weak({.dmb_st = true}));
  CHECK(mp_weak({.dmb_ld = true}));
  CHECK_FALSE(mp_weak(release_acquire));
  CHECK_FALSE(mp_weak({.dmb_st = true, .dmb_ld = true}));
  CHECK_FALSE(mp_weak({.write = Order::release, .address = true}));
  CHECK_FALSE(mp_weak({.dmb_st = true, .address = true}));
  CHECK(mp_weak({.address = true}));                        // the writer's stores are still free
  CHECK(mp_weak({.write = Order::release, .ctrl = true}));  // a branch does not order loads
  CHECK_FALSE(mp_weak({.write = Order::release, .ctrl_isb = true}));
}

TEST_CASE("message passing never shows under tso and sc") {
  CHECK_FALSE(mp_weak({}, Model::tso));
  CHECK_FALSE(mp_weak({}, Model::sc));
}

TEST_CASE("store buffering shows under armv8 and tso, not under sc, and dmb ish forbids it") {
  CHECK(reaches(outcomes(sb(false), Model::armv8), {0, 0}));
  CHECK(reaches(outcomes(sb(false), Model::tso), {0, 0}));
  CHECK_FALSE(reaches(outcomes(sb(false), Model::sc), {0, 0}));
  CHECK_FALSE(reaches(outcomes(sb(true), Model::armv8), {0, 0}));
}

TEST_CASE("STLR then LDAR of another word is not store buffering (RCsc)") {
  const auto side = [](std::size_t mine, std::size_t other, std::size_t reg) {
    return [=](Words m, Registers& r) {
      m[mine].store(1, Order::release);
      r[reg] = M::known(m[other].load(Order::acquire));
    };
  };
  CHECK_FALSE(reaches(outcomes(SmallProgram({0, 0}, 2, {side(x, y, 0), side(y, x, 1)})), {0, 0}));
}

TEST_CASE("coherence: two reads of one word never go back in time") {
  const SmallProgram corr({0}, 2,
                          {[](Words m, Registers&) {
                             m[x].store(1);
                             m[x].store(2);
                           },
                           [](Words m, Registers& r) {
                             r[0] = M::known(m[x].load());
                             r[1] = M::known(m[x].load());
                           }});
  for (const Registers& r : outcomes(corr)) {
    CHECK(r[0] <= r[1]);
    CHECK(r[2] == 2);
  }
}

TEST_CASE("2+2W: stores to different words commit in any order, dmb ishst keeps it") {
  const auto program = [](bool fence) {
    const auto side = [fence](std::size_t a, std::size_t b) {
      return [=](Words m, Registers&) {
        m[a].store(1);
        if (fence) M::fence(Fence::ishst);
        m[b].store(2);
      };
    };
    return SmallProgram({0, 0}, 0, {side(x, y), side(y, x)});
  };
  CHECK(outcomes(program(false)).contains({1, 1}));
  CHECK_FALSE(outcomes(program(true)).contains({1, 1}));
}

TEST_CASE("IRIW with acquire loads is forbidden: the machine is multi-copy atomic") {
  const auto reader = [](std::size_t a, std::size_t b, std::size_t reg) {
    return [=](Words m, Registers& r) {
      r[reg] = M::known(m[a].load(Order::acquire));
      r[reg + 1] = M::known(m[b].load(Order::acquire));
    };
  };
  const SmallProgram iriw({0, 0}, 4,
                          {[](Words m, Registers&) { m[x].store(1); }, [](Words m, Registers&) { m[y].store(1); },
                           reader(x, y, 0), reader(y, x, 2)});
  CHECK_FALSE(reaches(outcomes(iriw), {1, 0, 1, 0}));
}

TEST_CASE("atomics lose no update, whatever the ordering") {
  const auto add = [](Words m, Registers&) {
    for (int i = 0; i < 3; ++i) m[x].fetch_add(1, Order::plain);
  };
  for (const Registers& r : outcomes(SmallProgram({0}, 0, {add, add, add}))) CHECK(r[0] == 9);
}

TEST_CASE("the reduced seed program: off shows the poison, on and either half alone as they must") {
  const auto found = [](SeedProgram::Options o, std::uint64_t executions, Model model = Model::armv8) {
    SeedProgram program(o);
    weak::Machine machine(model, 4096);
    WeakEngine engine(machine, program);
    REQUIRE_FALSE(engine.prepare(1).failed);
    RandomStrategy strategy(1, engine.extent());
    for (std::uint64_t k = 0; k < executions; ++k)
      if (engine.run(strategy, strategy.begin(k)).failed) return true;
    return false;
  };
  CHECK(found({.acquire = false, .release = false}, 10'000));
  CHECK(found({.release = false}, 10'000));
  CHECK(found({.acquire = false}, 100'000));
  CHECK_FALSE(found({}, 100'000));
  CHECK_FALSE(found({.acquire = false, .release = false}, 20'000, Model::tso));
  CHECK_FALSE(found({.acquire = false, .release = false}, 20'000, Model::sc));
  for (const std::uint32_t words : {8u, 64u, 512u})
    CHECK(found({.words = words, .acquire = false, .release = false, .tries = 3}, 10'000));
}

TEST_CASE("deadlock, livelock and wild accesses are findings") {
  const auto oracle_of = [](SmallProgram program) {
    weak::Machine machine(Model::armv8, 4096);
    WeakEngine engine(machine, program, 10'000);
    const Outcome o = engine.prepare(1);
    return o.failed ? o.fault.oracle : Oracle::count;
  };
  const auto wait = [](Words m, Registers&) { m[x].await([](auto v) { return v == 1u; }, Order::plain); };
  const auto release = [](Words m, Registers&) { m[x].store(1); };
  CHECK(oracle_of(SmallProgram({0}, 0, {wait, wait})) == Oracle::deadlock);
  CHECK(oracle_of(SmallProgram({0}, 0, {wait, release})) == Oracle::count);
  CHECK(oracle_of(SmallProgram({0}, 0, {[](Words m, Registers&) {
                                 while (m[x].load() == 0u) {
                                 }
                               }})) == Oracle::livelock);
  CHECK(oracle_of(SmallProgram({0}, 0, {[](Words m, Registers&) { m[1].load(); }})) == Oracle::oops);
  CHECK(oracle_of(SmallProgram({0}, 0, {[](Words, Registers&) { Words(nullptr)[0].store(1); }})) == Oracle::oops);
}

TEST_CASE("what a program throws on its fibre comes out of the engine, which runs on") {
  struct Throws final : Workload {
    bool now = false;
    unsigned cpus() const override { return 2; }
    void set_up() override { words = M::allocate_array<Word>("x", 1); }
    void thread(unsigned cpu) override {
      M::function here{"thread"};
      words[0].store(cpu);
      if (now && cpu == 1) throw std::bad_alloc();
      words[0].load();
    }
    Words words;
  } program;
  weak::Machine machine(Model::armv8, 4096);
  WeakEngine engine(machine, program);
  REQUIRE_FALSE(engine.prepare(1).failed);
  RandomStrategy strategy(1, engine.extent());
  for (std::uint64_t k = 0; k < 50; ++k) {
    program.now = true;
    CHECK_THROWS_AS(engine.run(strategy, strategy.begin(k)), std::bad_alloc);
    program.now = false;
    CHECK_FALSE(engine.run(strategy, strategy.begin(k)).failed);
  }
}

TEST_CASE("the same seed and number give the same execution, whatever ran before") {
  SeedProgram program({.acquire = false, .release = false});
  weak::Machine machine(Model::armv8, 4096);
  WeakEngine engine(machine, program);
  engine.prepare(1);
  RandomStrategy strategy(7, engine.extent());
  const auto fingerprint = [&](std::uint64_t k) {
    const Outcome o = engine.run(strategy, strategy.begin(k));
    std::vector<std::uint64_t> f{o.failed, machine.now(), machine.accesses()};
    for (const Deviation& d : machine.chooser.deviations())
      f.insert(f.end(), {static_cast<std::uint64_t>(d.kind), d.ordinal, d.answer});
    return f;
  };
  std::vector<std::vector<std::uint64_t>> forward;
  for (std::uint64_t k = 0; k < 500; ++k) forward.push_back(fingerprint(k));
  for (std::uint64_t k = 500; k-- > 0;) CHECK(fingerprint(k) == forward[k]);
}

TEST_SUITE_END();
