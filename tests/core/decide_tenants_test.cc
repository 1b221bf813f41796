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
  given_user("ann");
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
  given_user("ann");
  const Facts facts = run("create_tenant",
                          "{'name':'Acme','slug':'acme','contact_email':'a@a.io','owner':'ann',"
                          "'domain':'Acme.Example'}");
  ASSERT_THAT(facts, SizeIs(3));
  EXPECT_TRUE(facts[0].starts_with("TenantCreated id=#1 "));
  EXPECT_EQ(facts[1],
            "DomainAdded id=1 tenant_id=#1 domain=acme.example is_primary=true is_active=true");
  EXPECT_EQ(facts[2], "MemberAdded id=1 tenant_id=#1 user_id=1 role=owner");
}

TEST_F(CreateTenantTest, SlugIsUniqueWhateverItsCase) {
  given_tenant("acme");
  EXPECT_EQ(create("{'slug':'ACME','schema_name':null}"), refusal("slug_taken", "slug"));
}

TEST_F(CreateTenantTest, DefaultSchemaNameHasRoomFor63Characters) {
  const std::string slug(64, 'a');
  EXPECT_EQ(create("{'slug':'" + slug + "'}"), refusal("schema_name_too_long", "schema_name"));
  EXPECT_NE(message().find("null"), std::string::npos) << message();
  EXPECT_THAT(create("{'slug':'" + slug + "','schema_name':null}"), SizeIs(1));
  EXPECT_THAT(create("{'slug':'" + slug + "b','schema_name':'short'}"), SizeIs(1));
  EXPECT_THAT(create("{'slug':'" + slug.substr(1) + "'}"), SizeIs(1));
}

TEST_F(CreateTenantTest, SchemaNameIsUnique) {
  given_tenant("a-b");
  EXPECT_EQ(create("{'slug':'a_b'}"), refusal("schema_name_taken", "schema_name"));
  EXPECT_NE(message().find("null"), std::string::npos) << message();
  EXPECT_EQ(create("{'slug':'other','schema_name':'a_b'}"),
            refusal("schema_name_taken", "schema_name"));
  EXPECT_THAT(create("{'slug':'a_b','schema_name':null}"), SizeIs(1));
  EXPECT_THAT(create("{'slug':'c','schema_name':null}"), SizeIs(1));
}

TEST_F(CreateTenantTest, SchemaNameIsNotEmpty) {
  EXPECT_EQ(create("{'slug':'acme','schema_name':''}"), refusal("missing_field", "schema_name"));
}

TEST_F(CreateTenantTest, DomainIsUnique) {
  given_tenant("acme");
  given_domain("acme", "acme.example");
  EXPECT_EQ(create("{'slug':'other','domain':'ACME.example'}"), refusal("domain_taken", "domain"));
}

TEST_F(CreateTenantTest, ReferencesExist) {
  EXPECT_EQ(create("{'slug':'acme','created_by':'nobody'}"), refusal("not_found", "created_by"));
  EXPECT_EQ(create("{'slug':'acme','owner':7}"), refusal("not_found", "owner"));
}

TEST_F(CreateTenantTest, GivenIdIsFree) {
  given_tenant("acme");
  EXPECT_EQ(create("{'slug':'other','id':'" + tenant_id("acme") + "'}"), refusal("id_taken", "id"));
}

TEST_F(CreateTenantTest, FirstFailureAnswers) {
  given_tenant("a-b");
  given_domain("a-b", "a.example");
  const std::string taken = "'id':'" + tenant_id("a-b") + "',";
  const std::string bad_color = "'settings':{'theme':{'color':1}},'domain':'a.example'";
  const std::string none = "{'expected_version':3}";
  EXPECT_EQ(create("{" + taken + "'slug':'a-b','created_by':'x','owner':'y'}", none),
            refusal("not_found", "created_by"));
  EXPECT_EQ(create("{" + taken + "'slug':'a-b','owner':'y'}", none), refusal("not_found", "owner"));
  EXPECT_EQ(create("{" + taken + "'slug':'a-b'}", none),
            refusal("version_conflict", "expected_version"));
  EXPECT_EQ(create("{" + taken + "'slug':'a-b','schema_name':''}"), refusal("id_taken", "id"));
  EXPECT_EQ(create("{'slug':'a-b'," + bad_color + "}"), refusal("slug_taken", "slug"));
  EXPECT_EQ(create("{'slug':'a_b'," + bad_color + "}"),
            refusal("schema_name_taken", "schema_name"));
  EXPECT_EQ(create("{'slug':'c'," + bad_color + "}"), refusal("invalid_color", "settings"));
}

TEST_F(CreateTenantTest, ExpectsNoTenant) {
  EXPECT_THAT(create("{'slug':'acme'}", "{'expected_version':'none'}"), SizeIs(1));
  EXPECT_EQ(
      create("{'slug':'other','id':'" + tenant_id("acme") + "'}", "{'expected_version':'none'}"),
      refusal("version_conflict", "expected_version"));
}

TEST_F(CreateTenantTest, RefusalDrawsNoId) {
  given_tenant("a-b");
  const auto drawn = ids_drawn();
  (void)create("{'slug':'a_b'}");
  (void)create("{'slug':'c','settings':{'theme':{'color':1}}}");
  EXPECT_EQ(ids_drawn(), drawn);
}

struct ColorCase {
  const char* settings;
  bool valid;
};
class ThemeColorTest : public TenancyTestBase, public ::testing::WithParamInterface<ColorCase> {};

TEST_P(ThemeColorTest, IsCheckedWhereverSettingsAreGiven) {
  const std::string settings = GetParam().settings;
  given_tenant("acme");
  for (const std::string how : {"settings", "replace", "merge"}) {
    const Facts facts = how == "settings" ? create("{'slug':'other','settings':" + settings + "}")
                                          : run("change_tenant_settings",
                                                "{'tenant':'acme','" + how + "':" + settings + "}");
    if (GetParam().valid) {
      EXPECT_TRUE(facts.empty() || !facts[0].starts_with("refused")) << how << ' ' << facts[0];
    } else {
      EXPECT_EQ(facts, refusal("invalid_color", how));
    }
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
  given_tenant("acme");
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
  given_tenant("acme");
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','contact_phone':'2'}"),
              ElementsAre("TenantContactChanged id=#1 contact_phone=2"));
  EXPECT_THAT(
      run("change_tenant", "{'tenant':'acme','contact_phone':'2','contact_email':'b@b.io'}"),
      ElementsAre("TenantContactChanged id=#1 contact_email=b@b.io"));
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','contact_phone':''}"),
              ElementsAre("TenantContactChanged id=#1 contact_phone="));
}

TEST_F(ChangeTenantTest, SameValuesChangeNothing) {
  given_tenant("acme");
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
  given_tenant("acme");
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
  given_tenant("acme");
  given_tenant("other");
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme','slug':'Other'}"),
            refusal("slug_taken", "slug"));
  EXPECT_THAT(run("change_tenant", "{'tenant':'acme','slug':'third'}"),
              ElementsAre("TenantSlugChanged id=#1 slug=third"));
  EXPECT_THAT(run("change_tenant", "{'tenant':'other','slug':'acme'}"), SizeIs(1));
}

TEST_F(ChangeTenantTest, SchemaNameIsUniqueAndNotEmpty) {
  given_tenant("acme");
  given_tenant("other");
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme','schema_name':'other'}"),
            refusal("schema_name_taken", "schema_name"));
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme','schema_name':''}"),
            refusal("missing_field", "schema_name"));
}

TEST_F(ChangeTenantTest, NameAndContactEmailStayRequired) {
  given_tenant("acme");
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme','name':''}"), refusal("missing_field", "name"));
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme','contact_email':''}"),
            refusal("invalid_email", "contact_email"));
}

TEST_F(ChangeTenantTest, FirstFailureAnswers) {
  given_tenant("acme");
  given_tenant("other");
  const std::string taken = "'slug':'other','schema_name':'other'}";
  const std::string version = "{'expected_version':9}";
  EXPECT_EQ(run("change_tenant", "{'tenant':'none'," + taken, version),
            refusal("not_found", "tenant"));
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme'," + taken, version),
            refusal("version_conflict", "expected_version"));
  EXPECT_EQ(run("change_tenant", "{'tenant':'acme'," + taken), refusal("slug_taken", "slug"));
}

TEST_F(ChangeTenantTest, TenantIsAlsoFoundById) {
  given_tenant("acme");
  EXPECT_THAT(run("change_tenant", "{'tenant':'" + tenant_id("acme") + "','name':'New'}"),
              SizeIs(1));
}

using ChangeTenantSettingsTest = TenancyTestBase;

TEST_F(ChangeTenantSettingsTest, ReplaceTakesTheWholeDocument) {
  given_tenant("acme");
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','replace':{'bb':1.10,'a':[]}}"),
              ElementsAre("TenantSettingsChanged id=#1 settings={\"a\": [], \"bb\": 1.10}"));
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','replace':{'c':1}}"),
              ElementsAre("TenantSettingsChanged id=#1 settings={\"c\": 1}"));
}

TEST_F(ChangeTenantSettingsTest, MergeFollowsRfc7396) {
  given_tenant("acme");
  (void)run(
      "change_tenant_settings",
      "{'tenant':'acme','replace':{'a':{'x':1,'y':2},'b':[1,2],'n':12345678901234567890.10}}");
  EXPECT_THAT(
      run("change_tenant_settings", "{'tenant':'acme','merge':{'a':{'x':null,'z':3},'b':[3]}}"),
      ElementsAre("TenantSettingsChanged id=#1 settings={\"a\": {\"y\": 2, \"z\": 3}, "
                  "\"b\": [3], \"n\": 12345678901234567890.10}"));
}

TEST_F(ChangeTenantSettingsTest, EqualDocumentsChangeNothing) {
  given_tenant("acme");
  (void)run("change_tenant_settings", "{'tenant':'acme','replace':{'a':1,'b':2}}");
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','replace':{'b':2,'a':1}}"),
              IsEmpty());
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{}}"), IsEmpty());
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{'a':1,'c':null}}"),
              IsEmpty());
}

TEST_F(ChangeTenantSettingsTest, ColorsOfTheResultCount) {
  given_tenant("acme");
  EXPECT_THAT(
      run("change_tenant_settings", "{'tenant':'acme','replace':{'theme':{'color':'#000000'}}}"),
      SizeIs(1));
  EXPECT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{'theme':{'color':null}}}"),
              ElementsAre("TenantSettingsChanged id=#1 settings={\"theme\": {}}"));
}

TEST_F(ChangeTenantSettingsTest, ResultHasALimit) {
  given_tenant("acme");
  const std::string half(std::size_t{200} << 10, 'x');
  ASSERT_THAT(run("change_tenant_settings", "{'tenant':'acme','merge':{'a':'" + half + "'}}"),
              SizeIs(1));
  EXPECT_EQ(run("change_tenant_settings", "{'tenant':'acme','merge':{'b':'" + half + "'}}"),
            refusal("too_large", "merge"));
}

TEST_F(ChangeTenantSettingsTest, TakesExactlyOneOfMergeAndReplace) {
  given_tenant("acme");
  EXPECT_TRUE(run("change_tenant_settings", "{'tenant':'acme'}")[0].starts_with("refused"));
  EXPECT_TRUE(
      run("change_tenant_settings", "{'tenant':'acme','merge':{},'replace':{}}")[0].starts_with(
          "refused"));
}

TEST_F(ChangeTenantSettingsTest, FirstFailureAnswers) {
  given_tenant("acme");
  const std::string bad = "'merge':{'theme':{'color':1}}}";
  EXPECT_EQ(run("change_tenant_settings", "{'tenant':'x'," + bad, "{'expected_version':9}"),
            refusal("not_found", "tenant"));
  EXPECT_EQ(run("change_tenant_settings", "{'tenant':'acme'," + bad, "{'expected_version':9}"),
            refusal("version_conflict", "expected_version"));
}

using TrialTest = TenancyTestBase;

TEST_F(TrialTest, StartsAndMovesItsEnd) {
  given_tenant("acme");
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"),
              ElementsAre("TrialStarted id=#1 trial_ends_at=@60"));
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"), IsEmpty());
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(30) + "'}"),
              ElementsAre("TrialStarted id=#1 trial_ends_at=@30"));
}

TEST_F(TrialTest, StartsAgainWithTheSameEnd) {
  given_tenant("acme");
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  (void)run("end_trial", "{'tenant':'acme'}");
  EXPECT_THAT(run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"),
              ElementsAre("TrialStarted id=#1 trial_ends_at=@60"));
}

TEST_F(TrialTest, EndsInTheFuture) {
  given_tenant("acme");
  EXPECT_EQ(run("start_trial", "{'tenant':'acme','ends_at':'" + time(0) + "'}"),
            refusal("invalid_period", "ends_at"));
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  advance(120);
  EXPECT_EQ(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(120) + "'}"),
            refusal("invalid_period", "ends_at"));
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(121) + "'}"),
              ElementsAre("TrialExtended id=#1 trial_ends_at=@121"));
}

TEST_F(TrialTest, IsExtendedOnlyWhileItRuns) {
  given_tenant("acme");
  EXPECT_EQ(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"),
            refusal("not_in_trial", "tenant"));
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  (void)run("end_trial", "{'tenant':'acme'}");
  EXPECT_EQ(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(0) + "'}"),
            refusal("invalid_period", "ends_at"));
  EXPECT_EQ(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(90) + "'}"),
            refusal("not_in_trial", "tenant"));
}

TEST_F(TrialTest, IsNeverShortenedByExtending) {
  given_tenant("acme");
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  EXPECT_EQ(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(59) + "'}"),
            refusal("invalid_period", "ends_at"));
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}"), IsEmpty());
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(61) + "'}"),
              ElementsAre("TrialExtended id=#1 trial_ends_at=@61"));
}

TEST_F(TrialTest, WithoutEndTakesAny) {
  (void)create("{'slug':'acme','is_trial':true}");
  EXPECT_THAT(run("extend_trial", "{'tenant':'acme','ends_at':'" + time(1) + "'}"),
              ElementsAre("TrialExtended id=#1 trial_ends_at=@1"));
}

TEST_F(TrialTest, EndingKeepsTheDate) {
  given_tenant("acme");
  EXPECT_THAT(run("end_trial", "{'tenant':'acme'}"), IsEmpty());
  (void)run("start_trial", "{'tenant':'acme','ends_at':'" + time(60) + "'}");
  EXPECT_THAT(run("end_trial", "{'tenant':'acme'}"), ElementsAre("TrialEnded id=#1"));
  EXPECT_EQ(column("tenants_tenant", "acme", "trial_ends_at"), "@60");
  EXPECT_EQ(column("tenants_tenant", "acme", "is_trial"), "false");
  EXPECT_THAT(run("end_trial", "{'tenant':'acme'}"), IsEmpty());
}

using TenantActivityTest = TenancyTestBase;

TEST_F(TenantActivityTest, ChangesOnlyWhatIsNotSo) {
  given_tenant("acme");
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
  given_tenant("acme");
  const auto [command, more] = GetParam();
  const std::string rest = std::string(more) + "}";
  EXPECT_EQ(run(command, "{'tenant':'none'" + rest, "{'expected_version':9}"),
            refusal("not_found", "tenant"));
  EXPECT_EQ(run(command, "{'tenant':'00000000-0000-4000-8000-0000000000ff'" + rest),
            refusal("not_found", "tenant"));
  EXPECT_EQ(run(command, "{'tenant':'acme'" + rest, "{'expected_version':9}"),
            refusal("version_conflict", "expected_version"));
  EXPECT_EQ(run(command, "{'tenant':'acme'" + rest, "{'expected_version':'none'}"),
            refusal("version_conflict", "expected_version"));
  const Facts facts = run(command, "{'tenant':'acme'" + rest, "{'expected_version':1}");
  EXPECT_TRUE(facts.empty() || !facts[0].starts_with("refused")) << facts[0];
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
  given_user("ann");
  given_user("ben");
  given_tenant("acme");
  given_tenant("other");
  for (const char* tenant : {"acme", "other"}) {
    given_domain(tenant, std::string(tenant) + ".example");
    given_domain(tenant, std::string(tenant) + "2.example");
    given_member(tenant, "ann", "owner");
    given_member(tenant, "ben", "user");
    given_invitation(tenant, "x@x.io");
  }
  EXPECT_THAT(run("delete_tenant", "{'tenant':'acme','confirm':'acme'}"),
              ElementsAre("DomainRemoved id=1 tenant_id=#1 domain=acme.example",
                          "DomainRemoved id=2 tenant_id=#1 domain=acme2.example",
                          "MemberRemoved id=1 tenant_id=#1 user_id=1",
                          "MemberRemoved id=2 tenant_id=#1 user_id=2",
                          "InvitationDeleted id=#3 tenant_id=#1 email=x@x.io",
                          "TenantDeleted id=#1 slug=acme"));
  EXPECT_EQ(entity(), "tenant #1 acme");
  EXPECT_THAT(run("delete_tenant", "{'tenant':'other','confirm':'other'}"), SizeIs(6));
}

TEST_F(DeleteTenantTest, MustBeConfirmedWithTheSlug) {
  given_tenant("acme");
  for (const std::string confirm : {"ACME", "acm", "acme2", tenant_id("acme").c_str()}) {
    EXPECT_EQ(run("delete_tenant", "{'tenant':'acme','confirm':'" + confirm + "'}"),
              refusal("confirmation_mismatch", "confirm"));
  }
}

TEST_F(DeleteTenantTest, FreesItsNames) {
  given_tenant("acme");
  given_domain("acme", "acme.example");
  (void)run("delete_tenant", "{'tenant':'acme','confirm':'acme'}");
  EXPECT_THAT(create("{'slug':'acme','domain':'acme.example'}"), SizeIs(2));
}

}  // namespace
}  // namespace tenantry
