#include "core/store_import.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/store.h"
#include "tests/support/counting_ids.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

using events::EntityKind;
using events::Null;
using events::RowValues;
using events::table_of;
using events::TableInfo;
using events::Timestamp;
using ::testing::HasSubstr;

constexpr Timestamp kThen{1'500'000'000'000'001};
const events::Uuid kTenant = events::entity_key(std::int64_t{77});

RowValues user(std::int64_t id, const char* name) {
  return {id, "md5$x", Null{}, false, std::string(name), "", "", "u@x", false, true, kThen};
}
RowValues tenant() {
  return {kTenant, "Acme", "acme", Null{},        Null{}, "it@acme.example", "", true, false,
          Null{},  kThen,  kThen,  R"({"a": 1})", Null{}, std::int64_t{1}};
}
RowValues member(std::int64_t id, std::int64_t user_id) {
  return {id, "owner", true, kThen, kThen, kTenant, user_id};
}
RowValues invitation(std::int64_t id, const char* email, Timestamp expires_at = kThen) {
  return {events::entity_key(id),
          "token-" + std::to_string(id) + std::string(24, 'x'),
          std::string(email),
          "user",
          "pending",
          kThen,
          expires_at,
          Null{},
          "",
          Null{},
          std::int64_t{1},
          kTenant};
}

class StoreImportTest : public ::testing::Test {
 protected:
  [[nodiscard]] StoreImport begin() {
    events::Circumstances circumstances;
    circumstances.actor = "system:import";
    circumstances.channel = "import";
    return {directory(), circumstances, clock_, ids_};
  }
  [[nodiscard]] std::filesystem::path directory() const { return temp_ / "store"; }
  [[nodiscard]] std::unique_ptr<TenancyStore> open() {
    return open_store({.directory = directory()}, clock_, ids_);
  }
  [[nodiscard]] static std::vector<std::string> names_in(const std::filesystem::path& path) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  static void fill(StoreImport& import, Timestamp expires_at = kThen) {
    import.add(table_of(EntityKind::USER), user(1, "ann"));
    import.add(table_of(EntityKind::USER), user(9, "Ann"));
    import.add(table_of(EntityKind::TENANT), tenant());
    import.add(table_of(EntityKind::MEMBER), member(4, 1));
    import.add(table_of(EntityKind::INVITATION), invitation(1, "new@acme.example", expires_at));
    import.add(table_of(EntityKind::INVITATION), invitation(2, "New@acme.example", expires_at));
    import.reserve_ids(table_of(EntityKind::USER), 12);
    import.reserve_ids(table_of(EntityKind::MEMBER), 4);
  }
  static void expect_sound(const TenancyStore& store) {
    for (const CheckResult& check : store.verify(VerifyDepth::kFull, {})) {
      EXPECT_TRUE(check.passed) << check.name << ": " << ::testing::PrintToString(check.problems);
    }
  }
  std::vector<Answer> submit(TenancyStore& store, const std::string& line) {
    auto parsed = events::parse_command_line(line, {}, /*historic=*/false);
    return store.submit(std::vector{std::get<events::CommandRequest>(parsed)}, {});
  }

  TempDirectory temp_;
  ManualClock clock_;
  CountingIds ids_;
};

TEST_F(StoreImportTest, RowsAreThereAsTheyWereFound) {
  StoreImport import = begin();
  fill(import);
  {
    const auto store = import.open();
    EXPECT_EQ(store->tail().tail, Position{7}) << "six rows, and the users' ids up to 12";
    expect_sound(*store);
    const RowsAt at = store->rows_now();
    const TableInfo& users = table_of(EntityKind::USER);
    const auto row = at.rows->row_by_id(users, events::entity_key(std::int64_t{9}));
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(events::decode_row(users, row->bytes), user(9, "Ann"));
    EXPECT_EQ(at.rows->largest_id(users), 12);
    EXPECT_EQ(at.rows->largest_id(table_of(EntityKind::MEMBER)), 4);
    LogFilter by_actor;
    by_actor.actor = "system:import";
    int seen = 0;
    store->read_log(by_actor, [&](const StoredEvent& event) {
      EXPECT_EQ(event.recorded_at, clock_.now());
      ++seen;
      return true;
    });
    EXPECT_EQ(seen, 7);
  }
  EXPECT_FALSE(std::filesystem::exists(directory() / "FORMAT")) << "not before it is published";
  import.publish();
  expect_sound(*open());
}

// Two of the imported rows share a value that folds case: one entry of the state, with both.
TEST_F(StoreImportTest, ASquashThatEndsBeforeTheLogKeepsAllWhoShareAValue) {
  {
    StoreImport import = begin();
    fill(import);
    import.publish();
  }
  const auto store = open();
  SquashOptions options;
  options.through = store->tail().tail;
  const auto added =
      submit(*store, R"({"command":"add_domain","data":{"tenant":"acme","domain":"a.example",)"
                     R"("is_primary":false}})");
  ASSERT_EQ(added[0].status, Answer::Status::kAccepted) << added[0].refusal.message;
  for (const SquashedScope& scope : store->squash(options, {}).scopes) {
    const bool is_held_back = scope.scope == events::Scope::TENANTS;
    EXPECT_EQ(scope.events, is_held_back ? 4U : scope.events);
  }
  expect_sound(*store);
  (void)store->squash({}, {});
  expect_sound(*store);
}

TEST_F(StoreImportTest, CommandsGoOnFromThere) {
  {
    StoreImport import = begin();
    fill(import, Timestamp{clock_.now().micros + 1});
    import.publish();
  }
  const auto store = open();
  const auto added = submit(
      *store, R"({"command":"register_user","data":{"username":"bo","email":"b@acme.example"}})");
  ASSERT_EQ(added[0].status, Answer::Status::kAccepted) << added[0].refusal.message;
  EXPECT_EQ(added[0].entity->id, events::entity_key(std::int64_t{13})) << "12 was given out";
  const std::string invite =
      R"({"command":"invite","data":{"tenant":"acme","email":"NEW@acme.example"}})";
  EXPECT_EQ(submit(*store, invite)[0].refusal.code, "pending_invitation_exists");
  for (const std::int64_t id : {1, 2}) {
    const auto revoked = submit(*store, R"({"command":"revoke_invitation","data":{"invitation":")" +
                                            events::format_uuid(events::entity_key(id)) + R"("}})");
    EXPECT_EQ(revoked[0].status, Answer::Status::kAccepted) << revoked[0].refusal.message;
    EXPECT_EQ(submit(*store, invite)[0].refusal.code, id == 1 ? "pending_invitation_exists" : "");
  }
  expect_sound(*store);
}

TEST_F(StoreImportTest, AnInvitationTakesThePlaceOfAllThatHaveLapsed) {
  {
    StoreImport import = begin();
    fill(import);
    import.publish();
  }
  const auto store = open();
  const auto answer = submit(
      *store, R"({"command":"invite","data":{"tenant":"acme","email":"new@acme.example"}})")[0];
  ASSERT_EQ(answer.status, Answer::Status::kAccepted) << answer.refusal.message;
  EXPECT_EQ(answer.count, 3U) << "both expire, one is issued";
  expect_sound(*store);
}

TEST_F(StoreImportTest, WhatIsNotPublishedLeavesNothing) {
  {
    StoreImport import = begin();
    fill(import);
    (void)import.open();
  }
  EXPECT_FALSE(std::filesystem::exists(directory()));
  std::filesystem::create_directory(directory());
  { StoreImport import = begin(); }
  EXPECT_THAT(names_in(directory()), ::testing::IsEmpty()) << "which was there before";
}

TEST_F(StoreImportTest, AStoreWithEventsIsRefusedAndStays) {
  init_store(directory(), clock_, ids_);
  (void)submit(*open(), R"({"command":"add_protein","data":{"name":"Beef"}})");
  try {
    (void)begin();
    FAIL() << "the import of a second beginning was begun";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), "store_has_events");
  }
  EXPECT_EQ(open()->tail().tail, Position{1});
}

TEST_F(StoreImportTest, AStoreWithoutEventsIsHeldAndReplaced) {
  init_store(directory(), clock_, ids_);
  StoreImport import = begin();
  EXPECT_THROW((void)open(), UnavailableError) << "nobody appends to it meanwhile";
  fill(import);
  import.publish();
}

TEST_F(StoreImportTest, AStoreThatSomebodyElseMadeMeanwhileStays) {
  StoreImport import = begin();
  fill(import);
  init_store(directory() / "other", clock_, ids_);
  for (const char* name : {"db", "ack", "FORMAT"}) {
    std::filesystem::rename(directory() / "other" / name, directory() / name);
  }
  (void)submit(*open(), R"({"command":"add_protein","data":{"name":"Beef"}})");
  EXPECT_THROW(import.publish(), UnavailableError);
  EXPECT_EQ(open()->tail().tail, Position{1});
}

TEST_F(StoreImportTest, ARowThatIsThereTwiceIsRefused) {
  StoreImport import = begin();
  import.add(table_of(EntityKind::USER), user(1, "ann"));
  EXPECT_THROW(import.add(table_of(EntityKind::USER), user(1, "bo")), CorruptionError);
}

TEST_F(StoreImportTest, MoreThanOneCommitHolds) {
  constexpr std::int64_t kRows = 5000;
  {
    StoreImport import = begin();
    for (std::int64_t id = 1; id <= kRows; ++id) {
      import.add(table_of(EntityKind::USER), user(id, ("user" + std::to_string(id)).c_str()));
    }
    import.publish();
  }
  const auto store = open();
  EXPECT_EQ(store->tail().tail, Position{kRows});
  EXPECT_GT(store->status().batches, 1U);
  expect_sound(*store);
}

}  // namespace
}  // namespace tenantry
