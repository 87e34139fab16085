// A request from beginning to end: the host, the calibration, every arm; and the result document.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>

#include "capi/request.hpp"

namespace race {

// tell: what happens meanwhile, as {"host": ...}, {"calibration": ...}, and {"arm", "executions", "counts", "seconds"}.
// Once `cancelled`, it ends soon, with what there is. The hardware engine must be called where no other thread runs.
nlohmann::ordered_json run_request(const Request& request,
                                   const std::function<void(const nlohmann::ordered_json&)>& tell,
                                   const std::atomic<bool>& cancelled);

// {"architecture", "model", "cpus", "kernel", "compiler", "atomics", "emulated", "why"}
nlohmann::ordered_json host_json(std::optional<bool> emulated);

}  // namespace race
