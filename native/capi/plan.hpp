// The plan document (JSON, version 1) that the harness sends, as a Plan.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/program.hpp"

namespace race {

// Throws std::invalid_argument with the path in the document. The harness validates for users; this guards the boundary.
Plan parse_plan(std::string_view json);
// Of every site, and of guards. Throws likewise.
BarrierPlan parse_sites(const nlohmann::json& given);

}  // namespace race
