#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include <sys/stat.h>

#include "core/backup.h"
#include "core/catalogue.h"
#include "core/error.h"
#include "core/segment.h"
#include "core/store_files.h"
#include "tests/core/reading_test_base.h"

// What lies in archives and backups, and what is listed of them, leads nowhere else: neither to
// reading what is not theirs nor to removing it.
namespace tenantry {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kSecret = "what others keep";

class HostileArchiveTest : public ReadingTestBase {
 protected:
  HostileArchiveTest() {
    std::ofstream(others()) << kSecret;
    run_all(history_of(3, 40));
    EXPECT_THAT(store().squash({}, {}).scopes, Not(IsEmpty()));
  }

  [[nodiscard]] fs::path archive() const { return directory() / "archive"; }
  [[nodiscard]] fs::path others() const { return temp_ / "others"; }
  [[nodiscard]] fs::path backup() const { return temp_ / "backup"; }

  static fs::path file_in(const fs::path& archive, bool is_snapshot) {
    for (const auto& entry : fs::directory_iterator(archive)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".tseg") continue;
      if (name.starts_with("tenants-snapshot-")) {
        if (is_snapshot) return entry;
      } else if (name.starts_with("tenants-") && !is_snapshot) {
        return entry;
      }
    }
    ADD_FAILURE() << "no such file";
    return {};
  }
  static fs::path segment_in(const fs::path& archive) { return file_in(archive, false); }
  // Made when it is first asked for.
  fs::path segment_of_another_store() {
    const fs::path place = temp_ / "another";
    if (!fs::exists(place)) {
      init_store(place, clock_, ids_);
      const auto another = open_store({.directory = place}, clock_, ids_);
      const std::vector<events::CommandRequest> command = {request(
          "{'command':'create_tenant','data':{'name':'A','slug':'a','contact_email':'a@a.io'}}")};
      EXPECT_EQ(brief(another->submit(command, {}).at(0)).substr(0, 1), "1");
      (void)another->squash({}, {});
    }
    return segment_in(place / "archive");
  }
  // What may lie where a file was, by its name.
  [[nodiscard]] std::vector<std::pair<std::string, std::function<void(const fs::path&)>>>
  in_its_place() const {
    return {
        {"a link to its own bytes",
         [this](const fs::path& path) {
           fs::copy_file(path, others(), fs::copy_options::overwrite_existing);
           fs::remove(path);
           fs::create_symlink(others(), path);
         }},
        {"a link to nothing",
         [](const fs::path& path) {
           fs::remove(path);
           fs::create_symlink("nowhere", path);
         }},
        {"a device",
         [](const fs::path& path) {
           fs::remove(path);
           fs::create_symlink("/dev/zero", path);
         }},
        {"a pipe",
         [](const fs::path& path) {
           fs::remove(path);
           ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
         }},
        {"a directory",
         [](const fs::path& path) {
           fs::remove(path);
           fs::create_directory(path);
         }},
    };
  }
  // What it ends with; empty if it ends well.
  static std::string told(const std::function<void()>& act) {
    try {
      act();
      return {};
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }
  RestoreReport restore() {
    RestoreOptions options;
    options.backup = backup();
    options.directory = temp_ / "restored";
    return restore_store(options, clock_, ids_, {});
  }
  [[nodiscard]] bool others_are_as_they_were() const {
    std::ifstream file(others());
    std::string content;
    return std::getline(file, content) && content == kSecret;
  }
  void change_catalogue(const std::function<void(ChangeSet&, Catalogue&)>& change) {
    close();
    {
      const auto storage = open_rocks_storage({.directory = directory() / "db"});
      Catalogue catalogue = read_catalogue(*storage);
      ChangeSet changes;
      change(changes, catalogue);
      ASSERT_EQ(storage->write(changes, true), WriteResult::kDone);
    }
  }
};

TEST_F(HostileArchiveTest, WhatOthersPutThereStays) {
  const fs::path sealed = archive() / "tenants-1-5-0123456789abcdef.tseg";
  const fs::path ours =
      archive() / (events::format_uuid(store().identity().store) + "-tenants-0.tmp");
  fs::create_directory(archive() / "lost+found");
  std::vector<fs::path> theirs;
  for (const char* name :
       {"notes.txt", "x.tmp", "tenants.tseg", "tenants-1-5-0123456789abcdef.tseg.gz"}) {
    theirs.push_back(archive() / name);
  }
  for (const fs::path& path : theirs) std::ofstream(path) << kSecret;
  std::ofstream(ours) << "of a squash that failed";
  fs::copy_file(segment_in(archive()), sealed);
  // Another store has its archive there too.
  const fs::path of_another = archive() / segment_of_another_store().filename();
  fs::copy_file(segment_of_another_store(), of_another);
  theirs.push_back(of_another);
  theirs.push_back(archive() / "core-1-5-0123456789abcdef.tseg");
  std::ofstream(theirs.back()) << "what nobody can read";

  run_all(history_of(4, 20));
  EXPECT_THAT(store().squash({}, {}).scopes, Not(IsEmpty()));
  reopen();
  for (const fs::path& path : theirs) EXPECT_TRUE(fs::exists(path)) << path;
  EXPECT_TRUE(fs::exists(archive() / "lost+found"));
  EXPECT_FALSE(fs::exists(sealed));
  EXPECT_FALSE(fs::exists(ours));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(HostileArchiveTest, OnlyAFileIsReadInTheArchive) {
  close();
  fs::copy(directory(), temp_ / "pristine", fs::copy_options::recursive);
  for (const bool is_snapshot : {false, true}) {
    for (const auto& [what, put] : in_its_place()) {
      const fs::path file = file_in(archive(), is_snapshot);
      SCOPED_TRACE(file.filename().string() + ": " + what);
      put(file);
      open();
      EXPECT_THAT(failed_checks(),
                  Contains(AllOf(HasSubstr(file.filename().string()), HasSubstr("is not a file"))));
      if (!is_snapshot) {
        EXPECT_THAT(told([&] { (void)events_of(store(), {}); }), HasSubstr("is not a file"));
      }
      EXPECT_NE(told([&] { (void)store().back_up(backup(), {}); }), "");
      EXPECT_FALSE(fs::exists(backup()));
      close();
      fs::remove_all(directory());
      fs::copy(temp_ / "pristine", directory(), fs::copy_options::recursive);
    }
  }
  open();
  EXPECT_THAT(failed_checks(), IsEmpty());
}

// It would be refused from then on.
TEST_F(HostileArchiveTest, AnArchiveIsNamedFromTheRoot) {
  SquashOptions options;
  options.archive = "elsewhere";
  EXPECT_EQ(usage_code([&] { (void)store().squash(options, {}); }), "usage");
  EXPECT_EQ(usage_code([&] { (void)store().plan_squash(options, {}); }), "usage");
  reopen();
  EXPECT_THAT(failed_checks(), IsEmpty());
}

TEST_F(HostileArchiveTest, OnlyFilesAreRestoredFromABackup) {
  (void)store().back_up(backup(), {});
  close();
  fs::copy(backup(), temp_ / "pristine", fs::copy_options::recursive);
  for (const fs::path& of : {backup() / "archive", backup() / "db"}) {
    for (const auto& [what, put] : in_its_place()) {
      SCOPED_TRACE(of.filename().string() + ": " + what);
      const fs::path file = of.filename() == "db" ? of / "CURRENT" : segment_in(of);
      put(file);
      EXPECT_THAT(told([&] { (void)restore(); }),
                  AllOf(HasSubstr(file.string()), HasSubstr("is not a file")));
      EXPECT_FALSE(fs::exists(temp_ / "restored"));
      fs::remove_all(backup());
      fs::copy(temp_ / "pristine", backup(), fs::copy_options::recursive);
    }
  }
  EXPECT_EQ(told([&] { (void)restore(); }), "");
}

TEST_F(HostileArchiveTest, NoPipeInTheStoreIsWaitedFor) {
  close();
  for (const char* const name : {"FORMAT", "ack", "OWNER.lock"}) {
    SCOPED_TRACE(name);
    const fs::path file = directory() / name;
    const fs::path aside = temp_ / "aside";
    fs::rename(file, aside);
    ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
    EXPECT_THAT(told([&] { open(); }), HasSubstr(file.string() + " is not a file, but a pipe"));
    fs::remove(file);
    fs::rename(aside, file);
  }
  open();
  EXPECT_THAT(failed_checks(), IsEmpty());
}

// A database that says so was not written by us; what is listed may be removed one day.
TEST_F(HostileArchiveTest, AListedNameThatLeadsElsewhereIsRefused) {
  change_catalogue([&](ChangeSet& changes, Catalogue& catalogue) {
    ArchiveSegment segment = catalogue.scopes.at(events::Scope::TENANTS).segments.at(0);
    segment.name = "../../others";
    put_segment(changes, events::Scope::TENANTS, segment);
  });
  EXPECT_THAT(told([&] { open(); }), AllOf(HasSubstr("scope tenants"), HasSubstr("../../others")));
  EXPECT_TRUE(others_are_as_they_were());
}

TEST_F(HostileArchiveTest, AListedSnapshotThatLeadsElsewhereIsRefused) {
  change_catalogue([&](ChangeSet& changes, Catalogue& catalogue) {
    Snapshot snapshot = catalogue.scopes.at(events::Scope::TENANTS).snapshots.at(0);
    snapshot.name = others().string();
    put_snapshot(changes, events::Scope::TENANTS, snapshot);
  });
  EXPECT_THAT(told([&] { open(); }), AllOf(HasSubstr("scope tenants"), HasSubstr("others")));
  EXPECT_TRUE(others_are_as_they_were());
}

TEST_F(HostileArchiveTest, AListedDirectoryThatDependsOnWhereOneIsIsRefused) {
  change_catalogue([&](ChangeSet& changes, Catalogue& catalogue) {
    ArchiveSegment segment = catalogue.scopes.at(events::Scope::TENANTS).segments.at(0);
    segment.directory = "../..";
    put_segment(changes, events::Scope::TENANTS, segment);
  });
  EXPECT_THAT(told([&] { open(); }), HasSubstr("no absolute path"));
}

// The chain of the store's own events vouches for what is listed.
TEST_F(HostileArchiveTest, WhatNoEventTellsOfIsDamage) {
  change_catalogue([&](ChangeSet& changes, Catalogue& catalogue) {
    Snapshot snapshot = catalogue.scopes.at(events::Scope::TENANTS).snapshots.at(0);
    const fs::path file = archive() / snapshot.name;
    remove_snapshot(changes, events::Scope::TENANTS, snapshot);
    snapshot.content_digest[0] ^= 1U;
    snapshot.name = snapshot_name(events::Scope::TENANTS, snapshot.at.seq, snapshot.content_digest);
    put_snapshot(changes, events::Scope::TENANTS, snapshot);
    fs::rename(file, archive() / snapshot.name);
  });
  open();
  EXPECT_THAT(failed_checks(),
              Contains(HasSubstr("is not the file that the store's archive lists")));
  std::vector<std::string> problems;
  for (const CheckResult& check : store().verify(VerifyDepth::kFull, {})) {
    problems.insert(problems.end(), check.problems.begin(), check.problems.end());
  }
  EXPECT_THAT(problems, Contains("scope tenants: its snapshot is not the one that was told of"));
}

TEST_F(HostileArchiveTest, AScopeThatForgetsItsSquashIsRefused) {
  change_catalogue([&](ChangeSet& changes, Catalogue& catalogue) {
    for (const auto& segment : catalogue.scopes.at(events::Scope::TENANTS).segments) {
      remove_segment(changes, events::Scope::TENANTS, segment);
    }
    put_base(changes, events::Scope::TENANTS, {});
  });
  EXPECT_THAT(told([&] { open(); }), HasSubstr("scope tenants: the log has no events"));
}

// A squash that died tells which of its files may go. Others are not its own.
TEST_F(HostileArchiveTest, ADeadSquashTakesNoFileOfOthersWithIt) {
  const fs::path left = temp_ / "tenants-1-5-0123456789abcdef.tseg";
  const fs::path of_another = temp_ / segment_of_another_store().filename();
  fs::copy_file(segment_in(archive()), left);
  fs::copy_file(segment_of_another_store(), of_another);
  change_catalogue([&](ChangeSet& changes, Catalogue& /*catalogue*/) {
    SquashJob job;
    job.directory = temp_.path().string();
    job.files = {"others", left.string(), others().string(), of_another.filename().string()};
    put_job(changes, job);
  });
  open();
  EXPECT_TRUE(others_are_as_they_were());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(of_another));
  EXPECT_THAT(failed_checks(), IsEmpty());
}

}  // namespace
}  // namespace tenantry
