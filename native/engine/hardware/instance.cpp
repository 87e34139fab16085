#include "engine/hardware/instance.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "engine/hardware/clock.hpp"
#include "kernel/poison.hpp"

namespace race::hardware {

namespace {

// What this thread is busy with.
struct Running {
  Instance* instance = nullptr;
  Found* found = nullptr;
  bool* abandoned = nullptr;
  Rng* rng = nullptr;
};
thread_local Running running;

// What this thread was before it became one of an instance's CPUs, and is again.
class Borrowed {
 public:
  Borrowed() = default;
  ~Borrowed() {
    context = context_;
    arena = arena_;
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  const Context context_ = context;
  Arena* const arena_ = arena;
};

std::string hex(std::uint64_t v) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
  return text;
}

// Bytes that one CPU may allocate while an execution runs: handles, and zspages for the allocations that need a new one.
std::size_t bytes_for(const std::vector<Step>& steps) {
  std::size_t allocations = 1;
  for (const Step& s : steps) allocations += s.op == Op::random ? s.count : s.op == Op::allocate ? 1 : 0;
  return allocations * 192;
}

}  // namespace

Instance::Instance(const Plan& plan) : plan_(plan), page_bytes_(plan.page_size), members_(cpus(plan)) {
  const bool shared =
      std::any_of(plan.threads.begin(), plan.threads.end(), [](const auto& t) { return t.shares_cpu_with >= 0; });
  if (plan.has(Op::destroy) || plan.has(Op::reclaim) || shared)
    throw std::invalid_argument(
        "the hardware engine runs no scenario in which a thread destroys the pool, reclaims pages or shares a CPU; use "
        "--engine weak");
  const zsmalloc::Geometry geometry(plan.page_size);
  const std::size_t set_up = (std::size_t{plan.frames} + cpus(plan) + 4) * (page_bytes_ + 64) + 65536 +
                             geometry.classes().size() * 512 + bytes_for(plan.setup);
  std::vector<std::size_t> own(cpus(plan), 4096);
  for (std::size_t t = 0; t < plan.threads.size(); ++t) own[t] = bytes_for(plan.threads[t].steps) + 4096;
  std::size_t total = set_up + 4096;
  for (const std::size_t n : own) total += n;
  memory_ = std::make_unique<std::byte[]>(total);
  void* at = memory_.get();
  base_ = static_cast<std::byte*>(std::align(4096, set_up, at, total));
  std::byte* next = base_ + set_up;
  for (std::size_t t = 0; t < own.size(); ++t) {
    members_[t].begin = next;
    members_[t].memory = {next, next + own[t]};
    next += own[t];
  }

  Arena arena_of_set_up{base_, base_ + set_up};
  const Borrowed borrowed;
  arena = &arena_of_set_up;
  Rng rng(plan.seed);
  const BarrierPlan racing_plan = M::plan;
  M::plan = plan.setup_barriers;  // the set-up is no part of the question
  Member& me = members_[checker()];
  running = {this, &me.found, &abandoned_, &rng};
  context.cpu = checker();
  context.fail = failed;
  try {
    pages_ = std::make_unique<kernel::PageAllocator<M>>(plan.page_size, plan.frames);
    zs_ = std::make_unique<Zs>(*pages_, cpus(plan));
    oracles_ = std::make_unique<oracle::LiveOracles<M>>(*zs_, cpus(plan));
    client_ = std::make_unique<Client<M>>(*zs_, plan, [](std::uint32_t n) { return running.rng->below(n); });
    client_->run(plan.setup);
    if (work_pending()) zs_->async_free_zspage();
    client_->prepare();
  } catch (const Stopped&) {
    M::plan = racing_plan;
    throw std::invalid_argument(std::string("the set-up fails: ") + me.found.fault.what);
  }
  M::plan = racing_plan;
  client_->save();
  oracles_->save();
  pages_->save();
  set_up_end_ = arena_of_set_up.next;
  queue_head_ = pages_->queue_head();
  std::vector<bool> free(plan.frames);
  for (std::size_t i = queue_head_; i < pages_->queue_size(); ++i) free[pages_->queued(i)] = true;
  for (std::uint32_t f = 0; f < plan.frames; ++f)
    if (!free[f]) used_frames_.push_back(f);
  saved_ = std::make_unique<std::byte[]>(static_cast<std::size_t>(set_up_end_ - base_));
  std::memcpy(saved_.get(), base_, static_cast<std::size_t>(set_up_end_ - base_));
}

Instance::~Instance() = default;

std::byte* Instance::frame_bytes(std::uint32_t f) const {
  return reinterpret_cast<std::byte*>(pages_->page_address(pages_->frame(f)).raw());
}

void Instance::put_back(std::byte* from, std::byte* to) {
  std::memcpy(from, saved_.get() + (from - base_), static_cast<std::size_t>(to - from));
}

// All but the pages of frames that nobody had: they hold their poison still.
void Instance::restore() {
  std::byte* pages = frame_bytes(0);
  put_back(base_, pages);
  put_back(pages + page_bytes_ * plan_.frames, set_up_end_);
  for (const std::uint32_t f : used_frames_) put_back(frame_bytes(f), frame_bytes(f) + page_bytes_);
  for (std::size_t i = queue_head_; i < pages_->queue_head(); ++i) {
    std::byte* const page = frame_bytes(pages_->queued(i));
    put_back(page, page + page_bytes_);
  }
  client_->restore();
  oracles_->restore();
  pages_->restore();
  for (Member& m : members_) {
    m.memory.next = m.begin;
    m.stopped = false;
  }
  abandoned_ = false;
}

void Instance::warm(unsigned what) const {
  const auto touch = [](const std::byte* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 64)
      __atomic_load_n(reinterpret_cast<const unsigned char*>(from + i), __ATOMIC_RELAXED);
  };
  if ((what & next_pages) != 0)
    for (std::size_t i = queue_head_; i < std::min(queue_head_ + 2, pages_->queue_size()); ++i)
      touch(frame_bytes(pages_->queued(i)), page_bytes_);
  if ((what & used_pages) != 0)
    for (const std::uint32_t f : used_frames_) touch(frame_bytes(f), page_bytes_);
  if ((what & locks) != 0)
    for (const auto& c : zs_->geometry().classes())
      touch(reinterpret_cast<const std::byte*>(zs_->class_at(c.index).raw()), sizeof(zsmalloc::size_class<M>));
}

void Instance::failed(const Fault& f, const Context& c) {
  Found& found = *running.found;
  found = {f, c.cpu, c.function, c.site, ticks()};
  __atomic_store_n(running.abandoned, true, __ATOMIC_RELAXED);
  throw Stopped{};
}

void Instance::waiting() {
  if (__atomic_load_n(running.abandoned, __ATOMIC_RELAXED)) throw Stopped{};
}

template <class F>
void Instance::as(unsigned cpu, Rng& rng, F body) {
  const Borrowed borrowed;
  Member& me = members_[cpu];
  me.found.fault.what = nullptr;
  running = {this, &me.found, &abandoned_, &rng};
  arena = &me.memory;
  context.cpu = cpu;
  context.fail = failed;
  context.waiting = waiting;
  try {
    body();
  } catch (const Stopped&) {
    me.stopped = true;
  }
}

void Instance::run(unsigned thread, Rng& rng) {
  as(thread, rng, [&] { client_->run_thread(thread); });
}

void Instance::run_worker(Rng& rng) {
  as(worker(), rng, [&] { zs_->async_free_zspage(); });
}

std::optional<Found> Instance::check(Rng& rng) {
  if (!abandoned_ && work_pending()) run_worker(rng);
  if (!abandoned_) as(checker(), rng, [&] { oracles_->check_quiescent(*client_); });
  const Found* first = nullptr;
  for (const Member& m : members_)
    if (m.stopped && m.found.fault.what != nullptr && (first == nullptr || m.found.tick < first->tick))
      first = &m.found;
  return first == nullptr ? std::nullopt : std::optional<Found>(*first);
}

// Its place in the zspage that it belongs to now, if that can be told: after a fault the structures may be anything.
std::string Instance::frame_name(std::uint32_t f) const {
  using ZspageType = zsmalloc::zspage<M>;
  std::string text = "frame " + std::to_string(f);
  const auto* owner = reinterpret_cast<std::byte*>(M::peek(pages_->frame(f)[&kernel::page<M>::private_data]));
  const auto inside = [&](const void* p, std::size_t n) {
    return p >= base_ && static_cast<const std::byte*>(p) + n <= members_.back().memory.end;
  };
  if (!inside(owner, sizeof(ZspageType))) return text;
  auto page = M::peek(Zs::Zspage::from_address(reinterpret_cast<std::uint64_t>(owner))[&ZspageType::first_page]);
  for (std::uint32_t k = 0; k < zsmalloc::max_pages_per_zspage && inside(page.raw(), sizeof(*page.raw())); ++k) {
    if (page == pages_->frame(f)) return text + " (page " + std::to_string(k) + " of the zspage)";
    page = Zs::Page::from_address(M::peek(page[&kernel::page<M>::freelist]));
  }
  return text;
}

std::string Instance::describe_value(const Found& f) const {
  if (f.fault.kind == ValueKind::none) return "";
  return f.fault.kind == ValueKind::number ? std::to_string(f.fault.value) : hex(f.fault.value);
}

// The 32 bits that freeobj keeps of a link, or had of one.
static std::uint32_t link_bits(const Fault& f) {
  return static_cast<std::uint32_t>(f.kind == ValueKind::freeobj ? f.value : f.value >> zsmalloc::obj_tag_bits);
}

std::string Instance::value_kind(const Found& f) const {
  if (f.fault.kind != ValueKind::freeobj && f.fault.kind != ValueKind::object_word &&
      f.fault.kind != ValueKind::content)
    return "";
  if (const auto p = kernel::read_poison(link_bits(f.fault)); p.is_poison && p.frame < plan_.frames) return "poison";
  return read_payload(link_bits(f.fault)).is_payload ? "payload" : "other";
}

std::string Instance::origin(const Found& f) const {
  const std::string kind = value_kind(f);
  if (kind == "poison") {
    const auto p = kernel::read_poison(link_bits(f.fault));
    return "poison of " + frame_name(p.frame) + ", word " + std::to_string(p.word);
  }
  if (kind == "payload") {
    const auto p = read_payload(link_bits(f.fault));
    return "payload of slot " + std::to_string(p.slot) + " version " + std::to_string(p.version) + " word " +
           std::to_string(p.word);
  }
  return "";
}

}  // namespace race::hardware
