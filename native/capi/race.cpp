#include "capi/race.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "capi/litmus_program.hpp"
#include "capi/plan.hpp"
#include "engine/campaign.hpp"
#include "litmus/runner.hpp"

#ifndef RACE_VERSION
#define RACE_VERSION "0"
#endif

struct race_campaign {
  race::Campaign campaign;
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

ordered_json finding_json(const race::FindingRecord& f, bool with_trace) {
  ordered_json j{{"execution", f.execution}, {"oracle", info(f.oracle).name}, {"message", f.message}};
  const std::pair<const char*, const std::string*> texts[] = {
      {"thread", &f.thread},         {"function", &f.function},     {"site", &f.site},
      {"zspage", &f.zspage},         {"size_class", &f.size_class}, {"value", &f.value},
      {"value_kind", &f.value_kind}, {"expected", &f.expected},     {"origin", &f.origin},
      {"newest", &f.newest},         {"written_by", &f.written_by}};
  for (const auto& [key, text] : texts)
    if (!text->empty()) j[key] = *text;
  if (f.object >= 0) j["object"] = f.object;
  if (with_trace && !f.trace.empty()) j["trace"] = f.trace;
  return j;
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
  return guarded(error, wrong_plan, [&] { return new race_campaign{race::Campaign(race::parse_plan(plan_json))}; });
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
  for (const auto& [f, with_trace] : kept) findings.push_back(finding_json(*f, with_trace));
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

void race_campaign_close(race_campaign* c) { delete c; }

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
