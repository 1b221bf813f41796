#include "projections/row_pipe.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tenantry::projections {
namespace {

using events::TableInfo;

events::RowValues row(std::int64_t number) { return {events::Value(number)}; }
std::int64_t number_of(const events::RowValues& row) { return std::get<std::int64_t>(row.at(0)); }

TEST(RowPipeTest, WritesEveryRowInOrderOnAnotherThread) {
  constexpr std::int64_t kRows = 10'000;
  std::vector<std::pair<const TableInfo*, std::int64_t>> written;
  const auto here = std::this_thread::get_id();
  bool elsewhere = true;
  RowPipe pipe([&](const TableInfo& table, const events::RowValues& values) {
    elsewhere = elsewhere && std::this_thread::get_id() != here;
    written.emplace_back(&table, number_of(values));
  });
  const auto tables = events::tables();
  for (std::int64_t number = 0; number < kRows; ++number) {
    pipe.add(tables[number < kRows / 2 ? 0 : 1], row(number));
  }
  pipe.finish();
  ASSERT_EQ(written.size(), kRows);
  for (std::int64_t number = 0; number < kRows; ++number) {
    const auto& [table, value] = written[static_cast<std::size_t>(number)];
    ASSERT_EQ(value, number);
    ASSERT_EQ(table, &tables[number < kRows / 2 ? 0 : 1]);
  }
  EXPECT_TRUE(elsewhere);
}

TEST(RowPipeTest, AskedForOneThreadItWritesAtOnce) {
  std::vector<std::int64_t> written;
  const auto here = std::this_thread::get_id();
  RowPipe pipe(
      [&](const TableInfo&, const events::RowValues& values) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        written.push_back(number_of(values));
      },
      true);
  for (const std::int64_t number : {1, 2}) {
    pipe.add(events::tables()[0], row(number));
    EXPECT_EQ(written.back(), number);
  }
  pipe.finish();
  EXPECT_EQ(written.size(), 2U);
}

TEST(RowPipeTest, NoRowsAreFine) {
  RowPipe pipe([](const TableInfo&, const events::RowValues&) { FAIL() << "there is no row"; });
  pipe.finish();
}

TEST(RowPipeTest, WhatAWriteThrewComesBackAndNoRowIsWrittenAfterIt) {
  for (const std::int64_t rows : {1, 400, 100'000}) {  // Some wait for finish(), some are told.
    std::atomic<int> calls = 0;
    RowPipe pipe([&](const TableInfo&, const events::RowValues&) {
      ++calls;
      throw std::runtime_error("the disk is full");
    });
    const auto add_all = [&] {
      for (std::int64_t number = 0; number < rows; ++number)
        pipe.add(events::tables()[0], row(number));
      pipe.finish();
    };
    EXPECT_THROW(add_all(), std::runtime_error) << rows;
    EXPECT_EQ(calls, 1) << rows;
  }
}

TEST(RowPipeTest, WhoLeavesEarlyWaitsForOneRowAtMost) {
  std::atomic<bool> go_on = false;
  std::atomic<int> calls = 0;
  std::optional<RowPipe> pipe;
  pipe.emplace([&](const TableInfo&, const events::RowValues&) {
    ++calls;
    while (!go_on) std::this_thread::yield();
  });
  for (std::int64_t number = 0; number < 1000; ++number)
    pipe->add(events::tables()[0], row(number));
  while (calls == 0) std::this_thread::yield();
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    go_on = true;
  });
  pipe.reset();
  release.join();
  EXPECT_EQ(calls, 1);
}

// A reader that is far ahead waits: what is under way is bounded, in rows and in bytes.
std::int64_t rows_under_way(const events::RowValues& each) {
  std::atomic<bool> go_on = false;
  std::atomic<bool> stop = false;
  std::atomic<std::int64_t> added = 0;
  RowPipe pipe([&](const TableInfo&, const events::RowValues&) {
    while (!go_on) std::this_thread::yield();
  });
  std::thread reader([&] {
    for (; !stop; ++added) pipe.add(events::tables()[0], each);
  });
  std::int64_t before = -1;
  while (added != before) {
    before = added;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  stop = true;
  go_on = true;
  reader.join();
  pipe.finish();
  return before;
}

TEST(RowPipeTest, HoldsAFewThousandRowsOrAFewMegabytesAtMost) {
  EXPECT_LT(rows_under_way(row(1)), 5'000);
  EXPECT_LT(rows_under_way({events::Value(std::string(std::size_t{100} << 10, 'x'))}), 50);
}

}  // namespace
}  // namespace tenantry::projections
