#include "engine/explain.hpp"

#include <cstdio>

namespace race {

using Kind = weak::Event::Kind;

namespace {

constexpr std::size_t most_lines = 80;

bool writes(const weak::Event& e) { return e.kind == Kind::store || e.kind == Kind::rmw; }

}  // namespace

std::uint32_t Explain::newest_store(std::uint64_t address, std::uint32_t before) const {
  for (std::uint32_t n = before; n-- > 1;)
    if (writes(trace_.events[n]) && trace_.events[n].address == address) return n;
  return 0;
}

std::uint32_t Explain::commit_of(std::uint32_t store) const {
  for (std::uint32_t n = store + 1; n < trace_.events.size(); ++n)
    if (trace_.events[n].kind == Kind::commit && trace_.events[n].issue == store) return n;
  return 0;
}

std::uint32_t Explain::culprit(const Outcome& o) const {
  const auto last = static_cast<std::uint32_t>(trace_.events.size() - 1);
  for (std::uint32_t n = last; n > 0; --n) {
    const Event& e = trace_.events[n];
    if (e.cpu != o.cpu || e.address != o.fault.where) continue;
    // freeobj was stored: the value came from the load that the store names. A payload was loaded: that is it.
    if (o.fault.oracle == Oracle::garbage_freeobj && e.kind == Kind::store) return e.issue;
    if (o.fault.oracle == Oracle::stale_object && e.kind == Kind::load) return n;
  }
  return 0;
}

FindingRecord Explain::record(const Outcome& o) const {
  FindingRecord f;
  f.oracle = o.fault.oracle;
  f.message = o.fault.what;
  f.thread = scenario_.thread_name(o.cpu);
  f.function = o.function;
  if (o.site != no_site) f.site = sites()[o.site].name;
  f.zspage = describe_.zspage(o.fault.zspage);
  f.object = o.fault.object;
  f.value = hex(o.fault.value);
  if (o.fault.oracle == Oracle::garbage_freeobj || o.fault.oracle == Oracle::free_list) {
    const Describe::Value v =
        describe_.freeobj(static_cast<std::uint32_t>(o.fault.value), describe_.objects(o.fault.zspage));
    f.value_kind = v.kind;
    f.origin = v.origin;
  }
  const std::uint32_t load = culprit(o);
  const auto end = static_cast<std::uint32_t>(trace_.events.size() - 1);
  const std::uint64_t word = load != 0 ? trace_.events[load].address : o.fault.where;
  if (load != 0) f.function = trace_.events[load].function;
  if (const std::uint32_t store = word != 0 ? newest_store(word, load != 0 ? load : end) : 0) {
    const Event& e = trace_.events[store];
    // freeobj is a link without its tag bit: shown as what freeobj should have become.
    f.newest = hex(f.oracle == Oracle::garbage_freeobj ? static_cast<std::uint32_t>(e.value >> zsmalloc::obj_tag_bits)
                                                       : e.value);
    f.written_by = who(e) + " at step " + std::to_string(store) + visibility(store, load);
    if (f.value_kind == "poison" && std::string_view(e.function) == "zs_page_migrate")
      f.origin += ", the page that zs_page_migrate copies to";
  }
  if (f.origin.empty() && word != 0) f.origin = describe_.word(word);
  f.trace = story(load, o.fault.where);
  return f;
}

// When a store could be seen, told from the load that should have seen it (0: from the end).
std::string Explain::visibility(std::uint32_t store, std::uint32_t load) const {
  const bool stale = load != 0 && trace_.events[load].stale;
  std::string text = ", visible at once";
  if (trace_.events[store].held) {
    const std::uint32_t commit = commit_of(store);
    text = load != 0 && (commit == 0 || commit > load)
               ? ", not yet visible to other CPUs when it was needed at step " + std::to_string(load)
               : ", visible from step " + std::to_string(commit);
  }
  return stale ? text + "; the load at step " + std::to_string(load) + " was early and read what the word held before"
               : text;
}

std::string Explain::line(std::uint32_t n) const {
  const Event& e = trace_.events[n];
  const auto arrow = [&](const char* verb) { return std::string(verb) + ' ' + describe_.word(e.address); };
  std::string text;
  switch (e.kind) {
    case Kind::runs: text = "runs"; break;
    case Kind::waits: text = "waits for " + describe_.word(e.address); break;
    case Kind::load:
      text = arrow("load ") + " = " + hex(e.value);
      if (e.stale) text += " [NOT CURRENT: newest " + hex(e.newest) + ']';
      if (e.issue != 0 && !e.forwarded) text += ", issued at step " + std::to_string(e.issue);
      if (e.forwarded) text += " (own held store)";
      break;
    case Kind::store: text = arrow("store") + " = " + hex(e.value) + (e.held ? " (held back)" : ""); break;
    case Kind::commit:
      text = arrow("commit") + " = " + hex(e.value) + ", stored at step " + std::to_string(e.issue);
      break;
    case Kind::rmw: text = arrow("atomic") + " " + hex(e.newest) + " -> " + hex(e.value); break;
    case Kind::fence: {
      constexpr const char* fences[] = {"dmb ish", "dmb ishld", "dmb ishst"};
      text = fences[e.value];
      break;
    }
    case Kind::fault: text = "found"; break;
    case Kind::late: text = arrow("issue an access to") + " (performed later)"; break;
  }
  if (e.site != no_site && (e.kind == Kind::rmw || e.kind == Kind::fence))
    text += " @ " + std::string(sites()[e.site].name);
  char head[96];
  std::snprintf(head, sizeof head, "#%-5u %-12s %-18s ", n, scenario_.thread_name(e.cpu), e.function);
  return head + text;
}

// The accesses to the two words of the story, the locks of the classes, who runs, and the end.
std::vector<std::string> Explain::story(std::uint32_t load, std::uint64_t where) const {
  std::vector<std::uint32_t> steps;
  const std::uint64_t link = load != 0 ? trace_.events[load].address : 0;
  for (std::uint32_t n = 1; n < trace_.events.size(); ++n) {
    const Event& e = trace_.events[n];
    const weak::Region* r = e.address != 0 ? machine_.region(e.address) : nullptr;
    const bool lock = r != nullptr && std::string_view(r->name) == "size_class" &&
                      (e.address - weak::Machine::address_base) / 8 - r->first < 2;
    const bool word = e.address != 0 && (e.address == link || e.address == where);
    if (word || lock || e.kind == Kind::runs || e.kind == Kind::waits || e.kind == Kind::fault) steps.push_back(n);
  }
  std::vector<std::string> lines;
  const std::size_t skip = steps.size() > most_lines ? steps.size() - most_lines : 0;
  if (skip != 0) lines.push_back(std::to_string(skip) + " earlier steps left out");
  for (std::size_t i = skip; i < steps.size(); ++i) lines.push_back(line(steps[i]));
  return lines;
}

}  // namespace race
