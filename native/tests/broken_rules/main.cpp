// race-broken-rules [RULE]: litmus programs as JSON, a line each, from standard input; their final states, found by the
// exhaustive engine of a machine on which that rule does not hold, a line of JSON each. Without RULE every rule holds.
// With --list: the names of the rules.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "capi/litmus_program.hpp"
#include "litmus/runner.hpp"

int main(int count, char** arguments) {
  using namespace race;
  const std::string_view rule = count > 1 ? arguments[1] : "";
  for (std::size_t r = 0; r < weak::rule_names.size(); ++r) {
    if (rule == "--list") std::printf("%s\n", std::string(weak::rule_names[r]).c_str());
    if (rule == weak::rule_names[r]) weak::broken = static_cast<weak::Rule>(r);
  }
  if (rule == "--list") return 0;
  if (!rule.empty() && weak::broken == weak::Rule::count) {
    std::fprintf(stderr, "there is no rule %s\n", arguments[1]);
    return 2;
  }
  for (std::string line; std::getline(std::cin, line);) {
    litmus::Runner runner(parse_litmus(line));
    runner.run(0, 1'000'000);
    nlohmann::ordered_json states = nlohmann::ordered_json::array();
    for (const litmus::State& s : runner.states()) states.push_back(s.values);
    std::printf(
        "%s\n",
        nlohmann::ordered_json{{"complete", runner.complete()}, {"states", states}, {"executions", runner.executions()}}
            .dump()
            .c_str());
  }
}
