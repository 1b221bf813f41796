#include "core/deciding.h"

#include <string>
#include <variant>

#include "tests/core/deciding_test_base.h"

namespace tenantry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DecidingTest : public DecidingTestBase {
 protected:
  // A fresh decision on the state as it is now.
  Deciding& deciding() { return deciding_.emplace(state(), input_); }

  template <class Ref>
  std::string resolve_error(const std::function<void(typename Ref::Builder)>& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Ref>());
    const auto found = deciding().resolve(message.getRoot<Ref>().asReader(), "some_field");
    if (!found.refused()) return "found";
    EXPECT_EQ(found.refusal().code, "not_found");
    EXPECT_EQ(found.refusal().field, "some_field");
    EXPECT_FALSE(found.refusal().invalid);
    return found.refusal().message;
  }

  static void register_user(Deciding& deciding, std::size_t password_bytes) {
    deciding.emit([&](events::Event::Builder event) {
      event.initUserRegistered().setPassword(std::string(password_bytes, 'x'));
    });
  }

  events::Circumstances circumstances_;
  DecisionInput input_{circumstances_, kNow, ids()};
  std::optional<Deciding> deciding_;
};

TEST_F(DecidingTest, MessagesNameWhatWasLookedFor) {
  EXPECT_THAT(resolve_error<events::UserRef>([](auto ref) { ref.setId(17); }), HasSubstr("17"));
  EXPECT_THAT(resolve_error<events::UserRef>([](auto ref) { ref.setUsername("bob"); }),
              HasSubstr("'bob'"));
  EXPECT_THAT(resolve_error<events::TenantRef>([](auto ref) { ref.setSlug("acme"); }),
              HasSubstr("'acme'"));
  EXPECT_THAT(resolve_error<events::TenantRef>([](auto ref) { ref.setId(data_of(uuid(5))); }),
              HasSubstr("00000000-0000-4000-8000-000000000005"));
  EXPECT_THAT(resolve_error<events::DomainRef>([](auto ref) { ref.setHost("a.b.io"); }),
              HasSubstr("'a.b.io'"));
  EXPECT_THAT(resolve_error<events::ProteinRef>([](auto ref) { ref.setId(3); }), HasSubstr("3"));
  EXPECT_THAT(resolve_error<events::ProteinRef>([](auto ref) { ref.setName("Beef"); }),
              HasSubstr("'Beef'"));
  EXPECT_THAT(resolve_error<events::InvitationRef>([](auto ref) { ref.setId(data_of(uuid(6))); }),
              HasSubstr("000000000006"));
}

TEST_F(DecidingTest, MessagesNameNoToken) {
  const std::string message =
      resolve_error<events::InvitationRef>([](auto ref) { ref.setToken("abcdefghijkl"); });
  EXPECT_THAT(message, HasSubstr("abcdef…"));
  EXPECT_THAT(message, Not(HasSubstr("abcdefg")));
}

TEST_F(DecidingTest, ReferenceOfAnotherKindsIdIsNotFound) {
  given_tenant(1, "acme");
  EXPECT_THAT(resolve_error<events::InvitationRef>([](auto ref) { ref.setId(data_of(uuid(1))); }),
              HasSubstr("invitation"));
  EXPECT_EQ(resolve_error<events::TenantRef>([](auto ref) { ref.setId(data_of(uuid(1))); }),
            "found");
  EXPECT_EQ(resolve_error<events::TenantRef>([](auto ref) { ref.setSlug("acme"); }), "found");
}

TEST_F(DecidingTest, UuidOfOtherLengthThrows) {
  const std::array<kj::byte, 4> four{};
  EXPECT_THROW((void)uuid_of({four.data(), four.size()}), events::MalformedError);
}

TEST_F(DecidingTest, IdsOfOneDecisionDiffer) {
  given_user(1, "maria");
  Deciding& made = deciding();
  EXPECT_EQ(*made.take_integer_id(EntityKind::USER, std::nullopt), 2);
  EXPECT_EQ(*made.take_integer_id(EntityKind::USER, std::nullopt), 3);
  EXPECT_EQ(*made.take_integer_id(EntityKind::USER, 10), 10);
  EXPECT_EQ(*made.take_integer_id(EntityKind::USER, std::nullopt), 11);
  EXPECT_EQ(*made.take_integer_id(EntityKind::MEMBER, std::nullopt), 1) << "each table counts";
}

TEST_F(DecidingTest, UuidIsRandomUnlessGivenAndFree) {
  given_tenant(1, "acme");
  Deciding& made = deciding();
  EXPECT_EQ(*made.take_uuid(EntityKind::TENANT, uuid(9)), uuid(9));
  EXPECT_EQ(ids().drawn(), 0U);
  EXPECT_EQ(*made.take_uuid(EntityKind::TENANT, std::nullopt), uuid(1));
  const auto taken = made.take_uuid(EntityKind::TENANT, uuid(1), "some_field");
  ASSERT_TRUE(taken.refused());
  EXPECT_EQ(taken.refusal().code, "id_taken");
  EXPECT_EQ(taken.refusal().field, "some_field");
}

TEST_F(DecidingTest, VersionConflictNamesTheActualVersion) {
  using Kind = events::ExpectedVersion::Kind;
  circumstances_.expected_version = {Kind::kExact, 3};
  EXPECT_FALSE(deciding().expect_version(Version{3}));
  EXPECT_THAT(deciding().expect_version(Version{4})->message, HasSubstr("version 4"));
  EXPECT_THAT(deciding().expect_version(std::nullopt)->message, HasSubstr("does not exist"));
  circumstances_.expected_version = {Kind::kNone, 0};
  EXPECT_FALSE(deciding().expect_version(std::nullopt));
  EXPECT_THAT(deciding().expect_version(Version{4})->message, HasSubstr("version 4"));
  circumstances_.expected_version = {Kind::kAny, 0};
  EXPECT_FALSE(deciding().expect_version(std::nullopt));
  EXPECT_FALSE(deciding().expect_version(Version{4}));
}

TEST_F(DecidingTest, EventsOfAnySizeAreCanonical) {
  Deciding& made = deciding();
  for (const std::size_t bytes : {0U, 10U, 900U, 1024U, 5000U, 700'000U}) {
    register_user(made, bytes);
  }
  const DecideOutcome outcome = made.accept(std::nullopt);
  const auto& events = std::get<Decision>(outcome).events;
  ASSERT_EQ(events.size(), 6U);
  for (const events::EncodedEvent& event : events) {
    events::MessageView view(event);  // Throws when it is not canonical.
    EXPECT_TRUE(view.root<events::Event>().isUserRegistered());
  }
  EXPECT_LE(events[0].size(), 96U) << "an event takes what it needs";
}

TEST_F(DecidingTest, MoreThanTheLimitOfACommandIsTooLarge) {
  const std::size_t size = std::size_t{512} << 10;
  Deciding& made = deciding();
  for (std::size_t i = 0; i < kCommandBytesMax / size; ++i) register_user(made, size);
  const DecideOutcome outcome = made.accept(std::nullopt);
  ASSERT_TRUE(std::holds_alternative<events::Refusal>(outcome));
  EXPECT_EQ(std::get<events::Refusal>(outcome).code, "too_large");
  EXPECT_THAT(std::get<events::Refusal>(outcome).message, HasSubstr("64 MiB"));
}

TEST_F(DecidingTest, JustBelowTheLimitOfACommandIsAccepted) {
  const std::size_t size = std::size_t{512} << 10;
  Deciding& made = deciding();
  for (std::size_t i = 0; i < kCommandBytesMax / size - 1; ++i) register_user(made, size);
  EXPECT_TRUE(std::holds_alternative<Decision>(made.accept(std::nullopt)));
}

TEST_F(DecidingTest, AnEventBeyondTheLimitOfARecordIsTooLarge) {
  Deciding& made = deciding();
  register_user(made, events::kPayloadBytesMax);
  register_user(made, 1);
  EXPECT_TRUE(std::holds_alternative<events::Refusal>(made.accept(std::nullopt)));
}

TEST(RoleTest, RanksFromOwnerToReadonly) {
  EXPECT_TRUE(is_higher_role("owner", "admin"));
  EXPECT_TRUE(is_higher_role("admin", "manager"));
  EXPECT_TRUE(is_higher_role("manager", "user"));
  EXPECT_TRUE(is_higher_role("user", "readonly"));
  EXPECT_FALSE(is_higher_role("owner", "owner"));
  EXPECT_FALSE(is_higher_role("readonly", "owner"));
}

TEST_F(DecidingTest, LastOwnerIsLostWhenAllActiveOwnersLeave) {
  for (std::int32_t id = 1; id <= 4; ++id) given_user(id, "u" + std::to_string(id));
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner");
  given_member(2, 1, 2, "owner");
  given_member(3, 1, 3, "owner", /*is_active=*/false);
  given_member(4, 1, 4, "admin");
  const auto loses = [&](const std::vector<std::int64_t>& members) {
    std::vector<events::Uuid> keys;
    keys.reserve(members.size());
    for (const std::int64_t member : members) keys.push_back(events::entity_key(member));
    return would_lose_last_owner(deciding(), uuid(1), keys);
  };
  EXPECT_FALSE(loses({}));
  EXPECT_FALSE(loses({1}));
  EXPECT_FALSE(loses({2, 3, 4}));
  EXPECT_TRUE(loses({1, 2}));
  EXPECT_TRUE(loses({1, 2, 3, 4}));
}

TEST_F(DecidingTest, TenantWithoutAnOwnerHasNoneToLose) {
  given_user(1, "maria");
  given_tenant(1, "acme");
  given_member(1, 1, 1, "owner", /*is_active=*/false);
  const auto member = events::entity_key(1);
  EXPECT_FALSE(would_lose_last_owner(deciding(), uuid(1), std::span(&member, 1)));
}

}  // namespace
}  // namespace tenantry
