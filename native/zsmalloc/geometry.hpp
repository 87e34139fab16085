// Size classes: how Linux 4.8 divides the range of sizes (zs_create_pool, get_pages_per_zspage, can_merge in mm/zsmalloc.c).
//
// Any page size that is a power of two works. Below 2 KiB the kernel's step between classes, PAGE_SIZE >> 8, would leave sizes
// that are no multiple of 8; there the step is 8.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace race::zsmalloc {

constexpr std::uint32_t max_pages_per_zspage = 4;  // 1 << ZS_MAX_ZSPAGE_ORDER
constexpr std::uint32_t handle_size = 8;           // the header of an allocated object
constexpr std::uint32_t least_class_size = 32;
constexpr std::uint32_t size_align = 8;
constexpr unsigned class_bits = 8;
constexpr unsigned physical_address_bits = 48;  // MAX_PHYSMEM_BITS of arm64

struct SizeClassGeometry {
  std::uint32_t index;        // the slot that owns the class: the largest one that shares it
  std::uint32_t size;         // bytes an object, header included
  std::uint32_t pages;        // per zspage
  std::uint32_t objects;      // per zspage
  bool huge;                  // one object a page: its handle lives in page->index, all bytes are the user's
  std::uint32_t max_request;  // largest size that zs_malloc serves from it

  // Offset in page k of the first object that starts there (the rule as merged, not that of the patch's version 7).
  std::uint32_t first_object_offset(std::uint32_t k, std::uint32_t page_size) const {
    const std::uint32_t into = k * page_size % size;
    return into == 0 ? 0 : size - into;
  }
  // That rule. Its author's version 6 had the first product rounded down to whole objects.
  std::uint32_t first_object_offset_v7(std::uint32_t k, std::uint32_t page_size) const {
    return k == 0 ? 0 : (objects * size * k / pages + size) % page_size;
  }
};

class Geometry {
 public:
  explicit Geometry(std::uint32_t page_size) : page_size_(page_size) {
    if (!std::has_single_bit(page_size) || page_size < 256 || page_size > 65536)
      throw std::invalid_argument("page size " + std::to_string(page_size) +
                                  " is not a power of two from 256 to 65536");
    page_shift_ = static_cast<unsigned>(std::countr_zero(page_size));
    step_ = std::max(page_size >> class_bits, size_align);
    least_ =
        std::max<std::uint64_t>(least_class_size, (std::uint64_t{max_pages_per_zspage} << page_shift_) >> index_bits());
    const std::uint32_t slots = (page_size - least_ + step_ - 1) / step_ + 1;
    slot_to_class_.resize(slots);
    for (std::uint32_t slot = slots;
         slot-- > 0;) {  // from the largest: a slot of the same shape shares the class above it
      const std::uint32_t size = std::min(least_ + slot * step_, page_size);
      const std::uint32_t pages = pages_per_zspage(size);
      const std::uint32_t objects = pages * page_size / size;
      if (classes_.empty() || classes_.back().pages != pages || classes_.back().objects != objects) {
        const bool huge = pages == 1 && objects == 1;
        classes_.push_back({slot, size, pages, objects, huge, huge ? page_size : size - handle_size});
      }
      slot_to_class_[slot] = static_cast<std::uint32_t>(classes_.size() - 1);
    }
  }

  std::uint32_t page_size() const { return page_size_; }
  unsigned page_shift() const { return page_shift_; }
  unsigned pfn_bits() const { return physical_address_bits - page_shift_; }
  unsigned index_bits() const { return 64 - pfn_bits() - 1; }  // one bit is the tag

  // Largest class first. The slot number of a class is its `index`.
  const std::vector<SizeClassGeometry>& classes() const { return classes_; }
  std::uint32_t slots() const { return static_cast<std::uint32_t>(slot_to_class_.size()); }
  const SizeClassGeometry& at_slot(std::uint32_t slot) const { return classes_[slot_to_class_[slot]]; }

  // The class that serves zs_malloc(request), 1 <= request <= page size.
  const SizeClassGeometry& for_request(std::uint32_t request) const {
    const std::uint32_t size = request + handle_size;
    const std::uint32_t slot = size <= least_ ? 0 : (size - least_ + step_ - 1) / step_;
    return at_slot(std::min(slot, slots() - 1));
  }

 private:
  // The number of pages that wastes the least; the smallest such.
  std::uint32_t pages_per_zspage(std::uint32_t size) const {
    std::uint32_t best = 1, best_percent = 0;
    for (std::uint32_t pages = 1; pages <= max_pages_per_zspage; ++pages) {
      const std::uint64_t bytes = std::uint64_t{pages} * page_size_;
      const auto percent = static_cast<std::uint32_t>(100 * (bytes - bytes % size) / bytes);
      if (percent > best_percent) {
        best_percent = percent;
        best = pages;
      }
    }
    return best;
  }

  std::uint32_t page_size_;
  unsigned page_shift_ = 0;
  std::uint32_t step_ = 0;
  std::uint32_t least_ = 0;
  std::vector<SizeClassGeometry> classes_;
  std::vector<std::uint32_t> slot_to_class_;
};

}  // namespace race::zsmalloc
