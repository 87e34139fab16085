#include "capi/native_run.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <stdexcept>

#include "capi/finding_json.hpp"
#include "capi/hardware_child.hpp"
#include "capi/supervisor.hpp"
#include "engine/campaign.hpp"
#include "engine/hardware/clock.hpp"
#include "engine/hardware/host.hpp"

#ifndef RACE_VERSION
#define RACE_VERSION "0"
#endif

namespace race {

using hardware::seconds_now;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

using Tell = std::function<void(const ordered_json&)>;

constexpr std::size_t most_deaths = 20;  // of the processes of an arm; each is started anew

// An arm, put together from what its processes told.
struct ArmResult {
  std::uint64_t executions = 0, cut_short = 0;
  json counts = json::object();
  ordered_json findings = ordered_json::array();
  ordered_json deaths = ordered_json::array();
  json facts = json::object();
  double seconds = 0;
  std::string error;  // why it ended before its budget
};

void add_counts(json& to, const json& more) {
  for (const auto& [name, n] : more.items()) to[name] = to.value(name, std::uint64_t{0}) + n.get<std::uint64_t>();
}

ordered_json arm_json(const RequestedArm& arm, const ArmResult& r) {
  ordered_json j{{"plan", arm.plan},    {"executions", r.executions}, {"cut_short", r.cut_short},
                 {"counts", r.counts},  {"findings", r.findings},     {"deaths", r.deaths},
                 {"seconds", r.seconds}};
  for (const auto& [name, value] : r.facts.items()) j[name] = value;
  if (!r.error.empty()) j["error"] = r.error;
  return j;
}

// A process that ended by a signal, or hung, while it raced: the allocator went wrong, in an execution that counts as a finding.
// Returns false if it was not the allocator.
bool is_finding(const Ended& ended, const Plan& plan, ArmResult& arm) {
  const json& words = ended.last_words;
  const bool hang = words.contains("hang");
  if (!hang && !(words.contains("died") && words.value("racing", false))) return false;
  const json where = hang ? words["threads"].empty() ? json::object() : words["threads"][0] : words;
  const Oracle oracle = hang ? Oracle::livelock : Oracle::oops;
  ++arm.executions;
  if (!plan.enabled(oracle)) {
    ++arm.cut_short;
    return true;
  }
  const std::string name(info(oracle).name);
  arm.counts[name] = arm.counts.value(name, std::uint64_t{0}) + 1;
  ordered_json f{{"execution", where.value("execution", std::uint64_t{0})},
                 {"oracle", name},
                 {"message", hang ? "no thread got on for " + std::to_string(words["hang"].get<int>()) + " s"
                                  : words.value("died", "") + ": an access outside any live page or structure"}};
  const auto cpu = where.value("cpu", 0u);
  f["thread"] = cpu < plan.threads.size() ? plan.threads[cpu].name : "worker";
  for (const char* key : {"function", "site"})
    if (const std::string text = where.value(key, ""); !text.empty()) f[key] = text;
  if (!hang) f["value"] = words.value("address", ""), f["value_kind"] = "address";
  arm.findings.push_back(std::move(f));
  return true;
}

ArmResult run_on_hardware(const Request& request, std::size_t index, std::optional<double> seconds, const json& tuning,
                          const Tell& tell, const std::atomic<bool>& cancelled) {
  const Plan& plan = request.arms[index].native;
  ArmResult arm;
  const double began = seconds_now();
  ArmBudget budget{request.first, request.executions, seconds};
  for (;;) {
    json status = json::object();
    const Ended ended = supervise([&](int fd) { run_arm_into(fd, request, index, tuning, budget); },
                                  [&](const json& line) {
                                    if (line.contains("finding")) arm.findings.push_back(ordered_json(line["finding"]));
                                    if (!line.contains("status")) return;
                                    status = line["status"];
                                    json counts = arm.counts;
                                    add_counts(counts, status["counts"]);
                                    tell({{"arm", request.arms[index].plan},
                                          {"executions", arm.executions + status["executions"].get<std::uint64_t>()},
                                          {"counts", counts},
                                          {"seconds", seconds_now() - began}});
                                  },
                                  request.hang_seconds + 30, cancelled);
    arm.seconds = seconds_now() - began;
    if (ended.last_words.is_object() && ended.last_words.contains("status"))
      status.update(ended.last_words["status"]);  // newer than the last one
    const auto done = status.value("executions", std::uint64_t{0});
    arm.executions += done;
    arm.cut_short += status.value("cut_short", std::uint64_t{0});
    add_counts(arm.counts, status.value("counts", json::object()));
    for (const char* fact : {"own_worker", "oversubscribed", "pinned"})
      if (status.contains(fact)) arm.facts[fact] = status[fact];
    if (ended.well) break;

    ordered_json death{{"cause", ended.cause}};
    if (ended.last_words.is_object()) death["last_words"] = ended.last_words;
    arm.deaths.push_back(std::move(death));
    // The executions of the batch that it was in are not counted; their numbers are not used again.
    budget.first += done + 1'000'000;
    if (ended.last_words.is_object() && ended.last_words.contains("error")) {
      arm.error = ended.last_words["error"].get<std::string>();
      break;
    }
    if (!is_finding(ended, plan, arm)) {
      const json& words = ended.last_words;
      arm.error = "the process that raced ended: " +
                  (words.is_object() && words.contains("died") ? words["died"].get<std::string>() : ended.cause);
      break;
    }
    if (arm.deaths.size() == most_deaths) {
      arm.facts["ended_early"] =
          "the processes that raced ended " + std::to_string(most_deaths) + " times; no more were started";
      break;
    }
    if (request.executions) {
      if (arm.executions >= *request.executions) break;
      budget.executions = *request.executions - arm.executions;
    }
    if (seconds) {
      if (arm.seconds >= *seconds) break;
      budget.seconds = *seconds - arm.seconds;
    }
    if (cancelled) break;
  }
  return arm;
}

ArmResult run_on_weak_machine(const Request& request, std::size_t index, std::optional<double> seconds,
                              const Tell& tell, const std::atomic<bool>& cancelled) {
  ArmResult arm;
  const double began = seconds_now();
  Campaign campaign(request.arms[index].native);
  constexpr std::uint64_t portion = 1000;
  while (!cancelled && (!request.executions || campaign.executions() < *request.executions) &&
         (!seconds || seconds_now() - began < *seconds)) {
    const std::uint64_t left = request.executions ? *request.executions - campaign.executions() : portion;
    campaign.run(request.first + campaign.executions(), std::min(portion, left));
    arm.executions = campaign.executions();
    arm.counts = json::object();
    for (std::size_t o = 0; o < oracles.size(); ++o)
      if (const auto n = campaign.count(static_cast<Oracle>(o)); n != 0) arm.counts[std::string(oracles[o].name)] = n;
    tell({{"arm", request.arms[index].plan},
          {"executions", arm.executions},
          {"counts", arm.counts},
          {"seconds", seconds_now() - began}});
  }
  arm.cut_short = campaign.cut_short();
  arm.facts["accesses"] = campaign.accesses();
  for (std::size_t o = 0; o < oracles.size(); ++o)
    for (std::size_t i = 0; i < campaign.findings(static_cast<Oracle>(o)).size(); ++i)
      arm.findings.push_back(
          finding_json(campaign.findings(static_cast<Oracle>(o))[i], i < campaign.plan().max_traces));
  std::stable_sort(arm.findings.begin(), arm.findings.end(),
                   [](const auto& a, const auto& b) { return a["execution"] < b["execution"]; });
  arm.seconds = seconds_now() - began;
  return arm;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S+00:00", &parts);
  return text;
}

}  // namespace

ordered_json host_json(std::optional<bool> emulated) {
  const hardware::Host h = hardware::this_host();
  ordered_json j{
      {"race", RACE_VERSION}, {"architecture", h.architecture}, {"model", h.model},     {"cpus", h.cpus},
      {"kernel", h.kernel},   {"compiler", h.compiler},         {"atomics", h.atomics}, {"emulated", h.emulated},
      {"why", h.why}};
  if (emulated) j["emulated"] = *emulated, j["why"] = *emulated ? "the request says so" : "";
  return j;
}

ordered_json digest_request(const Request& request, std::uint64_t seeds) {
  if (request.engine != "weak")
    throw std::invalid_argument("a digest is of the weak engine; `race plan --engine weak`");
  if (!request.executions) throw std::invalid_argument("a digest is of so many executions; `race plan --executions N`");
  ordered_json arms = ordered_json::array();
  for (const RequestedArm& arm : request.arms) {
    Digest digest;
    Plan plan = arm.native;
    plan.max_findings = 1;
    for (plan.seed = 1; plan.seed <= seeds; ++plan.seed) {
      Campaign campaign(plan);
      campaign.digest(digest, request.first, *request.executions);
      campaign.run(request.first, *request.executions);
      for (std::size_t o = 0; o < oracles.size(); ++o)
        for (const FindingRecord& f : campaign.findings(static_cast<Oracle>(o)))
          digest.add(finding_json(f, plan.max_traces != 0).dump());
    }
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(digest.value()));
    arms.push_back({{"plan", arm.plan}, {"seeds", seeds}, {"executions", *request.executions}, {"digest", text}});
  }
  return {{"format", "race-digest"}, {"version", 1}, {"arms", arms}};
}

ordered_json run_request(const Request& request, const Tell& tell, const std::atomic<bool>& cancelled) {
  const double began = seconds_now();
  ordered_json result{{"format", "race-native-result"},      {"version", 1},
                      {"request", request.document},         {"started", utc_now()},
                      {"host", host_json(request.emulated)}, {"calibration", nullptr},
                      {"arms", ordered_json::array()}};
  tell({{"host", result["host"]}});
  std::string error;
  json tuning;
  if (request.calibrate_seconds > 0) {
    const Ended ended = supervise([&](int fd) { calibrate_into(fd, request); },
                                  [&](const json& line) { result["calibration"] = line.value("calibration", json()); },
                                  request.calibrate_seconds * 3 + 60, cancelled);
    if (!ended.well) error = "the calibration ended: " + ended.cause;
    if (result["calibration"].is_object()) tuning = result["calibration"]["tuning"];
    tell({{"calibration", result["calibration"]}});
  }
  const double arms_began = seconds_now();
  for (std::size_t i = 0; i < request.arms.size() && !cancelled && error.empty(); ++i) {
    std::optional<double> seconds;
    if (request.seconds)
      seconds = std::max(0.01, *request.seconds - (seconds_now() - arms_began)) /
                static_cast<double>(request.arms.size() - i);
    const ArmResult arm = request.engine == "hardware" ? run_on_hardware(request, i, seconds, tuning, tell, cancelled)
                                                       : run_on_weak_machine(request, i, seconds, tell, cancelled);
    result["arms"].push_back(arm_json(request.arms[i], arm));
    error = arm.error;
  }
  result["interrupted"] = cancelled.load();
  result["error"] = error;
  result["seconds"] = seconds_now() - began;
  return result;
}

}  // namespace race
