#include "capi/race.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>

#include "capi/exploration_json.hpp"
#include "capi/finding_json.hpp"
#include "capi/litmus_program.hpp"
#include "capi/native_run.hpp"
#include "capi/plan.hpp"
#include "engine/campaign.hpp"
#include "engine/minimise.hpp"
#include "litmus/runner.hpp"

#ifndef RACE_VERSION
#define RACE_VERSION "0"
#endif

struct race_campaign {
  explicit race_campaign(race::Plan plan) : campaign(std::move(plan)) {}
  race::Campaign campaign;
  race::Progress progress;
  std::unique_ptr<race::Exploration> exploration;  // once it is asked for
};

struct race_litmus {
  race::litmus::Runner runner;
};

namespace {

using nlohmann::ordered_json;

char* copy(const std::string& text) {
  auto* out = static_cast<char*>(std::malloc(text.size() + 1));
  if (out != nullptr) std::memcpy(out, text.c_str(), text.size() + 1);
  return out;
}

// No exception may leave the library: its message goes to *error, and the caller gets 0 or null. *input: whether it is the
// caller's input that is wrong.
template <class F>
auto guarded(char** error, int* input, F make) -> decltype(make()) {
  const auto failed = [&](const char* what, bool wrong_input) -> decltype(make()) {
    if (error != nullptr) *error = copy(what);
    if (input != nullptr) *input = wrong_input ? 1 : 0;
    return {};
  };
  if (error != nullptr) *error = nullptr;
  if (input != nullptr) *input = 0;
  try {
    return make();
  } catch (const std::invalid_argument& e) {
    return failed(e.what(), true);
  } catch (const std::bad_alloc&) {
    return failed("out of memory", false);
  } catch (const std::exception& e) {
    return failed(e.what(), false);
  } catch (...) {
    return failed("an unknown exception", false);
  }
}

}  // namespace

const char* race_version(void) { return RACE_VERSION; }

char* race_sites(void) {
  return guarded(nullptr, nullptr, [] {
    std::vector<race::Site> all(race::sites().all().begin() + 1, race::sites().all().end());
    std::sort(all.begin(), all.end(), [](const race::Site& a, const race::Site& b) { return a.name < b.name; });
    ordered_json list = ordered_json::array();
    for (const race::Site& s : all)
      list.push_back({{"name", s.name},
                      {"primitive", info(s.primitive).name},
                      {"side", info(s.primitive).side == race::Side::lock ? "lock" : "unlock"},
                      {"default", name(info(s.primitive).arm64)},
                      {"protects", s.protects},
                      {"file", "native/" + std::string(s.file)},
                      {"line", s.line}});
    return copy(list.dump());
  });
}

char* race_guards(void) {
  return guarded(nullptr, nullptr, [] {
    std::vector<std::size_t> order(race::guard_list.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [](std::size_t a, std::size_t b) { return race::guard_list[a].name < race::guard_list[b].name; });
    ordered_json list = ordered_json::array();
    for (const std::size_t number : order) {
      const race::Guard& g = race::guard_list[number];
      std::set<std::pair<std::string_view, std::uint32_t>> lines;  // a line of a template is there more than once
      for (const race::GuardPlace& p : race::guard_places())
        if (p.guard == number) lines.emplace(p.file, p.line);
      ordered_json places = ordered_json::array();
      for (const auto& [file, line] : lines)
        places.push_back("native/" + std::string(file) + ':' + std::to_string(line));
      list.push_back({{"name", g.name},
                      {"normal", g.normal},
                      {"other", g.other},
                      {"protects", g.protects},
                      {"history", g.history},
                      {"places", places}});
    }
    return copy(list.dump());
  });
}

char* race_oracles(void) {
  return guarded(nullptr, nullptr, [] {
    ordered_json list = ordered_json::array();
    for (const race::OracleInfo& o : race::oracles) list.push_back({{"name", o.name}, {"meaning", o.meaning}});
    return copy(list.dump());
  });
}

char* race_geometry(unsigned page_size, char** error) {
  return guarded(error, nullptr, [&] {
    const race::zsmalloc::Geometry geometry(page_size);
    ordered_json list = ordered_json::array();
    for (const auto& c : geometry.classes())
      list.push_back({{"index", c.index},
                      {"size", c.size},
                      {"pages", c.pages},
                      {"objects", c.objects},
                      {"huge", c.huge},
                      {"max_request", c.max_request}});
    return copy(list.dump());
  });
}

race_campaign* race_campaign_open(const char* plan_json, char** error, int* wrong_plan) {
  return guarded(error, wrong_plan, [&] { return new race_campaign(race::parse_plan(plan_json)); });
}

uint64_t race_campaign_run(race_campaign* c, uint64_t first, uint64_t count, char** error) {
  return guarded(error, nullptr, [&] { return c->campaign.run(first, count); });
}

void race_campaign_cancel(race_campaign* c) { c->campaign.cancel(); }

namespace {

char* result_of(const race::Campaign& campaign) {
  ordered_json counts = ordered_json::object();
  for (std::size_t o = 0; o < race::oracles.size(); ++o)
    if (const auto n = campaign.count(static_cast<race::Oracle>(o)); n != 0)
      counts[std::string(race::oracles[o].name)] = n;
  std::vector<std::pair<const race::FindingRecord*, bool>> kept;  // with its steps or without
  for (std::size_t o = 0; o < race::oracles.size(); ++o) {
    const auto& of_oracle = campaign.findings(static_cast<race::Oracle>(o));
    for (std::size_t i = 0; i < of_oracle.size(); ++i) kept.emplace_back(&of_oracle[i], i < campaign.plan().max_traces);
  }
  std::sort(kept.begin(), kept.end(),
            [](const auto& a, const auto& b) { return a.first->execution < b.first->execution; });
  ordered_json findings = ordered_json::array();
  for (const auto& [f, with_trace] : kept) findings.push_back(race::finding_json(*f, with_trace));
  ordered_json result{{"executions", campaign.executions()},
                      {"accesses", campaign.accesses()},
                      {"cut_short", campaign.cut_short()},
                      {"counts", counts},
                      {"findings", findings},
                      {"first", nullptr}};
  if (campaign.first_finding()) result["first"] = *campaign.first_finding();
  return copy(result.dump());
}

}  // namespace

char* race_campaign_result(race_campaign* c, char** error) {
  return guarded(error, nullptr, [&] { return result_of(c->campaign); });
}

char* race_campaign_crossings(race_campaign* c, const char* base_json, uint64_t first, uint64_t count, char** error) {
  return guarded(error, nullptr, [&] {
    const race::Crossings counted = c->campaign.crossings(race::parse_plan(base_json).barriers, first, count);
    ordered_json by_site = ordered_json::object();
    for (std::size_t id = 1; id < counted.by_site().size(); ++id)
      if (const race::SiteCrossings& s = counted.by_site()[id]; s.times != 0)
        by_site[std::string(race::sites().all()[id].name)] = {
            {"crossed", s.executions}, {"times", s.times}, {"tried", s.tried}};
    return copy(ordered_json{{"executions", counted.executions()}, {"sites", by_site}}.dump());
  });
}

namespace {

char* replayed(race::Campaign& campaign, const char* deviations, const char* barriers) {
  const std::vector<race::Deviation> given = race::parse_deviations(deviations);
  race::BarrierPlan changed;
  if (barriers != nullptr) changed = race::parse_barriers(barriers);
  const race::Replayed r = campaign.replay(given, barriers != nullptr ? &changed : nullptr);
  ordered_json result = race::cost_json(r.cost);
  result["finding"] = r.finding ? race::finding_json(*r.finding, true) : ordered_json();
  if (!r.steps.empty()) result["steps"] = race::steps_json(r.steps);
  if (r.steps_left_out != 0) result["steps_left_out"] = r.steps_left_out;
  if (!r.misfit.empty()) result["misfit"] = r.misfit;
  if (r.diverged)
    result["diverged"] = {{"step", r.diverged->step},
                          {"now", r.diverged->now},
                          {"step_before", r.diverged->step_before},
                          {"before", r.diverged->before}};
  return copy(result.dump());
}

char* minimised(race_campaign& c, const char* deviations, std::uint64_t limit) {
  const race::Minimised m = c.campaign.minimise(race::parse_deviations(deviations), limit, c.progress);
  ordered_json result = race::cost_json(m.after);
  result["finding"] = m.reproduced ? race::finding_json(m.finding, true) : ordered_json();
  result["before"] = race::cost_json(m.before);
  ordered_json needed = ordered_json::array();
  for (const race::Needed& n : m.needed)
    needed.push_back({{"kind", race::choice_names[static_cast<std::size_t>(n.kind)]},
                      {"step", n.step},
                      {"text", n.text},
                      {"without", n.without},
                      {"necessary", n.necessary}});
  result["needed"] = std::move(needed);
  result["executions"] = m.executions;
  result["complete"] = m.complete;
  return copy(result.dump());
}

}  // namespace

char* race_campaign_replay(race_campaign* c, const char* deviations_json, const char* barriers_json, char** error,
                           int* wrong_input) {
  return guarded(error, wrong_input, [&] { return replayed(c->campaign, deviations_json, barriers_json); });
}

char* race_campaign_cycle(race_campaign* c, const char* deviations_json, char** error, int* wrong_input) {
  return guarded(error, wrong_input, [&] {
    return copy(race::cycle_json(c->campaign.cycle(race::parse_deviations(deviations_json))).dump());
  });
}

char* race_campaign_minimise(race_campaign* c, const char* deviations_json, uint64_t limit, char** error,
                             int* wrong_input) {
  return guarded(error, wrong_input, [&] { return minimised(*c, deviations_json, limit); });
}

char* race_campaign_explore(race_campaign* c, const char* request_json, char** error, int* wrong_input) {
  return guarded(error, wrong_input, [&] {
    const race::Unit unit = race::parse_unit(request_json);
    if (c->exploration == nullptr) c->exploration = std::make_unique<race::Exploration>(c->campaign);
    return copy(race::explored_json(c->exploration->run(unit), c->campaign.plan().max_traces).dump());
  });
}

void race_campaign_progress(race_campaign* c, uint64_t* executions, unsigned* reorderings, unsigned* switches) {
  *executions = c->progress.executions.load(std::memory_order_relaxed);
  *reorderings = c->progress.reorderings.load(std::memory_order_relaxed);
  *switches = c->progress.switches.load(std::memory_order_relaxed);
}

void race_campaign_close(race_campaign* c) { delete c; }

char* race_run_request(const char* request_json, int fd, char** error, int* wrong_input) {
  return guarded(error, wrong_input, [&] {
    static std::atomic<bool> cancelled{false};
    std::signal(SIGTERM, [](int) { cancelled = true; });
    const auto tell = [fd](const ordered_json& line) {
      const std::string text = line.dump() + '\n';
      if (write(fd, text.data(), text.size()) < 0) cancelled = true;  // nobody listens any more
    };
    const ordered_json result = race::run_request(race::parse_request(request_json), tell, cancelled);
    return copy(result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  });
}

race_litmus* race_litmus_open(const char* program_json, char** error) {
  return guarded(error, nullptr,
                 [&] { return new race_litmus{race::litmus::Runner(race::parse_litmus(program_json))}; });
}

uint64_t race_litmus_run(race_litmus* l, uint64_t first, uint64_t count, char** error) {
  return guarded(error, nullptr, [&] { return l->runner.run(first, count); });
}

void race_litmus_cancel(race_litmus* l) { l->runner.cancel(); }

char* race_litmus_result(race_litmus* l) {
  const race::litmus::Runner& runner = l->runner;
  ordered_json states = ordered_json::array();
  for (const race::litmus::State& s : runner.states()) {
    ordered_json values = ordered_json::array();
    for (const std::uint64_t v : s.values) {
      const int location = runner.location(v);
      if (location >= 0)
        values.push_back({{"location", location}});
      else
        values.push_back(v);
    }
    states.push_back({{"values", values}, {"count", s.count}});
  }
  return copy(
      ordered_json{{"executions", runner.executions()}, {"complete", runner.complete()}, {"states", states}}.dump());
}

void race_litmus_close(race_litmus* l) { delete l; }

void race_free(char* text) { std::free(text); }
