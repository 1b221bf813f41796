#include "core/state.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/random_history.h"
#include "tests/support/fake_state.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;

constexpr events::Timestamp kNow{1'700'000'000'000'000};

class StateTest : public ::testing::Test {
 protected:
  template <class Fill>
  void apply(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<events::Event>();
    fill(event);
    const auto payload = events::encode_canonical(event.asReader());
    events::EventView view(payload);
    (void)state_.apply(view, kNow, {++position_});
  }
  void add_protein(std::int64_t id, const char* name) {
    apply([&](events::Event::Builder event) {
      auto protein = event.initProteinAdded();
      protein.setId(id);
      protein.setName(name);
    });
  }

  std::unique_ptr<Storage> storage_ = make_memory_storage();
  State state_{*storage_};
  std::uint64_t position_ = 0;
};

TEST_F(StateTest, AnEventThatDoesNotFitIsDamage) {
  add_protein(1, "Beef");
  EXPECT_THROW(add_protein(1, "Pork"), CorruptionError) << "the row is there already";
  EXPECT_THROW(add_protein(2, "Beef"), CorruptionError) << "another row holds the name";
  EXPECT_THROW(apply([](events::Event::Builder event) { event.initProteinRemoved().setId(3); }),
               CorruptionError);
}

TEST_F(StateTest, AClaimTakenAndReleasedIsNotWritten) {
  add_protein(1, "Beef");
  apply([](events::Event::Builder event) { event.initProteinRemoved().setId(1); });
  ChangeSet changes;
  Counters counters;
  state_.take_changes(changes, counters);
  // What stays: the stream of what is gone, and the largest id ever used.
  EXPECT_EQ(changes.changes().size(), 2U);
  EXPECT_EQ(state_.largest_id(events::table_of(events::EntityKind::PROTEIN)), 0)
      << "nothing is written yet";
}

TEST_F(StateTest, ReservedIdsAreTaken) {
  const events::TableInfo& table = events::table_of(events::EntityKind::PROTEIN);
  const auto reserve = [&](std::int64_t id) {
    apply([&](events::Event::Builder event) { event.initProteinIdsReserved().setId(id); });
  };
  reserve(7);
  EXPECT_EQ(state_.largest_id(table), 7);
  EXPECT_EQ(state_.stream_version(table, events::entity_key(std::int64_t{7})), Version{1});
  EXPECT_EQ(state_.row_by_id(table, events::entity_key(std::int64_t{7})), std::nullopt);
  EXPECT_THROW(reserve(7), CorruptionError);
  EXPECT_THROW(reserve(6), CorruptionError);
  add_protein(8, "Beef");
  EXPECT_EQ(state_.largest_id(table), 8);
}

// What is imported is kept as it was found, also where a rule says that there is only one.
TEST_F(StateTest, ImportedRowsShareAClaimThatFoldsCaseUntilTheLastLetsGo) {
  const events::TableInfo& table = events::table_of(events::EntityKind::INVITATION);
  const events::ClaimInfo& claim = claim_on(table, {"tenant_id", "email"});
  const events::Uuid tenant = events::entity_key(std::int64_t{7});
  const auto data = [](const events::Uuid& id) {
    return capnp::Data::Reader(id.bytes.data(), id.bytes.size());
  };
  const auto fill = [&](auto fact, std::int64_t id, const char* email) {
    fact.setId(data(events::entity_key(id)));
    fact.setTenantId(data(tenant));
    fact.setEmail(email);
    fact.setToken("token" + std::to_string(id));
  };
  const auto import = [&](std::int64_t id, const char* email) {
    apply([&](events::Event::Builder event) {
      auto fact = event.initInvitationImported();
      fact.setStatus("pending");
      fill(fact, id, email);
    });
  };
  import(3, "eve@x.example");
  import(1, "Eve@x.example");
  import(2, "EVE@x.example");
  const std::string eve =
      *claim_value(claim, std::vector<events::Value>{tenant, std::string("eve@X.example")});
  const auto holders = [&] {
    std::vector<std::int64_t> ids;
    for (const RowKey& key : state_.claim_holders(table, claim, eve)) {
      ids.push_back(events::integer_id(key.id));
    }
    return ids;
  };
  EXPECT_THAT(holders(), ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(state_.claim_holder(table, claim, eve)->id, events::entity_key(std::int64_t{1}));
  EXPECT_THROW(apply([&](events::Event::Builder event) {
                 fill(event.initInvitationIssued(), 4, "eve@x.example");
               }),
               CorruptionError);
  apply([&](events::Event::Builder event) {
    auto fact = event.initInvitationRevoked();
    fact.setId(data(events::entity_key(std::int64_t{1})));
    fact.setTenantId(data(tenant));
  });
  EXPECT_THAT(holders(), ::testing::ElementsAre(2, 3));
  for (const std::int64_t id : {3, 2}) {
    apply([&](events::Event::Builder event) {
      auto fact = event.initInvitationDeleted();
      fact.setId(data(events::entity_key(id)));
      fact.setTenantId(data(tenant));
    });
  }
  EXPECT_THAT(holders(), ::testing::IsEmpty());
}

TEST_F(StateTest, ImportedRowsShareNoOtherClaim) {
  const auto import = [&](std::int64_t id) {
    apply([&](events::Event::Builder event) {
      auto protein = event.initProteinImported();
      protein.setId(id);
      protein.setName("Beef");
    });
  };
  import(1);
  EXPECT_THROW(import(2), CorruptionError);
}

TEST_F(StateTest, ScansMergeWhatIsWrittenWithWhatLiesOverIt) {
  add_protein(1, "Beef");
  add_protein(3, "Lamb");
  ChangeSet changes;
  Counters counters;
  state_.take_changes(changes, counters);
  ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  add_protein(2, "Pork");
  apply([](events::Event::Builder event) { event.initProteinRemoved().setId(1); });
  std::vector<std::int64_t> ids;
  state_.scan_rows(events::table_of(events::EntityKind::PROTEIN), std::nullopt,
                   [&](const StoredRow& row) {
                     ids.push_back(events::integer_id(row.key.id));
                     return true;
                   });
  EXPECT_THAT(ids, ElementsAre(2, 3));
}

TEST_F(StateTest, WhatIsBeingWrittenCountsAsStored) {
  add_protein(1, "Beef");
  add_protein(2, "Pork");
  add_protein(3, "Lamb");
  ChangeSet changes;
  Counters counters;
  state_.take_changes(changes, counters);
  state_.set_writing(changes);
  const auto& table = events::table_of(events::EntityKind::PROTEIN);
  EXPECT_TRUE(state_.row_by_id(table, events::entity_key(std::int64_t{2})));
  apply([](events::Event::Builder event) { event.initProteinRemoved().setId(1); });
  ChangeSet next;
  state_.take_changes(next, counters);
  ASSERT_EQ(storage_->write(changes, true), WriteResult::kDone);
  state_.set_writing(next);
  std::vector<std::int64_t> ids;
  state_.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
    ids.push_back(events::integer_id(row.key.id));
    return true;
  });
  EXPECT_THAT(ids, ElementsAre(2, 3));
}

// A tenant's domains, of which one is looked for again and again.
class StateFindRowTest : public StateTest {
 protected:
  void add_domain(std::int64_t id, bool is_primary) {
    apply([&](events::Event::Builder event) {
      auto domain = event.initDomainAdded();
      domain.setId(id);
      domain.setTenantId(bytes_of(kTenant));
      domain.setDomain("www" + std::to_string(id) + ".acme.example");
      domain.setIsPrimary(is_primary);
    });
  }
  void set_primary(std::int64_t id, bool is_primary) {
    apply([&](events::Event::Builder event) {
      auto domain = event.initDomainPrimaryChanged();
      domain.setId(id);
      domain.setTenantId(bytes_of(kTenant));
      domain.setIsPrimary(is_primary);
    });
  }
  // The id of the primary domain; 0 for none.
  std::int64_t primary(const events::Uuid& tenant = kTenant) const {
    const auto& table = events::table_of(events::EntityKind::DOMAIN);
    const auto found = state_.find_row(table, tenant, [](const StoredRow& row) {
      return events::OwnedRow<events::DomainRow>(row.bytes).read().getIsPrimary();
    });
    return found ? events::integer_id(found->key.id) : 0;
  }

  static capnp::Data::Reader bytes_of(const events::Uuid& id) {
    return {id.bytes.data(), id.bytes.size()};
  }

  static constexpr events::Uuid kTenant{{1}};
  static constexpr events::Uuid kOther{{2}};
};

TEST_F(StateFindRowTest, ARowThatNoLongerHoldsIsNotGiven) {
  add_domain(1, true);
  add_domain(2, false);
  ASSERT_EQ(primary(), 1);
  set_primary(1, false);
  EXPECT_EQ(primary(), 0);
  set_primary(2, true);
  EXPECT_EQ(primary(), 2);
}

TEST_F(StateFindRowTest, ARowThatIsGoneIsNotGiven) {
  add_domain(1, true);
  ASSERT_EQ(primary(), 1);
  apply([](events::Event::Builder event) {
    auto domain = event.initDomainRemoved();
    domain.setId(1);
    domain.setTenantId(bytes_of(kTenant));
  });
  EXPECT_EQ(primary(), 0);
}

TEST_F(StateFindRowTest, ARowThatMovedIsFoundWhereItIs) {
  add_domain(1, true);
  ASSERT_EQ(primary(kTenant), 1);
  apply([](events::Event::Builder event) {
    auto domain = event.initDomainMoved();
    domain.setId(1);
    domain.setTenantId(bytes_of(kTenant));
    domain.setToTenantId(bytes_of(kOther));
    domain.setIsPrimary(true);
  });
  EXPECT_EQ(primary(kTenant), 0);
  EXPECT_EQ(primary(kOther), 1);
}

TEST_F(StateFindRowTest, WhatIsForgottenIsNotGiven) {
  add_domain(1, true);
  ASSERT_EQ(primary(), 1);
  state_.forget_changes();
  EXPECT_EQ(primary(), 0);
}

// Law: whatever the history and wherever it is cut into writes, the state is that of the plain
// model, and the counters are those of a recount.
class StateLawTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(StateLawTest, EqualsAModelHoweverItIsWritten) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  RandomHistory history(GetParam());
  const auto storage = make_memory_storage();
  State state(*storage);
  Counters counters;
  FakeState model;
  std::mt19937 random(GetParam());
  std::uint64_t position = 0;
  ChangeSet writing;  // Reaches the storage with the next write.
  for (int n = 0; n < 400; ++n) {
    for (const auto& payload : history.next(model)) {
      events::EventView view(payload);
      (void)state.apply(view, history.now(), {++position});
      model.apply(payload, history.now());
    }
    if (random() % 7 != 0) continue;
    ChangeSet changes;
    state.take_changes(changes, counters);
    ASSERT_EQ(storage->write(writing, true), WriteResult::kDone);
    writing = std::move(changes);
    state.set_writing(writing);
  }
  for (const events::TableInfo& table : events::tables()) {
    std::vector<std::pair<RowKey, std::string>> found;
    std::vector<std::pair<RowKey, std::string>> expected;
    state.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
      found.emplace_back(row.key, row.bytes);
      return true;
    });
    model.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
      expected.emplace_back(row.key, row.bytes);
      return true;
    });
    EXPECT_EQ(found, expected) << table.name;
    EXPECT_EQ(state.largest_id(table), model.largest_id(table)) << table.name;
  }
  ChangeSet changes;
  state.take_changes(changes, counters);
  ASSERT_EQ(storage->write(writing, true), WriteResult::kDone);
  ASSERT_EQ(storage->write(changes, true), WriteResult::kDone);
  Counters recount;
  const auto cursor = storage->cursor(Family::kState, {}, {}, true);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    recount.add(Family::kState, cursor->key(), cursor->value());
  }
  for (const auto& [key, sum] : counters.sums()) EXPECT_EQ(recount.sum(key), sum) << int{key.kind};
}

INSTANTIATE_TEST_SUITE_P(Seeds, StateLawTest, ::testing::Range(1U, 9U));

}  // namespace
}  // namespace tenantry
