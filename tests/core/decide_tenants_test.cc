#include <string>

#include "tests/core/tenancy_test_base.h"

namespace tenantry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using CreateTenantTest = TenancyTestBase;

TEST_F(CreateTenantTest, TakesDefaults) {
  EXPECT_THAT(run("create_tenant", "{'name':'Acme','slug':'Acme-Foods','contact_email':'a@a.io'}"),
              ElementsAre("TenantCreated id=#1 name=Acme slug=acme-foods schema_name=acme_foods "
                          "contact_email=a@a.io contact_phone= is_active=true is_trial=false "
                          "trial_ends_at=null settings={} logo=null created_by_id=null"));
  EXPECT_EQ(entity(), "tenant #1 acme-foods");
}

TEST_F(CreateTenantTest, TakesAllThatIsGiven) {
  given_user(1, "ann");
  EXPECT_THAT(run("create_tenant",
                  "{'id':'00000000-0000-4000-8000-000000000009','name':'Acme','slug':'acme',"
                  "'schema_name':'foods','contact_email':'a@a.io','contact_phone':'1','is_active':"
                  "false,'is_trial':true,'trial_ends_at':'" +
                      time(60) + "','settings':{'b':1,'a':2.0},'logo':'x.png','created_by':'ann'}"),
              ElementsAre("TenantCreated id=#9 name=Acme slug=acme schema_name=foods "
                          "contact_email=a@a.io contact_phone=1 is_active=false is_trial=true "
                          "trial_ends_at=@60 settings={\"a\": 2.0, \"b\": 1} logo=x.png "
                          "created_by_id=1"));
}

TEST_F(CreateTenantTest, TakesNullForWhatMayBeNull) {
  EXPECT_THAT(
      run("create_tenant",
          "{'name':'Acme','slug':'acme','contact_email':'a@a.io','schema_name':null,"
          "'trial_ends_at':null,'logo':null,'created_by':null}"),
      ElementsAre("TenantCreated id=#1 name=Acme slug=acme schema_name=null contact_email=a@a.io "
                  "contact_phone= is_active=true is_trial=false trial_ends_at=null settings={} "
                  "logo=null created_by_id=null"));
}

TEST_F(CreateTenantTest, AddsDomainThenOwner) {
  given_user(1, "ann");
  const std::vector<std::string> facts =
      run("create_tenant",
          "{'name':'Acme','slug':'acme','contact_email':'a@a.io','owner':'ann',"
          "'domain':'Acme.Example'}");
  ASSERT_THAT(facts, SizeIs(3));
  EXPECT_TRUE(facts[0].starts_with("TenantCreated id=#1 "));
  EXPECT_EQ(facts[1],
            "DomainAdded id=1 tenant_id=#1 domain=acme.example is_primary=true is_active=true");
  EXPECT_EQ(facts[2], "MemberAdded id=1 tenant_id=#1 user_id=1 role=owner");
}

TEST_F(CreateTenantTest, SlugIsUniqueWhateverItsCase) {
  tenant("acme");
  EXPECT_EQ(create_refused("'slug':'ACME','schema_name':null}"), "slug_taken slug");
}

TEST_F(CreateTenantTest, DefaultSchemaNameHasRoomFor63Characters) {
  const std::string slug(64, 'a');
  EXPECT_EQ(create_refused("'slug':'" + slug + "'}"), "schema_name_too_long schema_name");
  EXPECT_NE(message().find("null"), std::string::npos) << message();
  EXPECT_THAT(create("'slug':'" + slug + "','schema_name':null}"), SizeIs(1));
  EXPECT_THAT(create("'slug':'" + slug + "b','schema_name':'short'}"), SizeIs(1));
  EXPECT_THAT(create("'slug':'" + slug.substr(1) + "'}"), SizeIs(1));
}

TEST_F(CreateTenantTest, SchemaNameIsUnique) {
  tenant("a-b");
  EXPECT_EQ(create_refused("'slug':'a_b'}"), "schema_name_taken schema_name");
  EXPECT_NE(message().find("null"), std::string::npos) << message();
  EXPECT_EQ(create_refused("'slug':'other','schema_name':'a_b'}"), "schema_name_taken schema_name");
  EXPECT_THAT(create("'slug':'a_b','schema_name':null}"), SizeIs(1));
  EXPECT_THAT(create("'slug':'c','schema_name':null}"), SizeIs(1));
}

TEST_F(CreateTenantTest, SchemaNameIsNotEmpty) {
  EXPECT_EQ(create_refused("'slug':'acme','schema_name':''}"), "missing_field schema_name");
}

TEST_F(CreateTenantTest, DomainIsUnique) {
  tenant("acme");
  domain("acme", "acme.example");
  EXPECT_EQ(create_refused("'slug':'other','domain':'ACME.example'}"), "domain_taken domain");
}

TEST_F(CreateTenantTest, ReferencesExist) {
  EXPECT_EQ(create_refused("'slug':'acme','created_by':'nobody'}"), "not_found created_by");
  EXPECT_EQ(create_refused("'slug':'acme','owner':7}"), "not_found owner");
}

TEST_F(CreateTenantTest, GivenIdIsFree) {
  tenant("acme");
  EXPECT_EQ(create_refused("'slug':'other','id':'" + id(1) + "'}"), "id_taken id");
}

TEST_F(CreateTenantTest, FirstFailureAnswers) {
  tenant("a-b");
  domain("a-b", "a.example");
  const std::string taken = "'id':'" + id(1) + "',";
  const std::string bad_color = "'settings':{'theme':{'color':1}},'domain':'a.example'";
  const std::string none = "'expected_version':3";
  EXPECT_EQ(create_refused(taken + "'slug':'a-b','created_by':'x','owner':'y'}", none),
            "not_found created_by");
  EXPECT_EQ(create_refused(taken + "'slug':'a-b','owner':'y'}", none), "not_found owner");
  EXPECT_EQ(create_refused(taken + "'slug':'a-b'}", none), "version_conflict expected_version");
  EXPECT_EQ(create_refused(taken + "'slug':'a-b'}"), "id_taken id");
  EXPECT_EQ(create_refused("'slug':'a-b'," + bad_color + "}"), "slug_taken slug");
  EXPECT_EQ(create_refused("'slug':'a_b'," + bad_color + "}"), "schema_name_taken schema_name");
  EXPECT_EQ(create_refused("'slug':'c'," + bad_color + "}"), "invalid_color settings");
}

TEST_F(CreateTenantTest, ExpectsNoTenant) {
  EXPECT_THAT(create("'slug':'acme'}", "'expected_version':'none'"), SizeIs(1));
  EXPECT_EQ(create_refused("'slug':'other','id':'" + id(1) + "'}", "'expected_version':'none'"),
            "version_conflict expected_version");
}

struct ColorCase {
  const char* settings;
  bool valid;
};
class ThemeColorTest : public TenancyTestBase, public ::testing::WithParamInterface<ColorCase> {};

TEST_P(ThemeColorTest, IsCheckedWhereverSettingsAreGiven) {
  const std::string settings = GetParam().settings;
  tenant("acme");
  const auto expect = [&](const std::string& field) {
    return GetParam().valid ? "accepted" : "invalid_color " + field;
  };
  EXPECT_EQ(create_refused("'slug':'other','settings':" + settings + "}"), expect("settings"));
  for (const std::string field : {"replace", "merge"}) {
    EXPECT_EQ(
        refused("change_tenant_settings", "{'tenant':'acme','" + field + "':" + settings + "}"),
        expect(field));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Settings, ThemeColorTest,
    ::testing::Values(ColorCase{"{'theme':{'primary_color':'#12aBcF'}}", true},
                      ColorCase{"{'theme':{'primary_color':null}}", true},
                      ColorCase{"{'theme':{'font':'red'}}", true},
                      ColorCase{"{'theme':'color'}", true}, ColorCase{"{'color':'red'}", true},
                      ColorCase{"{'theme':{'nested':{'color':'red'}}}", true},
                      ColorCase{"{'theme':{'ok_color':'#000000','color_b':'red'}}", false},
                      ColorCase{"{'theme':{'primaryColor':'red'}}", false},
                      ColorCase{"{'theme':{'color':''}}", false},
                      ColorCase{"{'theme':{'color':'#12345'}}", false},
                      ColorCase{"{'theme':{'color':'#1234567'}}", false},
                      ColorCase{"{'theme':{'color':'#12345g'}}", false},
                      ColorCase{"{'theme':{'color':123456}}", false},
                      ColorCase{"{'theme':{'color':{'a':1}}}", false}));

using ChangeTenantTest = TenancyTestBase;

TEST_F(ChangeTenantTest, TellsEachGroupOfColumnsInOrder) {
  tenant("acme");
  EXPECT_THAT(run("change_tenant",
                  "{'tenant':'acme','logo':'l.png','contact_phone':'2','contact_email':'b@b.io',"
                  "'domain':'D','schema_name':'s','slug':'NEW','name':'New'}"),
              ElementsAre("TenantRenamed id=#1 name=New", "TenantSlugChanged id=#1 slug=new",
                          "TenantSchemaNameChanged id=#1 schema_name=s",
                          "TenantDomainNameChanged id=#1 domain=D",
                          "TenantContactChanged id=#1 contact_email=b@b.io contact_phone=2",
                          "TenantLogoChanged id=#1 logo=l.png"));
  EXPECT_EQ(entity(), "tenant #1 new");
}

TEST_F(ChangeTenantTest, NamesOnlyTheContactThatChanged) {
  tenant("acme");
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','contact_phone':'2'}"),
              ElementsAre("TenantContactChanged id=#1 contact_phone=2"));
  EXPECT_THAT(
      run("change_tenant", "{'tenant':'acme','contact_phone':'2','contact_email':'b@b.io'}"),
      ElementsAre("TenantContactChanged id=#1 contact_email=b@b.io"));
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','contact_phone':''}"),
              ElementsAre("TenantContactChanged id=#1 contact_phone="));
}

TEST_F(ChangeTenantTest, SameValuesChangeNothing) {
  tenant("acme");
  const std::string same =
      "{'tenant':'acme','name':'N','slug':'ACME','domain':'d','contact_email':'n@n.io',"
      "'contact_phone':'','logo':'l','schema_name':'acme'}";
  ASSERT_THAT(run("change_tenant",
                  "{'tenant':'acme','name':'N','domain':'d','logo':'l',"
                  "'contact_email':'n@n.io'}"),
              SizeIs(4));
  EXPECT_THAT(run("change_tenant", same), IsEmpty());
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme'}"), IsEmpty());
  EXPECT_EQ(entity(), "tenant #1 acme");
}

TEST_F(ChangeTenantTest, NullClears) {
  tenant("acme");
  (void)run("change_tenant", "{'tenant':'acme','domain':'d','logo':'l'}");
  EXPECT_THAT(
      run("change_tenant", "{'tenant':'acme','domain':null,'logo':null,'schema_name':null}"),
      ElementsAre("TenantSchemaNameChanged id=#1 schema_name=null",
                  "TenantDomainNameChanged id=#1 domain=null",
                  "TenantLogoChanged id=#1 logo=null"));
  EXPECT_THAT(
      run("change_tenant", "{'tenant':'acme','domain':null,'logo':null,'schema_name':null}"),
      IsEmpty());
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','logo':''}"),
              ElementsAre("TenantLogoChanged id=#1 logo="));
}

TEST_F(ChangeTenantTest, SlugIsUniqueAndSchemaNameStays) {
  tenant("acme");
  tenant("other");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme','slug':'Other'}"), "slug_taken slug");
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','slug':'third'}"),
              ElementsAre("TenantSlugChanged id=#1 slug=third"));
  EXPECT_THAT(run("change_tenant", "{'tenant':'other','slug':'acme'}"), SizeIs(1));
}

TEST_F(ChangeTenantTest, SchemaNameIsUniqueAndNotEmpty) {
  tenant("acme");
  tenant("other");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme','schema_name':'other'}"),
            "schema_name_taken schema_name");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme','schema_name':''}"),
            "missing_field schema_name");
}

TEST_F(ChangeTenantTest, NameAndContactEmailStayRequired) {
  tenant("acme");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme','name':''}"), "missing_field name");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme','contact_email':''}"),
            "invalid_email contact_email");
}

TEST_F(ChangeTenantTest, FirstFailureAnswers) {
  tenant("acme");
  tenant("other");
  const std::string taken = "'slug':'other','schema_name':'other'}";
  const std::string version = "'expected_version':9";
  EXPECT_EQ(refused("change_tenant", "{'tenant':'none'," + taken, version), "not_found tenant");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme'," + taken, version),
            "version_conflict expected_version");
  EXPECT_EQ(refused("change_tenant", "{'tenant':'acme'," + taken), "slug_taken slug");
}

TEST_F(ChangeTenantTest, TenantIsAlsoFoundById) {
  tenant("acme");
  EXPECT_THAT(run("change_tenant", "{'tenant':'" + id(1) + "','name':'New'}"), SizeIs(1));
}

using ChangeTenantSettingsTest = TenancyTestBase;

TEST_F(ChangeTenantSettingsTest, ReplaceTakesTheWholeDocument) {
  tenant("acme");
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','replace':{'bb':1.10,'a':[]}}"),
              ElementsAre("TenantSettingsChanged id=#1 settings={\"a\": [], \"bb\": 1.10}"));
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','replace':{'c':1}}"),
              ElementsAre("TenantSettingsChanged id=#1 settings={\"c\": 1}"));
}

TEST_F(ChangeTenantSettingsTest, MergeFollowsRfc7396) {
  tenant("acme");
  (void)run(
      "change_tenant_settings",
      "{'tenant':'acme','replace':{'a':{'x':1,'y':2},'b':[1,2],'n':12345678901234567890.10}}");
  EXPECT_THAT(
      run("change_tenant_settings", "{'tenant':'acme','merge':{'a':{'x':null,'z':3},'b':[3]}}"),
      ElementsAre("TenantSettingsChanged id=#1 settings={\"a\": {\"y\": 2, \"z\": 3}, "
                  "\"b\": [3], \"n\": 12345678901234567890.10}"));
}

TEST_F(ChangeTenantSettingsTest, EqualDocumentsChangeNothing) {
  tenant("acme");
  (void)run("change_tenant_settings", "{'tenant':'acme','replace':{'a':1,'b':2}}");
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','replace':{'b':2,'a':1}}"),
              IsEmpty());
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{}}"), IsEmpty());
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{'a':1,'c':null}}"),
              IsEmpty());
}

TEST_F(ChangeTenantSettingsTest, ColorsOfTheResultCount) {
  tenant("acme");
  EXPECT_THAT(
      run("change_tenant_settings", "{'tenant':'acme','replace':{'theme':{'color':'#000000'}}}"),
      SizeIs(1));
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{'theme':{'color':null}}}"),
              ElementsAre("TenantSettingsChanged id=#1 settings={\"theme\": {}}"));
}

TEST_F(ChangeTenantSettingsTest, ResultHasALimit) {
  tenant("acme");
  const std::string half(std::size_t{200} << 10, 'x');
  ASSERT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{'a':'" + half + "'}}"),
              SizeIs(1));
  EXPECT_EQ(refused("change_tenant_settings", "{'tenant':'acme','merge':{'b':'" + half + "'}}"),
            "too_large merge");
}

TEST_F(ChangeTenantSettingsTest, TakesExactlyOneOfMergeAndReplace) {
  tenant("acme");
  EXPECT_EQ(refused("change_tenant_settings", "{'tenant':'acme'}"), "missing_field merge");
  EXPECT_EQ(refused("change_tenant_settings", "{'tenant':'acme','merge':{},'replace':{}}"),
            "invalid_type replace");
}

TEST_F(ChangeTenantSettingsTest, FirstFailureAnswers) {
  tenant("acme");
  const std::string bad = "'merge':{'theme':{'color':1}}}";
  EXPECT_EQ(refused("change_tenant_settings", "{'tenant':'x'," + bad, "'expected_version':9"),
            "not_found tenant");
  EXPECT_EQ(refused("change_tenant_settings", "{'tenant':'acme'," + bad, "'expected_version':9"),
            "version_conflict expected_version");
}

using TrialTest = TenancyTestBase;

TEST_F(TrialTest, StartsAndMovesItsEnd) {
  tenant("acme");
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"),
              ElementsAre("TrialStarted id=#1 trial_ends_at=@60"));
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"), IsEmpty());
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(30) + "'}"),
              ElementsAre("TrialStarted id=#1 trial_ends_at=@30"));
}

TEST_F(TrialTest, StartsAgainWithTheSameEnd) {
  tenant("acme");
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  (void)run("end_trial", "{'tenant':'acme'}");
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"),
              ElementsAre("TrialStarted id=#1 trial_ends_at=@60"));
}

TEST_F(TrialTest, EndsInTheFuture) {
  tenant("acme");
  EXPECT_EQ(refused("start_trial", "{'tenant':'acme','ends_at':'" + time(0) + "'}"),
            "invalid_period ends_at");
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  pass_seconds(120);
  EXPECT_EQ(refused("extend_trial", "{'tenant':'acme','ends_at':'" + time(120) + "'}"),
            "invalid_period ends_at");
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(121) + "'}"),
              ElementsAre("TrialExtended id=#1 trial_ends_at=@121"));
}

TEST_F(TrialTest, IsExtendedOnlyWhileItRuns) {
  tenant("acme");
  EXPECT_EQ(refused("extend_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"),
            "not_in_trial tenant");
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  (void)run("end_trial", "{'tenant':'acme'}");
  EXPECT_EQ(refused("extend_trial", "{'tenant':'acme','ends_at':'" + time(0) + "'}"),
            "invalid_period ends_at");
  EXPECT_EQ(refused("extend_trial", "{'tenant':'acme','ends_at':'" + time(90) + "'}"),
            "not_in_trial tenant");
}

TEST_F(TrialTest, IsNeverShortenedByExtending) {
  tenant("acme");
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  EXPECT_EQ(refused("extend_trial", "{'tenant':'acme','ends_at':'" + time(59) + "'}"),
            "invalid_period ends_at");
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"), IsEmpty());
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(61) + "'}"),
              ElementsAre("TrialExtended id=#1 trial_ends_at=@61"));
}

TEST_F(TrialTest, WithoutEndTakesAny) {
  (void)create("'slug':'acme','is_trial':true}");
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(1) + "'}"),
              ElementsAre("TrialExtended id=#1 trial_ends_at=@1"));
}

TEST_F(TrialTest, EndingKeepsTheDate) {
  tenant("acme");
  EXPECT_THAT(run("end_trial", "{'tenant':'acme'}"), IsEmpty());
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  EXPECT_THAT(run("end_trial", "{'tenant':'acme'}"), ElementsAre("TrialEnded id=#1"));
  EXPECT_EQ(column("tenants_tenant", uuid(1), "trial_ends_at"), "@60");
  EXPECT_EQ(column("tenants_tenant", uuid(1), "is_trial"), "false");
  EXPECT_THAT(run("end_trial", "{'tenant':'acme'}"), IsEmpty());
}

using TenantActivityTest = TenancyTestBase;

TEST_F(TenantActivityTest, ChangesOnlyWhatIsNotSo) {
  tenant("acme");
  EXPECT_THAT(run("activate_tenant", "{'tenant':'acme'}"), IsEmpty());
  EXPECT_THAT(run("deactivate_tenant", "{'tenant':'acme'}"),
              ElementsAre("TenantDeactivated id=#1"));
  EXPECT_THAT(run("deactivate_tenant", "{'tenant':'acme'}"), IsEmpty());
  EXPECT_THAT(run("activate_tenant", "{'tenant':'acme'}"), ElementsAre("TenantActivated id=#1"));
}

// Every command that speaks of a tenant looks for it first and then at its version.
class TenantCommandTest
    : public TenancyTestBase,
      public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(TenantCommandTest, NeedsTheTenantAtTheExpectedVersion) {
  tenant("acme");
  const auto [command, more] = GetParam();
  const std::string rest = std::string(more) + "}";
  EXPECT_EQ(refused(command, "{'tenant':'none'" + rest, "'expected_version':9"),
            "not_found tenant");
  EXPECT_EQ(refused(command, "{'tenant':'00000000-0000-4000-8000-0000000000ff'" + rest),
            "not_found tenant");
  EXPECT_EQ(refused(command, "{'tenant':'acme'" + rest, "'expected_version':9"),
            "version_conflict expected_version");
  EXPECT_EQ(refused(command, "{'tenant':'acme'" + rest, "'expected_version':'none'"),
            "version_conflict expected_version");
  (void)run(command, "{'tenant':'acme'" + rest, "'expected_version':1");
  EXPECT_EQ(entity(), "tenant #1 acme");
}
INSTANTIATE_TEST_SUITE_P(
    Commands, TenantCommandTest,
    ::testing::Values(std::pair{"change_tenant", ",'name':'x'"},
                      std::pair{"change_tenant_settings", ",'merge':{'a':1}"},
                      std::pair{"start_trial", ",'ends_at':'2100-01-01T00:00:00Z'"},
                      std::pair{"end_trial", ""}, std::pair{"activate_tenant", ""},
                      std::pair{"deactivate_tenant", ""},
                      std::pair{"delete_tenant", ",'confirm':'acme'"}));

using DeleteTenantTest = TenancyTestBase;

TEST_F(DeleteTenantTest, TakesWhatBelongsToItAlongInOrder) {
  given_user(1, "ann");
  given_user(2, "ben");
  tenant("acme");
  tenant("other");
  for (const char* tenant : {"acme", "other"}) {
    domain(tenant, std::string(tenant) + ".example");
    domain(tenant, std::string(tenant) + "2.example");
    member(tenant, "ann", "owner");
    member(tenant, "ben", "user");
    invitation(tenant, std::string("x@") + tenant + ".io");
  }
  EXPECT_THAT(run("delete_tenant", "{'tenant':'acme','confirm':'acme'}"),
              ElementsAre("DomainRemoved id=1 tenant_id=#1 domain=acme.example",
                          "DomainRemoved id=2 tenant_id=#1 domain=acme2.example",
                          "MemberRemoved id=1 tenant_id=#1 user_id=1",
                          "MemberRemoved id=2 tenant_id=#1 user_id=2",
                          "InvitationDeleted id=#3 tenant_id=#1 email=x@acme.io",
                          "TenantDeleted id=#1 slug=acme"));
  EXPECT_EQ(entity(), "tenant #1 acme");
  EXPECT_THAT(run("delete_tenant", "{'tenant':'other','confirm':'other'}"), SizeIs(6));
}

TEST_F(DeleteTenantTest, MustBeConfirmedWithTheSlug) {
  tenant("acme");
  for (const std::string& confirm :
       {std::string("ACME"), std::string("acm"), std::string("acme2"), id(1)}) {
    EXPECT_EQ(refused("delete_tenant", "{'tenant':'acme','confirm':'" + confirm + "'}"),
              "confirmation_mismatch confirm");
  }
}

// The state of one tenant, #1, with very many members, that counts how often they are gone through.
class CrowdedState final : public StateView {
 public:
  CrowdedState(const FakeState& tenants, std::int32_t members)
      : tenants_(tenants), members_(members) {}

  [[nodiscard]] int scans() const { return scans_; }

  [[nodiscard]] std::optional<StoredRow> row(const events::TableInfo& table,
                                             const RowKey& key) const override {
    return tenants_.row(table, key);
  }
  [[nodiscard]] std::optional<StoredRow> row_by_id(const events::TableInfo& table,
                                                   const events::Uuid& id) const override {
    return tenants_.row_by_id(table, id);
  }
  [[nodiscard]] std::optional<RowKey> claim_holder(const events::TableInfo& table,
                                                   const events::ClaimInfo& claim,
                                                   std::string_view value) const override {
    return tenants_.claim_holder(table, claim, value);
  }
  void scan_rows(const events::TableInfo& table, const std::optional<events::Uuid>& tenant,
                 const std::function<bool(const StoredRow&)>& visit) const override {
    if (table.entity != events::EntityKind::MEMBER || !tenant) return;
    ++scans_;
    events::RowValues row = {std::int64_t{0},     std::string("user"), true,
                             events::Timestamp{}, events::Timestamp{}, *tenant,
                             std::int64_t{0}};
    for (std::int64_t id = 1; id <= members_; ++id) {
      row.front() = row.back() = id;
      const RowKey key{*tenant, events::entity_key(id)};
      if (!visit({key, Version{1}, Position{1}, events::encode_row(table, row)})) return;
    }
  }
  void scan_lookup(const events::TableInfo&, const events::LookupInfo&, std::int64_t, std::int64_t,
                   const std::function<bool(const RowKey&)>&) const override {}
  [[nodiscard]] std::int64_t largest_id(const events::TableInfo&) const override {
    return members_;
  }
  [[nodiscard]] Version stream_version(const events::TableInfo& table,
                                       const events::Uuid& id) const override {
    return tenants_.stream_version(table, id);
  }

 private:
  const FakeState& tenants_;
  std::int64_t members_;
  mutable int scans_ = 0;
};

TEST_F(DeleteTenantTest, GoesThroughFiftyThousandMembersOnce) {
  tenant("acme");
  const CrowdedState crowded(state(), 50'000);
  const auto parsed = events::parse_command_line(
      R"({"command":"delete_tenant","data":{"tenant":"acme","confirm":"acme"}})", {}, false);
  const auto& request = std::get<events::CommandRequest>(parsed);
  const DecideOutcome outcome =
      decide(request.command, crowded, {request.circumstances, kNow, ids()});
  ASSERT_TRUE(std::holds_alternative<Decision>(outcome));
  EXPECT_THAT(std::get<Decision>(outcome).events, SizeIs(50'001));
  EXPECT_EQ(crowded.scans(), 1);
}

TEST_F(DeleteTenantTest, FreesItsNames) {
  tenant("acme");
  domain("acme", "acme.example");
  (void)run("delete_tenant", "{'tenant':'acme','confirm':'acme'}");
  EXPECT_THAT(create("'slug':'acme','domain':'acme.example'}"), SizeIs(2));
}

}  // namespace
}  // namespace tenantry
