#include <cstdlib>
#include <functional>

#include <netinet/in.h>
#include <pqxx/pqxx>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/projections/postgres_fixture.h"
#include "tests/support/cutting_proxy.h"
#include "tests/support/temp_directory.h"

namespace tenantry::projections {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PostgresFaultsTest : public PostgresTestBase {
 protected:
  void SetUp() override { log_.fill_every_table(); }

  static std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    if (at == std::string::npos) throw std::logic_error("no " + what + " in " + text);
    return text.replace(at, what.size(), with);
  }
  static std::unique_ptr<ReadModel> connect(const std::string& url) {
    return open_postgres_read_model(
        {.connection = url, .lock_timeout = std::chrono::milliseconds{300}});
  }
  // From the next connection on.
  void set(const std::string& setting) const {
    sql("ALTER DATABASE " + database_name() + " SET " + setting);
  }
  void reset_settings() {
    sql("ALTER DATABASE " + database_name() + " RESET ALL");
    reopen();
  }

  // Calls what must meet a fault that passes; message and hint of it.
  template <class Call>
  static std::string unavailable(Call&& call) {
    try {
      call();
    } catch (const UnavailableError& error) {
      EXPECT_FALSE(error.hint().empty()) << error.what();
      EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
      return std::string(error.what()) + "\n" + error.hint();
    }
    return "nothing was thrown";
  }
  std::string unavailable_for_all(ReadModel& model) {
    std::string first = unavailable([&] { (void)project(log_, model, {}); });
    EXPECT_EQ(unavailable([&] { (void)rebuild(log_, model, {}); }), first);
    EXPECT_EQ(unavailable([&] { (void)verify(log_, log_.state_at(), model, {}); }), first);
    EXPECT_THAT(first, HasSubstr(model.name()));
    return first;
  }
  void expect_going_on() {
    EXPECT_EQ(run_projector().mark.position, log_.end());
    EXPECT_TRUE(run_verify().equal());
  }
};

// --- No connection ---

TEST_F(PostgresFaultsTest, ASocketThatIsNotThereIsUnavailable) {
  const auto model = connect("postgresql:///shop?host=/nowhere/at/all&port=5432&user=ann");
  EXPECT_THAT(unavailable_for_all(*model),
              AllOf(HasSubstr("postgresql://ann@/shop?host=/nowhere/at/all&port=5432: "),
                    HasSubstr("No such file or directory"), HasSubstr("is the server running")));
}

TEST_F(PostgresFaultsTest, APortThatNobodyListensOnIsUnavailable) {
  // Bound and not listening: nobody else can take it meanwhile.
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(socket, generic, size), 0);
  ASSERT_EQ(::getsockname(socket, generic, &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  const auto model = connect("postgresql://ann:hunter2@127.0.0.1:" + port + "/shop");
  EXPECT_THAT(unavailable_for_all(*model),
              AllOf(HasSubstr("Connection refused"), HasSubstr("is the server running"),
                    Not(HasSubstr("hunter2"))));
  ::close(socket);
}

TEST_F(PostgresFaultsTest, ADatabaseThatDoesNotExistIsUnavailable) {
  const auto model = connect(replaced(url(), database_name(), "nobodys_database"));
  EXPECT_THAT(
      unavailable_for_all(*model),
      AllOf(HasSubstr("database \"nobodys_database\" does not exist"), HasSubstr("createdb")));
}

TEST_F(PostgresFaultsTest, ARoleThatDoesNotExistIsUnavailable) {
  const auto model = connect(replaced(url(), "user=postgres", "user=nobodys_role"));
  EXPECT_THAT(unavailable_for_all(*model),
              AllOf(HasSubstr("role \"nobodys_role\" does not exist"), HasSubstr("the right one")));
}

TEST_F(PostgresFaultsTest, ADatabaseThatTakesNoConnectionsIsUnavailable) {
  const PostgresDatabase other;
  other.execute("ALTER DATABASE " + database_name() + " ALLOW_CONNECTIONS false");
  EXPECT_THAT(unavailable_for_all(target()), HasSubstr("not currently accepting connections"));
  other.execute("ALTER DATABASE " + database_name() + " ALLOW_CONNECTIONS true");
  expect_going_on();
}

// A role of this test, gone with it.
class PostgresRoleTest : public PostgresFaultsTest {
 protected:
  void TearDown() override {
    model_.reset();
    sql("DROP OWNED BY " + role_ + "; DROP ROLE " + role_);
  }
  // A password has its place here.
  ReadModel& as_role(const std::string& options = {}) {
    model_ = connect(replaced(url(), "user=postgres", "user=" + role_ + options));
    return *model_;
  }
  // What a projector needs, and no more.
  void grant_writing() const {
    sql("GRANT USAGE ON SCHEMA public, tenantry TO " + role_ +
        "; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, tenantry TO " +
        role_ + "; GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO " + role_);
  }

  const std::string role_ = "role_" + database_name();

 private:
  std::unique_ptr<ReadModel> model_;
};

class PostgresPasswordTest : public PostgresRoleTest {
 protected:
  void SetUp() override {
    PostgresRoleTest::SetUp();
    ::unsetenv("PGPASSWORD");
    // Tests run side by side on one server, and the role is for all of them.
    sql("DO $$ BEGIN CREATE ROLE asks_password;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
    sql("CREATE ROLE " + role_ + " LOGIN PASSWORD 'right' IN ROLE asks_password");
  }
};

TEST_F(PostgresPasswordTest, AWrongPasswordIsUnavailableAndNotRepeated) {
  EXPECT_THAT(unavailable_for_all(as_role("&password=hunter2")),
              AllOf(HasSubstr("password authentication failed"), HasSubstr("PGPASSWORD"),
                    Not(HasSubstr("hunter2"))));
}

TEST_F(PostgresPasswordTest, APasswordThatIsMissingIsAskedFor) {
  EXPECT_THAT(unavailable_for_all(as_role("&passfile=/nowhere/at/all")),
              AllOf(HasSubstr("no password supplied"), HasSubstr("PGPASSWORD")));
}

// --- Rights ---

class PostgresRightsTest : public PostgresRoleTest {
 protected:
  void SetUp() override {
    PostgresRoleTest::SetUp();
    sql("CREATE ROLE " + role_ + " LOGIN");
  }
};

TEST_F(PostgresRightsTest, ARoleThatMayWriteRowsOnlyCanProjectRebuildAndVerify) {
  run_rebuild();
  grant_writing();
  log_.register_user(77, "zoe");
  ReadModel& model = as_role();
  EXPECT_EQ(std::get<Projected>(project(log_, model, {})).events, 1U);
  sql("UPDATE auth_user SET email = 'edited'");
  EXPECT_TRUE(std::get<Certificate>(rebuild(log_, model, {})).correct());
  EXPECT_TRUE(verify(log_, log_.state_at(), model, {}).equal());
}

TEST_F(PostgresRightsTest, WhoMayNotMakeTablesIsToldWhatToGrant) {
  EXPECT_THAT(unavailable([&] { (void)project(log_, as_role(), {}); }),
              HasSubstr("GRANT USAGE, CREATE ON SCHEMA public TO"));
  EXPECT_THAT(unavailable([&] { (void)rebuild(log_, as_role(), {}); }),
              HasSubstr("GRANT CREATE ON DATABASE " + database_name() + " TO"));
  EXPECT_TRUE(database_->untouched());
}

struct Right {
  std::string revoked;
  std::string hint;
};
std::ostream& operator<<(std::ostream& out, const Right& right) { return out << right.revoked; }
class PostgresRefusalTest : public PostgresRightsTest {
 protected:
  void expect_refusal(const Right& right) {
    run_rebuild();
    grant_writing();
    log_.register_user(77, "zoe");
    sql("UPDATE auth_user SET email = 'edited'");
    const std::string before = everything();
    sql("REVOKE " + right.revoked + " FROM PUBLIC, " + role_);
    EXPECT_THAT(unavailable([&] { (void)rebuild(log_, as_role(), {}); }),
                HasSubstr("GRANT " + right.hint));
    EXPECT_EQ(everything(), before);
    EXPECT_TRUE(run_rebuild().correct()) << "the owner goes on";
  }
};

TEST_F(PostgresRefusalTest, ARebuildNeedsTemporaryTables) {
  expect_refusal(
      {"TEMPORARY ON DATABASE " + database_name(), "TEMPORARY ON DATABASE \"" + database_name()});
}

class PostgresMissingRightTest : public PostgresRefusalTest,
                                 public ::testing::WithParamInterface<Right> {};

TEST_P(PostgresMissingRightTest, IsNamedAndNothingIsDone) { expect_refusal(GetParam()); }
INSTANTIATE_TEST_SUITE_P(
    Rights, PostgresMissingRightTest,
    ::testing::Values(Right{"USAGE ON SCHEMA tenantry", "USAGE, CREATE ON SCHEMA tenantry TO"},
                      Right{"SELECT ON tenantry.mark",
                            "SELECT, INSERT, UPDATE, DELETE ON TABLE tenantry.mark TO"},
                      Right{"UPDATE ON tenantry.mark",
                            "SELECT, INSERT, UPDATE, DELETE ON TABLE tenantry.mark TO"},
                      Right{"INSERT ON auth_user",
                            "SELECT, INSERT, UPDATE, DELETE ON TABLE auth_user TO"},
                      Right{"ALL ON SEQUENCE auth_user_id_seq",
                            "SELECT, UPDATE ON SEQUENCE auth_user_id_seq TO"}));

// --- A server that refuses ---

TEST_F(PostgresFaultsTest, ADatabaseThatIsSetToReadOnlyIsReadAndNotWritten) {
  run_rebuild();
  const std::string before = everything();
  log_.register_user(77, "zoe");
  set("default_transaction_read_only = on");
  reopen();
  const auto refused = AllOf(HasSubstr("read-only transaction"), HasSubstr("set to read only"));
  EXPECT_THAT(unavailable([&] { run_projector(); }), refused);
  EXPECT_THAT(unavailable([&] { run_rebuild(); }), refused);
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(everything(), before);
  const PostgresDatabase other;
  other.execute("ALTER DATABASE " + database_name() + " RESET ALL");
  reopen();
  expect_going_on();
}

// Another session in a transaction of its own.
class Holder {
 public:
  Holder(const std::string& url, const std::string& statement) : connection_(url) {
    transaction_.exec(statement);
  }

 private:
  pqxx::connection connection_;
  pqxx::work transaction_{connection_};
};

TEST_F(PostgresFaultsTest, AMarkThatAnotherHoldsIsUnavailable) {
  run_rebuild();
  log_.register_user(77, "zoe");
  const std::string before = everything();
  {
    const Holder holder(url(), "SELECT * FROM tenantry.mark FOR UPDATE");
    const auto told = AllOf(HasSubstr("lock timeout"), HasSubstr("is at work"));
    EXPECT_THAT(unavailable([&] { run_projector(); }), told);
    EXPECT_THAT(unavailable([&] { run_rebuild(); }), told);
    EXPECT_TRUE(run_verify().equal()) << "reading waits for nobody";
  }
  EXPECT_EQ(everything(), before);
  expect_going_on();
}

TEST_F(PostgresFaultsTest, TablesThatAnotherLocksAreUnavailable) {
  run_rebuild();
  log_.register_user(77, "zoe");
  set("statement_timeout = 4000");  // More than what anybody waits for a lock.
  reopen();
  {
    const Holder holder(url(), "LOCK TABLE auth_user");
    EXPECT_THAT(unavailable_for_all(target()),
                AllOf(HasSubstr("lock timeout"), HasSubstr("is at work")));
  }
  expect_going_on();
}

TEST_F(PostgresFaultsTest, RowsThatAnotherLocksHoldABatchBack) {
  run_rebuild();
  log_.register_user(77, "zoe");
  log_.rename_user(1, "anna");
  const std::string before = everything();
  {
    const Holder holder(url(), "SELECT * FROM auth_user FOR UPDATE");
    EXPECT_THAT(unavailable([&] { run_projector(); }), HasSubstr("lock timeout"));
  }
  EXPECT_EQ(everything(), before);
  expect_going_on();
}

TEST_F(PostgresFaultsTest, AStatementThatTakesTooLongIsUnavailable) {
  run_rebuild();
  log_.rename_user(1, "anna");
  const std::string before = everything();
  set("statement_timeout = 150");  // Less than what we wait for a lock.
  reopen();
  {
    const Holder holder(url(), "SELECT * FROM auth_user FOR UPDATE");
    EXPECT_THAT(unavailable([&] { run_projector(); }),
                AllOf(HasSubstr("statement timeout"), HasSubstr("SET statement_timeout = 0")));
  }
  reset_settings();
  EXPECT_EQ(everything(), before);
  expect_going_on();
}

TEST_F(PostgresFaultsTest, SessionsThatEndBetweenTwoBatchesOrRunsAreReplaced) {
  run_projector();
  log_.register_user(77, "zoe");
  log_.register_user(78, "zed");
  end_sessions();
  ProjectOptions options{.batch_events = 1};
  options.progress = [&](const ProjectProgress&) { end_sessions(); };
  EXPECT_EQ(run_projector(options).events, 2U);
  EXPECT_TRUE(run_verify().equal());
}

// A limit of the server is no fault that passes: trying again does not help.
TEST_F(PostgresFaultsTest, AValueThatTheServerCannotStoreStopsIt) {
  run_rebuild();
  std::mt19937_64 random(5);
  std::string name;  // That no compression makes fit into an index.
  for (int i = 0; i < 12'000; ++i) name += static_cast<char>('!' + random() % 90);
  sql("ALTER TABLE core_protein ALTER COLUMN name TYPE text");
  const auto begun = target().begin(*target().probe().mark);
  const auto& batch = std::get<std::unique_ptr<Batch>>(begun);
  events::RowChange change;
  change.table = events::find_table("core_protein");
  change.effect = events::Effect::PATCH;
  change.id = events::entity_key(std::int64_t{7});
  for (std::size_t place = 0; place < change.table->columns.size(); ++place) {
    if (change.table->columns[place].name == "name") change.columns.emplace_back(place, name);
  }
  EXPECT_EQ(usage_code([&] {
              batch->apply(change);
              batch->commit(*target().probe().mark);
            }),
            "read_model_conflict");
}

// --- A full disk ---

// A file system of a few megabytes, as a tablespace.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& name) : name_(name) {
    const passwd* const owner = ::getpwnam("postgres");
    if (owner == nullptr || ::geteuid() != 0) {
      why_not_ = "only root mounts file systems";
      return;
    }
    owner_ = ",uid=" + std::to_string(owner->pw_uid) + ",mode=0700";
    mounted_ = ::mount("none", directory_.path().c_str(), "tmpfs", 0, options(2).c_str()) == 0;
    if (!mounted_) {
      why_not_ = "no file system can be mounted here";
      return;
    }
    admin_.execute("CREATE TABLESPACE " + name_ + " LOCATION '" + directory_.path().string() + "'");
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (!mounted_) return;
    try {
      admin_.execute("DROP TABLESPACE " + name_);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  void grow() const {
    ASSERT_EQ(::mount("none", directory_.path().c_str(), "tmpfs", MS_REMOUNT, options(64).c_str()),
              0);
  }

 private:
  [[nodiscard]] std::string options(int megabytes) const {
    return "size=" + std::to_string(megabytes) + "m" + owner_;
  }

  std::string name_;
  std::string owner_;
  std::string why_not_;
  TempDirectory directory_;
  bool mounted_ = false;
  PostgresDatabase admin_;
};

class PostgresFullDiskTest : public PostgresFaultsTest {
 protected:
  void SetUp() override {
    PostgresFaultsTest::SetUp();
    if (!disk_->why_not().empty()) GTEST_SKIP() << disk_->why_not();
  }
  void TearDown() override {
    drop();  // What is in the tablespace goes first.
    disk_.reset();
  }
  // Four megabytes that no compression makes smaller.
  void append_much() {
    std::mt19937_64 random(7);
    for (std::int32_t id = 100; id < 130; ++id) {
      std::string document = "\"";
      while (document.size() < (std::size_t{150} << 10)) document += std::to_string(random());
      log_.register_user(id, "u" + std::to_string(id));
      log_.create_preferences(id, id, document + "\"");
    }
  }

  const std::string name_ = "small_" + database_name();
  std::optional<SmallDisk> disk_{std::in_place, name_};
};

MATCHER(TellsOfAFullDisk, "") {
  return arg.find("No space left on device") != std::string::npos &&
         arg.find("free space on the server's disk") != std::string::npos;
}

TEST_F(PostgresFullDiskTest, StopsAProjectionBetweenTransactions) {
  set("default_tablespace = " + name_);
  const Position before = run_projector().mark.position;
  append_much();
  EXPECT_THAT(unavailable([&] { run_projector({.batch_events = 4}); }), TellsOfAFullDisk());
  EXPECT_GT(target().probe().mark->position, before);
  EXPECT_TRUE(run_verify().equal()) << "what was committed is whole";
  disk_->grow();
  expect_going_on();
}

TEST_F(PostgresFullDiskTest, LeavesNothingOfAFreshRebuild) {
  set("default_tablespace = " + name_);
  append_much();
  EXPECT_THAT(unavailable([&] { run_rebuild(); }), TellsOfAFullDisk());
  EXPECT_TRUE(database_->untouched());
  disk_->grow();
  EXPECT_TRUE(run_rebuild().correct());
}

TEST_F(PostgresFullDiskTest, LeavesAnInPlaceRebuildAsItWas) {
  run_rebuild();
  append_much();
  const std::string before = everything();
  set("temp_tablespaces = " + name_);
  EXPECT_THAT(unavailable([&] { run_rebuild(); }), TellsOfAFullDisk());
  EXPECT_EQ(everything(), before);
  disk_->grow();
  EXPECT_TRUE(run_rebuild().correct());
}

// --- A connection that is lost ---

const std::string kCommit("COMMIT\0", 7);  // And not `ON COMMIT DROP`, `READ COMMITTED`.

class PostgresCutsTest : public PostgresFaultsTest {
 protected:
  ReadModel& through_proxy() {
    if (cut_target_ == nullptr) cut_target_ = connect(proxy_.url_of(url()));
    return *cut_target_;
  }
  // Whether `call` met a fault. When it is over, so are its sessions in the server: what they did
  // last has happened, or will not.
  template <class Call>
  bool fails(Call&& call) {
    std::string fault;
    try {
      call();
    } catch (const UnavailableError& error) {
      fault = error.what();
      EXPECT_FALSE(error.hint().empty()) << fault;
    }
    was_cut_ = proxy_.take_cut();
    EXPECT_TRUE(was_cut_ || fault.empty()) << fault;
    if (was_cut_) {
      end_sessions();
      proxy_.await_ends();
    }
    return !fault.empty();
  }
  void close_proxied() { cut_target_.reset(); }
  bool projection_fails() {
    return fails([&] { (void)project(log_, through_proxy(), {.batch_events = 4}); });
  }
  bool rebuild_fails() {
    return fails([&] { (void)rebuild(log_, through_proxy(), {}); });
  }
  void expect_nothing_left_over() {
    EXPECT_EQ(query("SELECT (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tenantry\\_%')"
                    " + (SELECT count(*) FROM pg_class WHERE relname LIKE 'tenantry\\_%')"),
              "0");
  }
  void expect_the_same_object_to_go_on() {
    const auto done = std::get<Projected>(project(log_, through_proxy(), {}));
    EXPECT_EQ(done.mark.position, log_.end());
    EXPECT_TRUE(verify(log_, log_.state_at(), through_proxy(), {}).equal());
  }

  CuttingProxy proxy_{url()};
  bool was_cut_ = false;

 private:
  std::unique_ptr<ReadModel> cut_target_;
};

TEST_F(PostgresCutsTest, BeforeACommitNothingIsDone) {
  run_rebuild();
  const std::string before = everything();
  log_.register_user(77, "zoe");
  proxy_.cut_before(kCommit);
  EXPECT_TRUE(projection_fails());
  EXPECT_EQ(everything(), before);
  expect_the_same_object_to_go_on();
}

TEST_F(PostgresCutsTest, DuringACommitTheMarkSaysWhatBecameOfIt) {
  run_rebuild();
  log_.register_user(77, "zoe");
  proxy_.cut_after_answer_to(kCommit);
  EXPECT_TRUE(projection_fails());
  EXPECT_EQ(target().probe().mark->position, log_.end());
  EXPECT_TRUE(run_verify().equal());
  EXPECT_EQ(std::get<Projected>(project(log_, through_proxy(), {})).events, 0U);
}

TEST_F(PostgresCutsTest, DuringTheCommitOfARebuildItIsDoneWhole) {
  proxy_.cut_after_answer_to(kCommit);
  EXPECT_TRUE(rebuild_fails());
  EXPECT_TRUE(run_verify().equal());
  expect_nothing_left_over();
  expect_the_same_object_to_go_on();
}

// Several places, from the first byte to the last, in one direction.
class PostgresCutsEverywhereTest : public PostgresCutsTest,
                                   public ::testing::WithParamInterface<CuttingProxy::Way> {
 protected:
  static constexpr std::size_t kSteps = 6;
  static constexpr int kCutsMin = 4;

  // What lies between two places, when `call` is cut.
  template <class Call>
  std::size_t step_of(Call&& call) {
    through_proxy();
    static_cast<void>(proxy_.take_carried(GetParam()));
    EXPECT_FALSE(call());
    const std::size_t step = proxy_.take_carried(GetParam()) / kSteps;
    close_proxied();  // Each run then begins with connecting.
    return step;
  }

  // `append` makes events, and `call` projects them.
  void expect_projections_at_their_marks(const std::function<void()>& append,
                                         const std::function<bool()>& call) {
    run_projector();
    append();
    const std::size_t step = step_of(call);
    int cuts = 0;
    for (std::size_t bytes = 1;; bytes += step) {
      append();
      proxy_.cut_after(GetParam(), bytes);
      call();
      EXPECT_TRUE(run_verify().equal()) << bytes;
      if (!was_cut_) break;
      ++cuts;
      expect_the_same_object_to_go_on();
      close_proxied();
    }
    EXPECT_GE(cuts, kCutsMin);
  }
};

TEST_P(PostgresCutsEverywhereTest, AProjectionIsAtItsMarkAndGoesOn) {
  constexpr std::uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  expect_projections_at_their_marks([&] { log_.append_random(random, 9); },
                                    [&] { return projection_fails(); });
}

// Rows that travel as arrays.
TEST_P(PostgresCutsEverywhereTest, AProjectionOfManyNewRowsIsAtItsMarkAndGoesOn) {
  std::int32_t next = 100;
  const auto add_proteins = [&] {
    for (const std::int32_t end = next + 40; next < end; ++next) {
      log_.append([next](events::Event::Builder event) {
        auto fact = event.initProteinAdded();
        fact.setId(next);
        fact.setName("protein" + std::to_string(next));
      });
    }
  };
  expect_projections_at_their_marks(
      add_proteins, [&] { return fails([&] { (void)project(log_, through_proxy(), {}); }); });
}

TEST_P(PostgresCutsEverywhereTest, AFreshRebuildIsThereWholeOrNotAtAll) {
  const std::size_t step = step_of([&] { return rebuild_fails(); });
  drop();
  int cuts = 0;
  for (std::size_t bytes = 1; target().probe().presence == Presence::kAbsent; bytes += step) {
    EXPECT_TRUE(database_->untouched()) << bytes;
    proxy_.cut_after(GetParam(), bytes);
    rebuild_fails();
    cuts += was_cut_ ? 1 : 0;
  }
  EXPECT_GE(cuts, kCutsMin / 2) << "the rest is reading it back";
  EXPECT_TRUE(run_verify().equal());
  expect_nothing_left_over();
  expect_the_same_object_to_go_on();
}

TEST_P(PostgresCutsEverywhereTest, AnInPlaceRebuildHappensWholeOrNotAtAll) {
  run_rebuild();
  const std::size_t step = step_of([&] { return rebuild_fails(); });
  int cuts = 0;
  for (std::size_t bytes = 1;; bytes += step) {
    sql("UPDATE auth_user SET email = 'edited'");
    const std::string before = everything();
    proxy_.cut_after(GetParam(), bytes);
    rebuild_fails();
    if (everything() != before) {
      EXPECT_TRUE(run_verify().equal()) << bytes;
    }
    expect_nothing_left_over();
    if (!was_cut_) break;
    ++cuts;
  }
  EXPECT_GE(cuts, kCutsMin);
  expect_the_same_object_to_go_on();
}

TEST_P(PostgresCutsEverywhereTest, AVerificationFailsOrIsRight) {
  run_rebuild();
  sql("UPDATE auth_user SET email = 'edited' WHERE id = 1");
  const auto verification_fails = [&] {
    return fails([&] { EXPECT_FALSE(verify(log_, log_.state_at(), through_proxy(), {}).equal()); });
  };
  const std::size_t step = step_of(verification_fails);
  int cuts = 0;
  for (std::size_t bytes = 1;; bytes += step) {
    proxy_.cut_after(GetParam(), bytes);
    verification_fails();
    if (!was_cut_) break;
    ++cuts;
  }
  EXPECT_GE(cuts, kCutsMin);
}

INSTANTIATE_TEST_SUITE_P(Ways, PostgresCutsEverywhereTest,
                         ::testing::Values(CuttingProxy::Way::kToServer,
                                           CuttingProxy::Way::kToClient),
                         [](const auto& each) {
                           return each.param == CuttingProxy::Way::kToServer ? "ToServer"
                                                                             : "ToClient";
                         });

}  // namespace
}  // namespace tenantry::projections
