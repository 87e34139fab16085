// Size classes against the table of Linux 4.8, and what must hold at every page size.
#include <doctest/doctest.h>

#include <array>

#include "zsmalloc/geometry.hpp"

using race::zsmalloc::Geometry;
using race::zsmalloc::SizeClassGeometry;

namespace {

struct Row {
  std::uint32_t index, size, pages, objects;
};

// Computed from zs_create_pool for 4 KiB pages.
constexpr std::array<Row, 69> table{{
    {0, 32, 1, 128},   {1, 48, 3, 256},   {2, 64, 1, 64},    {3, 80, 1, 51},    {4, 96, 3, 128},   {5, 112, 2, 73},
    {6, 128, 1, 32},   {7, 144, 3, 85},   {8, 160, 2, 51},   {9, 176, 4, 93},   {10, 192, 3, 64},  {11, 208, 2, 39},
    {12, 224, 4, 73},  {13, 240, 1, 17},  {14, 256, 1, 16},  {15, 272, 1, 15},  {16, 288, 1, 14},  {17, 304, 3, 40},
    {18, 320, 4, 51},  {19, 336, 1, 12},  {20, 352, 2, 23},  {21, 368, 1, 11},  {22, 384, 3, 32},  {23, 400, 1, 10},
    {24, 416, 4, 39},  {25, 432, 3, 28},  {26, 448, 1, 9},   {27, 464, 4, 35},  {28, 480, 2, 17},  {29, 496, 4, 33},
    {30, 512, 1, 8},   {31, 528, 4, 31},  {32, 544, 2, 15},  {33, 560, 4, 29},  {34, 576, 1, 7},   {35, 592, 4, 27},
    {36, 608, 3, 20},  {37, 624, 2, 13},  {38, 640, 3, 19},  {40, 672, 1, 6},   {42, 704, 4, 23},  {43, 720, 3, 17},
    {44, 736, 2, 11},  {46, 768, 3, 16},  {49, 816, 1, 5},   {51, 848, 4, 19},  {52, 864, 3, 14},  {54, 896, 2, 9},
    {57, 944, 3, 13},  {58, 960, 4, 17},  {62, 1024, 1, 4},  {66, 1088, 4, 15}, {67, 1104, 3, 11}, {71, 1168, 2, 7},
    {74, 1216, 3, 10}, {76, 1248, 4, 13}, {83, 1360, 1, 3},  {91, 1488, 4, 11}, {94, 1536, 3, 8},  {100, 1632, 2, 5},
    {107, 1744, 3, 7}, {111, 1808, 4, 9}, {126, 2048, 1, 2}, {144, 2336, 4, 7}, {151, 2448, 3, 5}, {168, 2720, 2, 3},
    {190, 3072, 3, 4}, {202, 3264, 4, 5}, {254, 4096, 1, 1},
}};

constexpr std::uint32_t page_sizes[] = {256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

const SizeClassGeometry& class_of_size(const Geometry& g, std::uint32_t size) {
  for (const SizeClassGeometry& c : g.classes())
    if (c.size == size) return c;
  throw std::out_of_range("no such class");
}

}  // namespace

TEST_CASE("geometry: the classes at 4 KiB are those of Linux 4.8") {
  const Geometry g(4096);
  CHECK(g.slots() == 255);
  CHECK(g.pfn_bits() == 36);
  CHECK(g.index_bits() == 27);
  REQUIRE(g.classes().size() == table.size());
  std::array<unsigned, 5> by_pages{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const SizeClassGeometry& c = g.classes()[table.size() - 1 - i];  // largest first
    CAPTURE(i);
    CHECK(c.index == table[i].index);
    CHECK(c.size == table[i].size);
    CHECK(c.pages == table[i].pages);
    CHECK(c.objects == table[i].objects);
    CHECK(c.huge == (c.size == 4096));
    CHECK(c.max_request == (c.huge ? 4096 : c.size - 8));
    ++by_pages[c.pages];
  }
  CHECK(by_pages == std::array<unsigned, 5>{0, 20, 12, 19, 18});
}

// The figures of docs/races.md, A7.
TEST_CASE("geometry: version 7 of the migration patches had the first object of every tail page wrong") {
  const Geometry geometry(4096);
  unsigned tails = 0, wrong = 0, missed = 0, bogus = 0;
  for (const SizeClassGeometry& c : geometry.classes())
    for (std::uint32_t k = 1; k < c.pages; ++k) {
      const std::uint32_t right = c.first_object_offset(k, 4096), v7 = c.first_object_offset_v7(k, 4096);
      ++tails;
      wrong += v7 != right ? 1 : 0;
      for (std::uint32_t at = right; at < 4096 && k * 4096 + at < c.objects * c.size; at += c.size)
        missed += at < v7 || (at - v7) % c.size != 0 ? 1 : 0;
      for (std::uint32_t at = v7; at < 4096; at += c.size) bogus += at < right || (at - right) % c.size != 0 ? 1 : 0;
    }
  CHECK(tails == 104);
  CHECK(wrong == 104);
  CHECK(missed == 1024);
  CHECK(bogus == 1004);
}

TEST_CASE("geometry: each slot leads to the class that it shares") {
  const Geometry g(4096);
  for (std::uint32_t slot = 0; slot < g.slots(); ++slot) {
    const auto owner = std::find_if(table.begin(), table.end(), [slot](const Row& r) { return r.index >= slot; });
    REQUIRE(owner != table.end());
    CHECK(g.at_slot(slot).index == owner->index);
  }
}

TEST_CASE("geometry: a request goes to the smallest class that has room for it and its handle") {
  const Geometry g(4096);
  for (std::uint32_t n = 1; n <= 4096; ++n) {
    const auto fits = std::find_if(table.begin(), table.end(), [n](const Row& r) { return r.size >= n + 8; });
    const std::uint32_t expected = fits == table.end() ? 4096 : fits->size;
    CHECK_MESSAGE(g.for_request(n).size == expected, "request ", n);
  }
  CHECK(g.for_request(24).index == 0);
  CHECK(g.for_request(25).index == 1);
  CHECK(g.for_request(3256).index == 202);
  CHECK(g.for_request(3257).huge);
  CHECK(g.for_request(4088).huge);
  CHECK(g.for_request(4089).huge);
  CHECK(g.for_request(4096).huge);
}

TEST_CASE("geometry: first-object offsets") {
  const Geometry g(4096);
  const SizeClassGeometry& c = class_of_size(g, 3264);
  const std::uint32_t expected[] = {0, 2432, 1600, 768};
  for (std::uint32_t k = 0; k < 4; ++k) CHECK(c.first_object_offset(k, 4096) == expected[k]);

  // By brute force, at every page size: the least start of an object in the page. A page may also begin behind the last
  // object's start; what counts then is where the next one would start.
  for (const std::uint32_t page_size : page_sizes) {
    const Geometry any(page_size);
    std::uint32_t tails = 0;
    for (const SizeClassGeometry& each : any.classes())
      for (std::uint32_t k = 0; k < each.pages; ++k) {
        std::uint32_t start = 0;
        while (start < k * page_size) start += each.size;
        CHECK(each.first_object_offset(k, page_size) == start - k * page_size);
        tails += k != 0 ? 1 : 0;
      }
    if (page_size == 4096) CHECK(tails == 104);
  }
}

TEST_CASE("geometry: 64 KiB pages have a slot too many for the class field") {
  const Geometry g(65536);
  CHECK(g.slots() == 257);
  CHECK(g.classes().front().index == 256);
  CHECK(g.classes().front().size == 65536);
  CHECK(g.classes().back().size == 32);
}

TEST_CASE("geometry: what holds at every page size") {
  for (const std::uint32_t page_size : page_sizes) {
    CAPTURE(page_size);
    const Geometry g(page_size);
    CHECK(g.page_size() == page_size);
    CHECK((std::uint32_t{1} << g.page_shift()) == page_size);
    CHECK(g.pfn_bits() + g.index_bits() + 1 == 64);
    CHECK(g.classes().front().huge);
    CHECK(g.classes().front().size == page_size);
    for (std::size_t i = 0; i < g.classes().size(); ++i) {
      const SizeClassGeometry& c = g.classes()[i];
      CAPTURE(c.size);
      CHECK(c.size % 8 == 0);
      CHECK(c.size >= 32);
      CHECK(c.pages >= 1);
      CHECK(c.pages <= 4);
      CHECK(c.objects == c.pages * page_size / c.size);
      CHECK(c.objects * c.size <= c.pages * page_size);
      CHECK(c.objects <= (std::uint64_t{1} << g.index_bits()));
      CHECK(c.huge == (i == 0));
      CHECK(&g.at_slot(c.index) == &c);
      if (i == 0) continue;
      CHECK(c.size < g.classes()[i - 1].size);
      CHECK(c.index < g.classes()[i - 1].index);
      CHECK((c.pages != g.classes()[i - 1].pages || c.objects != g.classes()[i - 1].objects));
    }
    for (std::uint32_t n = 1; n <= page_size; ++n) {
      const SizeClassGeometry& c = g.for_request(n);
      if (n > c.max_request || (!c.huge && n + 8 > c.size)) FAIL("request ", n, " does not fit class ", c.size);
    }
  }
}

TEST_CASE("geometry: an impossible page size is refused") {
  for (const std::uint32_t bad : {0u, 1u, 128u, 255u, 4095u, 4097u, 6144u, 131072u})
    CHECK_THROWS_AS(Geometry{bad}, std::invalid_argument);
  CHECK_THROWS_WITH(Geometry(3000), "page size 3000 is not a power of two from 256 to 65536");
}
