#include "capi/plan.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "capi/json_reader.hpp"

namespace race {

namespace {

using nlohmann::json;

constexpr int plan_version = 1;
constexpr std::uint32_t most_frames = 4095;
constexpr std::uint32_t most_slots = 4096;  // a payload names its slot in 12 bits

Step parse_step(const json& j, const Plan& plan, const std::string& path, bool inner) {
  Step s;
  s.op = static_cast<Op>(named(op_names, get<std::string>(j, "op", path), path + ".op"));
  const auto slot = [&] { return below(get<std::uint64_t>(j, "slot", path), plan.slots.size(), path + ".slot"); };
  const auto size = [&](std::uint64_t bytes) {
    if (bytes == 0) bad(path + ".size", "0 is out of range");
    return below(bytes, plan.page_size + 1ull, path + ".size");
  };
  switch (s.op) {
    case Op::allocate:
      s.slot = slot();
      s.size = size(get<std::uint64_t>(j, "size", path));
      break;
    case Op::free:
    case Op::write:
    case Op::read:
    case Op::update: s.slot = slot(); break;
    case Op::migrate:
    case Op::isolate_putback:
      s.slot = slot();
      s.page = below(get<std::uint64_t>(j, "page", path), 4, path + ".page");
      break;
    case Op::lock:
    case Op::unlock: s.lock = below(get<std::uint64_t>(j, "lock", path), plan.locks, path + ".lock"); break;
    case Op::reclaim: s.size = size(get<std::uint64_t>(j, "size", path)); break;
    case Op::random: {
      if (inner) bad(path, "random within random");
      s.count = below(get<std::uint64_t>(j, "count", path), 1u << 20, path + ".count");
      for (const auto v : get<std::vector<std::uint64_t>>(j, "slots", path))
        s.slots.push_back(below(v, plan.slots.size(), path + ".slots"));
      for (const auto v : get<std::vector<std::uint64_t>>(j, "sizes", path)) s.sizes.push_back(size(v));
      if (s.slots.empty() || s.sizes.empty()) bad(path, "random needs slots and sizes");
      const json mix = get<json>(j, "mix", path);
      for (const auto& [name, weight] : mix.items()) {
        const Op op = static_cast<Op>(named(op_names, name, path + ".mix"));
        if (op == Op::random || op == Op::migrate || op == Op::isolate_putback || op == Op::lock || op == Op::unlock ||
            op == Op::reclaim || op == Op::destroy)
          bad(path + ".mix", "cannot mix in " + name);
        if (!weight.is_number_unsigned()) bad(path + ".mix." + name, "has the wrong type");
        s.mix.insert(s.mix.end(), below(weight.get<std::uint64_t>(), 1001, path + ".mix." + name), op);
      }
      if (s.mix.empty()) bad(path + ".mix", "is empty");
      break;
    }
    default: break;
  }
  return s;
}

std::vector<Step> parse_steps(const json& list, const Plan& plan, const std::string& path) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < list.size(); ++i)
    steps.push_back(parse_step(list[i], plan, path + '[' + std::to_string(i) + ']', false));
  return steps;
}

// Whether there is such a guard.
bool set_guard(BarrierPlan& plan, const std::string& name, const std::string& state, const std::string& path) {
  const auto* const guard =
      std::find_if(guard_list.begin(), guard_list.end(), [&](const Guard& g) { return g.name == name; });
  if (guard == guard_list.end()) return false;
  const bool other = named(std::array{guard->normal, guard->other}, state, path) == 1;
  plan.change(static_cast<GuardId>(guard - guard_list.begin()), other);
  return true;
}

}  // namespace

BarrierPlan parse_sites(const json& given) {
  BarrierPlan plan;
  const auto& all = sites().all();
  std::vector<bool> seen(all.size());
  for (const auto& [name, strength] : given.items()) {
    const std::string path = "$.sites." + name;
    const std::string wanted = strength.is_string() ? strength.get<std::string>() : "";
    if (set_guard(plan, name, wanted, path)) continue;
    std::size_t id = 1;
    while (id < all.size() && all[id].name != name) ++id;
    if (id == all.size()) bad(path, "no such site");
    const auto s = static_cast<Strength>(named(strength_names, wanted, path));
    if (!legal(info(all[id].primitive).side, s)) bad(path, "this side of a lock cannot have that strength");
    plan.set(static_cast<SiteId>(id), s);
    seen[id] = true;
  }
  for (std::size_t id = 1; id < all.size(); ++id)
    if (!seen[id]) bad("$.sites", "misses \"" + std::string(all[id].name) + '"');
  return plan;
}

Plan parse_plan(std::string_view text) {
  const json j = json::parse(text, nullptr, false);
  if (j.is_discarded() || !j.is_object()) bad("$", "is not a JSON object");
  if (get<int>(j, "version", "$") != plan_version) bad("$.version", "this program reads version 1");
  Plan plan;
  plan.scenario = get<std::string>(j, "scenario", "$");
  constexpr std::array<std::string_view, 3> models{"armv8", "tso", "sc"};
  plan.model = static_cast<weak::Model>(named(models, get<std::string>(j, "model", "$"), "$.model"));
  plan.seed = get<std::uint64_t>(j, "seed", "$");
  plan.page_size = get<std::uint32_t>(j, "page_size", "$");
  if (!std::has_single_bit(plan.page_size) || plan.page_size < 256 || plan.page_size > 65536)
    bad("$.page_size", "a power of two from 256 to 65536");
  plan.frames = below(get<std::uint64_t>(j, "frames", "$"), most_frames + 1ull, "$.frames");
  if (plan.frames == 0) bad("$.frames", "0 is out of range");
  plan.barriers = parse_sites(get<json>(j, "sites", "$"));
  for (const auto& [name, state] : get<std::map<std::string, std::string>>(j, "held_guards", "$"))
    if (!set_guard(plan.setup_barriers, name, state, "$.held_guards." + name))
      bad("$.held_guards." + name, "no such guard");
  std::vector<std::string_view> oracle_names;
  for (const OracleInfo& o : oracles) oracle_names.push_back(o.name);
  for (const auto& name : get<std::vector<std::string>>(j, "oracles", "$"))
    plan.oracles |= 1u << named(oracle_names, name, "$.oracles");
  plan.slots = get<std::vector<std::string>>(j, "slots", "$");
  if (plan.slots.size() > most_slots) bad("$.slots", "at most 4096");
  plan.locks = below(get<std::uint64_t>(j, "locks", "$"), most_slots, "$.locks");
  plan.setup = parse_steps(get<json>(j, "setup", "$"), plan, "$.setup");
  const json threads = get<json>(j, "threads", "$");
  if (!threads.is_array() || threads.empty() || threads.size() > 14) bad("$.threads", "1 to 14 threads");
  for (std::size_t i = 0; i < threads.size(); ++i) {
    const std::string path = "$.threads[" + std::to_string(i) + ']';
    plan.threads.push_back({get<std::string>(threads[i], "name", path),
                            parse_steps(get<json>(threads[i], "steps", path), plan, path + ".steps"),
                            get<std::int32_t>(threads[i], "shares_cpu_with", path)});
    if (plan.threads.back().shares_cpu_with >= static_cast<std::int32_t>(threads.size()))
      bad(path + ".shares_cpu_with", "no such thread");
  }
  plan.max_findings = get<std::uint32_t>(j, "max_findings", "$");
  plan.max_traces = get<std::uint32_t>(j, "max_traces", "$");
  plan.step_limit = get<std::uint64_t>(j, "step_limit", "$");
  return plan;
}

}  // namespace race
