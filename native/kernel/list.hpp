// The doubly linked list of include/linux/list.h. Its users hold the lock that protects it.
#pragma once

namespace race::kernel {

template <class M>
struct list_head {
  using Ptr = typename M::template ptr<list_head>;
  typename M::template shared<Ptr> next, prev;
};

template <class M>
using ListPtr = typename list_head<M>::Ptr;

template <class M>
void init_list_head(ListPtr<M> list) {
  list[&list_head<M>::next].store(list);
  list[&list_head<M>::prev].store(list);
}

template <class M>
bool list_empty(ListPtr<M> head) {
  return bool(head[&list_head<M>::next].load() == head);
}

template <class M>
void list_add(ListPtr<M> entry, ListPtr<M> head) {
  const ListPtr<M> next = head[&list_head<M>::next].load();
  next[&list_head<M>::prev].store(entry);
  entry[&list_head<M>::next].store(next);
  entry[&list_head<M>::prev].store(head);
  head[&list_head<M>::next].store(entry);
}

template <class M>
void list_del_init(ListPtr<M> entry) {
  const ListPtr<M> next = entry[&list_head<M>::next].load();
  const ListPtr<M> prev = entry[&list_head<M>::prev].load();
  next[&list_head<M>::prev].store(prev);
  prev[&list_head<M>::next].store(next);
  init_list_head<M>(entry);
}

// Moves all entries of `from` to the front of `to`.
template <class M>
void list_splice_init(ListPtr<M> from, ListPtr<M> to) {
  if (list_empty<M>(from)) return;
  const ListPtr<M> first = from[&list_head<M>::next].load();
  const ListPtr<M> last = from[&list_head<M>::prev].load();
  const ListPtr<M> at = to[&list_head<M>::next].load();
  first[&list_head<M>::prev].store(to);
  to[&list_head<M>::next].store(first);
  last[&list_head<M>::next].store(at);
  at[&list_head<M>::prev].store(last);
  init_list_head<M>(from);
}

// The first entry, or null.
template <class M>
ListPtr<M> list_first(ListPtr<M> head) {
  const ListPtr<M> first = head[&list_head<M>::next].load();
  return first == head ? ListPtr<M>(nullptr) : first;
}

}  // namespace race::kernel
