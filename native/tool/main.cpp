// race-native: the engines for boards without Python.
//   race-native [PLAN.json] > result.json      what `race plan` wrote, from a file or standard input
//   race-native --calibrate [SECONDS]          what this host is seen to reorder
//   race-native --host                         what this host is
//   race-native --digest SEEDS [PLAN.json]     a number for all that the weak machine does: the same on every machine
// The result goes to standard output as JSON, a short report and the progress to standard error.
// Exit status: 0 it was run; 1 something was found where nothing may be; 2 the input is wrong; 4 it was not
// completed. What a result means, `race report` says.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include "capi/native_run.hpp"
#include "engine/hardware/clock.hpp"

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::atomic<bool> cancelled{false};

void say(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

void say_host(const ordered_json& host) {
  std::string text = "host: " + host["architecture"].get<std::string>();
  for (const auto& cpu : host["cpus"]) text += ", " + cpu.get<std::string>();
  say(text + "; " + host["kernel"].get<std::string>() + "; atomics: " + host["atomics"].get<std::string>());
  if (host["emulated"]) say("emulated: no evidence about ordering (" + host["why"].get<std::string>() + ")");
}

void say_calibration(const ordered_json& calibration, const std::string& model) {
  if (!calibration.is_object()) return;
  std::fprintf(stderr, "%-6s %14s %14s %10s %10s\n", "test", "iterations", "weak", "weak/s", "allowed");
  for (const auto& test : calibration["tests"])
    std::fprintf(stderr, "%-6s %14llu %14llu %10.3g %10s\n", test["name"].get<std::string>().c_str(),
                 test["iterations"].get<unsigned long long>(), test["weak"].get<unsigned long long>(),
                 test["weak_per_second"].get<double>(), test["allowed"][model] ? "yes" : "no");
  say("tuning: " + calibration["tuning"]["text"].get<std::string>());
}

// Nothing may be found: it is as strong as the kernel's, or the scenario says so. host_model: of this CPU.
bool must_be_clean(const json& arm, bool on_hardware, const std::string& host_model) {
  const auto model = on_hardware ? host_model : arm["native"]["model"].get<std::string>();
  if (!arm.value("weakened", true)) return true;
  const auto expected = arm.find("expected");
  return expected != arm.end() && expected->contains(model) && (*expected)[model].value("clean", false);
}

// On a terminal the line is written over, elsewhere there is one every 15 s.
void say_progress(const ordered_json& line) {
  static double last = -100;
  const double now = race::hardware::seconds_now();
  const bool terminal = isatty(2) == 1;
  if (now - last < (terminal ? 0.5 : 15)) return;
  last = now;
  std::fprintf(stderr, "%s%s: %llu executions, %.0f s: %s%s", terminal ? "\r\x1b[K" : "",
               line["arm"].get<std::string>().c_str(), line["executions"].get<unsigned long long>(),
               line["seconds"].get<double>(), line["counts"].empty() ? "nothing" : line["counts"].dump().c_str(),
               terminal ? "" : "\n");
}

std::string read_all(const char* file) {
  if (file == nullptr || std::string(file) == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::invalid_argument(std::string("cannot read ") + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

double number(const char* text, const char* what) {
  char* end = nullptr;
  const double v = std::strtod(text, &end);
  if (end == text || *end != 0 || !(v > 0)) throw std::invalid_argument(std::string("\"") + text + "\" is no " + what);
  return v;
}

std::string calibration_request(const char* seconds) {
  const double s = seconds != nullptr ? number(seconds, "number of seconds") : 5;
  return json{{"format", "race-plan"},  {"version", 1},         {"engine", "hardware"}, {"seed", 1},
              {"calibrate_seconds", s}, {"arms", json::array()}}
      .dump();
}

int run(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "--host") {
    std::cout << race::host_json(std::nullopt).dump(2) << '\n';
    return 0;
  }
  if (first.size() > 1 && first[0] == '-' && first != "--calibrate" && first != "--digest")
    throw std::invalid_argument(
        "unknown option " + first +
        "; race-native [PLAN.json], --calibrate [SECONDS], --host or --digest SEEDS [PLAN.json]");
  if (argc > (first == "--digest" ? 4 : first == "--calibrate" ? 3 : 2))
    throw std::invalid_argument("too many arguments");
  if (first == "--digest") {
    const double seeds = number(argc > 2 ? argv[2] : "", "number of seeds");
    const race::Request request = race::parse_request(read_all(argc > 3 ? argv[3] : nullptr));
    std::cout << race::digest_request(request, static_cast<std::uint64_t>(seeds)).dump(2) << '\n';
    return 0;
  }
  const race::Request request =
      race::parse_request(first == "--calibrate" ? calibration_request(argc > 2 ? argv[2] : nullptr)
                                                 : read_all(argc > 1 ? argv[1] : nullptr));
  std::signal(SIGINT, [](int) { cancelled = true; });
  std::signal(SIGTERM, [](int) { cancelled = true; });
  std::string model;
  const ordered_json result = race::run_request(
      request,
      [&](const ordered_json& line) {
        if (line.contains("host")) say_host(line["host"]), model = line["host"]["model"].get<std::string>();
        if (line.contains("calibration")) say_calibration(line["calibration"], model);
        if (line.contains("arm")) say_progress(line);
      },
      cancelled);
  if (isatty(2) == 1) std::fprintf(stderr, "\r\x1b[K");
  bool wrong = false;
  for (std::size_t i = 0; i < result["arms"].size(); ++i) {
    const auto& arm = result["arms"][i];
    const bool found = !arm["counts"].empty();
    wrong = wrong || (found && must_be_clean(request.document["arms"][i], request.engine == "hardware", model));
    say("plan " + arm["plan"].get<std::string>() + ": " + std::to_string(arm["executions"].get<std::uint64_t>()) +
        " executions: " + (found ? arm["counts"].dump() : "nothing found"));
  }
  std::cout << result.dump(2, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
  if (!std::cout) throw std::runtime_error("cannot write the result to standard output");
  const std::string error = result["error"].get<std::string>();
  if (!error.empty()) say("race-native: error: " + error);
  if (!error.empty() || cancelled) return 4;
  return wrong ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::invalid_argument& e) {
    say(std::string("race-native: error: ") + e.what());
    return 2;
  } catch (const std::exception& e) {
    say(std::string("race-native: error: ") + e.what());
    return 4;
  }
}
