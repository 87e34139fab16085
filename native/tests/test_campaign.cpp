// Campaigns on the weak machine: the allocator's scenarios, both sides of each, and what a finding says.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "engine/campaign.hpp"
#include "engine/describe.hpp"
#include "tests/plans.hpp"

using namespace race;
using namespace race::test;

namespace {

Strength strength_named(std::string_view text) {
  for (std::size_t i = 0; i < strength_names.size(); ++i)
    if (strength_names[i] == text) return static_cast<Strength>(i);
  throw std::invalid_argument("no such strength");
}

void set(Plan& plan, std::string_view site, std::string_view strength) {
  for (std::size_t i = 1; i < sites().all().size(); ++i)
    if (sites().all()[i].name == site) return plan.barriers.set(static_cast<SiteId>(i), strength_named(strength));
  throw std::invalid_argument("no such site: " + std::string(site));
}

Step random_steps(std::uint32_t count, std::vector<std::uint32_t> slots, std::vector<std::uint32_t> sizes) {
  Step s;
  s.op = Op::random;
  s.count = count;
  s.slots = std::move(slots);
  s.sizes = std::move(sizes);
  s.mix = {Op::allocate, Op::allocate, Op::allocate, Op::free,        Op::free,    Op::read,       Op::write,
           Op::update,   Op::update,   Op::read,     Op::migrate_any, Op::compact, Op::can_compact};
  return s;
}

std::uint64_t found(const Campaign& c) {
  std::uint64_t sum = 0;
  for (std::size_t o = 0; o < oracles.size(); ++o) sum += c.count(static_cast<Oracle>(o));
  return sum;
}

std::uint64_t garbage_in(const Plan& plan, std::uint64_t executions) {
  Campaign c(plan);
  c.run(0, executions);
  return c.count(Oracle::garbage_freeobj);
}

std::uint64_t found_in(const Plan& plan, std::uint64_t executions) {
  Campaign c(plan);
  c.run(0, executions);
  return found(c);
}

}  // namespace

TEST_SUITE_BEGIN("weak");

TEST_CASE("freeobj corruption: garbage with every barrier off, nothing with the kernel's, at every page size") {
  for (const std::uint32_t page_size : {256u, 1024u, 4096u}) {
    CAPTURE(page_size);
    Plan off = freeobj_corruption(page_size);
    CHECK(garbage_in(off, 5'000) > 0);
    Plan on = off;
    on.barriers = BarrierPlan::arm64();
    CHECK(found_in(on, 5'000) == 0);
    for (const weak::Model model : {weak::Model::tso, weak::Model::sc}) {
      off.model = model;
      CHECK(found_in(off, 5'000) == 0);
    }
  }
}

TEST_CASE("the class lock's release and its acquire are each necessary, the rwlock and the pin are not") {
  Plan on = freeobj_corruption(256);
  on.barriers = BarrierPlan::arm64();
  // put_page is a full barrier between the copy and the class unlock: it hides the unlock's own release.
  Plan masked = on;
  set(masked, "zs_page_migrate.class.unlock", "none");
  CHECK(found_in(masked, 30'000) == 0);
  set(on, "zs_page_migrate.put_page", "none");
  CHECK(found_in(on, 30'000) == 0);

  Plan no_release = on;
  set(no_release, "zs_page_migrate.class.unlock", "none");
  CHECK(garbage_in(no_release, 30'000) > 0);
  Plan store_barrier = on;
  set(store_barrier, "zs_page_migrate.class.unlock", "dmb.ishst");
  CHECK(found_in(store_barrier, 30'000) == 0);
  Plan no_acquire = on;
  set(no_acquire, "zs_malloc.class.lock", "none");
  CHECK(garbage_in(no_acquire, 30'000) > 0);
  Plan load_barrier = on;
  set(load_barrier, "zs_malloc.class.lock", "dmb.ishld");
  CHECK(found_in(load_barrier, 30'000) == 0);

  Plan others = on;
  for (const char* site : {"zs_page_migrate.zspage.write_lock", "zs_page_migrate.zspage.write_unlock",
                           "zs_page_migrate.trypin", "zs_page_migrate.unpin"})
    set(others, site, "none");
  CHECK(found_in(others, 30'000) == 0);
}

TEST_CASE("what moves across a site is counted: nothing at its own strength, something where it is weaker") {
  Plan on = freeobj_corruption(256);
  on.barriers = BarrierPlan::arm64();
  set(on, "zs_page_migrate.put_page", "none");
  const auto count = [&on](const Plan& plan, std::string_view site) {
    Campaign c(plan);
    const Crossings all = c.crossings(on.barriers, 0, 2'000);
    CHECK(all.executions() == 2'000);
    CHECK(c.executions() == 0);
    for (std::size_t i = 1; i < sites().all().size(); ++i)
      if (sites().all()[i].name == site) return all.by_site()[i];
    throw std::invalid_argument("no such site");
  };
  // Each side and strength: a lock, a bit lock, an unlock, a fence before an unlock, a full atomic.
  for (const char* site : {"zs_malloc.class.lock", "zs_page_migrate.trypin", "zs_page_migrate.class.unlock",
                           "zs_page_migrate.unpin", "unmap_and_move.put_page"}) {
    CAPTURE(site);
    Plan weaker = on;
    set(weaker, site, "none");
    CHECK(count(weaker, site).tried > 20);
    weaker.model = weak::Model::sc;
    CHECK(count(weaker, site).tried == 0);
  }
  CHECK(count(on, "zs_malloc.class.lock").executions == 2'000);
  CHECK(count(on, "zs_malloc.class.lock").times == 2'000);
  CHECK(count(on, "zs_free.class.lock").times == 0);

  for (const Plan& strong : {on, [&on] {
                               Plan p = on;
                               p.slots = {"a", "b", "c", "d", "e", "f"};
                               p.frames = 64;
                               const std::uint32_t size = request_of(256, 2, 3);
                               p.setup = {step(Op::allocate, 0, size), step(Op::write, 0)};
                               p.threads = {{"one", {random_steps(6, {0, 1, 2}, {40, size})}},
                                            {"two", {random_steps(6, {3, 4, 5}, {40, size})}}};
                               return p;
                             }()}) {
    Campaign c(strong);
    const Crossings all = c.crossings(on.barriers, 0, 2'000);
    for (const SiteCrossings& site : all.by_site()) CHECK(site.tried == 0);
  }
}

TEST_CASE("a finding names value, origin, who wrote the newest value, and its steps") {
  Campaign c(freeobj_corruption(4096));
  c.run(0, 5'000);
  const auto& all = c.findings(Oracle::garbage_freeobj);
  REQUIRE_FALSE(all.empty());
  const FindingRecord& f = all.front();
  CHECK(f.thread == "allocator");
  CHECK(f.function == "obj_malloc");
  CHECK(f.site == "zs_malloc.class.unlock");
  CHECK(f.zspage == "zspage 0");
  CHECK(f.value_kind == "poison");
  // Object 2 starts at byte 2 x 2720 - 4096 of page 1: word 168 of the frame that migration took.
  CHECK(f.value == "0xd00200a8");
  CHECK(f.origin == "poison of frame 2 (page 1 of zspage 0) word 168, the page that zs_page_migrate copies to");
  CHECK(f.newest == "0x1");  // object 1 is next
  CHECK(f.written_by.starts_with("migrator zs_page_migrate at step "));
  CHECK(f.size_class == "class 168 (2720 bytes)");
  REQUIRE(f.trace.size() > 10);
  CHECK(f.trace.back().ends_with(
      "FOUND garbage-freeobj: freeobj is neither an object of the zspage nor an end marker: 0xd00200a8"));
  const auto has = [&](std::string_view a, std::string_view b) {
    return std::any_of(f.trace.begin(), f.trace.end(), [&](const std::string& line) {
      return line.find(a) != std::string::npos && line.find(b) != std::string::npos;
    });
  };
  // Both sides of the lock say which class, which site, and how that is ordered.
  CHECK(has("store lock.owner of class 168 = ", " @ zs_page_migrate.class.unlock (none)"));
  CHECK(has("load  lock.owner of class 168 = ", " @ zs_malloc.class.lock (none)"));
}

namespace {

// The first finding with this message among so many executions.
const FindingRecord& first_with(Campaign& c, std::string_view message) {
  for (std::uint64_t k = 0; k < 40; ++k) {
    c.run(500 * k, 500);
    for (std::size_t o = 0; o < oracles.size(); ++o)
      for (const FindingRecord& f : c.findings(static_cast<Oracle>(o)))
        if (f.message == message) return f;
  }
  throw std::runtime_error("not found: " + std::string(message));
}

}  // namespace

TEST_CASE("an access to a freed page is an oops that names the page, and who freed it") {
  Campaign c(freeobj_corruption(4096));
  const FindingRecord& f = first_with(c, "load from freed memory");
  CHECK(f.oracle == Oracle::oops);
  CHECK(f.value_kind == "address");
  CHECK(f.origin.starts_with("frame "));
  CHECK(f.origin.find(", a page that migrator unmap_and_move freed at step ") != std::string::npos);
}

TEST_CASE("what the end of an execution finds has its class, what was expected, and who wrote it last") {
  Campaign c(freeobj_corruption(4096));
  const FindingRecord& f = first_with(c, "a fullness group's counter differs from its list");
  CHECK(f.thread == "the check at the end of the execution");
  CHECK(f.size_class == "class 168 (2720 bytes)");
  CHECK(f.origin.starts_with("counter CLASS_"));
  CHECK(f.origin.ends_with(" of class 168"));
  CHECK(f.value != f.expected);
  CHECK(std::stoi(f.value) + std::stoi(f.expected) > 0);
  CHECK(f.newest == f.value);
  CHECK_FALSE(f.written_by.empty());
  CHECK(f.trace.back().ends_with(": " + f.value + ", expected " + f.expected));
}

TEST_CASE("a value is read as what it is") {
  const Plan plan = freeobj_corruption(4096);
  weak::Machine machine(weak::Model::armv8, Scenario::words_needed(plan));
  Scenario scenario(plan);
  WeakEngine engine(machine, scenario);
  REQUIRE_FALSE(engine.prepare(1).failed);
  const Describe d(machine, scenario);
  const auto is = [&](ValueKind kind, std::uint64_t v, std::string_view text, std::string_view named,
                      std::string_view meaning) {
    const Describe::Value value = d.value(kind, v, 3);
    CAPTURE(value.text);
    CHECK(value.text == text);
    CHECK(value.kind == named);
    CHECK(value.meaning == meaning);
  };
  is(ValueKind::none, 1, "", "", "");
  is(ValueKind::number, 12, "12", "", "");
  is(ValueKind::group, zsmalloc::zs_full, "ZS_FULL", "", "");
  is(ValueKind::freeobj, 2, "0x2", "link", "object 2");
  is(ValueKind::object_word, 2, "0x2", "link", "object 1");
  is(ValueKind::freeobj, 0xffffffff, "0xffffffff", "sentinel", "an end marker");
  is(ValueKind::object_word, ~std::uint64_t{1}, "0xfffffffffffffffe", "sentinel", "an end marker");
  is(ValueKind::object_word, 0xfffffffe, "0xfffffffe", "sentinel", "an end marker");
  is(ValueKind::freeobj, static_cast<std::uint32_t>(kernel::poison(7, 9) >> 1), "0xd0070009", "poison",
     "poison of frame 7 word 9");
  is(ValueKind::object_word, kernel::poison(7, 9), "0x5a000001a00e0012", "poison", "poison of frame 7 word 9");
  is(ValueKind::content, payload(1, 2, 3), "0x5e000001c0024006", "payload", "payload of slot 1 version 2 word 3");
  std::uint64_t handle = weak::Machine::address_base;
  while (machine.region(handle) == nullptr || std::string_view(machine.region(handle)->name) != "handle") handle += 8;
  is(ValueKind::object_word, handle | 1, hex(handle | 1), "handle", "the header of an allocated object: handle 0");
  is(ValueKind::freeobj, static_cast<std::uint32_t>((handle | 1) >> 1), hex(static_cast<std::uint32_t>(handle >> 1)),
     "handle", "the header of an allocated object: handle 0");
  is(ValueKind::object_word, handle, hex(handle), "other", "no pattern that this program writes");
  is(ValueKind::handle_word, machine.peek(handle) | 1, hex(machine.peek(handle) | 1), "location",
     "frame 0 (page 0 of zspage 0), object 0, pinned");
}

TEST_CASE("a fault that nobody looks for ends an execution only where it cannot go on, and is counted") {
  Plan p = freeobj_corruption(256);
  const auto bit = [](Oracle o) { return 1u << static_cast<unsigned>(o); };
  Campaign all(p);
  all.run(0, 10'000);
  REQUIRE(all.count(Oracle::unlock_of_unlocked) > 0);
  REQUIRE(all.count(Oracle::free_list) > 0);
  REQUIRE(all.count(Oracle::oops) > 0);
  CHECK(all.cut_short() == 0);

  // Without every oracle but one: what it finds is at least what it found first.
  unsigned more = 0;
  for (const Oracle o : {Oracle::accounting, Oracle::free_list, Oracle::stale_page, Oracle::garbage_freeobj}) {
    CAPTURE(info(o).name);
    p.oracles = bit(o);
    Campaign one(p);
    one.run(0, 10'000);
    CHECK(one.count(o) >= all.count(o));
    more += one.count(o) > all.count(o) ? 1 : 0;
    CHECK(one.cut_short() > 0);
    CHECK(one.count(o) + one.cut_short() < 10'000);
  }
  CHECK(more > 0);
  // Where oopses are looked for, and all that keeps the last check from its end, nothing is cut short.
  p.oracles = ~(bit(Oracle::unlock_of_unlocked) | bit(Oracle::garbage_freeobj) | bit(Oracle::double_allocation));
  Campaign most(p);
  most.run(0, 10'000);
  CHECK(most.cut_short() == 0);
  CHECK(found(most) > 0);
}

TEST_CASE("findings depend on the plan and the number alone") {
  const Plan plan = freeobj_corruption(256);
  Campaign whole(plan);
  whole.run(0, 600);
  Campaign parts(plan);
  parts.run(400, 200);
  parts.run(0, 100);
  parts.run(100, 300);
  for (std::size_t o = 0; o < oracles.size(); ++o) {
    const auto& a = whole.findings(static_cast<Oracle>(o));
    const auto& b = parts.findings(static_cast<Oracle>(o));
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(a[i].execution == b[i].execution);
      CHECK(a[i].value == b[i].value);
      CHECK(a[i].trace == b[i].trace);
    }
  }
}

TEST_CASE("every oracle of the allocator fires in random use without barriers, none with them") {
  Plan p;
  p.page_size = 256;
  p.frames = 24;
  p.oracles = ~0u;
  p.slots = std::vector<std::string>(9);
  const std::vector<std::uint32_t> sizes{request_of(256, 2, 3), request_of(256, 1, 4)};
  p.setup = {random_steps(6, {0, 1, 2}, sizes), random_steps(6, {3, 4, 5}, sizes)};
  p.threads = {{"a", {random_steps(5, {0, 1, 2}, sizes)}},
               {"b", {random_steps(5, {3, 4, 5}, sizes)}},
               {"c", {random_steps(4, {6, 7, 8}, sizes)}}};
  p.max_findings = 0;
  Campaign off(p);
  off.run(0, 30'000);
  for (const Oracle o : {Oracle::garbage_freeobj, Oracle::free_list, Oracle::double_allocation, Oracle::stale_object,
                         Oracle::stale_page, Oracle::accounting, Oracle::unlock_of_unlocked, Oracle::oops}) {
    CAPTURE(info(o).name);
    CHECK(off.count(o) > 0);
  }
  p.barriers = BarrierPlan::arm64();
  CHECK(found_in(p, 30'000) == 0);
  p.barriers = BarrierPlan();
  p.model = weak::Model::sc;
  CHECK(found_in(p, 30'000) == 0);
}

TEST_CASE("one CPU alone: random use of many classes keeps every invariant and every payload, whatever the barriers") {
  for (const std::uint32_t page_size : {256u, 1024u, 4096u}) {
    CAPTURE(page_size);
    Plan p;
    p.page_size = page_size;
    p.frames = 200;
    p.oracles = ~0u;
    p.slots = std::vector<std::string>(60);
    std::vector<std::uint32_t> slots(60), sizes;
    for (std::uint32_t i = 0; i < 60; ++i) slots[i] = i;
    const zsmalloc::Geometry geometry(page_size);
    for (const auto& c : geometry.classes()) sizes.push_back(c.max_request);
    p.threads = {{"only", {random_steps(400, slots, sizes)}}};
    CHECK(found_in(p, 40) == 0);
    p.barriers = BarrierPlan::arm64();
    CHECK(found_in(p, 40) == 0);
  }
}

TEST_SUITE_END();
