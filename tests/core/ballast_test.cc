#include "core/ballast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/error.h"
#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// A disk that has as much free space as the test says, and a clock that the test moves.
class SmallDisk {
 public:
  SmallDisk() {
    disk.free_space = [this](const std::filesystem::path&) {
      ++looks;
      return free;
    };
    disk.now = [this] { return now; };
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() = default;

  Disk disk;
  std::uint64_t free = 1000 * kMiB;
  std::chrono::steady_clock::time_point now{};
  int looks = 0;
};

class BallastTest : public ::testing::Test {
 protected:
  Ballast make(std::uint64_t database_bytes = 0) {
    return {{path_, /*bytes_max=*/40 * kMiB, database_bytes}, small_.disk};
  }
  std::uint64_t size() { return std::filesystem::file_size(path_); }
  static std::string code_of(Ballast& ballast, std::size_t bytes) {
    try {
      ballast.admit(bytes);
    } catch (const UnavailableError& error) {
      EXPECT_FALSE(error.hint().empty());
      return error.code();
    }
    return "admitted";
  }

  TempDirectory directory_;
  SmallDisk small_;
  const std::filesystem::path path_ = directory_ / "ballast";
};

TEST_F(BallastTest, TakesRealRoomBeforeTheFirstAppend) {
  Ballast ballast = make();
  ballast.admit(1);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(size(), 16 * kMiB);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, 16 * kMiB) << "not sparse";
}

TEST_F(BallastTest, GrowsWithTheDatabaseToItsFullSize) {
  Ballast ballast = make(/*database_bytes=*/9 * kMiB);
  ballast.admit(1);
  EXPECT_EQ(size(), 24 * kMiB);
  for (int i = 0; i < 64; ++i) ballast.admit(kMiB);
  EXPECT_EQ(size(), 40 * kMiB);
}

TEST_F(BallastTest, ASmallStoreNeedsFarLessThanALargeOne) {
  EXPECT_EQ(Ballast::full_bytes(8 * kMiB), 184 * kMiB);
}

TEST_F(BallastTest, AppendsAreRefusedWhileTooLittleIsFree) {
  Ballast ballast = make();
  ballast.admit(1);
  small_.free = 16 * kMiB - 1;
  small_.now += std::chrono::seconds(1);
  EXPECT_EQ(code_of(ballast, 1), "disk_low");
  EXPECT_EQ(code_of(ballast, 1), "disk_low") << "looks again at each";
  small_.free = 17 * kMiB;
  EXPECT_EQ(code_of(ballast, 1), "admitted") << "goes on by itself";
}

TEST_F(BallastTest, ALargeAppendMustFitBesideIt) {
  Ballast ballast = make();
  ballast.admit(1);
  small_.free = 50 * kMiB;
  EXPECT_EQ(code_of(ballast, 40 * kMiB), "disk_low");
}

TEST_F(BallastTest, LooksOnceASecondAndEvery16MiB) {
  Ballast ballast = make();
  for (int i = 0; i < 100; ++i) ballast.admit(1000);
  EXPECT_EQ(small_.looks, 1);
  small_.now += std::chrono::milliseconds(999);
  ballast.admit(1);
  EXPECT_EQ(small_.looks, 1);
  small_.now += std::chrono::milliseconds(1);
  ballast.admit(1);
  EXPECT_EQ(small_.looks, 2);
  for (int i = 0; i < 16; ++i) ballast.admit(kMiB);
  EXPECT_EQ(small_.looks, 3);
}

TEST_F(BallastTest, IsRebuiltBeforeAppendsResume) {
  {
    Ballast ballast = make();
    ballast.admit(1);
  }
  EXPECT_TRUE(Ballast::release(path_));
  EXPECT_FALSE(Ballast::release(path_));
  Ballast ballast = make();
  small_.free = 20 * kMiB;
  EXPECT_EQ(code_of(ballast, 1), "disk_low") << "for the file and as much beside it";
  small_.free = 33 * kMiB;
  EXPECT_EQ(code_of(ballast, 1), "admitted");
  EXPECT_EQ(size(), 16 * kMiB);
}

// --- In a store.

class StoreOnSmallDiskTest : public StoreTestBase {
 protected:
  void open_small() {
    close();
    store_ = open_store({.directory = directory(), .disk = small_.disk}, clock_, ids_);
  }
  std::string refusal(const std::string& line) {
    try {
      return run(line);
    } catch (const UnavailableError& error) {
      return error.code();
    }
  }
  SmallDisk small_;
};

TEST_F(StoreOnSmallDiskTest, LowSpaceStopsAppendsAndNothingElse) {
  open_small();
  EXPECT_EQ(refusal(protein("Beef")), "1");
  small_.free = 10 * kMiB;
  small_.now += std::chrono::seconds(1);
  EXPECT_EQ(refusal(protein("Pork")), "disk_low");
  EXPECT_EQ(refusal(protein("Beef")), "protein_taken") << "what writes nothing is answered";
  EXPECT_THAT(log(), ElementsAre("1 ProteinAdded"));
  EXPECT_THAT(failed_checks(), IsEmpty());
  small_.free = 1000 * kMiB;
  EXPECT_EQ(refusal(protein("Pork")), "2");
  reopen();
  EXPECT_THAT(log(), ElementsAre("1 ProteinAdded", "2 ProteinAdded"));
}

TEST_F(StoreOnSmallDiskTest, ReadingTakesNoRoom) {
  close();
  std::filesystem::remove(directory() / "ballast");
  store_ =
      open_store({.directory = directory(), .read_only = true, .disk = small_.disk}, clock_, ids_);
  EXPECT_EQ(store().tail().tail, Position{0});
  EXPECT_FALSE(std::filesystem::exists(directory() / "ballast"));
  EXPECT_EQ(small_.looks, 0);
}

TEST_F(StoreOnSmallDiskTest, TheBallastIsGivenUpToOpen) {
  open_small();
  (void)run(protein("Beef"));
  close();
  ASSERT_TRUE(std::filesystem::exists(directory() / "ballast"));
  int refused = 0;
  small_.disk.open_storage = [&](const RocksOptions& options) {
    if (!options.read_only && std::filesystem::exists(directory() / "ballast")) {
      ++refused;
      throw UnavailableError("open: no space left", {}, "disk_full");
    }
    return open_rocks_storage(options);
  };
  small_.free = 1 * kMiB;
  open_small();
  EXPECT_EQ(refused, 1);
  EXPECT_THAT(log(), ElementsAre("1 ProteinAdded"));
  EXPECT_EQ(refusal(protein("Pork")), "disk_low") << "until it is rebuilt";
  EXPECT_FALSE(std::filesystem::exists(directory() / "ballast"));
  small_.free = 1000 * kMiB;
  EXPECT_EQ(refusal(protein("Pork")), "2");
  EXPECT_TRUE(std::filesystem::exists(directory() / "ballast"));
}

TEST_F(StoreOnSmallDiskTest, AnotherFaultOfOpeningKeepsTheBallast) {
  open_small();
  (void)run(protein("Beef"));
  small_.disk.open_storage = [&](const RocksOptions& options) {
    if (!options.read_only) throw UnavailableError("open: too many open files");
    return open_rocks_storage(options);
  };
  EXPECT_THROW(open_small(), UnavailableError);
  EXPECT_TRUE(std::filesystem::exists(directory() / "ballast"));
}

}  // namespace
}  // namespace tenantry
