#include "core/hash.h"

#include <gtest/gtest.h>

namespace tenantry {
namespace {

// Whoever has the log and a list of names cannot find out whose they are without the store's key.
TEST(KeyedHashTest, DependsOnKeyAndText) {
  const std::string key(32, 'k');
  const std::string other(32, 'o');
  EXPECT_EQ(keyed_hash(key, "user:1"), keyed_hash(key, "user:1"));
  EXPECT_NE(keyed_hash(key, "user:1"), keyed_hash(other, "user:1"));
  EXPECT_NE(keyed_hash(key, "user:1"), keyed_hash(key, "user:2"));
}

}  // namespace
}  // namespace tenantry
