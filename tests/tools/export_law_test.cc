#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/store.h"
#include "events/encoding.h"
#include "tests/core/random_history.h"
#include "tests/core/store_test_base.h"
#include "tools/command_output.h"

// An export, applied to an empty store, makes the history again.
namespace tenantry {
namespace {

using ::testing::ElementsAreArray;
using ::testing::Eq;
using ::testing::IsEmpty;

using Lines = std::vector<std::string>;

constexpr std::array<std::string_view, 2> kSecretColumns = {"password", "token"};

// A store of its own; the clock stands long after any history.
constexpr events::Timestamp kLater{4'000'000'000'000'000};  // Than any command.

class Copy {
 public:
  Copy() {
    clock_.set(kLater);
    init_store(directory_ / "store", clock_, ids_);
    store_ = open_store({.directory = directory_ / "store"}, clock_, ids_);
  }

  // Returns the refusals.
  Lines apply(const Lines& lines) {
    Lines refusals;
    for (const std::string& line : lines) {
      const auto parsed = events::parse_command_line(line, {}, /*historic=*/true);
      if (const auto* const refusal = std::get_if<events::Refusal>(&parsed)) {
        refusals.push_back(refusal->code + ": " + refusal->message + " " + line);
        continue;
      }
      const auto& request = std::get<events::CommandRequest>(parsed);
      const Answer answer = store_->submit({&request, 1}, {}).at(0);
      if (answer.status != Answer::Status::kAccepted) {
        refusals.push_back(answer.refusal.code + ": " + answer.refusal.message + " " + line);
      }
    }
    return refusals;
  }

  [[nodiscard]] Lines commands(bool reveal, const LogFilter& filter = {}) const {
    Lines lines;
    tools::JsonBuilder json;
    store_->read_commands(filter, {}, [&](const events::CommandRequest& request) {
      json.clear();
      tools::build_command(json, request, {.reveal = reveal, .number = lines.size() + 1});
      lines.emplace_back(json.text());
      return true;
    });
    return lines;
  }

  [[nodiscard]] Position tail() const { return store_->tail().tail; }
  // At that time; gives where the log ends then.
  Position discard_history(events::Timestamp now) {
    clock_.set(now);
    SquashOptions options;
    options.discard_history = true;
    (void)store_->squash(options, {});
    clock_.set(kLater);
    return tail();
  }

  // Every row of every table, with its version and last position; secrets left out if asked.
  [[nodiscard]] Lines rows(bool secrets) const {
    Lines rows;
    const RowsAt at = store_->rows_now();
    rows.push_back(std::to_string(at.tail.tail.value));
    for (const events::TableInfo& table : events::tables()) {
      at.rows->scan_rows(table, std::nullopt, [&](const StoredRow& row) {
        events::RowValues values = events::decode_row(table, row.bytes);
        for (const std::string_view name : kSecretColumns) {
          const auto place = table.find_column(name);
          if (place && !secrets) values[*place] = std::string("left out");
        }
        rows.push_back(table.name + " " + std::to_string(row.version.value) + " " +
                       std::to_string(row.last.value) + " " +
                       events::hex(events::encode_row(table, values)));
        return true;
      });
    }
    return rows;
  }

  // What the log says, secrets included.
  [[nodiscard]] Lines events() const {
    Lines all;
    store_->read_log({}, [&](const StoredEvent& event) {
      all.push_back(events::format_timestamp(event.recorded_at) + " " +
                    std::to_string(event.index_in_command) + " " + events::hex(event.payload) +
                    " " + events::format_uuid(event.command) + " " +
                    std::to_string(event.causation));
      return true;
    });
    return all;
  }

 private:
  TempDirectory directory_;
  ManualClock clock_;
  CountingIds ids_;
  std::unique_ptr<TenancyStore> store_;
};

class ExportLawTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(ExportLawTest, AnExportMakesTheHistoryAgain) {
  RandomHistory history(GetParam());
  Lines drawn;
  for (int i = 0; i < 600; ++i) drawn.push_back(history.next_line());
  Copy first;
  (void)first.apply(drawn);  // Many are refused: they collide on purpose.
  const Lines exported = first.commands(/*reveal=*/true);
  ASSERT_GT(exported.size(), 100U);

  Copy second;
  EXPECT_THAT(second.apply(exported), IsEmpty());

  EXPECT_THAT(second.events(), ElementsAreArray(first.events()));
  EXPECT_THAT(second.rows(true), ElementsAreArray(first.rows(true)));
  EXPECT_THAT(second.commands(true), ElementsAreArray(exported));
}

TEST_P(ExportLawTest, WhatCameBeforeMayBeDiscarded) {
  RandomHistory history(GetParam());
  const auto draw = [&](int lines) {
    Lines drawn;
    for (int i = 0; i < lines; ++i) drawn.push_back(history.next_line());
    return drawn;
  };
  const Lines before = draw(300);
  Copy first;
  Copy second;
  (void)first.apply(before);
  (void)second.apply(before);
  LogFilter of_first;
  of_first.after = first.tail();
  LogFilter of_second;
  of_second.after = second.discard_history(history.now());
  ASSERT_GT(of_second.after, of_first.after);
  const Lines later = draw(300);
  EXPECT_THAT(second.apply(later), ElementsAreArray(first.apply(later)));

  const Lines exported = first.commands(/*reveal=*/true, of_first);
  ASSERT_GT(exported.size(), 50U);
  EXPECT_THAT(second.commands(/*reveal=*/true, of_second), ElementsAreArray(exported));
}

TEST_P(ExportLawTest, WithoutSecretsAllElseIsEqual) {
  RandomHistory history(GetParam());
  Lines drawn;
  for (int i = 0; i < 600; ++i) drawn.push_back(history.next_line());
  Copy first;
  (void)first.apply(drawn);
  const Lines exported = first.commands(/*reveal=*/false);

  Copy second;
  EXPECT_THAT(second.apply(exported), IsEmpty());

  EXPECT_THAT(second.rows(false), ElementsAreArray(first.rows(false)));
  EXPECT_THAT(second.commands(false), ElementsAreArray(exported));
}
INSTANTIATE_TEST_SUITE_P(Seeds, ExportLawTest, ::testing::Range(1U, 13U));

// What random histories do not draw.
class ExportTest : public ::testing::Test {
 protected:
  // A line of NDJSON with single quotes for double ones.
  void apply(std::string line) {
    std::ranges::replace(line, '\'', '"');
    EXPECT_THAT(copy_.apply({line}), IsEmpty());
  }
  void apply_all(const Lines& lines) {
    for (const std::string& line : lines) apply(line);
  }
  // The last command of the export, up to its time.
  std::string last_command() {
    const Lines lines = copy_.commands(true);
    std::string line = lines.back().substr(0, lines.back().find(",\"at\":"));
    std::ranges::replace(line, '"', '\'');
    return line;
  }
  void expect_law() {
    Copy again;
    EXPECT_THAT(again.apply(copy_.commands(true)), IsEmpty());
    EXPECT_THAT(again.events(), ElementsAreArray(copy_.events()));
  }

  Copy copy_;
};

const char* const kAcme =
    "{'command':'create_tenant','data':{'name':'Acme','slug':'acme-1','contact_email':'a@b.io',"
    "'id':'11111111-1111-4111-8111-111111111111'},'at':'2026-01-01T00:00:00Z'}";

TEST_F(ExportTest, ATenantComesWithItsOwnerAndDomain) {
  apply("{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}");
  apply(
      "{'command':'create_tenant','data':{'name':'A','slug':'a-1','contact_email':'a@b.io',"
      "'schema_name':null,'owner':'ann','domain':'a.io','created_by':'ann','logo':'l.png',"
      "'is_active':false,'is_trial':true,'trial_ends_at':'2026-03-01T00:00:00Z',"
      "'settings':{'theme':{'color':'#aabbcc'},'n':1.10},"
      "'id':'11111111-1111-4111-8111-111111111111'},'at':'2026-01-01T00:00:00Z'}");
  EXPECT_EQ(last_command(),
            "{'command':'create_tenant','data':{'id':'11111111-1111-4111-8111-111111111111',"
            "'name':'A','slug':'a-1','schema_name':null,'contact_email':'a@b.io',"
            "'is_active':false,'is_trial':true,'trial_ends_at':'2026-03-01T00:00:00.000000Z',"
            "'settings':{'n': 1.10, 'theme': {'color': '#aabbcc'}},'logo':'l.png',"
            "'created_by':1,'owner':1,'domain':'a.io'}");
  expect_law();
}

TEST_F(ExportTest, CircumstancesAreKept) {
  apply(kAcme);
  apply(
      "{'command':'deactivate_tenant','data':{'tenant':'acme-1'},"
      "'id':'22222222-2222-4222-8222-222222222222','actor':'user:1','channel':'admin',"
      "'reason':'not paid','correlation_id':'c-1','causation_position':1,"
      "'at':'2026-01-02T00:00:00Z'}");
  EXPECT_EQ(last_command(),
            "{'command':'deactivate_tenant','data':{'tenant':'11111111-1111-4111-8111-"
            "111111111111'},'id':'22222222-2222-4222-8222-222222222222','actor':'user:1',"
            "'channel':'admin','reason':'not paid','correlation_id':'c-1',"
            "'causation_position':1");
  expect_law();
}

TEST_F(ExportTest, ForceIsGivenWhereARuleAsksForIt) {
  apply("{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}");
  apply(kAcme);
  apply(
      "{'command':'add_member','data':{'tenant':'acme-1','user':'ann','role':'owner'},"
      "'at':'2026-01-01T00:00:00Z'}");
  apply(
      "{'command':'remove_member','data':{'tenant':'acme-1','user':'ann','force':true},"
      "'at':'2026-01-02T00:00:00Z'}");
  EXPECT_EQ(last_command(),
            "{'command':'remove_member','data':{'tenant':'11111111-1111-4111-8111-111111111111',"
            "'user':1,'force':true}");
  expect_law();
}

TEST_F(ExportTest, ForceIsLeftOutWhereNoRuleAsksForIt) {
  apply("{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}");
  apply(
      "{'command':'delete_user','data':{'user':'ann','force':true},"
      "'at':'2026-01-02T00:00:00Z'}");
  EXPECT_EQ(last_command(), "{'command':'delete_user','data':{'user':1}");
}

TEST_F(ExportTest, AMergeIsOneCommand) {
  apply_all({
      "{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}",
      "{'command':'register_user','data':{'username':'bob'},'at':'2026-01-01T00:00:00Z'}",
      kAcme,
      ("{'command':'add_member','data':{'tenant':'acme-1','user':'ann'},"
       "'at':'2026-01-01T00:00:00Z'}"),
      "{'command':'set_preferences','data':{'user':'ann','theme':'dark'},"
      "'at':'2026-01-01T00:00:00Z'}",
      "{'command':'merge_users','data':{'user':'ann','into':'bob'},'at':'2026-01-02T00:00:00Z'}",
  });
  EXPECT_EQ(last_command(), "{'command':'merge_users','data':{'user':1,'into':2}");
  expect_law();
}

// Such a merge is told from a deletion by nothing that the log holds.
TEST_F(ExportTest, AMergeThatMovedNothingIsADeletion) {
  apply_all({
      "{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}",
      "{'command':'register_user','data':{'username':'bob'},'at':'2026-01-01T00:00:00Z'}",
      "{'command':'merge_users','data':{'user':'ann','into':'bob'},'at':'2026-01-02T00:00:00Z'}",
  });
  EXPECT_EQ(last_command(), "{'command':'delete_user','data':{'user':1}");
  expect_law();
}

const Lines kInvitations = {
    "{'command':'create_tenant','data':{'name':'B','slug':'b','contact_email':'a@b.io',"
    "'id':'33333333-3333-4333-8333-333333333333'},'at':'2026-01-01T00:00:00Z'}",
    "{'command':'invite','data':{'tenant':'acme-1','email':'x@a.io',"
    "'expires_at':'2026-01-02T00:00:00Z'},'at':'2026-01-01T00:00:00Z'}",
    "{'command':'invite','data':{'tenant':'b','email':'y@a.io',"
    "'expires_at':'2026-01-03T00:00:00Z'},'at':'2026-01-01T00:00:00Z'}",
};

TEST_F(ExportTest, InvitationsOfOneTenantExpire) {
  apply(kAcme);
  apply_all(kInvitations);
  apply("{'command':'expire_invitations','data':{'tenant':'acme-1'},'at':'2026-02-01T00:00:00Z'}");
  EXPECT_EQ(last_command(),
            "{'command':'expire_invitations','data':{'tenant':'11111111-1111-4111-8111-"
            "111111111111'}");
  expect_law();
}

TEST_F(ExportTest, InvitationsExpireByATime) {
  apply(kAcme);
  apply_all(kInvitations);
  apply(
      "{'command':'invite','data':{'tenant':'acme-1','email':'late@a.io',"
      "'expires_at':'2026-01-04T00:00:00Z'},'at':'2026-01-01T00:00:00Z'}");
  apply(
      "{'command':'expire_invitations','data':{'time':'2026-01-03T12:00:00Z'},"
      "'at':'2026-02-01T00:00:00Z'}");
  EXPECT_EQ(last_command(),
            "{'command':'expire_invitations','data':{'time':'2026-01-03T00:00:00.000000Z'}");
  expect_law();
}

TEST_F(ExportTest, ANewUserAcceptsUnderAnotherAddress) {
  apply(kAcme);
  apply_all({
      "{'command':'invite','data':{'id':'44444444-4444-4444-8444-444444444444',"
      "'tenant':'acme-1','email':'x@a.io'},'at':'2026-01-01T00:00:00Z'}",
      "{'command':'accept_invitation','data':{'invitation':"
      "'44444444-4444-4444-8444-444444444444','any_email':true,'new_user':{'username':'xe',"
      "'email':'z@a.io','password':'!x','is_staff':true}},'at':'2026-01-02T00:00:00Z'}",
  });
  EXPECT_EQ(last_command(),
            "{'command':'accept_invitation','data':{'invitation':'44444444-4444-4444-8444-"
            "444444444444','new_user':{'id':1,'username':'xe','email':'z@a.io',"
            "'password':'!x','is_staff':true},'any_email':true}");
  expect_law();
}

TEST_F(ExportTest, AnInactiveMemberComesBackWithARole) {
  apply_all({
      "{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}",
      kAcme,
      ("{'command':'add_member','data':{'tenant':'acme-1','user':'ann'},"
       "'at':'2026-01-01T00:00:00Z'}"),
      "{'command':'deactivate_member','data':{'tenant':'acme-1','user':'ann'},"
      "'at':'2026-01-01T00:00:00Z'}",
      "{'command':'add_member','data':{'tenant':'acme-1','user':'ann','role':'admin'},"
      "'at':'2026-01-01T00:00:00Z'}",
  });
  EXPECT_EQ(last_command(),
            "{'command':'add_member','data':{'tenant':'11111111-1111-4111-8111-111111111111',"
            "'user':1,'role':'admin'}");
  expect_law();
}

TEST_F(ExportTest, NullsAndDocumentsOfATenantAreKept) {
  apply(kAcme);
  apply_all({
      "{'command':'change_tenant','data':{'tenant':'acme-1','domain':'free text','logo':'x.png',"
      "'contact_phone':'1','name':'é'},'at':'2026-01-01T00:00:00Z'}",
      "{'command':'change_tenant_settings','data':{'tenant':'acme-1','merge':{'a':[1,{}]}},"
      "'at':'2026-01-01T00:00:00Z'}",
      "{'command':'change_tenant','data':{'tenant':'acme-1','domain':null,'logo':null,"
      "'schema_name':null,'contact_phone':'','slug':'acme-2'},'at':'2026-01-01T00:00:00Z'}",
  });
  EXPECT_EQ(last_command(),
            "{'command':'change_tenant','data':{'tenant':'11111111-1111-4111-8111-111111111111',"
            "'slug':'acme-2','domain':null,'contact_phone':'','logo':null,'schema_name':null}");
  expect_law();
}

TEST_F(ExportTest, ALoginKeepsItsTime) {
  apply("{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}");
  apply(
      "{'command':'record_login','data':{'user':'ann','time':'2025-12-01T00:00:00Z'},"
      "'at':'2026-01-02T00:00:00Z'}");
  EXPECT_EQ(last_command(),
            "{'command':'record_login','data':{'user':1,'time':'2025-12-01T00:00:00.000000Z'}");
  expect_law();
}

TEST_F(ExportTest, ACommandIsExportedWholeIfOneOfItsEventsPasses) {
  apply("{'command':'register_user','data':{'username':'ann'},'at':'2026-01-01T00:00:00Z'}");
  apply(
      "{'command':'create_tenant','data':{'name':'A','slug':'a','contact_email':'a@b.io',"
      "'owner':'ann'},'at':'2026-01-01T00:00:00Z'}");
  LogFilter filter;
  filter.kinds = {events::find_kind("MemberAdded")->number};
  EXPECT_THAT(copy_.commands(true, filter).size(), Eq(1U));
  filter = {};
  filter.after = Position{1};
  filter.through = Position{2};
  EXPECT_THAT(copy_.commands(true, filter).size(), Eq(1U));
  filter.after = Position{3};
  filter.through = {};
  EXPECT_THAT(copy_.commands(true, filter), IsEmpty());
}

TEST_F(ExportTest, APasswordThatIsLeftOutIsReplacedByAnUnusableOne) {
  apply_all({
      "{'command':'register_user','data':{'username':'ann','password':'md5$x'},"
      "'at':'2026-01-01T00:00:00Z'}",
      "{'command':'change_user_password','data':{'user':'ann','password':'md5$y'},"
      "'at':'2026-01-01T00:00:00Z'}",
  });
  const Lines lines = copy_.commands(/*reveal=*/false);
  EXPECT_EQ(lines.at(0),
            R"({"command":"register_user","data":{"id":1,"username":"ann","email":""},)"
            R"("at":"2026-01-01T00:00:00.000000Z"})");
  EXPECT_EQ(lines.at(1),
            R"({"command":"change_user_password","data":{"user":1,"password":"!left-out-2"},)"
            R"("at":"2026-01-01T00:00:00.000000Z"})");
}

}  // namespace
}  // namespace tenantry
