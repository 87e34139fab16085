// Strings as template arguments: what a line of the source registers exists before main() runs, whether or not it is reached.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace race {

template <std::size_t N>
struct FixedString {
  char text[N]{};
  constexpr FixedString(const char (&s)[N]) { std::copy_n(s, N, text); }
  constexpr std::string_view view() const { return {text, N - 1}; }
};

constexpr std::string_view below_native(std::string_view path) {
  const auto at = path.rfind("native/");
  return at == std::string_view::npos ? path : path.substr(at + 7);
}

}  // namespace race
