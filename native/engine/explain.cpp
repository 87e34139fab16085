#include "engine/explain.hpp"

#include <algorithm>

#include "engine/placed_strategy.hpp"

namespace race {

using Kind = weak::Event::Kind;

namespace {

constexpr std::size_t most_lines = 80;
constexpr std::size_t most_reordered = 40;
constexpr std::size_t most_steps = 400;

bool writes(const weak::Event& e) { return e.kind == Kind::store || e.kind == Kind::rmw; }

}  // namespace

std::uint32_t Explain::newest_store(std::uint64_t address, std::uint32_t before) const {
  for (std::uint32_t n = before; n-- > 1;)
    if (writes(trace_.events[n]) && trace_.events[n].address == address) return n;
  return 0;
}

std::uint32_t Explain::last_committed(std::uint64_t address) const {
  for (auto n = static_cast<std::uint32_t>(trace_.events.size()); n-- > 1;) {
    const Event& e = trace_.events[n];
    if (e.address != address) continue;
    if (e.kind == Kind::commit) return e.issue;
    if (writes(e) && !e.held) return n;
  }
  return 0;
}

// The store that a load should have read: a late load comes before what its own CPU stored since it was issued.
std::uint32_t Explain::newest_for(std::uint32_t load) const {
  const Event& l = trace_.events[load];
  std::uint32_t n = load;
  do {
    n = newest_store(l.address, n);
  } while (n != 0 && !l.forwarded && l.issue != 0 && trace_.events[n].cpu == l.cpu && n > l.issue);
  return n;
}

std::uint32_t Explain::commit_of(std::uint32_t store) const {
  for (std::uint32_t n = store + 1; n < trace_.events.size(); ++n)
    if (trace_.events[n].kind == Kind::commit && trace_.events[n].issue == store) return n;
  return 0;
}

std::uint32_t Explain::culprit(const Outcome& o) const {
  const Fault& f = o.fault;
  // Nobody loaded where the lock was looked at from outside, or where the access itself was refused.
  if (f.where == 0 || f.oracle == Oracle::unlock_of_unlocked || f.where == f.value) return 0;
  const bool stored = f.kind == ValueKind::freeobj && f.oracle != Oracle::double_allocation;
  for (auto n = static_cast<std::uint32_t>(trace_.events.size() - 1); n > 0; --n) {
    const Event& e = trace_.events[n];
    if (e.cpu != o.cpu || e.address != f.where || !(writes(e) || e.kind == Kind::load)) continue;
    // freeobj was stored: its value came from the load that the store names. Else the value itself was loaded.
    if (stored && e.kind == Kind::store) return e.issue;
    if (stored || e.kind != Kind::load) return 0;
    return in_map_buffer(e.address) ? copied_from(n) : n;
  }
  return 0;
}

bool Explain::in_map_buffer(std::uint64_t address) const {
  const weak::Region* r = machine_.region(address);
  return r != nullptr && std::string_view(r->name) == "map_area";
}

// The load that brought the object's word to the CPU's buffer, where the load at `n` found it.
std::uint32_t Explain::copied_from(std::uint32_t n) const {
  const std::uint32_t store = newest_for(n);
  return store != 0 && trace_.events[store].issue != 0 ? trace_.events[store].issue : n;
}

Explain::Focus Explain::focus(const Outcome& o) const {
  const std::uint32_t load = o.failed ? culprit(o) : 0;
  const Fault& f = o.fault;
  return {load != 0 ? trace_.events[load].address : 0, f.where,
          f.size_class >= 0 ? f.size_class : describe_.slot_of(f.zspage)};
}

FindingRecord Explain::record(const Outcome& o) const {
  FindingRecord f = facts(o);
  f.trace = story(o, f);
  f.steps = steps(focus(o), f.steps_left_out);
  StepRecord last;
  last.step = static_cast<std::uint32_t>(trace_.events.size() - 1);
  last.cpu = o.cpu;
  last.kind = "found";
  last.thread = scenario_.thread_name(o.cpu);
  last.function = o.function;
  last.site = f.site;
  last.place = info(o.fault.oracle).name;
  last.value = f.value;
  f.steps.push_back(last);
  return f;
}

FindingRecord Explain::facts(const Outcome& o) const {
  FindingRecord f;
  f.oracle = o.fault.oracle;
  f.message = o.fault.what;
  f.thread = at_the_end(o.cpu) ? "the check at the end of the execution" : scenario_.thread_name(o.cpu);
  f.function = o.function;
  if (o.site != no_site) f.site = sites()[o.site].name;
  f.zspage = describe_.zspage(o.fault.zspage);
  const std::int32_t slot = o.fault.size_class >= 0 ? o.fault.size_class : describe_.slot_of(o.fault.zspage);
  f.size_class = describe_.size_class(slot);
  f.object = o.fault.object;
  const std::uint32_t objects = describe_.objects(o.fault.zspage);
  const Describe::Value value = describe_.value(o.fault.kind, o.fault.value, objects);
  f.value = value.text;
  f.value_kind = value.kind;
  if (o.fault.expected) {
    const Describe::Value expected = describe_.value(o.fault.kind, *o.fault.expected, objects);
    f.expected = expected.text + (expected.meaning.empty() ? "" : " (" + expected.meaning + ')');
  }

  const std::uint32_t load = culprit(o);
  const auto end = static_cast<std::uint32_t>(trace_.events.size());
  const std::uint64_t word = load != 0 ? trace_.events[load].address : o.fault.where;
  if (load != 0) f.function = trace_.events[load].function;
  f.origin = value.meaning;
  const std::string place = word != 0 ? describe_.word(word) : "";
  // Poison that was read where it had been put needs no place, unless it has moved there.
  constexpr std::string_view poison = "poison of ";
  const bool in_place = f.value_kind == "poison" && place.starts_with(f.origin.substr(poison.size()));
  if (f.origin.empty() || o.fault.where == o.fault.value)
    f.origin = place;
  else if (!place.empty() && !in_place)
    f.origin += ", in " + place;
  const std::uint32_t store = word == 0           ? 0
                              : at_the_end(o.cpu) ? last_committed(word)
                              : load != 0         ? newest_for(load)
                                                  : newest_store(word, end);
  if (store != 0) {
    const Event& e = trace_.events[store];
    f.newest = as_value(o.fault, word, e.value);
    f.written_by = who(e) + " at step " + std::to_string(store) + visibility(store, load);
    if (in_place && std::string_view(e.function) == "zs_page_migrate")
      f.origin += ", the page that zs_page_migrate copies to";
  }
  if (o.fault.where != 0 && !machine_.live(o.fault.where)) f.origin += freed(o.fault.where);
  return f;
}

// A value that the word was given, as the fault's value is shown.
std::string Explain::as_value(const Fault& f, std::uint64_t word, std::uint64_t v) const {
  if (f.kind == ValueKind::number && v >> 32 == 0) return std::to_string(v);  // else a pointer, or below 0
  // What becomes freeobj is the link without its tag bit.
  if (f.kind == ValueKind::freeobj && describe_.frame_of(word) >= 0)
    return hex(static_cast<std::uint32_t>(v >> zsmalloc::obj_tag_bits));
  return hex(v);
}

// Who put the last reference to the page that the word lies in.
std::string Explain::freed(std::uint64_t address) const {
  const std::int32_t frame = describe_.frame_of(address);
  if (frame < 0) return "";
  const auto page = scenario_.pages().frame(static_cast<std::uint32_t>(frame));
  const std::uint32_t n = newest_store(weak::machine::address_of(page[&kernel::page<weak::machine>::refcount]),
                                       static_cast<std::uint32_t>(trace_.events.size()));
  if (n == 0 || trace_.events[n].value != 0) return ", a page that nobody allocated";
  return ", a page that " + who(trace_.events[n]) + " freed at step " + std::to_string(n);
}

// When a store could be seen, told from the load that should have seen it (0: from the end).
std::string Explain::visibility(std::uint32_t store, std::uint32_t load) const {
  const bool stale = load != 0 && trace_.events[load].stale;
  std::string text = ", visible at once";
  if (trace_.events[store].held) {
    const std::uint32_t commit = commit_of(store);
    if (load != 0 && (commit == 0 || commit > load))
      text = ", not yet visible to other CPUs when it was needed at step " + std::to_string(load);
    else
      text = commit == 0 ? ", not yet visible to other CPUs" : ", visible from step " + std::to_string(commit);
  }
  return stale ? text + "; the load at step " + std::to_string(load) + " was early and read what the word held before"
               : text;
}

std::string Explain::line(std::uint32_t n) const { return head(n, trace_.events[n]) + brief(n); }

std::string Explain::text(std::uint32_t n) const {
  if (n >= trace_.events.size()) return "the execution has ended";
  const Event& e = trace_.events[n];
  if (e.kind == Kind::fault) return "the finding: " + who(e);
  return who(e) + ": " + brief(n);
}

std::string Explain::brief(std::uint32_t n) const {
  const Event& e = trace_.events[n];
  const auto arrow = [&](const char* verb) { return std::string(verb) + ' ' + describe_.word(e.address); };
  std::string text;
  switch (e.kind) {
    case Kind::runs: text = "runs"; break;
    case Kind::waits: text = "waits for " + describe_.word(e.address); break;
    case Kind::load:
      text = arrow("load ") + " = " + read_as(e.address, e.value);
      if (e.stale) text += " [NOT CURRENT: newest " + read_as(e.address, e.newest) + ']';
      if (e.issue != 0 && !e.forwarded) text += ", issued at step " + std::to_string(e.issue);
      if (e.forwarded) text += " (own held store)";
      break;
    case Kind::store:
      text = arrow("store") + " = " + read_as(e.address, e.value) + (e.held ? " (held back)" : "");
      break;
    case Kind::commit:
      text = arrow("commit") + " = " + read_as(e.address, e.value) + ", stored at step " + std::to_string(e.issue);
      break;
    case Kind::rmw: text = arrow("atomic") + " " + hex(e.newest) + " -> " + hex(e.value); break;
    case Kind::fence: {
      constexpr const char* fences[] = {"dmb ish", "dmb ishld", "dmb ishst"};
      text = fences[e.value];
      break;
    }
    case Kind::late: text = arrow("issue an access to") + " (performed later)"; break;
    case Kind::fault: break;
  }
  if (synchronises(e))
    text += " @ " + std::string(sites()[e.site].name) + " (" + std::string(name(machine_.plan[e.site])) + ')';
  return text;
}

// The value; for the first word of an object with what it says.
std::string Explain::read_as(std::uint64_t address, std::uint64_t v) const {
  if (describe_.object_at(address) < 0) return hex(v);
  const Describe::Value value = describe_.value(ValueKind::object_word, v, 8192);
  return value.text + " (" + (value.kind == "link" ? value.meaning : value.kind) + ')';
}

// Is this step the one that its CPU's site stands for? The site is the last that the CPU came to, whatever it did since.
bool Explain::synchronises(const Event& e) const {
  if (e.site == no_site) return false;
  if (e.kind == Kind::fence) return true;
  if (e.kind == Kind::load || e.kind == Kind::store) return is_lock(e.address);
  if (e.kind != Kind::rmw) return false;
  const weak::Region* r = machine_.region(e.address);
  const std::string_view region = r != nullptr ? r->name : "";
  if (region != "page") return region == "handle" || region == "zs_pool" || is_lock(e.address);
  // Of a page's flags only the lock bit belongs to a site; and get_page has none.
  const Primitive p = sites()[e.site].primitive;
  if (p == Primitive::ref_get || p == Primitive::ref_put) return true;
  return (p == Primitive::page_lock || p == Primitive::page_unlock) && ((e.newest ^ e.value) & ~kernel::pg_locked) == 0;
}

std::string Explain::head(std::uint32_t n, const Event& e) const {
  const auto column = [](const std::string& text, std::size_t width) {
    return text + std::string(text.size() < width ? width - text.size() : 0, ' ') + ' ';
  };
  return column('#' + std::to_string(n), 6) + column(scenario_.thread_name(e.cpu), 12) + column(e.function, 20);
}

bool Explain::is_lock(std::uint64_t address) const {
  if (describe_.class_lock_of(address) >= 0) return true;
  const weak::Region* r = machine_.region(address);
  return r != nullptr && std::string_view(r->name) == "zspage" &&
         address == weak::machine::address_of(weak::machine::ptr<zsmalloc::zspage<weak::machine>>(
                        weak::Machine::address_base + 8ull * r->first, 0,
                        0)[&zsmalloc::zspage<weak::machine>::lock][&kernel::rwlock<weak::machine>::word]);
}

// Does the step matter? The accesses to the two words of the story, the class's lock, fences, and who runs.
bool Explain::matters(const Event& e, const Focus& f) const {
  if (e.kind == Kind::runs || e.kind == Kind::waits || e.kind == Kind::fence) return true;
  if (e.address == 0 || e.kind == Kind::fault) return false;
  if (e.address == f.link || e.address == f.where) return true;
  const std::int32_t locked = describe_.class_lock_of(e.address);
  if (locked < 0 || (f.slot >= 0 && locked != f.slot)) return false;
  // Whoever unlocks loads its own number first: that tells nothing.
  return e.kind != Kind::load || e.site == no_site || info(sites()[e.site].primitive).side == Side::lock;
}

std::vector<std::uint32_t> Explain::story_steps(const Focus& f) const {
  std::vector<std::uint32_t> steps;
  for (std::uint32_t n = 1; n < trace_.events.size(); ++n) {
    const Event& e = trace_.events[n];
    if (!matters(e, f)) continue;
    // Of CPUs that ran and did nothing that matters, only the last is shown.
    if (e.kind == Kind::runs && !steps.empty() && trace_.events[steps.back()].kind == Kind::runs) steps.pop_back();
    steps.push_back(n);
  }
  return steps;
}

std::vector<std::uint32_t> Explain::reordered() const {
  std::vector<std::uint32_t> all;
  std::size_t how_many = 0;
  for (std::uint32_t n = 1; n < trace_.events.size(); ++n) {
    const Event& e = trace_.events[n];
    const bool issued = (e.kind == Kind::store || e.kind == Kind::rmw) ? e.held : e.kind == Kind::late;
    if (issued || e.stale) ++how_many;
    if (issued || e.stale || (e.issue != 0 && !is_issue(e))) all.push_back(n);
  }
  return how_many <= most_reordered ? all : std::vector<std::uint32_t>{};
}

std::vector<StepRecord> Explain::steps(const Focus& f, std::uint64_t& left_out) const {
  std::vector<std::uint32_t> chosen = story_steps(f);
  const std::vector<std::uint32_t> more = reordered();
  chosen.insert(chosen.end(), more.begin(), more.end());
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  left_out = chosen.size() > most_steps ? chosen.size() - most_steps : 0;
  chosen.erase(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(left_out));
  std::vector<StepRecord> records;
  for (const std::uint32_t n : chosen) records.push_back(step(n));
  return records;
}

// The write that memory held just before the event: 0 if there was none.
std::uint32_t Explain::committed_before(std::uint64_t address, std::uint32_t before) const {
  for (std::uint32_t n = before; n-- > 1;) {
    const Event& e = trace_.events[n];
    if (e.address == address && (e.kind == Kind::commit || (writes(e) && !e.held))) return n;
  }
  return 0;
}

StepRecord Explain::step(std::uint32_t n) const {
  constexpr std::array<const char*, 9> kinds{"load", "late", "store", "commit", "atomic", "fence", "runs", "waits", ""};
  constexpr std::array<const char*, 3> fences{"dmb ish", "dmb ishld", "dmb ishst"};
  const Event& e = trace_.events[n];
  StepRecord s;
  s.step = n;
  s.cpu = e.cpu;
  s.kind = kinds[static_cast<std::size_t>(e.kind)];
  s.thread = scenario_.thread_name(e.cpu);
  s.function = e.function;
  if (synchronises(e)) {
    s.site = sites()[e.site].name;
    s.strength = name(machine_.plan[e.site]);
  }
  if (e.kind == Kind::fence) {
    s.value = fences[e.value];
    return s;
  }
  if (e.address != 0) s.place = describe_.word(e.address);
  if (e.kind == Kind::runs || e.kind == Kind::waits) return s;
  if (e.kind == Kind::rmw)
    s.value = hex(e.newest) + " -> " + hex(e.value);
  else if (e.kind != Kind::late)
    s.value = read_as(e.address, e.value);
  s.forwarded = e.forwarded;
  if ((e.kind == Kind::load || e.kind == Kind::rmw || e.kind == Kind::commit) && !e.forwarded) s.issue = e.issue;
  s.held = writes(e) && e.held;
  if (s.held || e.kind == Kind::late)
    for (std::uint32_t m = n + 1; m < trace_.events.size() && s.done == 0; ++m)
      if (trace_.events[m].issue == n && !is_issue(trace_.events[m])) s.done = m;
  s.stale = e.stale;
  if (e.stale) {
    s.newest = read_as(e.address, e.newest);
    std::uint32_t w = committed_before(e.address, n);
    if (w != 0 && trace_.events[w].kind == Kind::commit) {
      s.writer_done = w;
      w = trace_.events[w].issue;
    }
    if (w != 0) s.writer = who(trace_.events[w]);
    s.writer_step = w;
  }
  return s;
}

std::vector<std::string> Explain::story(const Outcome& o, const FindingRecord& f) const {
  const std::vector<std::uint32_t> steps = story_steps(focus(o));
  std::vector<std::string> lines;
  const std::size_t skip = steps.size() > most_lines ? steps.size() - most_lines : 0;
  if (skip != 0) lines.push_back(std::to_string(skip) + " earlier steps left out");
  for (std::size_t i = skip; i < steps.size(); ++i) lines.push_back(line(steps[i]));
  Event last{};
  last.cpu = static_cast<std::uint8_t>(o.cpu);
  last.function = o.function;
  std::string ending = "FOUND " + std::string(info(o.fault.oracle).name) + ": " + f.message;
  if (!f.value.empty()) ending += ": " + f.value;
  if (!f.expected.empty()) ending += ", expected " + f.expected;
  lines.push_back(head(static_cast<std::uint32_t>(trace_.events.size() - 1), last) + ending);
  return lines;
}

}  // namespace race
