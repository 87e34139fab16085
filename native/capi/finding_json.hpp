// Findings, deviations and steps as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "engine/cycle.hpp"
#include "engine/rerun.hpp"

namespace race {

nlohmann::ordered_json finding_json(const FindingRecord& f, bool with_steps);
nlohmann::ordered_json steps_json(const std::vector<StepRecord>& steps);
nlohmann::ordered_json cycle_json(const Cycle& c);
nlohmann::ordered_json cost_json(const Cost& c);

// {"KIND": [ordinal, answer, ordinal, answer, ...]}
nlohmann::ordered_json deviations_json(const std::vector<Deviation>& deviations);
// Throws std::invalid_argument.
std::vector<Deviation> parse_deviations(std::string_view json);
// {"SITE": "STRENGTH"} for every site. Throws std::invalid_argument.
BarrierPlan parse_barriers(std::string_view json);

}  // namespace race
