// race-retell: programs as JSON, a line each, from standard input. Executions of each are explored on a graph and then told to the
// random machine. A line of JSON for each: how many there are, how many were told, and what kept the first of the others from it.
// Of a litmus program every execution is told, which has to come to the same final state, and again from the deviations alone. Of a
// plan, with the argument `plan`, every finding among the first executions.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "capi/litmus_program.hpp"
#include "capi/plan.hpp"
#include "engine/campaign.hpp"
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
      : explored_(program),
        told_(program),
        graph_machine_(program.model, 1024),
        machine_(program.model, 1024),
        search_(graph_machine_, explored_),
        engine_(machine_, told_) {
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

constexpr std::uint64_t step_limit = 5'000;  // a loop may read the same old value for ever

// A scenario whose set-up has the barriers that its plan gives the set-up.
class Explored final : public Workload {
 public:
  Explored(const Plan& plan, weak::Machine& machine) : plan_(plan), machine_(machine), scenario_(plan) {}
  unsigned cpus() const override { return scenario_.cpus(); }
  void set_up() override {
    machine_.plan = plan_.setup_barriers;
    scenario_.set_up();
    machine_.plan = plan_.barriers;
  }
  void begin(weak::Machine& machine) override { scenario_.begin(machine); }
  void thread(unsigned cpu) override { scenario_.thread(cpu); }
  bool has_finish() const override { return true; }
  void finish() override { scenario_.finish(); }

 private:
  const Plan& plan_;
  weak::Machine& machine_;
  Scenario scenario_;
};

nlohmann::ordered_json tell_findings(const Plan& plan, std::uint64_t runs) {
  Campaign campaign(plan);
  weak::Machine machine(plan.model, Scenario::words_needed(plan));
  machine.judged = plan.oracles;
  Explored explored(plan, machine);
  GraphSearch search(machine, explored, step_limit);
  std::uint64_t findings = 0, told = 0;
  std::string first, error;
  std::map<std::string, std::uint64_t> oracles;
  double seconds = 0;
  std::size_t deviations = 0;
  try {
    for (std::uint64_t n = 0; n < runs && !search.complete(); ++n) {
      search.run();
      for (std::size_t k = 0; k < search.findings().size(); ++k) {
        const Oracle oracle = search.findings()[k].fault.oracle;
        if (!plan.enabled(oracle)) continue;
        ++findings;
        ++oracles[std::string(info(oracle).name)];
        const auto began = std::chrono::steady_clock::now();
        const Retold r = campaign.retell(search.execution(k));
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        if (r.finding) {
          ++told;
          deviations = std::max(deviations, r.finding->deviations.size());
        } else if (first.empty()) {
          first = std::string(info(oracle).name) + ": " + r.why;
        }
      }
    }
  } catch (const std::exception& e) {
    error = e.what();
  }
  return {{"findings", findings},
          {"told", told},
          {"first", first},
          {"oracles", oracles},
          {"error", error},
          {"complete", search.complete()},
          {"ms", findings == 0 ? 0 : 1000 * seconds / static_cast<double>(findings)},
          {"deviations", deviations}};
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1 && std::string_view(arguments[1]) == "plan") {
    const std::uint64_t runs = count > 2 ? std::stoull(arguments[2]) : 1000;
    for (std::string line; std::getline(std::cin, line);)
      std::printf("%s\n", tell_findings(parse_plan(line), runs).dump().c_str());
    return 0;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const litmus::Program program = parse_litmus(line);
    const nlohmann::ordered_json told =
        litmus::has_graph(program) ? Teller(program).run() : nlohmann::ordered_json(nullptr);
    std::printf("%s\n", told.dump().c_str());
  }
}
