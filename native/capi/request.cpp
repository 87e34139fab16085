#include "capi/request.hpp"

#include "capi/json_reader.hpp"
#include "capi/plan.hpp"

namespace race {

using nlohmann::json;

namespace {

template <class T>
std::optional<T> optional(const json& object, const char* key) {
  const auto at = object.find(key);
  if (at == object.end() || at->is_null()) return std::nullopt;
  return get<T>(object, key, "$");
}

double positive(double v, const std::string& path) {
  if (!(v > 0) || v > 1e9) bad(path, "a number of seconds above 0");
  return v;
}

}  // namespace

Request parse_request(std::string_view text) {
  Request r;
  r.document = json::parse(text, nullptr, false);
  const json& j = r.document;
  if (j.is_discarded() || !j.is_object()) bad("$", "is not a JSON object; `race plan SCENARIO` writes one");
  if (get<std::string>(j, "format", "$") != "race-plan") bad("$.format", "is not \"race-plan\"");
  if (get<int>(j, "version", "$") != 1) bad("$.version", "this program reads version 1");
  constexpr std::array<std::string_view, 2> engines{"hardware", "weak"};
  r.engine = engines[named(engines, get<std::string>(j, "engine", "$"), "$.engine")];
  r.seed = get<std::uint64_t>(j, "seed", "$");
  r.first = optional<std::uint64_t>(j, "first").value_or(0);
  r.executions = optional<std::uint64_t>(j, "executions");
  if (r.executions == 0u) bad("$.executions", "0 is out of range");
  r.seconds = optional<double>(j, "seconds");
  if (r.seconds) positive(*r.seconds, "$.seconds");
  r.calibrate_seconds = optional<double>(j, "calibrate_seconds").value_or(0);
  if (r.calibrate_seconds != 0) positive(r.calibrate_seconds, "$.calibrate_seconds");
  r.hang_seconds = positive(optional<double>(j, "hang_seconds").value_or(10), "$.hang_seconds");
  r.emulated = optional<bool>(j, "emulated");
  r.inject = optional<std::string>(j, "inject").value_or("");
  const json arms = get<json>(j, "arms", "$");
  if (!arms.is_array()) bad("$.arms", "is not a list");
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const std::string path = "$.arms[" + std::to_string(i) + ']';
    const json native = get<json>(arms[i], "native", path);
    r.arms.push_back({get<std::string>(arms[i], "plan", path), parse_plan(native.dump())});
  }
  if (!r.arms.empty() && !r.executions && !r.seconds) bad("$", "needs executions or seconds");
  if (r.arms.empty() && r.calibrate_seconds == 0) bad("$.arms", "is empty, and nothing is to be calibrated");
  return r;
}

}  // namespace race
