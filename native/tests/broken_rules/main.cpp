// race-broken-rules [OPTION...]: litmus programs as JSON, a line each, from standard input; their final states, found by the
// exhaustive engine, a line of JSON each. Options: a rule of the machine, which then does not hold (memory/weak/rules.hpp); a
// mistake, which the search over orders then makes (memory/weak/mistakes.hpp); a reduction of that search, which is then
// switched off (engine/reductions.hpp).
// With --locks in the place of programs: how many executions the seed program with two allocators has.
// With --list: the names of the rules; with --list-mistakes: of the mistakes.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "bench/seed_program.hpp"
#include "capi/litmus_program.hpp"
#include "litmus/runner.hpp"
#include "memory/weak/mistakes.hpp"
#include "memory/weak/rules.hpp"

namespace {

using namespace race;

template <class Names>
void print(const Names& names) {
  for (const std::string_view name : names) std::printf("%s\n", std::string(name).c_str());
}

// The place of a name, or Kind::count.
template <class Kind, class Names>
Kind named(std::string_view name, const Names& names) {
  return static_cast<Kind>(std::find(names.begin(), names.end(), name) - names.begin());
}

bool take(std::string_view option, Reductions& reductions) {
  if (const auto rule = named<weak::Rule>(option, weak::rule_names); rule != weak::Rule::count) {
    weak::broken = rule;
  } else if (const auto m = named<weak::Mistake>(option, weak::mistake_names); m != weak::Mistake::count) {
    weak::made = m;
  } else if (option == "sleep-sets") {
    reductions.sleep_sets = false;
  } else if (option == "source-sets") {
    reductions.source_sets = false;
  } else if (option == "writes-commute") {
    reductions.writes_commute = false;
  } else {
    return false;
  }
  return true;
}

void count_executions(const Reductions& reductions) {
  SeedProgram program({.words = 2, .allocators = 2});
  weak::Machine machine(weak::Model::armv8, 1024);
  GraphSearch search(machine, program);
  search.reduce_by(reductions);
  std::uint64_t executions = 0, runs = 0;
  for (; !search.complete(); ++runs) executions += search.run() == GraphSearch::Result::execution ? 1 : 0;
  std::printf("%s\n", nlohmann::ordered_json{{"executions", executions}, {"runs", runs}}.dump().c_str());
}

}  // namespace

int main(int count, char** arguments) {
  Reductions reductions;
  bool locks = false;
  for (int k = 1; k < count; ++k) {
    const std::string_view option = arguments[k];
    if (option == "--list") return print(weak::rule_names), 0;
    if (option == "--list-mistakes") return print(weak::mistake_names), 0;
    locks = locks || option == "--locks";
    if (option == "--locks" || take(option, reductions)) continue;
    std::fprintf(stderr, "there is no rule, mistake or reduction %s\n", arguments[k]);
    return 2;
  }
  if (locks) return count_executions(reductions), 0;
  for (std::string line; std::getline(std::cin, line);) {
    litmus::Program program = parse_litmus(line);
    program.reductions = reductions;
    litmus::Runner runner(std::move(program));
    nlohmann::ordered_json result;
    std::uint64_t runs = 0;
    try {
      runs = runner.run(0, 1'000'000);
    } catch (const std::logic_error& e) {  // the search itself sees that it went wrong
      result["error"] = e.what();
    }
    nlohmann::ordered_json states = nlohmann::ordered_json::array();
    for (const litmus::State& s : runner.states()) states.push_back(s.values);
    result["complete"] = runner.complete();
    result["states"] = states;
    result["executions"] = runner.executions();
    result["runs"] = runs;
    std::printf("%s\n", result.dump().c_str());
  }
}
