#include "projections/postgres/conninfo.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace tenantry::projections::postgres {
namespace {

class ConnectionNameTest : public ::testing::Test {
 protected:
  ConnectionNameTest() {
    for (const char* const variable : {"PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"}) {
      ::unsetenv(variable);
    }
  }
  static std::string name_of(const std::string& text) { return parse_connection(text).name; }
};

TEST_F(ConnectionNameTest, HasWhatLibpqAddsAndNoPassword) {
  EXPECT_EQ(name_of("postgresql://ann:hunter2@db.example.org/shop"),
            "postgresql://ann@db.example.org:5432/shop");
  EXPECT_EQ(name_of("host=10.0.0.1 port=6000 user=ann dbname=shop password=hunter2"),
            "postgresql://ann@10.0.0.1:6000/shop");
  EXPECT_EQ(name_of("hostaddr=10.0.0.1 user=ann"), "postgresql://ann@10.0.0.1:5432/ann");
}

TEST_F(ConnectionNameTest, HasASocketsDirectoryBehindTheDatabase) {
  EXPECT_EQ(name_of("postgresql:///shop?host=/run/pg&user=ann"),
            "postgresql://ann@/shop?host=/run/pg&port=5432");
  EXPECT_EQ(name_of("postgresql://ann@%2Frun%2Fpg:6000/shop"),
            "postgresql://ann@/shop?host=/run/pg&port=6000");
  EXPECT_EQ(name_of("postgresql://ann@/shop"), "postgresql://ann@/shop?port=5432");
}

TEST_F(ConnectionNameTest, IsAUrlOfTheSameServer) {
  for (const char* const text :
       {"postgresql://ann@[::1]:6000/shop", "postgresql://ann@a:1,b:2/shop",
        "postgresql://ann@/shop?host=/run/pg", "postgresql://ann@db:7/shop", "user=ann"}) {
    EXPECT_EQ(name_of(name_of(text)), name_of(text));
  }
}

}  // namespace
}  // namespace tenantry::projections::postgres
