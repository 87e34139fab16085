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

// What the weak machine did in every arm of the request, for seeds 1 to `seeds`, each with the request's executions; to compare one
// machine with another. Throws std::invalid_argument if the request is no such.
nlohmann::ordered_json digest_request(const Request& request, std::uint64_t seeds);

// {"architecture", "model", "cpus", "kernel", "compiler", "atomics", "emulated", "why"}
nlohmann::ordered_json host_json(std::optional<bool> emulated);

}  // namespace race
