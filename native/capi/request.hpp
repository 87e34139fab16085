// What `race plan` writes: a scenario under one or more barrier plans, and how long to run them, as one document for a host
// that may have no Python.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/program.hpp"

namespace race {

struct RequestedArm {
  std::string plan;  // as the user wrote it
  Plan native;
};

struct Request {
  nlohmann::json document;  // all of it; the result carries it
  std::string engine;       // hardware, weak
  std::uint64_t seed = 1;
  std::uint64_t first = 0;                  // number of the first execution
  std::optional<std::uint64_t> executions;  // of each arm
  std::optional<double> seconds;            // of all arms together
  double calibrate_seconds = 0;             // 0: not at all
  double hang_seconds = 10;
  std::optional<bool> emulated;  // what is to be taken for true; not given: this is looked into
  std::string inject;            // a fault, in builds for tests
  std::vector<RequestedArm> arms;
};

// Throws std::invalid_argument with the path in the document.
Request parse_request(std::string_view json);

}  // namespace race
