#include "engine/describe.hpp"

#include <array>
#include <cstdio>
#include <cstring>

namespace race {

namespace {

using M = weak::machine;
using ZspageType = zsmalloc::zspage<M>;
using ClassType = zsmalloc::size_class<M>;
using PageType = kernel::page<M>;
using PoolType = zsmalloc::zs_pool<M>;

struct Field {
  std::uint64_t offset;
  const char* name;
};

// The name of the field at a byte offset of S: the last that does not start behind it.
template <class S, std::size_t N>
std::string field_name(std::uint64_t offset, const std::array<Field, N>& fields) {
  const Field* best = &fields[0];
  for (const Field& f : fields)
    if (f.offset <= offset && f.offset >= best->offset) best = &f;
  return best->name;
}

template <class S, class F>
std::uint64_t at(F S::* field, std::uint64_t plus = 0) {
  return M::ptr<S>::offset(field) + plus;
}

std::string zspage_field(std::uint64_t offset) {
  static const std::array<Field, 7> fields{{{at(&ZspageType::meta), "bit-fields"},
                                            {at(&ZspageType::inuse), "inuse"},
                                            {at(&ZspageType::freeobj), "freeobj"},
                                            {at(&ZspageType::first_page), "first_page"},
                                            {at(&ZspageType::list), "list.next"},
                                            {at(&ZspageType::list, 8), "list.prev"},
                                            {at(&ZspageType::lock), "lock"}}};
  return field_name<ZspageType>(offset, fields);
}

constexpr const char* group_names[] = {"EMPTY", "ALMOST_EMPTY", "ALMOST_FULL", "FULL"};

std::string group_name(std::uint64_t group) {
  return group < zsmalloc::fullness_groups ? std::string("ZS_") + group_names[group] : std::to_string(group);
}

std::string stat_name(std::uint64_t stat) {
  if (stat < zsmalloc::fullness_groups) return std::string("CLASS_") + group_names[stat];
  return stat == zsmalloc::obj_allocated ? "OBJ_ALLOCATED" : "OBJ_USED";
}

std::string class_field(std::uint64_t offset) {
  const std::uint64_t lists = at(&ClassType::fullness_list);
  const std::uint64_t stats = at(&ClassType::stats);
  if (offset >= stats) return "counter " + stat_name((offset - stats) / 8);
  if (offset < lists) return offset == 0 ? "lock.next" : "lock.owner";
  return "fullness_list[" + group_name((offset - lists) / 16) + ((offset - lists) % 16 == 0 ? "].next" : "].prev");
}

std::string page_field(std::uint64_t offset) {
  static const std::array<Field, 6> fields{{{at(&PageType::flags), "flags"},
                                            {at(&PageType::private_data), "private"},
                                            {at(&PageType::freelist), "freelist"},
                                            {at(&PageType::mapping), "mapping"},
                                            {at(&PageType::units), "units"},
                                            {at(&PageType::refcount), "refcount"}}};
  return field_name<PageType>(offset, fields);
}

std::string pool_field(std::uint64_t offset) {
  static const std::array<Field, 4> fields{{{at(&PoolType::pages_allocated), "pages_allocated"},
                                            {at(&PoolType::pages_compacted), "pages_compacted"},
                                            {at(&PoolType::free_work), "free_work"},
                                            {at(&PoolType::free_pages), "free_pages"}}};
  return field_name<PoolType>(offset, fields);
}

std::string teardown_field(std::uint64_t offset) {
  using Teardown = zsmalloc::teardown<M>;
  static const std::array<Field, 4> fields{{{at(&Teardown::isolated), "isolated_pages"},
                                            {at(&Teardown::destroying), "destroying"},
                                            {at(&Teardown::wakeups), "wait queue"},
                                            {at(&Teardown::worker_busy), "worker busy"}}};
  return field_name<Teardown>(offset, fields);
}

}  // namespace

std::string hex(std::uint64_t v) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
  return text;
}

Describe::FramePlace Describe::place(std::uint32_t f) const {
  const auto page = scenario_.pages().frame(f);
  const std::uint64_t owner = machine_.peek_issued(M::address_of(page[&PageType::private_data]));
  const weak::Region* r = machine_.region(owner);
  if (r == nullptr || std::strcmp(r->name, "zspage") != 0) return {};
  auto p = M::ptr<PageType>(
      machine_.peek_issued(M::address_of(M::ptr<ZspageType>(owner, 0, 0)[&ZspageType::first_page])), 0, 0);
  for (std::uint32_t k = 0; p.bits() != 0 && k < zsmalloc::max_pages_per_zspage; ++k) {
    if (p.bits() == page.bits()) return {owner, k};
    p = M::ptr<PageType>(machine_.peek_issued(M::address_of(p[&PageType::freelist])), 0, 0);
  }
  return {};
}

std::string Describe::frame(std::uint32_t f) const {
  const FramePlace at = place(f);
  std::string text = "frame " + std::to_string(f);
  if (at.zspage != 0) text += " (page " + std::to_string(at.page) + " of " + zspage(at.zspage) + ')';
  return text;
}

std::string Describe::zspage(std::uint64_t address) const {
  if (address == 0) return "";
  const weak::Region* r = machine_.region(address);
  return r != nullptr && std::strcmp(r->name, "zspage") == 0 ? "zspage " + std::to_string(r->serial)
                                                             : "no zspage, at " + hex(address);
}

std::int32_t Describe::slot_of(std::uint64_t zspage) const {
  const weak::Region* r = machine_.region(zspage);
  if (r == nullptr || std::strcmp(r->name, "zspage") != 0) return -1;
  const auto meta = machine_.peek_issued(M::address_of(M::ptr<ZspageType>(zspage, 0, 0)[&ZspageType::meta]));
  const auto slot = static_cast<std::uint32_t>(meta >> zsmalloc::Meta::class_shift & zsmalloc::Meta::class_mask);
  return slot < scenario_.zs().geometry().slots() ? static_cast<std::int32_t>(slot) : -1;
}

std::uint32_t Describe::objects(std::uint64_t zspage) const {
  const std::int32_t slot = slot_of(zspage);
  return slot < 0 ? 0 : scenario_.zs().geometry().at_slot(static_cast<std::uint32_t>(slot)).objects;
}

std::string Describe::size_class(std::int32_t slot) const {
  const auto& geometry = scenario_.zs().geometry();
  if (slot < 0 || static_cast<std::uint32_t>(slot) >= geometry.slots()) return "";
  const auto& c = geometry.at_slot(static_cast<std::uint32_t>(slot));
  return "class " + std::to_string(c.index) + " (" + std::to_string(c.size) + " bytes)";
}

std::int32_t Describe::frame_of(std::uint64_t address) const {
  const weak::Region* r = machine_.region(address);
  if (r == nullptr || std::strcmp(r->name, "memory") != 0) return -1;
  const std::uint64_t word = ((address - weak::Machine::address_base) >> 3) - r->first;
  return static_cast<std::int32_t>(word / (scenario_.zs().geometry().page_size() / 8));
}

std::int32_t Describe::class_lock_of(std::uint64_t address) const {
  const weak::Region* r = machine_.region(address);
  if (r == nullptr || std::strcmp(r->name, "size_class") != 0) return -1;
  const std::uint64_t offset = address - weak::Machine::address_base - 8ull * r->first;
  if (offset >= at(&ClassType::fullness_list)) return -1;
  return static_cast<std::int32_t>(scenario_.zs().geometry().classes()[r->serial].index);
}

std::string Describe::word(std::uint64_t address) const {
  const weak::Region* r = machine_.region(address);
  if (r == nullptr) return hex(address);
  const std::uint64_t word = ((address - weak::Machine::address_base) >> 3) - r->first;
  const std::uint64_t element = word / r->element;
  const std::uint64_t offset = word % r->element * 8;
  const std::string name = r->name;
  if (name == "zspage") return zspage_field(offset) + " of zspage " + std::to_string(r->serial);
  if (name == "page") return page_field(offset) + " of " + frame(static_cast<std::uint32_t>(element));
  if (name == "zs_pool") return pool_field(offset) + " of the pool";
  if (name == "teardown") return teardown_field(offset) + " of the pool";
  if (name == "reclaim") return "deferred handles of the pool";
  if (name == "client lock")
    return std::string(offset == 0 ? "lock.next" : "lock.owner") + " of client lock " + std::to_string(element);
  if (name == "ended") return "end of thread " + std::to_string(element);
  if (name == "handle") return "handle " + std::to_string(r->serial);
  if (name == "map_area") return "map buffer of CPU " + std::to_string(r->serial) + " word " + std::to_string(word);
  if (name == "size_class")
    return class_field(offset) + " of class " + std::to_string(scenario_.zs().geometry().classes()[r->serial].index);
  if (name != "memory") return name + ' ' + std::to_string(r->serial) + " word " + std::to_string(word);

  const auto& geometry = scenario_.zs().geometry();
  const auto f = static_cast<std::uint32_t>(frame_of(address));
  const auto in_page = static_cast<std::uint32_t>(word % (geometry.page_size() / 8));
  const std::string text = frame(f) + " word " + std::to_string(in_page);
  const std::int32_t object = object_at(address);
  return object < 0 ? text : text + ", the link of object " + std::to_string(object);
}

std::int32_t Describe::object_at(std::uint64_t address) const {
  const std::int32_t f = frame_of(address);
  if (f < 0) return -1;
  const FramePlace at = place(static_cast<std::uint32_t>(f));
  const std::int32_t slot = slot_of(at.zspage);
  if (slot < 0) return -1;
  const auto& geometry = scenario_.zs().geometry();
  const auto& c = geometry.at_slot(static_cast<std::uint32_t>(slot));
  const std::uint64_t start = scenario_.pages().memory().bits();
  const auto in_page = static_cast<std::uint32_t>((address - start) % geometry.page_size());
  const std::uint32_t byte = at.page * geometry.page_size() + in_page;
  return byte % c.size == 0 && byte / c.size < c.objects ? static_cast<std::int32_t>(byte / c.size) : -1;
}

// What a 32-bit freeobj is, read as the bits that a link leaves in it.
Describe::Value Describe::freeobj(std::uint32_t v, std::uint32_t objects) const {
  const std::string text = hex(v);
  if (const auto p = kernel::read_poison(v); p.is_poison && p.frame < scenario_.pages().frames())
    return {text, "poison", "poison of " + frame(p.frame) + " word " + std::to_string(p.word)};
  if (const auto p = read_payload(v); p.is_payload)
    return {text, "payload",
            "payload of slot " + std::to_string(p.slot) + " version " + std::to_string(p.version) + " word " +
                std::to_string(p.word)};
  if (zsmalloc::is_end_marker(v)) return {text, "sentinel", "an end marker"};
  // A header is handle | 1; a link keeps bits 1 to 32 of it.
  const std::uint64_t handle = weak::Machine::address_base | std::uint64_t{v} << 1;
  if (const weak::Region* r = machine_.region(handle); r != nullptr && std::strcmp(r->name, "handle") == 0)
    return {text, "handle", "the header of an allocated object: handle " + std::to_string(r->serial)};
  if (v < objects) return {text, "link", "object " + std::to_string(v)};
  if (v < 8192) return {text, "link", "object " + std::to_string(v) + " of a zspage with more objects"};
  return {text, "other", "no pattern that this program writes"};
}

// The whole word: only a link is shifted, and a header still has its tag.
Describe::Value Describe::object_word(std::uint64_t v, std::uint32_t objects) const {
  if ((v & zsmalloc::obj_allocated_tag) != 0) {
    const weak::Region* r = machine_.region(v & ~zsmalloc::obj_allocated_tag);
    if (r != nullptr && std::strcmp(r->name, "handle") == 0)
      return {hex(v), "handle", "the header of an allocated object: handle " + std::to_string(r->serial)};
    return {hex(v), "other", "no pattern that this program writes"};
  }
  // Poison and payload have a mark in the bits that freeobj does not keep; all ones there are the end of a new list.
  const std::uint64_t top = v >> 33, ends = ~std::uint64_t{0} >> 33;
  const bool marked = top == kernel::poison_top >> 33 || top == payload(0, 0, 0) >> 33;
  if (top != 0 && top != ends && !marked) return {hex(v), "other", "no pattern that this program writes"};
  Value value = freeobj(static_cast<std::uint32_t>(v >> zsmalloc::obj_tag_bits), objects);
  value.text = hex(v);
  return value;
}

Describe::Value Describe::value(ValueKind kind, std::uint64_t v, std::uint32_t objects) const {
  using zsmalloc::Meta;
  switch (kind) {
    case ValueKind::none: return {};
    case ValueKind::number: return {std::to_string(v), "", ""};
    case ValueKind::group: return {group_name(v), "", ""};
    case ValueKind::bits: return {hex(v), "flags", ""};
    case ValueKind::freeobj: return freeobj(static_cast<std::uint32_t>(v), objects);
    case ValueKind::object_word: return object_word(v, objects);
    case ValueKind::content: {
      Value value = object_word(v, objects);
      return value.kind == "poison" || value.kind == "payload" ? value : Value{hex(v), "", ""};
    }
    case ValueKind::handle_word: {
      const auto at = scenario_.zs().obj_to_location(v);
      const std::uint64_t f = (at.page.bits() - scenario_.pages().frame(0).bits()) / M::ptr<PageType>::size;
      if (f >= scenario_.pages().frames()) return {hex(v), "other", "no place that this program writes"};
      return {hex(v), "location",
              frame(static_cast<std::uint32_t>(f)) + ", object " + std::to_string(at.index.bits()) +
                  ((v & zsmalloc::handle_pin_bit) != 0 ? ", pinned" : ", not pinned")};
    }
    case ValueKind::meta:
      return {hex(v), "flags",
              group_name(v >> Meta::fullness_shift & Meta::fullness_mask) + ", class " +
                  std::to_string(v >> Meta::class_shift & Meta::class_mask) + ", isolated " +
                  std::to_string(v >> Meta::isolated_shift & Meta::isolated_mask) + ", magic " +
                  hex(v >> Meta::magic_shift & Meta::magic_mask)};
    case ValueKind::address: return {hex(v), "address", machine_.region(v) != nullptr ? word(v) : ""};
  }
  return {};
}

}  // namespace race
