#include "core/verify.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/keys.h"
#include "core/record.h"
#include "core/store_files.h"
#include "tests/core/store_test_base.h"

namespace tenantry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A sound store, then one entry changed behind its back, as damage or an intruder would: every kind
// of entry has a check that finds it, and names the place.
class VerifyTest : public StoreTestBase {
 protected:
  VerifyTest() {
    (void)user("ann");
    (void)run(
        "{'command':'create_tenant','data':{'name':'A','slug':'a','contact_email':'a@b.io','domain'"
        ":'a.io',"
        "'owner':'ann'},'actor':'user:1','id':'11111111-1111-4111-8111-111111111111'}");
    (void)run(protein("Beef"));
    (void)run(
        "{'command':'set_user_flags','data':{'user':'ann','is_staff':false},'id':"
        "'22222222-1111-4111-8111-111111111111'}");
    close();
    storage_ = open_rocks_storage({.directory = directory() / "db"});
  }

  void change(Family family, const std::string& key,
              const std::function<void(std::string&)>& edit) {
    auto value = storage_->get(family, key);
    ASSERT_TRUE(value) << events::hex(key);
    edit(*value);
    ChangeSet changes;
    changes.put(family, key, *value);
    ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  }
  void remove(Family family, const std::string& key) {
    ChangeSet changes;
    changes.remove(family, key);
    ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  }
  // The first key of a family that begins so.
  std::string first_key(Family family, const std::string& prefix) {
    const auto cursor = storage_->cursor(family, prefix, keys::after_prefix(prefix), false);
    cursor->seek_first();
    EXPECT_TRUE(cursor->valid());
    return std::string(cursor->key());
  }
  // `check: problem` of every check that fails.
  std::vector<std::string> problems() {
    const StoreInfo info = decode_store_info(*storage_->get(Family::kMeta, "store"));
    const Head head = decode_head(*storage_->get(Family::kMeta, "head"));
    std::vector<std::string> found;
    const LogHistory history(directory() / "archive", read_catalogue(*storage_));
    const VerifyInput input{*storage_, *storage_, info, head, history, directory() / "scratch"};
    for (const CheckResult& check : verify_store(input, VerifyDepth::kFull, {})) {
      for (const std::string& problem : check.problems)
        found.push_back(check.name + ": " + problem);
    }
    return found;
  }

  std::unique_ptr<Storage> storage_;
};

TEST_F(VerifyTest, ASoundStoreHasNoProblems) { EXPECT_THAT(problems(), IsEmpty()); }

TEST_F(VerifyTest, AChangedPayloadIsFoundByTheBlock) {
  change(Family::kLog, keys::block(events::Scope::CORE, {5}),
         [](std::string& value) { value.back() ^= 1; });
  EXPECT_THAT(problems(),
              ::testing::Contains(HasSubstr("scope core at position 5: its checksum is wrong")));
}

TEST_F(VerifyTest, AnEditedEventIsFoundByTheChainThoughTheBlockFits) {
  const std::string key = keys::block(events::Scope::CORE, {5});
  const Block block(key, *storage_->get(Family::kLog, key));
  std::string record(block.record(0));
  const auto name = record.find("Beef");
  ASSERT_NE(name, std::string::npos);
  record[name] = 'b';
  ChangeSet changes;
  changes.put(Family::kLog, key, encode_block(block.header(), block.command_table(), record));
  ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  EXPECT_THAT(problems(),
              ::testing::Contains(HasSubstr("chain of scope core breaks at position 5")));
}

TEST_F(VerifyTest, AMissingBlockIsAGap) {
  remove(Family::kLog, keys::block(events::Scope::AUTH, {1}));
  EXPECT_THAT(problems(), ::testing::Contains(HasSubstr("position 1 is missing")));
}

TEST_F(VerifyTest, AMissingTailIsShortOfTheHead) {
  remove(Family::kLog, keys::block(events::Scope::CORE, {5}));
  EXPECT_THAT(problems(), ::testing::Contains(HasSubstr("the log has 4 events, its head says 5")));
}

TEST_F(VerifyTest, EveryIndexEntryIsCounted) {
  for (const char kind : {keys::kStreamIndex, keys::kTenantIndex, keys::kActorIndex}) {
    const std::string key = first_key(Family::kIndex, std::string(1, kind));
    const auto value = storage_->get(Family::kIndex, key);
    remove(Family::kIndex, key);
    EXPECT_THAT(problems(), ::testing::Contains(HasSubstr("indexes against log: index")));
    ChangeSet changes;
    changes.put(Family::kIndex, key, *value);
    ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  }
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(VerifyTest, AMisplacedTimeMarkIsFound) {
  change(Family::kIndex, first_key(Family::kIndex, "M"), [](std::string& value) { value[0] = 99; });
  EXPECT_THAT(problems(), ::testing::Contains(HasSubstr("names position 99")));
}

TEST_F(VerifyTest, AForgottenAnswerIsFound) {
  std::string id(16, '\x11');
  id[6] = 0x41;
  id[8] = '\x81';
  remove(Family::kIdempotency, first_key(Family::kIdempotency, ""));
  EXPECT_THAT(problems(),
              ::testing::Contains(HasSubstr("kept answers: the head has 2, the store has 1")));
}

TEST_F(VerifyTest, EveryEntryOfTheStateIsHeldAgainstTheEvents) {
  const auto cursor = storage_->cursor(Family::kState, {}, {}, false);
  std::vector<std::pair<std::string, std::string>> entries;
  for (cursor->seek_first(); cursor->valid(); cursor->next())
    entries.emplace_back(cursor->key(), cursor->value());
  ASSERT_GT(entries.size(), 15U);
  for (const auto& [key, value] : entries) {
    remove(Family::kState, key);
    EXPECT_THAT(problems(), ::testing::Not(IsEmpty())) << events::hex(key);
    ChangeSet changes;
    changes.put(Family::kState, key, value);
    ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  }
  EXPECT_THAT(problems(), IsEmpty());
}

// --- Damage of files.

class VerifyDamageTest : public StoreTestBase {
 protected:
  VerifyDamageTest() {
    // More than opening looks at, in many blocks.
    std::vector<std::string> lines;
    lines.reserve(4000);
    for (int n = 1; n <= 4000; ++n) lines.push_back(protein("p" + std::to_string(n)));
    (void)run_all(lines);
    reopen();  // What the write-ahead log holds goes to table files.
    close();
  }
  // Changes a byte of the first block of the file of the log's family.
  std::string damage_log_file() {
    for (const FileDamage& file : tables()) {
      if (file.family != Family::kLog) continue;
      const std::filesystem::path path = directory() / "db" / file.file;
      std::string bytes = read_file(path).value();
      constexpr std::size_t kAt = 100;
      bytes[kAt] = static_cast<char>(bytes[kAt] ^ 0x40);
      write_file_durably(path, bytes);
      return file.file;
    }
    ADD_FAILURE() << "no file of the log";
    return {};
  }
  void damage_end(const std::string& name) {
    const std::filesystem::path path = directory() / "db" / name;
    std::string bytes = read_file(path).value();
    bytes.back() = static_cast<char>(bytes.back() ^ 0x40);
    write_file_durably(path, bytes);
  }
  std::vector<FileDamage> tables() {
    // All of them pass for damaged while they are elsewhere.
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory() / "db")) {
      if (entry.path().extension() == ".sst") files.push_back(entry.path());
    }
    for (const auto& path : files) std::filesystem::rename(path, path.string() + ".away");
    RocksOptions options;
    options.directory = directory() / "db";
    std::vector<FileDamage> found = damaged_files_of(options);
    for (const auto& path : files) std::filesystem::rename(path.string() + ".away", path);
    return found;
  }
  std::vector<std::string> problems() {
    store_ = open_store({.directory = directory(), .read_only = true}, clock_, ids_);
    std::vector<std::string> found;
    for (const CheckResult& check : store_->verify(VerifyDepth::kFull, {})) {
      for (const std::string& problem : check.problems)
        found.push_back(check.name + ": " + problem);
    }
    return found;
  }
};

TEST_F(VerifyDamageTest, ADamagedFileIsNamedWithTheEventsThatItHolds) {
  const std::string name = damage_log_file();
  const auto found = problems();
  EXPECT_THAT(found,
              ::testing::Contains(::testing::AllOf(
                  HasSubstr("file checksums: " + name + " is damaged"),
                  HasSubstr("events of scope core in blocks from position 1 to the one at "))));
  EXPECT_THAT(found, ::testing::Contains(::testing::AllOf(HasSubstr("log: positions"),
                                                          HasSubstr("read up to position 0"))));
}

TEST_F(VerifyDamageTest, AFileThatKeepsTheStoreFromOpeningIsNamedWithItsEvents) {
  const std::string name = damage_log_file();
  damage_end(name);
  try {
    open();
    FAIL() << "opened";
  } catch (const CorruptionError& error) {
    EXPECT_THAT(error.what(), HasSubstr(name + " is damaged"));
    EXPECT_THAT(error.what(), HasSubstr("events of scope core in blocks from position 1"));
  }
}

// Somebody who changes a row and also mends the counters is still found out: the events say
// otherwise.
TEST_F(VerifyTest, AForgedRowIsFoundThoughTheCountersAgree) {
  const auto& users = events::table_of(events::EntityKind::USER);
  const std::string key = keys::row(users, {{}, events::entity_key(std::int64_t{1})});
  std::string value = *storage_->get(Family::kState, key);
  Head head = decode_head(*storage_->get(Family::kMeta, "head"));
  events::RowValues row = events::decode_row(users, value.substr(16));
  row[*users.find_column("is_superuser")] = true;
  const std::string forged = value.substr(0, 16) + events::encode_row(users, row);
  head.counters.subtract(Family::kState, key, value);
  head.counters.add(Family::kState, key, forged);
  ChangeSet changes;
  changes.put(Family::kState, key, forged);
  changes.put(Family::kMeta, "head", encode_head(head));
  ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  EXPECT_THAT(problems(),
              ::testing::Contains("state against events: state entry " + events::hex(key) +
                                  " differs from what the events make of it"));
}

}  // namespace
}  // namespace tenantry
