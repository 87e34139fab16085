#include "engine/digest.hpp"

namespace race {

namespace {

std::uint64_t of_text(std::string_view text) {  // FNV-1a
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

}  // namespace

Digest::Digest() {
  for (const Site& s : sites().all()) sites_.push_back(of_text(s.name));
}

void Digest::add(std::string_view text) { add(of_text(text)); }

// Most events are of the function of the one before.
void Digest::add_function(const char* name) {
  if (name != function_) {
    function_ = name;
    function_value_ = of_text(name);
  }
  add(function_value_);
}

void Digest::add(const weak::Event& e) {
  add(std::uint64_t{static_cast<std::uint8_t>(e.kind)} | std::uint64_t{e.cpu} << 8 | std::uint64_t{e.stale} << 16 |
      std::uint64_t{e.held} << 17 | std::uint64_t{e.forwarded} << 18 | std::uint64_t{e.time} << 32);
  add(sites_[e.site]);
  add_function(e.function);
  add(e.address);
  add(e.value);
  add(e.newest);
  add(e.issue | std::uint64_t{e.read} << 32);
}

void Digest::add(const Outcome& outcome, const std::vector<Deviation>& deviations, const weak::Trace& trace) {
  add(std::uint64_t{outcome.failed} | std::uint64_t{outcome.abandoned} << 1);
  if (outcome.failed) {
    const Fault& f = outcome.fault;
    add(info(f.oracle).name);
    add(f.what);
    add(f.zspage);
    add(static_cast<std::uint64_t>(f.object));
    add(f.value);
    add(f.where);
    add(outcome.cpu);
  }
  add(deviations.size());
  for (const Deviation& d : deviations) {
    add(static_cast<std::uint64_t>(d.kind));
    add(d.ordinal | std::uint64_t{d.answer} << 32);
  }
  add(trace.events.size());
  for (std::size_t n = 1; n < trace.events.size(); ++n) add(trace.events[n]);
}

}  // namespace race
