// make bench: how fast the simulated machine is. Prints figures; asserts nothing.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "bench/freeobj_corruption.hpp"
#include "bench/seed_program.hpp"
#include "capi/litmus_program.hpp"
#include "engine/campaign.hpp"
#include "engine/graph_search.hpp"
#include "litmus/runner.hpp"

namespace {

using namespace race;
using Clock = std::chrono::steady_clock;

constexpr int slices = 7;
constexpr double slice_seconds = 0.25;

struct Speed {
  double executions = 0;   // a second, the median of the slices
  double nanoseconds = 0;  // an access, in that slice
  double found = 0;        // share of executions
};

// batch(n) runs n executions and returns {accesses, findings}.
template <class F>
Speed measure(std::uint64_t at_once, F batch) {
  batch(at_once);  // warm up
  std::vector<Speed> all;
  for (int s = 0; s < slices; ++s) {
    std::uint64_t executions = 0, accesses = 0, findings = 0;
    const auto began = Clock::now();
    double seconds = 0;
    do {
      const auto [a, f] = batch(at_once);
      executions += at_once;
      accesses += a;
      findings += f;
      seconds = std::chrono::duration<double>(Clock::now() - began).count();
    } while (seconds < slice_seconds);
    all.push_back({static_cast<double>(executions) / seconds, seconds * 1e9 / static_cast<double>(accesses),
                   static_cast<double>(findings) / static_cast<double>(executions)});
  }
  std::sort(all.begin(), all.end(), [](const Speed& a, const Speed& b) { return a.executions < b.executions; });
  return all[slices / 2];
}

long peak_kib() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return use.ru_maxrss;
}

void scenario() {
  std::printf("freeobj-corruption, one core, findings counted but not explained\n");
  std::printf("  %-6s %-5s %16s %12s %10s\n", "page", "plan", "executions/s", "ns/access", "found");
  for (const std::uint32_t page : {4096u, 1024u, 256u})
    for (const bool on : {true, false}) {
      Plan plan = freeobj_corruption(page, on);
      plan.max_findings = 0;
      Campaign c(plan);
      std::uint64_t next = 0;
      const Speed s = measure(500, [&](std::uint64_t n) {
        const auto found = [&c] {
          std::uint64_t sum = 0;
          for (std::size_t o = 0; o < oracles.size(); ++o) sum += c.count(static_cast<Oracle>(o));
          return sum;
        };
        const std::uint64_t accesses = c.accesses(), before = found();
        c.run(next, n);
        next += n;
        return std::pair{c.accesses() - accesses, found() - before};
      });
      std::printf("  %-6u %-5s %16.0f %12.1f %9.3f%%\n", page, on ? "on" : "off", s.executions, s.nanoseconds,
                  100 * s.found);
    }
}

void seed_program() {
  // Executions a second, plan on, of the random scheduler of an established race simulator for C++, on two cores of the same
  // kind of machine.
  struct Reference {
    std::uint32_t words;
    unsigned allocators;
    double rate;
  };
  constexpr Reference references[] = {{8, 1, 331e3}, {8, 2, 262e3},    {64, 1, 88e3},
                                      {64, 2, 68e3}, {512, 1, 11.8e3}, {512, 2, 8.3e3}};
  std::printf("\nreduced seed program (W words, m allocators), one core\n");
  std::printf("  %-4s %-2s %-5s %16s %12s %10s %22s\n", "W", "m", "plan", "executions/s", "ns/access", "found",
              "ratio to a reference");
  for (const Reference& r : references)
    for (const bool on : {true, false}) {
      SeedProgram program({.words = r.words, .allocators = r.allocators, .acquire = on, .release = on});
      weak::Machine machine(weak::Model::armv8, 1u << 14);
      WeakEngine engine(machine, program);
      engine.prepare(1);
      RandomStrategy strategy(1, engine.extent());
      std::uint64_t next = 0;
      const Speed s = measure(1000, [&](std::uint64_t n) {
        std::uint64_t accesses = 0, found = 0;
        for (std::uint64_t i = 0; i < n; ++i) {
          found += engine.run(strategy, strategy.begin(next++)).failed ? 1 : 0;
          accesses += machine.accesses();
        }
        return std::pair{accesses, found};
      });
      std::printf("  %-4u %-2u %-5s %16.0f %12.1f %9.3f%% ", r.words, r.allocators, on ? "on" : "off", s.executions,
                  s.nanoseconds, 100 * s.found);
      if (on)
        std::printf("%15.1f x %.0f\n", s.executions / r.rate, r.rate);
      else
        std::printf("\n");
    }
}

// Message passing, as `race litmus` hands it over.
constexpr const char* mp = R"({"model": "armv8", "engine": "weak", "seed": 1,
  "locations": [{"name": "x", "value": 0, "bits": 32}, {"name": "y", "value": 0, "bits": 32}],
  "threads": [
    {"registers": {"0": 1, "1": {"location": 0}, "3": {"location": 1}}, "code": [
      {"op": "store", "s": 0, "n": 1, "w": true, "order": "plain"},
      {"op": "store", "s": 0, "n": 3, "w": true, "order": "plain"}]},
    {"registers": {"1": {"location": 0}, "3": {"location": 1}}, "code": [
      {"op": "load", "d": 0, "n": 3, "w": true, "order": "plain", "exclusive": false},
      {"op": "load", "d": 2, "n": 1, "w": true, "order": "plain", "exclusive": false}]}],
  "observe": [{"thread": 1, "register": 0}, {"thread": 1, "register": 2}]})";

void litmus_test() {
  constexpr double reference = 3.3e6;  // of the same simulator
  litmus::Runner runner(parse_litmus(mp));
  std::uint64_t next = 0;
  const Speed s = measure(10'000, [&](std::uint64_t n) {
    runner.run(next, n);
    next += n;
    return std::pair{4 * n, std::uint64_t{0}};
  });
  std::uint64_t weak = 0;
  for (const litmus::State& state : runner.states())
    if (state.values == std::vector<std::uint64_t>{1, 0}) weak = state.count;
  std::printf("\nlitmus test MP, weak engine, one core\n  %.0f executions/s, %.1f x %.0f; 1:X0=1 1:X2=0 in %.3f%%\n",
              s.executions, s.executions / reference, reference,
              100 * static_cast<double>(weak) / static_cast<double>(runner.executions()));
}

void preemption() {
  std::printf(
      "\nneeds a preemption: three attempts at the lock, one allocator, plan off: executions to the first finding,\n"
      "for 5 seeds\n");
  for (const std::uint32_t words : {8u, 64u, 512u}) {
    std::printf("  W = %-4u", words);
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      SeedProgram program({.words = words, .acquire = false, .release = false, .tries = 3});
      weak::Machine machine(weak::Model::armv8, 1u << 14);
      WeakEngine engine(machine, program);
      engine.prepare(seed);
      RandomStrategy strategy(seed, engine.extent());
      std::uint64_t k = 0;
      while (k < 1'000'000 && !engine.run(strategy, strategy.begin(k)).failed) ++k;
      std::printf(" %8llu", static_cast<unsigned long long>(k) + 1);
    }
    std::printf("\n");
  }
}

// Executions and seconds of an established stateless model checker (C11 model), the same program, another machine of the kind;
// its start-up, 0.04 s, is not in them.
void exhaustive() {
  struct Reference {
    std::uint32_t words;
    unsigned allocators;
    double seconds;  // 0: not measured
  };
  constexpr Reference references[] = {{8, 1, 0.02}, {8, 2, 0.01}, {8, 3, 0},      {8, 4, 0},
                                      {8, 5, 0},    {8, 6, 0.89}, {512, 1, 0.16}, {512, 2, 0.25}};
  std::printf("\nevery execution of the reduced seed program, one core\n");
  std::printf("  %-4s %-2s %-12s %11s %10s %12s %14s %22s\n", "W", "m", "plan", "executions", "redundant", "seconds",
              "executions/s", "ratio to a reference");
  for (const Reference& r : references)
    for (const int plan : {0, 1, 2}) {  // on, no release, no acquire
      SeedProgram program({.words = r.words, .allocators = r.allocators, .acquire = plan != 2, .release = plan != 1});
      weak::Machine machine(weak::Model::armv8, 1u << 14);
      GraphSearch search(machine, program);
      std::uint64_t executions = 0, redundant = 0;
      bool failed = false;
      const auto began = Clock::now();
      while (!search.complete() && !failed) {
        const GraphSearch::Result result = search.run();
        failed = result == GraphSearch::Result::failed;
        (result == GraphSearch::Result::redundant ? redundant : executions) += 1;
      }
      const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
      constexpr const char* names[] = {"on", "no release", "no acquire"};
      const double rate = static_cast<double>(executions) / seconds;
      std::printf("  %-4u %-2u %-12s %11llu %10llu %12.6f %14.0f ", r.words, r.allocators, names[plan],
                  static_cast<unsigned long long>(executions), static_cast<unsigned long long>(redundant), seconds,
                  rate);
      if (failed)
        std::printf("refuted\n");
      else if (r.seconds != 0)
        std::printf("%13.1f x %.0f\n", r.seconds / seconds, static_cast<double>(executions) / r.seconds);
      else
        std::printf("\n");
    }
}

// The allocator itself. What is explored, and what is not yet, stands in docs/exhaustive.md.
void allocator() {
  std::printf("\nevery execution of freeobj-corruption, one core, at most 20,000 runs\n");
  std::printf("  %-6s %-40s %11s %10s %12s  %s\n", "page", "plan", "executions", "redundant", "seconds", "end");
  for (const std::uint32_t page : {256u, 4096u})
    for (const char* weakened :
         {"", "zs_page_migrate.class.unlock", "zs_malloc.class.lock", "zs_page_migrate.zspage.", "pin", "*"}) {
      Plan plan = freeobj_corruption(page, weakened[0] != '*');
      for (std::size_t i = 1; i < sites().all().size(); ++i)
        if (weakened[0] != 0 && sites().all()[i].name.find(weakened) != std::string_view::npos)
          plan.barriers.set(static_cast<SiteId>(i), Strength::none);
      weak::Machine machine(weak::Model::armv8, Scenario::words_needed(plan));
      Scenario scenario(plan);
      GraphSearch search(machine, scenario);
      machine.plan = BarrierPlan::arm64();
      std::uint64_t executions = 0, redundant = 0;
      GraphSearch::Result result{};
      machine.judged = plan.oracles;
      const auto began = Clock::now();
      while (!search.complete() && executions + redundant < 20'000) {
        machine.plan = plan.barriers;
        result = search.run();
        if (result == GraphSearch::Result::failed) break;
        (result == GraphSearch::Result::redundant ? redundant : executions) += 1;
      }
      std::printf("  %-6u %-40s %11llu %10llu %12.6f  %s\n", page, weakened[0] == 0 ? "on" : weakened,
                  static_cast<unsigned long long>(executions), static_cast<unsigned long long>(redundant),
                  std::chrono::duration<double>(Clock::now() - began).count(),
                  result == GraphSearch::Result::failed ? search.outcome().fault.what
                  : search.complete()                   ? "every execution"
                                                        : "not finished");
    }
}

void memory() {
  Plan plan = freeobj_corruption(256, false);
  Campaign c(plan);
  c.run(0, 10'000);
  const long after_ten_thousand = peak_kib();
  c.run(10'000, 990'000);
  std::printf("\nmemory: peak %ld KiB after 10,000 executions, %ld KiB after 1,000,000 (256-byte pages, plan off)\n",
              after_ten_thousand, peak_kib());
}

}  // namespace

// race-bench [PART...]
int main(int count, char** arguments) {
  const std::pair<const char*, void (*)()> parts[] = {
      {"scenario", scenario},     {"seed-program", seed_program}, {"preemption", preemption}, {"litmus", litmus_test},
      {"exhaustive", exhaustive}, {"allocator", allocator},       {"memory", memory}};
  for (const auto& [name, run] : parts) {
    bool wanted = count < 2;
    for (int i = 1; i < count; ++i) wanted = wanted || std::strcmp(arguments[i], name) == 0;
    if (wanted) run();
  }
}
