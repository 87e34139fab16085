// Reads JSON that came through the C interface; whatever is wrong is a std::invalid_argument that says where.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace race {

[[noreturn]] inline void bad(const std::string& path, const std::string& what) {
  throw std::invalid_argument("plan: " + path + ": " + what);
}

template <class T>
T get(const nlohmann::json& object, const char* key, const std::string& path) {
  const auto at = object.find(key);
  if (at == object.end()) bad(path, std::string("misses \"") + key + '"');
  try {
    return at->get<T>();
  } catch (const nlohmann::json::exception&) {
    bad(path + '.' + key, "has the wrong type");
  }
}

template <class Names>
std::size_t named(const Names& names, const std::string& word, const std::string& path) {
  const auto at = std::find(std::begin(names), std::end(names), word);
  if (at == std::end(names)) bad(path, "unknown \"" + word + '"');
  return static_cast<std::size_t>(at - std::begin(names));
}

inline std::uint32_t below(std::uint64_t v, std::uint64_t limit, const std::string& path) {
  if (v >= limit) bad(path, std::to_string(v) + " is out of range");
  return static_cast<std::uint32_t>(v);
}

}  // namespace race
