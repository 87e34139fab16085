// Units of the exhaustive engine, and their trees, as JSON (docs/exploration-in-units.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/exploration.hpp"

namespace race {

// Throws std::invalid_argument with the path in the document.
Unit parse_unit(std::string_view json);
nlohmann::ordered_json explored_json(const Explored& e, std::uint32_t max_traces);

}  // namespace race
