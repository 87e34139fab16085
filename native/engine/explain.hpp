// From the trace of an execution that found something to the facts of the report: the wrong value, where it came from, what
// should have been read, who wrote that and when it became visible, and the steps that matter.
#pragma once

#include "engine/campaign.hpp"
#include "engine/describe.hpp"

namespace race {

class Explain {
 public:
  Explain(const weak::Machine& machine, const Scenario& scenario, const weak::Trace& trace)
      : machine_(machine), scenario_(scenario), trace_(trace), describe_(machine, scenario) {}
  FindingRecord record(const Outcome& o) const;
  FindingRecord facts(const Outcome& o) const;  // the same without the steps

  // Of which words the steps matter.
  struct Focus {
    std::uint64_t link = 0, where = 0;  // 0: none
    std::int32_t slot = -1;             // whose class lock; -1: all
  };
  Focus focus(const Outcome& o) const;
  std::vector<StepRecord> steps(const Focus& f, std::uint64_t& left_out) const;
  std::string text(std::uint32_t event) const;   // what happens there, and who does it
  std::string brief(std::uint32_t event) const;  // without who
  // The load that the wrong value came from: 0 if it is not known.
  std::uint32_t culprit(const Outcome& o) const;

 private:
  using Event = weak::Event;
  // The newest store to the word that was issued before event `before`, committed or not: 0 if there was none.
  std::uint32_t newest_store(std::uint64_t address, std::uint32_t before) const;
  std::uint32_t newest_for(std::uint32_t load) const;
  std::uint32_t last_committed(std::uint64_t address) const;  // the store that memory holds now
  std::uint32_t commit_of(std::uint32_t store) const;         // 0: never, or at once
  bool in_map_buffer(std::uint64_t address) const;
  std::uint32_t copied_from(std::uint32_t load) const;
  std::string visibility(std::uint32_t store, std::uint32_t load) const;
  std::string as_value(const Fault& f, std::uint64_t word, std::uint64_t v) const;
  std::string freed(std::uint64_t address) const;
  std::string who(const Event& e) const { return std::string(scenario_.thread_name(e.cpu)) + ' ' + e.function; }
  bool at_the_end(unsigned cpu) const { return cpu == scenario_.cpus(); }

  std::vector<std::string> story(const Outcome& o, const FindingRecord& f) const;
  std::vector<std::uint32_t> story_steps(const Focus& f) const;
  std::vector<std::uint32_t> reordered() const;  // accesses that did not happen in order; empty if they are too many
  StepRecord step(std::uint32_t event) const;
  std::uint32_t committed_before(std::uint64_t address, std::uint32_t before) const;
  bool matters(const Event& e, const Focus& f) const;
  bool is_lock(std::uint64_t address) const;
  bool synchronises(const Event& e) const;
  std::string read_as(std::uint64_t address, std::uint64_t v) const;
  std::string line(std::uint32_t event) const;
  std::string head(std::uint32_t event, const Event& e) const;

  const weak::Machine& machine_;
  const Scenario& scenario_;
  const weak::Trace& trace_;
  Describe describe_;
};

}  // namespace race
