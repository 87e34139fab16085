#include "capi/finding_json.hpp"

#include "capi/json_reader.hpp"
#include "capi/plan.hpp"

namespace race {

using nlohmann::ordered_json;

ordered_json finding_json(const FindingRecord& f, bool with_steps) {
  ordered_json j{{"execution", f.execution}, {"oracle", info(f.oracle).name}, {"message", f.message}};
  const std::pair<const char*, const std::string*> texts[] = {
      {"thread", &f.thread},         {"function", &f.function},     {"site", &f.site},
      {"zspage", &f.zspage},         {"size_class", &f.size_class}, {"value", &f.value},
      {"value_kind", &f.value_kind}, {"expected", &f.expected},     {"origin", &f.origin},
      {"newest", &f.newest},         {"written_by", &f.written_by}};
  for (const auto& [key, text] : texts)
    if (!text->empty()) j[key] = *text;
  if (f.object >= 0) j["object"] = f.object;
  if (with_steps && !f.trace.empty()) j["trace"] = f.trace;
  if (with_steps && !f.steps.empty()) j["steps"] = steps_json(f.steps);
  if (with_steps && f.steps_left_out != 0) j["steps_left_out"] = f.steps_left_out;
  j["deviations"] = f.untold.empty() ? deviations_json(f.deviations) : ordered_json();
  if (!f.untold.empty()) j["untold"] = f.untold;
  return j;
}

ordered_json steps_json(const std::vector<StepRecord>& steps) {
  ordered_json list = ordered_json::array();
  for (const StepRecord& s : steps) {
    ordered_json j{{"step", s.step}, {"cpu", s.cpu}, {"thread", s.thread}, {"kind", s.kind}};
    const std::pair<const char*, const std::string*> texts[] = {
        {"function", &s.function}, {"site", &s.site},     {"strength", &s.strength}, {"place", &s.place},
        {"value", &s.value},       {"newest", &s.newest}, {"writer", &s.writer}};
    for (const auto& [key, text] : texts)
      if (!text->empty()) j[key] = *text;
    const std::pair<const char*, std::uint32_t> numbers[] = {
        {"issued", s.issue}, {"done", s.done}, {"writer_step", s.writer_step}, {"writer_done", s.writer_done}};
    for (const auto& [key, number] : numbers)
      if (number != 0) j[key] = number;
    const std::pair<const char*, bool> flags[] = {{"held", s.held}, {"stale", s.stale}, {"forwarded", s.forwarded}};
    for (const auto& [key, flag] : flags)
      if (flag) j[key] = true;
    list.push_back(std::move(j));
  }
  return list;
}

ordered_json cycle_json(const Cycle& c) {
  ordered_json accesses = ordered_json::array(), communications = ordered_json::array();
  for (const CycleAccess& a : c.accesses)
    accesses.push_back({{"step", a.step},
                        {"performed", a.performed},
                        {"cpu", a.cpu},
                        {"kind", a.kind},
                        {"thread", a.thread},
                        {"function", a.function},
                        {"place", a.place},
                        {"value", a.value},
                        {"site", a.site},
                        {"primitive", a.primitive},
                        {"strength", a.strength},
                        {"location", a.location},
                        {"order", a.order},
                        {"reads", a.reads},
                        {"in_cycle", a.in_cycle}});
  for (const Communication& e : c.communications)
    communications.push_back({{"from", e.from}, {"to", e.to}, {"kind", e.kind}});
  return {{"accesses", accesses}, {"communications", communications}};
}

ordered_json cost_json(const Cost& c) {
  return {{"reorderings", c.reorderings}, {"switches", c.switches}, {"deviations", c.deviations}};
}

ordered_json deviations_json(const std::vector<Deviation>& deviations) {
  ordered_json j = ordered_json::object();
  for (const Deviation& d : deviations) {
    ordered_json& list = j[std::string(choice_names[static_cast<std::size_t>(d.kind)])];
    list.push_back(d.ordinal);
    list.push_back(d.answer);
  }
  return j;
}

std::vector<Deviation> parse_deviations(std::string_view text) {
  const auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object()) bad("$", "is not a JSON object");
  std::vector<Deviation> all;
  for (const auto& [name, list] : j.items()) {
    const std::string path = "$." + name;
    const auto kind = static_cast<Choice>(named(choice_names, name, path));
    if (!list.is_array() || list.size() % 2 != 0) bad(path, "is no list of pairs");
    const auto number = [&](std::size_t i) {
      if (!list[i].is_number_unsigned()) bad(path, "has the wrong type");
      return below(list[i].template get<std::uint64_t>(), Strategy::never, path);
    };
    for (std::size_t i = 0; i < list.size(); i += 2) all.push_back({kind, number(i), number(i + 1)});
  }
  return all;
}

BarrierPlan parse_barriers(std::string_view text) {
  const auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object()) bad("$", "is not a JSON object");
  return parse_sites(j);
}

}  // namespace race
