// Sets of performed accesses, as bit vectors that are named by a handle; 0 names the empty set.
//
// A set is what an access, or a value, comes after. All sets are closed: whoever holds an access holds all that comes before it.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace race::weak {

using View = std::uint32_t;  // handle of a set

// More accesses than the sets have room for: the execution begins anew with larger ones.
struct TooManyAccesses : std::exception {
  const char* what() const noexcept override { return "more accesses than the sets have room for"; }
};

class Sets {
 public:
  void clear(std::uint32_t words) {
    width_ = words;
    count_ = 1;
    bits_.assign(words, 0);
    ++run_;
  }
  std::uint32_t width() const { return width_; }
  std::uint32_t room() const { return 64 * width_; }

  bool has(View v, std::uint32_t access) const { return (at(v)[access / 64] >> (access % 64) & 1) != 0; }
  const std::uint64_t* bits(View v) const { return at(v); }

  View join(View a, View b) {
    if (a == b || b == 0) return a;
    if (a == 0) return b;
    Joined& known = joined_[(a * 31 + b) % joined_.size()];  // the same are joined again and again
    if (known.run != run_ || known.a != a || known.b != b) known = {run_, a, b, join_anew(a, b)};
    return known.both;
  }

  View with(View a, std::uint32_t access) {
    if (access >= room()) throw TooManyAccesses{};
    const View v = copy(a);
    bits_[offset(v) + access / 64] |= std::uint64_t{1} << (access % 64);
    return v;
  }

  // All that `before` holds comes before an access that was performed already: every set that holds it takes that in.
  void order(View before, std::uint32_t access) {
    const std::size_t from = offset(before);
    for (std::size_t to = width_; to < bits_.size(); to += width_)
      if ((bits_[to + access / 64] >> (access % 64) & 1) != 0)
        for (std::uint32_t i = 0; i < width_; ++i) bits_[to + i] |= bits_[from + i];
  }

 private:
  View join_anew(View a, View b) {
    bool a_holds = true, b_holds = true;
    for (std::uint32_t i = 0; i < width_; ++i) {
      const std::uint64_t x = at(a)[i], y = at(b)[i];
      a_holds = a_holds && (y & ~x) == 0;
      b_holds = b_holds && (x & ~y) == 0;
    }
    if (a_holds) return a;
    if (b_holds) return b;
    const View v = copy(a);
    for (std::uint32_t i = 0; i < width_; ++i) bits_[offset(v) + i] |= bits_[offset(b) + i];
    return v;
  }
  std::size_t offset(View v) const { return std::size_t{v} * width_; }
  const std::uint64_t* at(View v) const { return bits_.data() + offset(v); }
  View copy(View a) {
    const std::size_t to = bits_.size();
    bits_.resize(to + width_);
    for (std::uint32_t i = 0; i < width_; ++i) bits_[to + i] = bits_[offset(a) + i];
    return count_++;
  }

  std::uint32_t width_ = 1;  // words of a set
  View count_ = 1;           // of sets
  std::vector<std::uint64_t> bits_;
  struct Joined {
    std::uint32_t run = 0;
    View a = 0, b = 0, both = 0;
  };
  std::uint32_t run_ = 0;
  std::array<Joined, 256> joined_{};  // stays true when sets grow: what both hold, one of them holds
};

}  // namespace race::weak
