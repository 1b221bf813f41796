#include "core/tail_repair.h"

#include <array>
#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ack_file.h"
#include "core/error.h"
#include "core/log_fragments.h"
#include "core/store_files.h"
#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a power failure leaves while the sixth command is being written: five were answered, all six
// are in the write-ahead log, and of the sixth any byte may be wrong.
class TailRepairTest : public StoreTestBase {
 protected:
  static constexpr std::uint64_t kAnswered = 5;

  TailRepairTest() {
    reopen();  // A write-ahead log that holds the commands only.
    for (std::uint64_t n = 1; n < kAnswered; ++n) (void)run(protein("p" + std::to_string(n)));
    before_last_answered_ = log_file_bytes();
    (void)run(protein("p" + std::to_string(kAnswered)));
    wait_for_ack(kAnswered);
    copy(directory() / "ack", temp_ / "ack");
    answered_bytes_ = log_file_bytes();
    (void)run(protein("unanswered", std::string(",'reason':'") + std::string(400, 'r') + "'"));
    written_bytes_ = log_file_bytes();
    wait_for_ack(kAnswered + 1);
    copy(directory(), temp_ / "crashed");
    close();
    restore();
  }

  // The store as the crash left it; `ack` knows of the five.
  void restore() {
    close();
    fs::remove_all(directory());
    copy(temp_ / "crashed", directory());
    copy(temp_ / "ack", directory() / "ack");
  }
  void garble(std::uint64_t at) {
    const fs::path path = log_file();
    std::string bytes = read_file(path).value();
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 0x40);
    write_file_durably(path, bytes);
  }
  void garble_last_write() { garble((answered_bytes_ + written_bytes_) / 2); }

  [[nodiscard]] fs::path log_file() const {
    return examine_log_files(directory() / "db").last.value().path;
  }
  [[nodiscard]] std::uint64_t log_file_bytes() const {
    const auto end = examine_log_files(directory() / "db").last;
    return end ? end->bytes : 0;
  }
  [[nodiscard]] fs::path manifest() const {
    const std::string named = read_file(directory() / "db" / "CURRENT").value();
    return directory() / "db" / named.substr(0, named.size() - 1);
  }
  // An edit more at the manifest's end, of which a byte is wrong; returns where it begins.
  std::uint64_t append_garbled_edit() {
    const std::string bytes = read_file(manifest()).value();
    std::string edit = last_edit();
    edit.back() = static_cast<char>(edit.back() ^ 0x40);
    write_file_durably(manifest(), bytes + edit);
    return bytes.size();
  }
  [[nodiscard]] std::string last_edit() const {
    const std::string bytes = read_file(manifest()).value();
    std::string last;
    std::size_t at = 0;
    while (const auto fragment = log_fragments::fragment_at(bytes, at)) {
      last = bytes.substr(at, fragment->bytes);
      at += fragment->bytes;
    }
    return last;
  }
  std::string open_error() {
    try {
      open();
    } catch (const CorruptionError& error) {
      return error.what();
    }
    return "opened";
  }
  // Content of every file but the one that says who owns the store.
  [[nodiscard]] std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(directory())) {
      if (entry.is_regular_file() && entry.path().filename() != StoreLock::kFileName) {
        found[entry.path().string()] = read_file(entry.path()).value();
      }
    }
    return found;
  }
  void expect_sound() {
    EXPECT_EQ(store().tail().tail.value, kAnswered);
    EXPECT_THAT(failed_checks(), IsEmpty());
  }
  static void copy(const fs::path& from, const fs::path& to) {
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }

  std::uint64_t before_last_answered_ = 0;
  std::uint64_t answered_bytes_ = 0;
  std::uint64_t written_bytes_ = 0;

 private:
  void wait_for_ack(std::uint64_t batch_seq) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (AckFile::read(directory() / "ack")->batch_seq != batch_seq) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      std::this_thread::yield();
    }
  }
};

TEST_F(TailRepairTest, AWholeLastWriteIsKept) {
  open();
  EXPECT_EQ(store().tail().tail.value, kAnswered + 1);
  EXPECT_THAT(store().status().repairs, IsEmpty());
}

TEST_F(TailRepairTest, AGarbledLastWriteIsLeftOutByOpening) {
  garble_last_write();
  const auto damaged = read_file(log_file());
  const std::string name = log_file().filename().string();
  open();
  expect_sound();
  const auto repairs = store().status().repairs;
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_EQ(repairs[0].at, clock_.now());
  EXPECT_EQ(repairs[0].tail.value, kAnswered);
  EXPECT_EQ(repairs[0].file, name);
  EXPECT_EQ(repairs[0].cut_at, answered_bytes_);
  EXPECT_EQ(repairs[0].cut_bytes, written_bytes_ - answered_bytes_);
  EXPECT_EQ(read_file(directory() / "quarantine" / "1" / name), damaged) << "evidence is kept";
  EXPECT_FALSE(fs::exists(directory() / "probe"));
  EXPECT_FALSE(fs::exists(directory() / "db" / "REPAIRED"));
}

TEST_F(TailRepairTest, ARepairedStoreGoesOn) {
  garble_last_write();
  open();
  EXPECT_EQ(run(protein("later")), "6");
  reopen();
  EXPECT_EQ(store().tail().tail.value, kAnswered + 1);
  EXPECT_EQ(store().status().repairs.size(), 1U);
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(TailRepairTest, WhereverTheLastWriteIsGarbledNothingAnsweredIsLost) {
  const std::uint64_t step = (written_bytes_ - answered_bytes_) / 8;
  for (std::uint64_t at = answered_bytes_; at < written_bytes_;
       at += at < answered_bytes_ + 6 ? 1 : step) {
    restore();
    garble(at);
    open();
    expect_sound();
  }
}

TEST_F(TailRepairTest, AGarbledWriteIsRepairedAgain) {
  garble_last_write();
  open();
  close();
  // The same crash once more, in the repaired store.
  const fs::path again = temp_ / "again";
  open();
  const std::uint64_t whole = log_file_bytes();
  copy(directory() / "ack", temp_ / "ack");
  (void)run(protein("again"));
  copy(directory(), again);
  close();
  fs::remove_all(directory());
  fs::rename(again, directory());
  copy(temp_ / "ack", directory() / "ack");
  garble(whole + 50);
  open();
  expect_sound();
  EXPECT_EQ(store().status().repairs.size(), 2U);
  EXPECT_TRUE(fs::exists(directory() / "quarantine" / "2"));
}

// The first crash left a write cut short, which RocksDB forgives. The second one garbles another
// write, and brings back the file of the first, whose removal was not on the disk yet.
TEST_F(TailRepairTest, ASecondCrashMayBringBackTheLogOfTheFirst) {
  fs::resize_file(log_file(), written_bytes_ - 3);
  const fs::path first_log = log_file();
  copy(first_log, temp_ / "first.log");
  open();
  (void)run(protein("after"));
  copy(directory(), temp_ / "crashed again");
  close();
  ASSERT_FALSE(fs::exists(first_log));
  copy(temp_ / "first.log", temp_ / "crashed again" / "db" / first_log.filename());
  fs::remove_all(temp_ / "crashed");
  fs::rename(temp_ / "crashed again", temp_ / "crashed");
  restore();
  const LogFilesEnd files = examine_log_files(directory() / "db");
  ASSERT_TRUE(files.older_damaged);
  garble(files.last->whole_bytes / 2);
  open();
  expect_sound();
  EXPECT_EQ(run(protein("after")), "6");
  reopen();
  EXPECT_EQ(store().tail().tail, Position{6});
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(TailRepairTest, ReadingLeavesItOutAndChangesNoFile) {
  garble_last_write();
  const auto before = files();
  std::vector<std::string> remarks;
  StoreOptions options{.directory = directory(), .read_only = true};
  options.warn = [&](const std::string& remark) { remarks.push_back(remark); };
  store_ = open_store(options, clock_, ids_);
  expect_sound();
  EXPECT_THAT(remarks, ElementsAre(HasSubstr("left garbled by a crash")));
  close();
  EXPECT_TRUE(files() == before);
}

// --- What is refused, and left as it is.

TEST_F(TailRepairTest, AGarbledWriteThatWasAnsweredIsRefused) {
  copy(temp_ / "crashed" / "ack", directory() / "ack");
  garble_last_write();
  const auto before = files();
  EXPECT_THAT(open_error(), HasSubstr("answered up to position 6"));
  EXPECT_TRUE(files() == before);
}

TEST_F(TailRepairTest, DamageWithALaterWriteBehindItIsRefusedWhateverTheAckSays) {
  constexpr std::uint64_t kHighByteOfLength = 5;
  for (const std::uint64_t at : {before_last_answered_, before_last_answered_ + kHighByteOfLength,
                                 before_last_answered_ + 100}) {
    restore();
    // An ack that was not written for a while: it does not know of the damaged write.
    Ack old = *AckFile::read(directory() / "ack");
    old.batch_seq = old.tail = 1;
    fs::remove(directory() / "ack");
    { const AckFile ack(directory() / "ack", old); }
    garble(at);
    const auto before = files();
    EXPECT_THAT(open_error(), HasSubstr("after it, later writes")) << at;
    EXPECT_TRUE(files() == before);
  }
}

TEST_F(TailRepairTest, DamageOfATableFileBesideIsRefusedByName) {
  garble_last_write();
  fs::path table;
  for (const auto& entry : fs::directory_iterator(directory() / "db")) {
    if (entry.path().extension() == ".sst") table = entry.path();
  }
  ASSERT_FALSE(table.empty());
  std::string bytes = read_file(table).value();
  bytes.back() = static_cast<char>(bytes.back() ^ 0x40);
  write_file_durably(table, bytes);
  const auto before = files();
  EXPECT_THAT(open_error(), HasSubstr(table.filename().string()));
  EXPECT_TRUE(files() == before);
}

// --- Crashes of the repair itself.

struct Crash : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST_F(TailRepairTest, AGarbledEndOfTheManifestIsLeftOut) {
  const std::uint64_t cut_at = append_garbled_edit();
  const std::string name = manifest().filename().string();
  const auto damaged = read_file(manifest());
  const auto before = files();
  store_ = open_store({.directory = directory(), .read_only = true}, clock_, ids_);
  EXPECT_EQ(store().tail().tail.value, kAnswered + 1) << "the write-ahead log is whole";
  EXPECT_THAT(failed_checks(), IsEmpty());
  close();
  EXPECT_TRUE(files() == before) << "reading changes nothing";
  open();
  EXPECT_EQ(store().tail().tail.value, kAnswered + 1);
  EXPECT_THAT(failed_checks(), IsEmpty());
  const auto repairs = store().status().repairs;
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_EQ(repairs[0].file, name);
  EXPECT_EQ(repairs[0].cut_at, cut_at);
  EXPECT_EQ(read_file(directory() / "quarantine" / "1" / name), damaged) << "evidence is kept";
  reopen();
  EXPECT_EQ(store().tail().tail.value, kAnswered + 1);
}

TEST_F(TailRepairTest, BothEndsAreLeftOutAtOnce) {
  garble_last_write();
  (void)append_garbled_edit();
  open();
  expect_sound();
  EXPECT_EQ(store().status().repairs.size(), 2U);
}

TEST_F(TailRepairTest, AManifestThatGoesOnBehindDamageIsRefused) {
  const std::string whole = read_file(manifest()).value();
  (void)append_garbled_edit();
  const std::string first = whole.substr(0, log_fragments::fragment_at(whole, 0)->bytes);
  write_file_durably(manifest(), read_file(manifest()).value() + first);
  EXPECT_THAT(open_error(), HasSubstr("MANIFEST"));
}

// A flush writes an edit for each family and one that lets go of the log, and syncs them together:
// the power failed before that.
TEST_F(TailRepairTest, AGarbledGroupOfEditsIsLeftOut) {
  Storage* storage = nullptr;
  Disk disk;
  disk.open_storage = [&](const RocksOptions& rocks) {
    auto opened = open_rocks_storage(rocks);
    storage = opened.get();
    return opened;
  };
  store_ = open_store({.directory = directory(), .disk = disk}, clock_, ids_);
  (void)run(protein("unflushed"));
  const std::uint64_t tail = store().tail().tail.value;
  copy(directory(), temp_ / "unflushed");
  const std::size_t before = read_file(manifest()).value().size();
  storage->flush();
  const std::string flushed = read_file(manifest()).value();
  close();
  const auto bytes_at = [&](std::size_t at) {
    return log_fragments::fragment_at(flushed, at).value().bytes;
  };
  const std::size_t group = before + bytes_at(before);  // After what was synced of the log.
  std::size_t edits = 0;
  for (std::size_t at = group; at < flushed.size(); at += bytes_at(at), ++edits) {
    fs::remove_all(directory());
    copy(temp_ / "unflushed", directory());
    std::string garbled = flushed;
    garbled.at(at + log_fragments::kHeaderBytes) ^= 0x40;
    write_file_durably(manifest(), garbled);
    open();
    EXPECT_EQ(store().tail().tail.value, tail);
    EXPECT_THAT(failed_checks(), IsEmpty());
    const auto repairs = store().status().repairs;
    ASSERT_EQ(repairs.size(), 1U);
    EXPECT_EQ(repairs[0].cut_at, group);
    EXPECT_EQ(repairs[0].cut_bytes, flushed.size() - group);
    close();
  }
  EXPECT_GT(edits, 2U);
}

class TailRepairCrashTest : public TailRepairTest,
                            public ::testing::WithParamInterface<RepairStep> {
 protected:
  void repair_until(RepairStep last) {
    const StorePaths paths{directory()};
    RocksOptions rocks;
    rocks.directory = paths.database();
    RocksOptions reading = rocks;
    reading.read_only = reading.to_first_damage = true;
    const Head head = decode_head(*open_rocks_storage(reading)->get(Family::kMeta, "head"));
    const TailDamage damage{examine_log_files(paths.database()).last, std::nullopt};
    EXPECT_THROW(repair_tail({paths.repair(), rocks, damage, head, clock_.now()}, Disk{},
                             [&](RepairStep step) {
                               if (step == last) throw Crash("here");
                             }),
                 Crash);
  }
  [[nodiscard]] std::size_t originals() const {
    std::error_code absent;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory() / "quarantine", absent), {}));
  }
};

TEST_P(TailRepairCrashTest, TheNextOpeningFinishesOrForgetsIt) {
  garble_last_write();
  const auto damaged = read_file(log_file());
  const std::string name = log_file().filename().string();
  repair_until(GetParam());
  open();
  expect_sound();
  EXPECT_EQ(store().status().repairs.size(), 1U);
  EXPECT_EQ(originals(), 1U);
  EXPECT_EQ(read_file(directory() / "quarantine" / "1" / name), damaged);
  EXPECT_FALSE(fs::exists(directory() / "probe"));
  EXPECT_FALSE(fs::exists(directory() / "db" / "REPAIRED"));
}

TEST_P(TailRepairCrashTest, ReadingInBetweenSeesTheSoundPart) {
  garble_last_write();
  repair_until(GetParam());
  const auto before = files();
  store_ = open_store({.directory = directory(), .read_only = true}, clock_, ids_);
  expect_sound();
  close();
  EXPECT_TRUE(files() == before);
}

INSTANTIATE_TEST_SUITE_P(Steps, TailRepairCrashTest,
                         ::testing::Values(RepairStep::kCopied, RepairStep::kCutOff,
                                           RepairStep::kRecorded, RepairStep::kChecked,
                                           RepairStep::kMarked, RepairStep::kExchanged));

TEST_F(TailRepairTest, AMarkThatOutlivedItsRepairIsRemoved) {
  garble_last_write();
  open();
  close();
  write_file_durably(directory() / "db" / "REPAIRED", "");
  open();
  expect_sound();
  EXPECT_FALSE(fs::exists(directory() / "db" / "REPAIRED"));
  EXPECT_FALSE(fs::exists(directory() / "quarantine" / "2"));
}

}  // namespace
}  // namespace tenantry
