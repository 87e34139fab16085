// What the allocator tells those who watch it. The calls stand for no kernel code; oracles hang on them.
#pragma once

#include "zsmalloc/types.hpp"

namespace race::zsmalloc {

template <class M>
class Observer {
 public:
  using PagePtr = kernel::PagePtr<M>;
  using ZspagePtr = typename M::template ptr<zspage<M>>;
  virtual ~Observer() = default;
  // `slot` is the slot number of the size class.
  virtual void class_unlock(std::uint32_t /*slot*/) {}  // just before each release of a class lock
  virtual void freeobj_changed(ZspagePtr, std::uint32_t /*slot*/) {}
  virtual void object_allocated(ZspagePtr, std::uint32_t /*slot*/, std::uint32_t /*object*/, std::uint64_t /*handle*/) {
  }
  virtual void object_freed(ZspagePtr, std::uint32_t /*slot*/, std::uint32_t /*object*/) {}
  virtual void zspage_created(ZspagePtr, std::uint32_t /*slot*/) {}
  virtual void zspage_freed(ZspagePtr) {}
  virtual void page_isolated(PagePtr) {}  // before it is
  virtual void page_isolation_over(PagePtr) {}
  virtual void pool_destroyed() {}
  virtual void pool_used(const char* /*what*/) {}
  virtual void pages_compacted(std::uint64_t /*n*/) {}
};

}  // namespace race::zsmalloc
