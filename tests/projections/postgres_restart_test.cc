#include <cstdlib>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>
#include <pqxx/pqxx>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "projections/postgres/postgres_read_model.h"
#include "projections/projector.h"
#include "projections/verify.h"
#include "tests/projections/fake_log.h"
#include "tests/support/temp_directory.h"

namespace tenantry::projections {
namespace {

// A server of this test alone, which may crash.
class OwnServer {
 public:
  OwnServer() {
    EXPECT_EQ(::chmod(directory_.path().c_str(), 0711), 0);  // The server has a user of its own.
    run(script("start") + " >/dev/null");
    std::ifstream(path_ + "/url") >> url_;
    pqxx::connection connection(url_);
    pqxx::nontransaction transaction(connection);
    programs_ = transaction.exec1("SELECT setting FROM pg_config WHERE name = 'BINDIR'")[0].c_str();
  }
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;
  ~OwnServer() { run(script("stop")); }

  [[nodiscard]] const std::string& url() const { return url_; }
  // Without a word to anybody, as after a loss of power.
  void crash_and_start() const { run(control("-m immediate restart")); }
  void stop() const { run(control("-m immediate stop")); }
  void start() const { run(control("start")); }

 private:
  static void run(const std::string& command) {
    EXPECT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(cert-env33-c): fixed words.
  }
  [[nodiscard]] std::string script(const std::string& verb) const {
    return TENANTRY_SOURCE_DIR "/tools/postgres.sh " + verb + " " + path_;
  }
  [[nodiscard]] std::string control(const std::string& verb) const {
    return "cd " + path_ + " && " + (::geteuid() == 0 ? "runuser -u postgres -- " : "") +
           programs_ + "/pg_ctl -s -w -D data -l log " + verb;
  }

  TempDirectory directory_;
  std::string path_ = (directory_ / "pg").string();
  std::string url_;
  std::string programs_;
};

// Batches that were committed may be lost in a crash, whole and from the end: the mark says so.
TEST(PostgresRestartTest, AfterEachCrashTheRowsAreThoseOfTheMarkAndTheProjectorGoesOn) {
  constexpr std::uint64_t kSeed = 17;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const OwnServer server;
  FakeLog log;
  const auto model = open_postgres_read_model({.connection = server.url()});
  for (int crash = 0; crash < 3; ++crash) {
    log.append_random(random, 60);
    ProjectOptions options{.batch_events = 7};
    bool crashed = false;
    options.progress = [&](const ProjectProgress&) {
      if (!std::exchange(crashed, true)) server.crash_and_start();
    };
    // Fenced where the last batch is lost, else it has not noticed.
    static_cast<void>(project(log, *model, options));
    ASSERT_TRUE(crashed);
    EXPECT_TRUE(verify(log, log.state_at(), *model, {}).equal());
    const auto done = std::get<Projected>(project(log, *model, {}));
    EXPECT_EQ(done.mark.position, log.end());
    EXPECT_TRUE(verify(log, log.state_at(), *model, {}).equal());
  }
  server.stop();
  log.append_random(random, 20);
  EXPECT_THROW(static_cast<void>(project(log, *model, {})), UnavailableError);
  server.start();
  EXPECT_EQ(std::get<Projected>(project(log, *model, {})).mark.position, log.end());
  EXPECT_TRUE(verify(log, log.state_at(), *model, {}).equal());
}

}  // namespace
}  // namespace tenantry::projections
