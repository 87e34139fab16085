#include "capi/hardware_child.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "capi/finding_json.hpp"
#include "engine/hardware/campaign.hpp"
#include "engine/hardware/watch.hpp"

namespace race {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

std::atomic<bool> cancelled{false};

void write_line(int fd, const ordered_json& j) {
  const std::string text = j.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n <= 0) _exit(1);  // nobody reads any more
    done += static_cast<std::size_t>(n);
  }
}

void prepare(int fd) {
  // Ctrl-C goes to every process of the terminal; whoever started this one ends it with SIGTERM, and gets what there is.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, [](int) { cancelled = true; });
  hardware::report_signals(fd);
}

void inject(const std::string& fault) {
  if (fault.empty()) return;
#ifdef RACE_INJECT
  using Injected = hardware::racing::Injected;
  const std::pair<const char*, Injected> known[] = {{"publish-before-copy", Injected::publish_before_copy},
                                                    {"segv", Injected::segv},
                                                    {"loop", Injected::loop},
                                                    {"exit", Injected::exit}};
  for (const auto& [name, value] : known)
    if (fault == name) hardware::racing::injected = value;
#else
  throw std::invalid_argument("plan: $.inject: this build injects no faults");
#endif
}

ordered_json status_json(const hardware::HardwareCampaign& campaign) {
  ordered_json counts = ordered_json::object();
  for (std::size_t o = 0; o < oracles.size(); ++o)
    if (campaign.counts().by_oracle[o] != 0) counts[std::string(oracles[o].name)] = campaign.counts().by_oracle[o];
  return {{"executions", campaign.counts().executions},
          {"cut_short", campaign.counts().cut_short},
          {"counts", counts},
          {"own_worker", campaign.own_worker()},
          {"oversubscribed", campaign.oversubscribed()},
          {"pinned", campaign.pinned()}};
}

}  // namespace

ordered_json calibration_json(const hardware::Calibration& c) {
  namespace shapes = hardware::shapes;
  ordered_json tests = ordered_json::array();
  for (std::size_t i = 0; i < shapes::all.size(); ++i) {
    const shapes::Info& shape = shapes::all[i];
    const hardware::Measured& best = c.best[i];
    ordered_json outcomes = ordered_json::object();  // what the two threads read, all runs
    for (std::size_t k = 0; k < best.outcomes.size(); ++k)
      if (const std::uint64_t n = best.outcomes[k] + c.others[i].outcomes[k]; n != 0)
        outcomes[std::to_string(k / 16) + '/' + std::to_string(k % 16)] = n;
    tests.push_back({{"name", shape.name},
                     {"text", shape.text},
                     {"allowed", {{"tso", shape.tso}, {"armv8", shape.armv8}}},
                     {"iterations", c.iterations(i)},
                     {"weak", c.weak(i)},
                     {"iterations_per_second", best.iterations_per_second()},
                     {"weak_per_second", best.weak_per_second()},
                     {"outcomes", outcomes}});
  }
  return {{"tests", tests},
          {"seconds", c.seconds},
          {"trials", c.trials},
          {"enough_cpus", c.enough_cpus},
          {"cpus", c.cpus},
          {"tuning", {{"text", c.tuning.text()}, {"placement", static_cast<int>(c.tuning.placement)}}}};
}

void calibrate_into(int fd, const Request& request) {
  prepare(fd);
  const hardware::Topology topology;
  const hardware::Calibration c =
      hardware::calibrate(topology, {request.calibrate_seconds, 0}, request.seed, cancelled);
  write_line(fd, {{"calibration", calibration_json(c)}});
}

void run_arm_into(int fd, const Request& request, std::size_t arm, const json& tuning, const ArmBudget& budget) {
  prepare(fd);
  inject(request.inject);
  const hardware::Topology topology;
  hardware::Tuning kept;
  if (const int placement = tuning.is_object() ? tuning.value("placement", 0) : 0;
      placement > 0 && placement < static_cast<int>(hardware::Placement::count))
    kept.placement = static_cast<hardware::Placement>(placement);
  hardware::HardwareCampaign campaign(request.arms[arm].native, topology, kept, budget.first);
  const hardware::Watchdog watchdog(fd, request.hang_seconds);
  // Findings are written as they come: by then the process may not have long to live.
  const auto found = [&](const FindingRecord& f) { write_line(fd, {{"finding", finding_json(f, false)}}); };
  constexpr double portion = 0.25;
  for (;;) {
    hardware::Budget next{portion, 0};
    if (budget.seconds) next.seconds = std::min(portion, *budget.seconds - campaign.total_seconds());
    if (budget.executions) next.iterations = *budget.executions - campaign.counts().executions;
    campaign.run(next, cancelled, found);
    write_line(fd, {{"status", status_json(campaign)}});
    if (cancelled || (budget.seconds && campaign.total_seconds() >= *budget.seconds) ||
        (budget.executions && campaign.counts().executions >= *budget.executions))
      return;
  }
}

}  // namespace race
