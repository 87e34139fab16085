// race-retell: litmus programs as JSON, a line each, from standard input. Every execution of each is explored on a graph and then told to
// the random machine, which has to come to the same final state, and again from the deviations alone. A line of JSON for each: how
// many executions there are, how many were told, and what kept the first of the others from it.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "capi/litmus_program.hpp"
#include "engine/graph_search.hpp"
#include "engine/graph_strategy.hpp"
#include "engine/replay_strategy.hpp"
#include "litmus/interpreter.hpp"
#include "litmus/runner.hpp"

namespace {

using namespace race;
using Values = std::vector<std::uint64_t>;

class Teller {
 public:
  explicit Teller(const litmus::Program& program)
      : explored_(program), told_(program), graph_machine_(program.model, 1024), machine_(program.model, 1024),
        search_(graph_machine_, explored_), engine_(machine_, told_) {
    engine_.prepare(program.seed);
  }

  nlohmann::ordered_json run() {
    while (!search_.complete()) {
      const GraphSearch::Result r = search_.run();
      if (r == GraphSearch::Result::redundant) continue;
      ++executions_;
      Values wanted;
      explored_.observe(wanted);
      if (r == GraphSearch::Result::failed) wanted.clear();
      tell(search_.execution(), wanted);
    }
    return {{"executions", executions_}, {"told", told_count_}, {"ways", ways_}, {"first", first_}};
  }

 private:
  void tell(const GraphExecution& execution, const Values& wanted) {
    std::string why;
    for (unsigned n = 0; n < GraphStrategy::ways; ++n) {
      const Steered s = steer(machine_, engine_, execution, GraphStrategy::way(n));
      if (!s.astray.empty()) {
        if (why.empty()) why = s.astray;
        continue;
      }
      Values values;
      told_.observe(values);
      if (values != wanted) {
        why = "another final state";
        continue;
      }
      ReplayStrategy again(s.deviations);
      engine_.run(again, again.begin());
      told_.observe(values);
      if (again.misfit() || values != wanted) {
        why = "its deviations give another execution";
        continue;
      }
      ++told_count_;
      if (n >= ways_) ways_ = n + 1;
      return;
    }
    if (first_.empty()) first_ = "execution " + std::to_string(executions_) + ": " + why;
  }

  litmus::Interpreter explored_, told_;
  weak::Machine graph_machine_, machine_;
  GraphSearch search_;
  WeakEngine engine_;
  std::uint64_t executions_ = 0, told_count_ = 0;
  unsigned ways_ = 0;  // that were needed
  std::string first_;
};

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const litmus::Program program = parse_litmus(line);
    const nlohmann::ordered_json told =
        litmus::has_graph(program) ? Teller(program).run() : nlohmann::ordered_json(nullptr);
    std::printf("%s\n", told.dump().c_str());
  }
}
