// Runs work in a process of its own, and reads what it writes until it ends, however it ends.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace race {

struct Ended {
  bool well = false;
  std::string cause;          // else: "SIGKILL", "exit status 3", "gave no sign of life for 40 s"
  nlohmann::json last_words;  // {"died": ...} or {"hang": ...}, if it could still say what had happened
};

// work(fd) is carried out by a forked process, which then ends; it must be called where no other thread runs. on_line gets
// each document that it writes. silence: seconds without one, after which it is killed. Once `cancelled`, it is asked to end.
Ended supervise(const std::function<void(int)>& work, const std::function<void(const nlohmann::json&)>& on_line,
                double silence, const std::atomic<bool>& cancelled);

}  // namespace race
