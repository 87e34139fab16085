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
  static const std::array<Field, 7> fields{{{at(&ZspageType::meta), "meta (fullness, class, isolated, magic)"},
                                            {at(&ZspageType::inuse), "inuse"},
                                            {at(&ZspageType::freeobj), "freeobj"},
                                            {at(&ZspageType::first_page), "first_page"},
                                            {at(&ZspageType::list), "list.next"},
                                            {at(&ZspageType::list, 8), "list.prev"},
                                            {at(&ZspageType::lock), "lock"}}};
  return field_name<ZspageType>(offset, fields);
}

std::string class_field(std::uint64_t offset) {
  const std::uint64_t lists = at(&ClassType::fullness_list);
  const std::uint64_t stats = at(&ClassType::stats);
  if (offset >= stats) return "stats[" + std::to_string((offset - stats) / 8) + ']';
  if (offset < lists) return offset == 0 ? "lock.next" : "lock.owner";
  return "fullness_list[" + std::to_string((offset - lists) / 16) + ((offset - lists) % 16 == 0 ? "].next" : "].prev");
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

std::uint32_t Describe::objects(std::uint64_t zspage) const {
  const weak::Region* r = machine_.region(zspage);
  if (r == nullptr || std::strcmp(r->name, "zspage") != 0) return 0;
  const auto meta = machine_.peek_issued(M::address_of(M::ptr<ZspageType>(zspage, 0, 0)[&ZspageType::meta]));
  const auto slot = static_cast<std::uint32_t>(meta >> zsmalloc::Meta::class_shift & zsmalloc::Meta::class_mask);
  const auto& geometry = scenario_.zs().geometry();
  return slot < geometry.slots() ? geometry.at_slot(slot).objects : 0;
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
  if (name == "handle") return "handle " + std::to_string(r->serial);
  if (name == "map_area") return "map buffer of CPU " + std::to_string(r->serial) + " word " + std::to_string(word);
  if (name == "size_class")
    return class_field(offset) + " of class " + std::to_string(scenario_.zs().geometry().classes()[r->serial].size);
  if (name != "memory") return name + ' ' + std::to_string(r->serial) + " word " + std::to_string(word);

  const auto& geometry = scenario_.zs().geometry();
  const auto f = static_cast<std::uint32_t>(word / (geometry.page_size() / 8));
  const auto in_page = static_cast<std::uint32_t>(word % (geometry.page_size() / 8));
  std::string text = frame(f) + " word " + std::to_string(in_page);
  const FramePlace at = place(f);
  if (at.zspage == 0 || objects(at.zspage) == 0) return text;
  const auto meta = machine_.peek_issued(M::address_of(M::ptr<ZspageType>(at.zspage, 0, 0)[&ZspageType::meta]));
  const auto slot = static_cast<std::uint32_t>(meta >> zsmalloc::Meta::class_shift & zsmalloc::Meta::class_mask);
  const auto& c = geometry.at_slot(slot);
  const std::uint32_t byte = at.page * geometry.page_size() + in_page * 8;
  if (byte % c.size == 0 && byte / c.size < c.objects) text += ", the link of object " + std::to_string(byte / c.size);
  return text;
}

Describe::Value Describe::freeobj(std::uint32_t v, std::uint32_t objects) const {
  if (const auto p = kernel::read_poison(v); p.is_poison && p.frame < scenario_.pages().frames())
    return {"poison", "poison of " + frame(p.frame) + " word " + std::to_string(p.word)};
  if (const auto p = read_payload(v); p.is_payload)
    return {"payload", "payload of slot " + std::to_string(p.slot) + " version " + std::to_string(p.version) +
                           " word " + std::to_string(p.word)};
  if (zsmalloc::is_end_marker(v)) return {"sentinel", "an end marker"};
  // A header is handle | 1; a link keeps bits 1 to 32 of it.
  const std::uint64_t handle = weak::Machine::address_base | std::uint64_t{v} << 1;
  if (const weak::Region* r = machine_.region(handle); r != nullptr && std::strcmp(r->name, "handle") == 0)
    return {"handle", "the header of an allocated object: handle " + std::to_string(r->serial)};
  if (v < objects) return {"link", "object " + std::to_string(v)};
  if (v < 8192) return {"link", "object " + std::to_string(v) + " of a zspage with more objects"};
  return {"other", "no pattern that this program writes"};
}

}  // namespace race
