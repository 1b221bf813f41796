#include "events/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/imports.h"
#include "tests/events/made_events.h"

namespace tenantry::events {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const Uuid kTenant = entity_key(std::int64_t{77});

capnp::Data::Reader data(const Uuid& uuid) { return {uuid.bytes.data(), uuid.bytes.size()}; }

// (column, value) of the single change.
std::vector<std::pair<std::string, Value>> changed(const EncodedEvent& payload) {
  EventView view(payload);
  const auto changes = row_changes(view, kMadeAt);
  std::vector<std::pair<std::string, Value>> named;
  for (const auto& [place, value] : changes.at(0).columns) {
    named.emplace_back(changes[0].table->columns[place].name, value);
  }
  return named;
}

TEST(KindsTest, EveryKindIsNumberedByItsPlaceAndNamedByItsStruct) {
  ASSERT_EQ(kinds().size(), 62U);
  EXPECT_EQ(find_kind(1)->name, "UserRegistered");
  EXPECT_EQ(find_kind(47)->name, "InvitationDeleted");
  EXPECT_EQ(find_kind("TenantCreated")->number, 14U);
  EXPECT_EQ(find_kind(0), nullptr);
  EXPECT_EQ(find_kind(48)->name, "UserImported");
  EXPECT_EQ(find_kind(60)->name, "StoreRestored");
  EXPECT_EQ(find_kind(61)->name, "ScopeSquashed");
  EXPECT_EQ(find_kind(62)->name, "TenantRedacted");
  EXPECT_EQ(find_kind(63), nullptr);
}

TEST(RowChangesTest, AnInsertGivesEveryColumn) {
  const auto payload = encode([](Event::Builder event) {
    auto user = event.initUserRegistered();
    user.setId(5);
    user.setUsername("ann");
    user.setPassword("!x");
    user.setIsActive(true);
  });
  EXPECT_THAT(changed(payload),
              ElementsAre(Pair("id", Value(std::int64_t{5})), Pair("password", Value("!x")),
                          Pair("last_login", Value(Null{})), Pair("is_superuser", Value(false)),
                          Pair("username", Value("ann")), Pair("first_name", Value("")),
                          Pair("last_name", Value("")), Pair("email", Value("")),
                          Pair("is_staff", Value(false)), Pair("is_active", Value(true)),
                          Pair("date_joined", Value(kMadeAt))));
}

TEST(RowChangesTest, APatchNamesOnlyWhatItCarries) {
  const auto payload = encode([](Event::Builder event) {
    auto flags = event.initUserFlagsChanged();
    flags.setId(5);
    flags.setIsStaff(Flag::NO);
  });
  EXPECT_THAT(changed(payload), ElementsAre(Pair("is_staff", Value(false))));
}

TEST(RowChangesTest, AnAbsentTextSetsANullableColumnToNull) {
  const auto payload =
      encode([](Event::Builder event) { event.initTenantLogoChanged().setId(data(kTenant)); });
  EXPECT_THAT(changed(payload),
              ElementsAre(Pair("logo", Value(Null{})), Pair("updated_at", Value(kMadeAt))));
}

TEST(RowChangesTest, ConstantsAndTheTimeOfChangeAreSet) {
  const auto payload = encode([](Event::Builder event) {
    auto accepted = event.initInvitationAccepted();
    accepted.setId(data(entity_key(std::int64_t{3})));
    accepted.setTenantId(data(kTenant));
    accepted.initAcceptedById().setValue(5);
    accepted.initAcceptedAt().setMicros(9);
  });
  EXPECT_THAT(changed(payload), ElementsAre(Pair("accepted_by_id", Value(std::int64_t{5})),
                                            Pair("accepted_at", Value(Timestamp{9})),
                                            Pair("status", Value("accepted"))));
}

TEST(RowChangesTest, AMovedDomainNamesBothTenants) {
  const Uuid target = entity_key(std::int64_t{78});
  const auto payload = encode([&](Event::Builder event) {
    auto moved = event.initDomainMoved();
    moved.setId(4);
    moved.setTenantId(data(kTenant));
    moved.setToTenantId(data(target));
  });
  EventView view(payload);
  EXPECT_EQ(view.tenant(), kTenant);
  EXPECT_EQ(view.other_tenant(), target);
  EXPECT_THAT(changed(payload),
              ElementsAre(Pair("tenant_id", Value(target)), Pair("is_primary", Value(false)),
                          Pair("updated_at", Value(kMadeAt))));
}

TEST(EventViewTest, BorrowsBytesThatAreAlignedAndCopiesOthers) {
  const auto payload = encode([](Event::Builder event) {
    event.setActor("ann");
    event.initUserDeleted().setId(5);
  });
  const auto lies_in = [](const char* text, const std::string& bytes) {
    return text >= bytes.data() && text < bytes.data() + bytes.size();
  };
  EXPECT_TRUE(lies_in(EventView::over(payload).event().getActor().begin(), payload));
  EXPECT_FALSE(lies_in(EventView(payload).event().getActor().begin(), payload));

  const std::string shifted = "?" + payload;
  const auto view = EventView::over(std::string_view(shifted).substr(1));
  EXPECT_FALSE(lies_in(view.event().getActor().begin(), shifted));
  EXPECT_EQ(view.event().getActor(), "ann");
  EXPECT_TRUE(view.concerns_user(5));
}

TEST(EventViewTest, AnUnknownKindStops) {
  EncodedEvent payload = encode([](Event::Builder event) { event.initUserDeleted().setId(5); });
  payload[8] = 120;  // The union's tag, in the first data word after the root pointer.
  EXPECT_THROW(EventView{payload}, MalformedError);
}

TEST(EventViewTest, AnIdOfTheWrongLengthIsRefused) {
  const auto payload = encode([](Event::Builder event) {
    const std::uint8_t bytes[3] = {1, 2, 3};
    event.initTenantActivated().setId(capnp::Data::Reader(bytes, 3));
  });
  EXPECT_THROW(EventView{payload}, MalformedError);
}

TEST(EventViewTest, ConcernsTheUserItIsAboutOrNames) {
  EventView about(encode([](Event::Builder event) { event.initUserDeleted().setId(5); }));
  EXPECT_TRUE(about.concerns_user(5));
  EXPECT_FALSE(about.concerns_user(6));
  EventView member(encode([](Event::Builder event) {
    auto removed = event.initMemberRemoved();
    removed.setId(5);
    removed.setTenantId(data(kTenant));
    removed.setUserId(6);
  }));
  EXPECT_TRUE(member.concerns_user(6));
  EXPECT_FALSE(member.concerns_user(5)) << "5 is the membership, not the user";
}

TEST(ImportsTest, ARowComesOutAsItWentIn) {
  const TableInfo& table = table_of(EntityKind::USER);
  const RowValues row{std::int64_t{5}, "md5$x", Timestamp{7}, true,         "Ann", "", "Ån",
                      "A@a.io",        false,   true,         Timestamp{-3}};
  Circumstances circumstances;
  circumstances.actor = "system:import";
  const auto payload = imported_row(table, row, circumstances);
  const EventView view(payload);
  EXPECT_EQ(view.kind().name, "UserImported");
  EXPECT_EQ(view.event().getActor(), "system:import");
  const auto changes = row_changes(view, kMadeAt);
  ASSERT_EQ(changes.size(), 1U);
  RowValues found(table.columns.size());
  apply_patch(found, changes[0]);
  EXPECT_EQ(found, row) << "times are those of the row, not of the event";
  EXPECT_TRUE(changes[0].shares_claims);
}

TEST(ImportsTest, ARowWithoutValuesIsKeptToo) {
  const TableInfo& table = table_of(EntityKind::USER);
  const RowValues row{std::int64_t{0}, "",    Null{},      false, "", "", "", "",
                      false,           false, Timestamp{0}};
  const auto payload = imported_row(table, row, {});
  RowValues found(table.columns.size());
  apply_patch(found, row_changes(EventView(payload), kMadeAt).at(0));
  EXPECT_EQ(found, row);
}

TEST(ImportsTest, ReservedIdsChangeNoRow) {
  const auto payload = reserved_ids(table_of(EntityKind::DOMAIN), 41, {});
  const EventView view(payload);
  EXPECT_EQ(view.kind().name, "DomainIdsReserved");
  const auto changes = row_changes(view, kMadeAt);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].effect, Effect::RESERVE);
  EXPECT_EQ(changes[0].id, entity_key(std::int64_t{41}));
  EXPECT_TRUE(changes[0].columns.empty());
}

}  // namespace
}  // namespace tenantry::events
