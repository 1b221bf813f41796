#include "core/block_stream.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/keys.h"
#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

using events::Scope;
using ::testing::ElementsAre;

// Scope core has a block at each of the positions 1, 3, 5, 7; scope auth at 2, 4, 6.
class BlockStreamTest : public StoreTestBase {
 protected:
  BlockStreamTest() {
    for (int n = 1; n <= 7; ++n) {
      const std::string name = "n" + std::to_string(n);
      (void)(n % 2 == 1 ? run(protein(name)) : user(name));
    }
    close();
    storage_ = open_rocks_storage({.directory = directory() / "db"});
  }

  void lose_block(Position first) {
    ChangeSet changes;
    changes.remove(Family::kLog, keys::block(Scope::CORE, first));
    ASSERT_EQ(storage_->write(changes, /*sync=*/true), WriteResult::kDone);
  }
  // The first positions of the blocks of scope core.
  std::vector<std::uint64_t> walk(std::uint64_t after, std::uint64_t through, bool reverse) {
    const auto blocks = scan_blocks(*storage_, Scope::CORE, {}, {after}, {through}, reverse);
    std::vector<std::uint64_t> found;
    while (const auto block = blocks->next()) found.push_back(block->header().first.value);
    return found;
  }

  std::unique_ptr<Storage> storage_;
};

TEST_F(BlockStreamTest, GivesTheBlocksInside) {
  EXPECT_THAT(walk(0, 7, false), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(walk(0, 7, true), ElementsAre(7, 5, 3, 1));
  EXPECT_THAT(walk(1, 6, false), ElementsAre(3, 5));
  EXPECT_THAT(walk(1, 6, true), ElementsAre(5, 3));
  EXPECT_THAT(walk(2, 4, false), ElementsAre(3));
  EXPECT_THAT(walk(2, 4, true), ElementsAre(3));
  EXPECT_THAT(walk(3, 4, false), ElementsAre());
  EXPECT_THAT(walk(3, 4, true), ElementsAre());
}

// A database that lost a file opens and reports nothing.
TEST_F(BlockStreamTest, AMissingFirstBlockIsNoticed) {
  lose_block({1});
  EXPECT_THROW((void)walk(0, 7, false), CorruptionError);
  EXPECT_THROW((void)walk(0, 7, true), CorruptionError);
  EXPECT_THROW((void)walk(0, 2, true), CorruptionError);
}

TEST_F(BlockStreamTest, AMissingBlockBetweenIsNoticed) {
  lose_block({3});
  EXPECT_THROW((void)walk(0, 7, false), CorruptionError);
  EXPECT_THROW((void)walk(0, 7, true), CorruptionError);
  EXPECT_THROW((void)walk(1, 7, false), CorruptionError);
  EXPECT_THROW((void)walk(0, 4, true), CorruptionError);
}

}  // namespace
}  // namespace tenantry
