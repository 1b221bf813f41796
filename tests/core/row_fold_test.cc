#include "core/row_fold.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/state.h"
#include "tests/core/random_history.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kFew = 1;            // Events: sorted in memory;
constexpr std::uint64_t kMany = 10'000'000;  // in a database.

class RowFoldTest : public ::testing::Test {
 protected:
  void take(std::uint64_t version, const std::function<void(events::Event::Builder)>& fill) {
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<events::Event>();
    fill(event);
    const auto payload = events::encode_canonical(event.asReader());
    StoredEvent stored;
    stored.position = {++position_};
    stored.version = {version};
    stored.recorded_at = {1'700'000'000'000'000};
    stored.payload = payload;
    fold_.take(stored);
  }
  void add_protein(std::int64_t id, const char* name, std::uint64_t version = 1) {
    take(version, [&](events::Event::Builder event) {
      auto protein = event.initProteinAdded();
      protein.setId(id);
      protein.setName(name);
    });
  }
  void remove_protein(std::int64_t id, std::uint64_t version) {
    take(version, [&](events::Event::Builder event) { event.initProteinRemoved().setId(id); });
  }
  void move_domain(std::uint8_t from, std::uint8_t to, std::uint64_t version) {
    take(version, [&](events::Event::Builder event) {
      auto domain = event.initDomainMoved();
      const events::Uuid source{{from}};
      const events::Uuid target{{to}};
      domain.setId(1);
      domain.setTenantId({source.bytes.data(), source.bytes.size()});
      domain.setToTenantId({target.bytes.data(), target.bytes.size()});
    });
  }
  void add_domain(std::uint8_t tenant) {
    take(1, [&](events::Event::Builder event) {
      auto domain = event.initDomainAdded();
      const events::Uuid owner{{tenant}};
      domain.setId(1);
      domain.setTenantId({owner.bytes.data(), owner.bytes.size()});
      domain.setDomain("a.example");
    });
  }
  // `id vVERSION @POSITION`, and `gone` for what was removed.
  std::vector<std::string> rows() {
    std::vector<std::string> found;
    fold_.fold([&](const FoldedRow& row) {
      found.push_back(events::format_entity_id(*row.table, row.id) + " v" +
                      std::to_string(row.version.value) + " @" + std::to_string(row.last.value) +
                      (row.values ? "" : " gone"));
      return true;
    });
    return found;
  }
  std::string fault() {
    try {
      (void)rows();
    } catch (const CorruptionError& error) {
      return error.what();
    }
    return {};
  }

  TempDirectory directory_;
  RowFold fold_{directory_ / "scratch", kFew};
  std::uint64_t position_ = 0;
};

TEST_F(RowFoldTest, ARowIsMadeOfItsOwnEvents) {
  add_protein(2, "Beef");
  add_protein(1, "Pork");
  remove_protein(2, 2);
  add_protein(3, "Beef");
  add_protein(2, "Veal", 3);
  remove_protein(1, 2);
  EXPECT_THAT(rows(), ElementsAre("1 v2 @6 gone", "2 v3 @5", "3 v1 @4"));
  EXPECT_THAT(rows(), ElementsAre("1 v2 @6 gone", "2 v3 @5", "3 v1 @4")) << "and once more";
  EXPECT_EQ(fold_.largest_id(events::table_of(events::EntityKind::PROTEIN)), 3);
  EXPECT_EQ(fold_.largest_id(events::table_of(events::EntityKind::USER)), 0);
}

TEST_F(RowFoldTest, TheVisitorEndsIt) {
  add_protein(1, "Beef");
  add_protein(2, "Pork");
  int visited = 0;
  fold_.fold([&](const FoldedRow&) { return ++visited < 1; });
  EXPECT_EQ(visited, 1);
}

TEST_F(RowFoldTest, NothingComesOfNothing) { EXPECT_THAT(rows(), ElementsAre()); }

TEST_F(RowFoldTest, ARowThatIsThereCannotBeMade) {
  add_protein(1, "Beef");
  add_protein(1, "Pork", 2);
  EXPECT_THAT(fault(), HasSubstr("event 2 does not fit the state: protein/1 exists already"));
}

TEST_F(RowFoldTest, ARowThatIsNotThereCannotBeRemoved) {
  remove_protein(1, 1);
  EXPECT_THAT(fault(), HasSubstr("event 1 does not fit the state: protein/1 is not there"));
}

TEST_F(RowFoldTest, ARowIsChangedUnderTheTenantThatItLiesUnder) {
  add_domain(7);
  move_domain(7, 8, 2);
  EXPECT_EQ(fault(), "");
  move_domain(7, 9, 3);
  EXPECT_THAT(fault(), HasSubstr("event 3 does not fit the state: domain/1 is not there"));
}

TEST_F(RowFoldTest, AVersionThatIsNotTheNextIsDamage) {
  add_protein(1, "Beef");
  remove_protein(1, 3);
  EXPECT_THAT(fault(),
              HasSubstr("event 2 says that it is version 3 of its stream; it is version 2"));
}

TEST_F(RowFoldTest, BytesThatAreNoEventAreDamage) {
  StoredEvent stored;
  stored.position = {5};
  stored.payload = "no event";
  EXPECT_THROW(fold_.take(stored), CorruptionError);
}

// Law: whatever the history, the entries that follow from the folded rows are those of the state.
class RowFoldLawTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(RowFoldLawTest, GivesTheEntriesOfTheState) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  const TempDirectory directory;
  RandomHistory history(GetParam());
  const auto storage = make_memory_storage();
  State state(*storage);
  RowFold fold(directory / "scratch", GetParam() % 2 == 0 ? kFew : kMany);
  std::uint64_t position = 0;
  for (int n = 0; n < 600; ++n) {
    for (const auto& payload : history.next(state)) {
      const events::EventView view(payload);
      StoredEvent event;
      event.position = {++position};
      event.recorded_at = history.now();
      event.version = state.apply(view, event.recorded_at, event.position);
      event.payload = payload;
      fold.take(event);
    }
  }
  ChangeSet changes;
  Counters counters;
  state.take_changes(changes, counters);
  std::map<std::string, std::string> expected;
  for (const auto& change : changes.changes()) expected.emplace(change.key, change.value);

  std::map<std::string, std::string> found;
  const auto keep = [&](std::string key, std::string value) {
    EXPECT_TRUE(found.emplace(std::move(key), std::move(value)).second) << "one entry twice";
  };
  fold.fold([&](const FoldedRow& row) {
    emit_entries(row, keep);
    return true;
  });
  for (const events::TableInfo& table : events::tables()) {
    if (table.integer_ids) emit_counter(table, fold.largest_id(table), keep);
  }
  EXPECT_GT(found.size(), 50U);
  EXPECT_TRUE(found == expected);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RowFoldLawTest, ::testing::Range(1U, 7U));

}  // namespace
}  // namespace tenantry
