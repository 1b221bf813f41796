#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/env.h>

#include "core/error.h"
#include "core/rocks_testing.h"
#include "tests/core/reading_test_base.h"
#include "tests/support/faulty_reads.h"

// Disks that fail to give what they hold, once.
namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

constexpr long kReadsMax = 20'000;
// Of the reads every so many one is tried, each time another one.
constexpr long kEachRead = 17;

struct Act {
  std::string name;
  // What it gives, in words.
  std::function<std::vector<std::string>(TenancyStore&)> of;
};

class FailedReadTest : public ReadingTestBase {
 protected:
  // A store with an archive, table files, and a log that is not in them yet.
  FailedReadTest() {
    run_all(history_of(21, 60));
    (void)store().squash({}, {});
    run_all(history_of(22, 40));
    reopen();
    run_all(history_of(23, 10));
    close();
    fs::rename(directory(), temp_ / "pristine");
  }

  void restore() {
    close();
    for (const char* const name : {"store", "backup"}) fs::remove_all(temp_ / name);
    fs::copy(temp_ / "pristine", directory(), fs::copy_options::recursive);
  }
  std::vector<std::string> act_on(const std::shared_ptr<FaultyReads>& files, const Act& act) {
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
    Disk disk;
    disk.open_storage = [&](const RocksOptions& opened) {
      return open_rocks_storage_on(*env, opened);
    };
    const auto opened = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
    return act.of(*opened);
  }

  // Whichever read fails: what is given is the whole, or an error that says that it is none of
  // damage, and the store is what it was.
  void fail_each_read(const Act& act) {
    restore();
    const auto sound = act_on(std::make_shared<FaultyReads>(kReadsMax), act);
    long failed = 0;
    for (long fault = 1;; fault += kEachRead) {
      ASSERT_LT(fault, kReadsMax);
      SCOPED_TRACE(act.name + ", read " + std::to_string(fault));
      restore();
      const auto faulty = std::make_shared<FaultyReads>(fault);
      try {
        EXPECT_TRUE(act_on(faulty, act) == sound);
      } catch (const UnavailableError&) {
        ++failed;
      } catch (const CorruptionError& error) {
        ADD_FAILURE() << error.what();
      }
      if (!faulty->met_fault()) break;
      open();
      EXPECT_THAT(failed_checks(), IsEmpty());
      if (HasFailure()) break;
    }
    EXPECT_GT(failed, 3);
  }

  static std::vector<std::string> checks_of(const TenancyStore& store) {
    std::vector<std::string> checks;
    for (const CheckResult& check : store.verify(VerifyDepth::kFull, {})) {
      checks.push_back(check.name + (check.passed ? " passed" : " " + check.problems.front()));
    }
    return checks;
  }
};

TEST_F(FailedReadTest, TheLogIsReadWholeOrNot) {
  fail_each_read({"log", [](TenancyStore& store) { return events_of(store, {}); }});
}

TEST_F(FailedReadTest, RowsAreReadWholeOrNot) {
  fail_each_read({"rows", [](TenancyStore& store) { return rows_of(*store.rows_now().rows); }});
}

TEST_F(FailedReadTest, NoFailedReadIsTakenForDamage) {
  fail_each_read({"verify", [](TenancyStore& store) { return checks_of(store); }});
}

TEST_F(FailedReadTest, CommandsAreDecidedByAllThereIs) {
  const std::vector<std::string> lines = history_of(24, 15);
  fail_each_read({"submit", [&](TenancyStore& store) {
                    std::vector<std::string> answers;
                    for (const std::string& line : lines) {
                      const auto command = request(line);
                      answers.push_back(brief(store.submit({&command, 1}, {}).at(0)));
                    }
                    return answers;
                  }});
}

TEST_F(FailedReadTest, ASquashIsDoneOrNot) {
  fail_each_read({"squash", [](TenancyStore& store) {
                    std::vector<std::string> scopes;
                    for (const SquashedScope& scope : store.squash({}, {}).scopes) {
                      scopes.push_back(std::to_string(scope.events));
                    }
                    return scopes;
                  }});
}

TEST_F(FailedReadTest, ABackupIsWholeOrThereIsNone) {
  fail_each_read({"backup", [this](TenancyStore& store) {
                    const BackupReport report = store.back_up(temp_ / "backup", {});
                    return std::vector{std::to_string(report.tail.value)};
                  }});
}

}  // namespace
}  // namespace tenantry
