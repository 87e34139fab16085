// What runs in a process of its own: calibration, and one arm. Both write what they have as lines of JSON, all the time, so that
// a process that dies has told what it had.
#pragma once

#include "capi/request.hpp"
#include "engine/hardware/calibration.hpp"

namespace race {

// {"calibration": {...}}
void calibrate_into(int fd, const Request& request);
nlohmann::ordered_json calibration_json(const hardware::Calibration& c);

struct ArmBudget {
  std::uint64_t first = 0;                  // number of the first execution
  std::optional<std::uint64_t> executions;  // whichever comes first
  std::optional<double> seconds;
};
// {"status": {"executions", "cut_short", "counts"}} every quarter of a second, {"finding": {...}} for each that is kept, and
// the status once more when it ends. tuning: the calibration's, as JSON; null if there was none.
void run_arm_into(int fd, const Request& request, std::size_t arm, const nlohmann::json& tuning,
                  const ArmBudget& budget);

}  // namespace race
