#include "core/backup.h"

#include <algorithm>
#include <ranges>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <capnp/message.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/event_appender.h"
#include "core/file_damage.h"
#include "core/file_ops.h"
#include "core/fixed_data.h"
#include "core/format.capnp.h"
#include "core/hash.h"
#include "core/store_files.h"
#include "core/unfinished_directory.h"
#include "core/verify.h"
#include "core/version.h"
#include "events/store_events.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBackupName = "BACKUP";
constexpr const char* kDatabaseName = "db";
constexpr const char* kArchiveName = "archive";
constexpr int kNotFoundExit = 5;
constexpr int kConflictExit = 4;

struct BackupFile {
  std::string name;
  std::uint64_t bytes = 0;
};

// What BACKUP says.
struct Backup {
  BackupReport report;
  std::uint16_t format_major = kFormatMajor;
  std::uint16_t format_minor = kFormatMinor;
  std::uint64_t term = 0;
  std::uint64_t batch_seq = 0;
  std::vector<BackupFile> files;
  std::vector<BackupFile> archive;
  std::uint64_t required_features = 0;
};

void write_files(capnp::List<format::BackupInfo::File>::Builder to,
                 const std::vector<BackupFile>& files) {
  for (unsigned int n = 0; n < to.size(); ++n) {
    to[n].setName(files[n].name);
    to[n].setBytes(files[n].bytes);
  }
}

std::vector<BackupFile> read_files(capnp::List<format::BackupInfo::File>::Reader from) {
  std::vector<BackupFile> files;
  for (const auto file : from) files.push_back({file.getName().cStr(), file.getBytes()});
  return files;
}

std::string encode_backup(const Backup& backup) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<format::BackupInfo>();
  const BackupReport& report = backup.report;
  root.setFormatMajor(backup.format_major);
  root.setFormatMinor(backup.format_minor);
  root.setStoreId(as_data(report.identity.store));
  root.setIncarnation(report.identity.incarnation);
  root.setTail(report.tail.value);
  root.setHeadDigest(as_data(report.head_digest));
  root.setTerm(backup.term);
  root.setBatchSeq(backup.batch_seq);
  root.setTakenAt(report.taken_at.micros);
  root.setMadeBy(kSoftwareVersion);
  root.setRequiredFeatures(backup.required_features);
  write_files(root.initFiles(static_cast<unsigned int>(backup.files.size())), backup.files);
  write_files(root.initArchive(static_cast<unsigned int>(backup.archive.size())), backup.archive);
  std::string bytes = events::encode_canonical(root.asReader());
  const Hash hash = sha256(bytes);
  bytes.append(hash.begin(), hash.end());
  return bytes;
}

Backup decode_backup(std::string_view bytes) {
  events::MessageView view(bytes);
  const auto root = view.root<format::BackupInfo>();
  Backup backup;
  backup.format_major = root.getFormatMajor();
  backup.format_minor = root.getFormatMinor();
  backup.report.identity.store = read_fixed<events::Uuid>(root.getStoreId(), kBackupName);
  backup.report.identity.incarnation = root.getIncarnation();
  backup.report.tail = {root.getTail()};
  backup.report.head_digest = read_fixed<Hash>(root.getHeadDigest(), kBackupName);
  backup.term = root.getTerm();
  backup.batch_seq = root.getBatchSeq();
  backup.report.taken_at = {root.getTakenAt()};
  backup.files = read_files(root.getFiles());
  backup.archive = read_files(root.getArchive());
  backup.required_features = root.getRequiredFeatures();
  return backup;
}

void count_files(Backup& backup) {
  backup.report.files = backup.files.size() + backup.archive.size();
  backup.report.bytes = 0;
  for (const auto& files : {backup.files, backup.archive}) {
    for (const BackupFile& file : files) backup.report.bytes += file.bytes;
  }
}

// A name that leads elsewhere is not one that a backup has.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

Backup read_backup(const fs::path& directory) {
  const fs::path path = directory / kBackupName;
  const auto bytes = read_file(path);
  if (!bytes) {
    throw UsageError("backup_not_found",
                     fmt::format("there is no backup in {}", directory.string()),
                     "name a directory that `tenantry backup` made", kNotFoundExit);
  }
  constexpr std::size_t kHashBytes = std::tuple_size_v<Hash>;
  const std::string_view content =
      std::string_view(*bytes).substr(0, bytes->size() - std::min(bytes->size(), kHashBytes));
  const Hash hash = sha256(content);
  if (!std::ranges::equal(std::string_view(*bytes).substr(content.size()), hash, {},
                          [](char c) { return static_cast<std::uint8_t>(c); })) {
    throw CorruptionError(path.string() + " is damaged");
  }
  try {
    Backup backup = decode_backup(content);
    backup.report.directory = directory;
    count_files(backup);
    return backup;
  } catch (const events::MalformedError& error) {
    throw CorruptionError(path.string() + ": " + error.what());
  } catch (const kj::Exception& error) {
    throw CorruptionError(path.string() + ": " + error.getDescription().cStr());
  }
}

void check_format(const Backup& backup) {
  if (backup.format_major == kFormatMajor && (backup.required_features & ~kFeaturesKnown) == 0) {
    return;
  }
  throw UsageError("store_format",
                   fmt::format("{} has format {}.{}; this tenantry {} reads format {}",
                               backup.report.directory.string(), backup.format_major,
                               backup.format_minor, kSoftwareVersion, kFormatMajor),
                   "restore it with the version that made it");
}

void require_vacant(const fs::path& directory) {
  if (would_make_store(directory)) return;
  throw UsageError("store_exists", "there is a store in " + directory.string(),
                   "nothing is overwritten: name another directory, or move that one away",
                   kConflictExit);
}

[[noreturn]] void throw_damaged(const fs::path& what, const std::string& why) {
  throw CorruptionError(what.string() + ": " + why);
}

void require_passed(const fs::path& what, const std::vector<CheckResult>& checks) {
  for (const CheckResult& check : checks) {
    if (check.passed) continue;
    throw_damaged(what, check.name + ": " +
                            (check.problems.empty() ? "does not hold" : check.problems.front()));
  }
}

// The files of a directory to which nobody writes.
std::vector<BackupFile> list_files(const fs::path& directory) {
  std::vector<BackupFile> files;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    files.push_back({at->path().filename().string(), at->file_size(error)});
    if (error) break;
  }
  if (error) throw_file_error("list", directory, error.value());
  std::ranges::sort(files, {}, &BackupFile::name);
  return files;
}

// Second names of the store's own sealed files that the copied database speaks of, or copies of
// them. Those elsewhere are left there.
void copy_archive(const BackupInput& input, const Catalogue& catalogue, const fs::path& to) {
  std::vector<std::string> names;
  for (const auto& [scope, of_scope] : catalogue.scopes) {
    for (const ArchiveSegment& segment : of_scope.segments) {
      if (segment.directory.empty()) names.push_back(segment.name);
    }
    for (const Snapshot& snapshot : of_scope.snapshots) names.push_back(snapshot.name);
  }
  if (names.empty()) return;
  make_private_directory(to);
  for (const std::string& name : names) {
    const fs::path from = StorePaths{input.store}.archive() / name;
    std::error_code error;
    // A second name of a link would lead out of the backup.
    if (!fs::is_regular_file(fs::symlink_status(from, error))) {
      throw_damaged(from, "is missing, or not a file");
    }
    fs::create_hard_link(from, to / name, error);
    if (error) copy_file_durably(from, to / name);
  }
  fsync_directory(to);
}

struct CheckedCopy {
  Head head;
  std::uint64_t features = 0;  // That it has.
};

// The copy must hold all that was durable before it was made, and nothing damaged.
CheckedCopy check_copy(const BackupInput& input, const fs::path& made, const Progress& progress) {
  const fs::path database = made / kDatabaseName;
  RocksOptions rocks;
  rocks.directory = database;
  rocks.read_only = true;
  const auto storage = input.disk.open_storage(rocks);
  Head head = stored_head(*storage);
  if (head.tail < input.head.tail || head.incarnation != input.head.incarnation) {
    throw_damaged(database, fmt::format("the copy ends at position {}, the log at {} or later",
                                        head.tail.value, input.head.tail.value));
  }
  const LogHistory history(made / kArchiveName, read_catalogue(*storage));
  const std::shared_ptr<const Catalogue> catalogue = history.now();
  check_log_end(*storage, input.info, head, *catalogue);
  copy_archive(input, *catalogue, history.archive());
  const std::vector<FileDamage> damaged = storage->damaged_files(progress);
  if (!damaged.empty()) throw_damaged(database, describe(damaged));
  const auto view = storage->read_view();
  require_passed(database,
                 verify_store({*storage, *view, input.info, head, history, made / "scratch"},
                              VerifyDepth::kQuick, progress));
  return {std::move(head), features_of(*catalogue)};
}

bool lies_in(const fs::path& directory, const fs::path& store) {
  const auto [end, rest] =
      std::mismatch(store.begin(), store.end(), directory.begin(), directory.end());
  return end == store.end();
}

// Missing, cut short or grown: what the checks of a store would call by other names. What leads
// out of the backup is no part of it.
void check_files(const std::vector<BackupFile>& files, const fs::path& directory) {
  for (const BackupFile& file : files) {
    const fs::path path = directory / file.name;
    if (!is_plain_name(file.name)) throw_damaged(path, "is no name of a backup's file");
    std::error_code error;
    const fs::file_status status = fs::symlink_status(path, error);
    if (status.type() == fs::file_type::none) throw_file_error("examine", path, error.value());
    if (!fs::exists(status)) throw_damaged(path, "is missing");
    if (!fs::is_regular_file(status)) throw_damaged(path, "is not a file");
    const std::uint64_t bytes = fs::file_size(path, error);
    if (error) throw_file_error("examine", path, error.value());
    if (bytes != file.bytes) {
      throw_damaged(path, fmt::format("has {} bytes, not {}", bytes, file.bytes));
    }
  }
}

void copy_files(const std::vector<BackupFile>& files, const fs::path& from, const fs::path& to,
                const Progress& progress) {
  if (files.empty()) return;
  make_private_directory(to);
  for (const BackupFile& file : files) {
    if (progress) progress(0, 0);  // It may throw.
    copy_file_durably(from / file.name, to / file.name);
  }
  fsync_directory(to);
}

Ack ack_of_backup(const Backup& backup) {
  Ack ack;
  ack.incarnation = backup.report.identity.incarnation;
  ack.term = backup.term;
  ack.batch_seq = backup.batch_seq;
  ack.tail = backup.report.tail.value;
  std::copy_n(backup.report.head_digest.begin(), ack.head_digest.size(), ack.head_digest.begin());
  return ack;
}

// What was copied is the store that the backup says it is, without a fault.
std::vector<CheckResult> check_restored(const Backup& backup, const fs::path& directory,
                                        const Clock& clock, const Disk& disk,
                                        const Progress& progress) {
  const OpenedStore opened = open_store_files({directory, /*read_only=*/true, {}, disk, {}}, clock);
  if (opened.info.id != backup.report.identity.store ||
      opened.head.incarnation != backup.report.identity.incarnation ||
      opened.head.tail != backup.report.tail ||
      head_digest(opened.info.id, opened.head) != backup.report.head_digest) {
    throw_damaged(backup.report.directory,
                  fmt::format("its database is not the one that {} speaks of", kBackupName));
  }
  const auto view = opened.storage->read_view();
  std::vector<CheckResult> checks = verify_store(
      {*opened.storage, *view, opened.info, opened.head, *opened.history, opened.paths.scratch()},
      VerifyDepth::kFull, progress);
  require_passed(backup.report.directory, checks);
  return checks;
}

}  // namespace

fs::path check_backup_place(const fs::path& named, const fs::path& store) {
  fs::path directory = store_directory(named);
  if (lies_in(directory, store_directory(store))) {
    throw UsageError("backup_inside_store", directory.string() + " lies inside the store",
                     "name a directory elsewhere, best on another disk");
  }
  require_vacant(directory);
  return directory;
}

BackupReport make_backup(const BackupInput& input, const fs::path& named, events::Timestamp now,
                         IdSource& ids, const Progress& progress) {
  const fs::path directory = check_backup_place(named, input.store);
  UnfinishedDirectory made(directory, ids);
  const fs::path database = made.path() / kDatabaseName;
  input.storage.copy_to(database);
  // RocksDB lets everybody read what it makes; nothing else may keep others out.
  std::error_code error;
  fs::permissions(database, fs::perms::owner_all, error);
  if (error) throw_file_error("protect", database, error.value());
  const auto [head, features] = check_copy(input, made.path(), progress);
  const fs::path archive = made.path() / kArchiveName;
  Backup backup;
  backup.report.directory = directory;
  backup.report.identity = {input.info.id, head.incarnation};
  backup.report.tail = head.tail;
  backup.report.head_digest = head_digest(input.info.id, head);
  backup.term = head.term;
  backup.batch_seq = head.batch_seq;
  backup.report.taken_at = now;
  backup.files = list_files(database);
  backup.required_features = features;
  if (features != 0) {
    if (fs::exists(archive, error)) backup.archive = list_files(archive);
  }
  count_files(backup);
  for (const BackupFile& file : backup.files) {
    // The second name of a table file is one of what was durable before the database spoke of it.
    // Where files cannot have one, RocksDB has copied them.
    const fs::path path = database / file.name;
    const bool has_two_names = fs::hard_link_count(path, error) > 1;
    if (path.extension() == ".sst" && !error && has_two_names) continue;
    fsync_file(path);
  }
  fsync_directory(database);
  write_file_durably(made.path() / ".gitignore", "*\n");
  write_file_durably(made.path() / kBackupName, encode_backup(backup));
  if (progress) progress(head.tail.value, head.tail.value);  // The last moment to stop it.
  if (!backup.archive.empty()) made.put_in_place({kArchiveName});
  made.put_in_place({kDatabaseName, ".gitignore", kBackupName});
  return backup.report;
}

RestoreReport restore_store(const RestoreOptions& options, const Clock& clock, IdSource& ids,
                            const Progress& progress) {
  const Backup backup = read_backup(store_directory(options.backup));
  check_format(backup);
  const fs::path directory = store_directory(options.directory);
  require_vacant(directory);
  const fs::path database = backup.report.directory / kDatabaseName;
  const fs::path archive = backup.report.directory / kArchiveName;
  check_files(backup.files, database);
  check_files(backup.archive, archive);
  UnfinishedStore made(directory, ids, [&](const StorePaths& paths) {
    copy_files(backup.files, database, paths.database(), progress);
    copy_files(backup.archive, archive, paths.archive(), progress);
    write_store_files(paths, ack_of_backup(backup), options.disk);
    mark_features(paths, backup.required_features);
  });
  RestoreReport report;
  report.backup = backup.report;
  report.checks = check_restored(backup, made.path(), clock, options.disk, progress);
  {
    EventAppender appender(made.path(), options.circumstances.actor, clock, options.disk);
    appender.begin_incarnation();
    appender.add(events::store_restored({backup.report.identity.store, appender.head().incarnation,
                                         backup.report.tail.value, backup.report.taken_at},
                                        options.circumstances));
    appender.finish();
    report.identity = {appender.info().id, appender.head().incarnation};
    report.tail = appender.head().tail;
  }
  if (!options.dry_run) made.put_in_place();
  return report;
}

}  // namespace tenantry
