#include "projections/rebuild.h"

#include "tests/projections/target_fixture.h"

namespace tenantry::projections {
namespace {

class RebuildTest : public TargetTestBase {
 protected:
  void SetUp() override { log_.fill_every_table(); }
  // Those first that refer to others.
  void drop_tables() {
    reopen();
    const auto& tables = events::tables();
    for (auto table = tables.rbegin(); table != tables.rend(); ++table) {
      sql("DROP TABLE " + table->name);
    }
  }
};

TEST_F(RebuildTest, AnAbsentReadModelIsMadeWithProof) {
  const Certificate certificate = run_rebuild();
  EXPECT_EQ(certificate.mode, LoadMode::kFresh);
  EXPECT_TRUE(certificate.correct());
  EXPECT_EQ(certificate.mark.position, log_.end());
  EXPECT_EQ(table(certificate, "auth_user").changes.inserted, 2U);
  EXPECT_EQ(table(certificate, "auth_user").found_rows, 2U);
  EXPECT_TRUE(run_verify().equal());
  EXPECT_TRUE(target().probe().findings.empty());
  EXPECT_EQ(run_projector().events, 0U);
}

TEST_F(RebuildTest, TablesJoinThoseOfADatabaseThatIsThere) {
  sql("CREATE TABLE shop_order (id integer)");
  const Certificate certificate = run_rebuild();
  EXPECT_EQ(certificate.mode, LoadMode::kFresh);
  EXPECT_TRUE(certificate.correct());
  EXPECT_EQ(query("SELECT count(*) FROM shop_order"), "0");
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(RebuildTest, ASecondRunChangesNothingButTheEpoch) {
  const auto first = run_rebuild().mark.epoch;
  const Certificate second = run_rebuild();
  EXPECT_EQ(second.mode, LoadMode::kInPlace);
  EXPECT_EQ(touched(second), 0U);
  EXPECT_EQ(table(second, "auth_user").changes.unchanged, 2U);
  EXPECT_TRUE(second.correct());
  EXPECT_EQ(second.mark.epoch, first + 1);
}

TEST_F(RebuildTest, HandEditedRowsAreMendedAndCounted) {
  run_rebuild();
  sql("UPDATE auth_user SET email = 'x', is_staff = true WHERE id = 1; DELETE FROM core_protein;"
      "DELETE FROM tenants_tenant_user WHERE id = 6;"
      "INSERT INTO core_protein VALUES (99, 'mine'), (98, 'yours')");
  const Certificate kept = run_rebuild();
  EXPECT_EQ(table(kept, "auth_user").changes.updated, 1U);
  EXPECT_EQ(table(kept, "auth_user").changes.unchanged, 1U);
  EXPECT_EQ(table(kept, "tenants_tenant_user").changes.inserted, 1U);
  EXPECT_EQ(table(kept, "core_protein").changes.inserted, 1U);
  EXPECT_EQ(table(kept, "core_protein").changes.unknown, 2U);
  EXPECT_FALSE(kept.correct()) << "rows that the log does not know are left";
  EXPECT_EQ(table(kept, "core_protein").found_rows, 3U);

  const Certificate clean = run_rebuild({.delete_unknown = true});
  EXPECT_EQ(table(clean, "core_protein").changes.deleted, 2U);
  EXPECT_TRUE(clean.correct());
}

TEST_F(RebuildTest, RowsThatTheLogRemovedMeanwhileGo) {
  log_.register_user(50, "eve");
  log_.invite(60, 10, "eve@example.org");
  run_rebuild();
  // Their unique values are needed again at once.
  log_.delete_user(50);
  log_.register_user(51, "eve");
  log_.delete_invitation(60, 10, "eve@example.org");
  log_.invite(61, 10, "eve@example.org");
  sql("INSERT INTO core_protein VALUES (99, 'mine')");
  for (const bool from_events : {false, true}) {
    const Certificate tried = run_rebuild({.from_events = from_events, .dry_run = true});
    EXPECT_EQ(table(tried, "auth_user").changes.deleted, 1U);
    EXPECT_EQ(table(tried, "tenants_invitation").changes.deleted, 1U);
  }
  const Certificate certificate = run_rebuild();
  EXPECT_EQ(table(certificate, "auth_user").changes.deleted, 1U);
  EXPECT_EQ(table(certificate, "auth_user").changes.inserted, 1U);
  EXPECT_EQ(table(certificate, "tenants_invitation").changes.deleted, 1U);
  EXPECT_EQ(table(certificate, "core_protein").changes.deleted, 0U);
  EXPECT_EQ(table(certificate, "core_protein").changes.unknown, 1U) << "never one of the log's";
  EXPECT_TRUE(run_rebuild({.delete_unknown = true}).correct());
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(RebuildTest, ManyRowsThatTheLogRemovedMeanwhileGo) {
  constexpr std::int32_t kFirst = 1000;
  constexpr std::int32_t kUsers = 1200;
  for (std::int32_t n = 0; n < kUsers; ++n) {
    log_.register_user(kFirst + n, "user" + std::to_string(n));
  }
  run_rebuild();
  for (std::int32_t n = 0; n < kUsers; ++n) log_.delete_user(kFirst + n);
  const Certificate certificate = run_rebuild();
  EXPECT_EQ(table(certificate, "auth_user").changes.deleted, static_cast<std::uint64_t>(kUsers));
  EXPECT_TRUE(certificate.correct());
}

TEST_F(RebuildTest, ADryRunCountsAndChangesNothing) {
  run_rebuild();
  sql("UPDATE auth_user SET email = 'x'");
  const std::string before = everything();
  const Certificate certificate = run_rebuild({.dry_run = true});
  EXPECT_EQ(table(certificate, "auth_user").changes.updated, 2U);
  EXPECT_FALSE(certificate.correct());
  EXPECT_EQ(everything(), before);
}

TEST_F(RebuildTest, ADryRunOfAnAbsentReadModelMakesNoFile) {
  EXPECT_EQ(table(run_rebuild({.dry_run = true}), "auth_user").changes.inserted, 2U);
  EXPECT_TRUE(database_->untouched());
}

TEST_F(RebuildTest, TheApplicationsColumnsKeepTheirValueUnlessAskedFor) {
  run_rebuild();
  sql("UPDATE auth_user SET password = 'rehashed' WHERE id = 1");
  EXPECT_EQ(touched(run_rebuild()), 0U);
  EXPECT_EQ(query("SELECT password FROM auth_user WHERE id = 1"), "rehashed");
  EXPECT_EQ(touched(run_rebuild({.restore_application_columns = true})), 1U);
  EXPECT_EQ(query("SELECT password FROM auth_user WHERE id = 1"), "pbkdf2_sha256$1$ann");
}

TEST_F(RebuildTest, UniqueValuesThatChangedHandsAreMerged) {
  log_.create_preferences(4, 2, "{}");
  log_.add_member(7, 10, 2);
  run_rebuild();
  sql("BEGIN;"
      "UPDATE auth_user SET username = 'tmp' WHERE id = 1;"
      "UPDATE auth_user SET username = 'ann' WHERE id = 2;"
      "UPDATE auth_user SET username = 'bob' WHERE id = 1;"
      "UPDATE tenants_tenant SET slug = 'globex2', schema_name = NULL WHERE slug = 'globex';"
      "UPDATE tenants_tenant SET slug = 'globex', schema_name = 'globex' WHERE slug = 'acme';"
      "UPDATE tenants_tenant SET slug = 'acme', schema_name = 'acme' WHERE slug = 'globex2';"
      "UPDATE core_userpreferences SET user_id = 999 WHERE id = 3;"
      "UPDATE core_userpreferences SET user_id = 1 WHERE id = 4;"
      "UPDATE core_userpreferences SET user_id = 2 WHERE id = 3;"
      "UPDATE tenants_tenant_user SET user_id = 999 WHERE id = 5;"
      "UPDATE tenants_tenant_user SET user_id = 1 WHERE id = 7;"
      "UPDATE tenants_tenant_user SET user_id = 2 WHERE id = 5;"
      "COMMIT");
  const Certificate certificate = run_rebuild();
  EXPECT_EQ(table(certificate, "auth_user").changes.updated, 2U);
  EXPECT_EQ(table(certificate, "tenants_tenant").changes.updated, 2U);
  EXPECT_EQ(table(certificate, "core_userpreferences").changes.updated, 2U);
  EXPECT_EQ(table(certificate, "tenants_tenant_user").changes.updated, 2U);
  EXPECT_TRUE(certificate.correct());
}

TEST_F(RebuildTest, AnUnknownRowThatHoldsANeededValueIsNamed) {
  run_rebuild();
  sql("DELETE FROM core_protein; INSERT INTO core_protein VALUES (99, 'p53');"
      "UPDATE auth_user SET email = 'x'");
  const std::string before = everything();
  EXPECT_EQ(usage_code([&] { run_rebuild(); }), "unknown_row_in_the_way");
  EXPECT_EQ(everything(), before);
  EXPECT_TRUE(run_rebuild({.delete_unknown = true}).correct());
}

TEST_F(RebuildTest, FoldingTheHistoryGivesTheSame) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  log_.append_random(random, 300);
  const Certificate streamed = run_rebuild();
  const Certificate folded = run_rebuild({.from_events = true});
  EXPECT_TRUE(folded.correct());
  EXPECT_EQ(touched(folded), 0U) << "in place, over what the state gave";
  drop();
  const Certificate fresh = run_rebuild({.from_events = true});
  EXPECT_EQ(fresh.mode, LoadMode::kFresh);
  for (std::size_t place = 0; place < fresh.tables.size(); ++place) {
    EXPECT_EQ(fresh.tables[place].found_digest, streamed.tables[place].found_digest);
  }
}

TEST_F(RebuildTest, IdsThatWereUsedAreNotLentAgain) {
  log_.register_user(50, "gone");
  log_.delete_user(50);
  run_rebuild();
  EXPECT_EQ(database_->last_id("auth_user"), 50);
  database_->set_last_id("auth_user", 3);
  run_rebuild();
  EXPECT_EQ(database_->last_id("auth_user"), 50);
  database_->set_last_id("auth_user", 300);
  run_rebuild();
  EXPECT_EQ(database_->last_id("auth_user"), 300);
}

TEST_F(RebuildTest, TablesThatWereDroppedAreMadeAgain) {
  run_rebuild();
  sql("DROP TABLE tenants_invitation; DROP TABLE core_protein");
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_shape");
  const Certificate certificate = run_rebuild();
  EXPECT_TRUE(certificate.correct());
  EXPECT_TRUE(target().probe().findings.empty());
}

TEST_F(RebuildTest, TablesThatWereAllDroppedAreLoadedAnew) {
  run_rebuild();
  const Mark before = *target().probe().mark;
  drop_tables();
  EXPECT_EQ(target().probe().presence, Presence::kAbsent);
  EXPECT_EQ(usage_code([&] { run_projector(); }), "read_model_shape");
  EXPECT_EQ(usage_code([&] { run_verify(); }), "read_model_shape");
  EXPECT_EQ(usage_code([&] { run_rebuild({.mode = LoadMode::kInPlace}); }), "read_model_absent");
  EXPECT_EQ(run_rebuild({.dry_run = true}).mode, LoadMode::kFresh);
  EXPECT_EQ(target().probe().mark, before);
  const Certificate certificate = run_rebuild();
  EXPECT_EQ(certificate.mode, LoadMode::kFresh);
  EXPECT_TRUE(certificate.correct());
  EXPECT_EQ(certificate.mark.epoch, before.epoch + 1);
  EXPECT_EQ(target().probe().mark, certificate.mark);
  EXPECT_TRUE(target().probe().findings.empty());
  EXPECT_EQ(run_projector().events, 0U);
  drop_tables();
  EXPECT_TRUE(run_rebuild({.mode = LoadMode::kFresh}).correct());
}

TEST_F(RebuildTest, AFreshLoadIsFencedByAnotherThatCameFirst) {
  run_rebuild();
  drop_tables();
  const std::optional<Mark> before = target().probe().mark;
  Mark mine = *before;
  ++mine.epoch;
  run_rebuild();
  const std::string after = everything();
  auto load = target().begin_load({.mode = LoadMode::kFresh}, before);
  const events::TableInfo& users = *events::find_table("auth_user");
  const RowsAt now = log_.rows_now();
  now.rows->scan_rows(users, std::nullopt, [&](const StoredRow& row) {
    load->add(users, events::decode_row(users, row.bytes));
    return true;
  });
  const LoadOutcome outcome = load->publish(mine);
  ASSERT_TRUE(std::holds_alternative<Fenced>(outcome));
  EXPECT_EQ(std::get<Fenced>(outcome).found->epoch, mine.epoch);
  load.reset();
  EXPECT_EQ(everything(), after);
}

TEST_F(RebuildTest, AnotherStoresTablesThatWereDroppedAreItsToMakeAgain) {
  run_rebuild();
  drop_tables();
  FakeLog other(2);
  other.register_user(2, "zoe");
  EXPECT_EQ(usage_code([&] { (void)rebuild(other, target(), {}); }), "read_model_foreign");
  const auto outcome = rebuild(other, target(), {.take_over = true});
  EXPECT_TRUE(std::get<Certificate>(outcome).correct());
  EXPECT_EQ(target().probe().mark->store_id, other.identity().store);
}

// To Django they are there: it would make none of them again.
TEST_F(RebuildTest, TablesOfDjangoThatWereDroppedAreMadeAgain) {
  run_rebuild();
  sql("CREATE TABLE django_migrations (id integer, app text, name text, applied timestamp);"
      "INSERT INTO django_migrations (app, name) VALUES ('core', '0001_initial')");
  drop_tables();
  EXPECT_EQ(usage_code([&] { run_rebuild(); }), "django_migrate_first");
  sql("INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')");
  EXPECT_TRUE(run_rebuild().correct());
  drop_tables();
  target().create_missing();
  EXPECT_TRUE(run_rebuild().correct());
  EXPECT_TRUE(target().probe().findings.empty());
}

TEST_F(RebuildTest, ReadersSeeTheOldRowsUntilTheyAreReplaced) {
  run_rebuild();
  sql("UPDATE auth_user SET email = 'edited'");
  const auto reader = open();
  const auto view = reader->read();
  run_rebuild();
  const auto row = view->row(*events::find_table("auth_user"), events::entity_key(std::int64_t{1}));
  EXPECT_EQ(row->at(7), events::Value("edited"));
}

TEST_F(RebuildTest, OneTenantsRowsAloneAreMended) {
  run_rebuild();
  sql("UPDATE tenants_tenant SET name = 'x'; UPDATE auth_user SET email = 'x'");
  RebuildOptions options;
  options.tenant = FakeLog::number(10);
  const Certificate certificate = run_rebuild(options);
  EXPECT_TRUE(certificate.correct());
  EXPECT_EQ(touched(certificate), 1U);
  EXPECT_EQ(query("SELECT name FROM tenants_tenant WHERE slug = 'acme'"), "The acme");
  EXPECT_EQ(query("SELECT name FROM tenants_tenant WHERE slug = 'globex'"), "x");
  log_.change_slug(10, "later");
  EXPECT_EQ(usage_code([&] { run_rebuild(options); }), "read_model_behind");
}

TEST_F(RebuildTest, RowsOfOthersThatOneTenantWasGivenGoBack) {
  log_.add_domain(70, 11, "globex.example.org");
  log_.invite(21, 11, "carl@example.org");
  run_rebuild();
  for (const bool delete_unknown : {false, true}) {
    sql("UPDATE tenants_tenantdomain SET domain = 'x.example', tenant_id ="
        " (SELECT id FROM tenants_tenant WHERE slug = 'acme') WHERE id = 70;"
        "UPDATE tenants_invitation SET email = 'x', tenant_id ="
        " (SELECT id FROM tenants_tenant WHERE slug = 'acme') WHERE tenant_id ="
        " (SELECT id FROM tenants_tenant WHERE slug = 'globex')");
    RebuildOptions options;
    options.tenant = FakeLog::number(10);
    options.delete_unknown = delete_unknown;
    for (const bool dry_run : {true, false}) {
      options.dry_run = dry_run;
      const Certificate certificate = run_rebuild(options);
      EXPECT_EQ(touched(certificate), 2U);
      EXPECT_EQ(table(certificate, "tenants_tenantdomain").changes.updated, 1U);
      EXPECT_EQ(table(certificate, "tenants_invitation").changes.updated, 1U);
      EXPECT_EQ(certificate.correct(), !dry_run);
    }
    EXPECT_TRUE(run_verify().equal());
  }
}

TEST_F(RebuildTest, OneTenantsRowsAreNotPutBehindThoseOfOthers) {
  run_rebuild();
  const auto other = open();
  Mark mark = *other->probe().mark;
  LoadOptions options{.mode = LoadMode::kInPlace};
  options.tenant = FakeLog::number(10);
  const auto load = other->begin_load(options, mark);
  log_.register_user(50, "tim");
  run_projector();
  ++mark.epoch;
  EXPECT_TRUE(std::holds_alternative<Fenced>(load->publish(mark)));
  EXPECT_EQ(run_projector().events, 0U);
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(RebuildTest, AnotherStoresReadModelIsTakenOverOnlyWhenAsked) {
  run_rebuild();
  FakeLog other(2);
  other.register_user(2, "zoe");
  EXPECT_EQ(usage_code([&] { (void)rebuild(other, target(), {}); }), "read_model_foreign");
  const auto outcome = rebuild(other, target(), {.take_over = true});
  const auto& certificate = std::get<Certificate>(outcome);
  EXPECT_TRUE(certificate.correct());
  EXPECT_EQ(table(certificate, "auth_user").changes.deleted, 1U);
  EXPECT_EQ(table(certificate, "auth_user").changes.updated, 1U);
  EXPECT_EQ(target().probe().mark->store_id, other.identity().store);
}

TEST_F(RebuildTest, ModesThatDoNotFitAreRefused) {
  EXPECT_EQ(usage_code([&] { run_rebuild({.mode = LoadMode::kInPlace}); }), "read_model_absent");
  run_rebuild({.mode = LoadMode::kFresh});
  EXPECT_EQ(usage_code([&] { run_rebuild({.mode = LoadMode::kFresh}); }), "read_model_present");
}

TEST_F(RebuildTest, TwoAtOnceOneIsFencedAndTheRowsAreRight) {
  run_rebuild();
  RebuildOptions options{.from_events = true};
  const auto other = open();
  const auto load = other->begin_load({.mode = LoadMode::kInPlace}, other->probe().mark);
  run_rebuild();
  Mark late = *target().probe().mark;
  ASSERT_TRUE(std::holds_alternative<Fenced>(load->publish(late)));
  EXPECT_TRUE(run_verify().equal());
}

TEST_F(RebuildTest, StoppedItLeavesEverythingAsItWas) {
  std::stop_source stop;
  stop.request_stop();
  RebuildOptions options;
  options.stop = stop.get_token();
  EXPECT_TRUE(std::holds_alternative<RebuildStopped>(rebuild(log_, target(), options)));
  EXPECT_TRUE(database_->untouched());
  run_rebuild();
  sql("UPDATE auth_user SET email = 'x'");
  const std::string before = everything();
  EXPECT_TRUE(std::holds_alternative<RebuildStopped>(rebuild(log_, target(), options)));
  EXPECT_EQ(everything(), before);
}

TEST_F(RebuildTest, DeletingARowThatOthersReferToIsRefusedWhole) {
  run_rebuild();
  sql("INSERT INTO core_protein VALUES (99, 'mine'); CREATE TABLE shop_item (id integer, p integer "
      "REFERENCES core_protein (id)); INSERT INTO shop_item VALUES (1, 99)");
  const std::string before = everything();
  EXPECT_EQ(usage_code([&] { run_rebuild({.delete_unknown = true}); }), "read_model_referenced");
  EXPECT_EQ(everything(), before);
}

// An import takes such rows as it finds them.
TEST_F(RebuildTest, RowsOfTheLogWhoseUserIsGoneAskForTheUser) {
  log_.add_member(70, 10, 99);
  log_.add_member(71, 11, 98);
  for (const bool fresh : {true, false}) {
    if (!fresh) {
      log_.delete_user(98);
      log_.delete_user(99);
    }
    try {
      run_rebuild();
      ADD_FAILURE() << "foreign keys took them";
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("tenants_tenant_user.user_id: 2 row(s) refer "
                                                     "to rows of auth_user that are gone: 98, 99"));
      EXPECT_THAT(error.hint(), ::testing::HasSubstr("tenantry do register_user --id"));
      EXPECT_EQ(error.exit_code(), 4);
    }
    log_.register_user(98, "ida");
    log_.register_user(99, "eve");
    EXPECT_TRUE(run_rebuild().correct());
  }
}

TEST_F(RebuildTest, TheRowsAreThereAsTheyWereThen) {
  log_.register_user(50, "tim");
  run_rebuild();
  const std::vector<std::string> then = digests();
  const Position point = log_.end();
  log_.rename_user(1, "anna");
  log_.delete_user(50);
  log_.register_user(51, "dan");
  for (const bool from_events : {false, true}) {
    drop();
    const Certificate certificate = run_rebuild({.as_of = point, .from_events = from_events});
    EXPECT_TRUE(certificate.correct());
    EXPECT_EQ(certificate.mark.position, point);
    EXPECT_EQ(digests(), then);
  }
  run_projector();
  EXPECT_EQ(query("SELECT username FROM auth_user WHERE id = 1"), "anna");
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(touched(run_rebuild({.as_of = point})), 3U) << "and back: renamed, deleted, registered";
  EXPECT_EQ(digests(), then);
}

}  // namespace
}  // namespace tenantry::projections
