#pragma once

#include <string>

#include "litmus/program.hpp"

namespace race {

// The program of a litmus test from JSON, as race/litmus/program.py writes it. Throws std::invalid_argument.
litmus::Program parse_litmus(const std::string& json);

}  // namespace race
