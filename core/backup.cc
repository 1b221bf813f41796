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
};

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
  auto files = root.initFiles(static_cast<unsigned int>(backup.files.size()));
  for (unsigned int n = 0; n < files.size(); ++n) {
    files[n].setName(backup.files[n].name);
    files[n].setBytes(backup.files[n].bytes);
  }
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
  for (const auto file : root.getFiles()) {
    backup.files.push_back({file.getName().cStr(), file.getBytes()});
  }
  return backup;
}

void count_files(Backup& backup) {
  backup.report.files = backup.files.size();
  backup.report.bytes = 0;
  for (const BackupFile& file : backup.files) backup.report.bytes += file.bytes;
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
  if (backup.format_major == kFormatMajor) return;
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

// The files of a database of which nothing is open.
std::vector<BackupFile> list_files(const fs::path& database) {
  std::vector<BackupFile> files;
  std::error_code error;
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    files.push_back({at->path().filename().string(), at->file_size(error)});
    if (error) break;
  }
  if (error) throw_file_error("list", database, error.value());
  std::ranges::sort(files, {}, &BackupFile::name);
  return files;
}

// The copy must hold all that was durable before it was made, and nothing damaged.
Head check_copy(const BackupInput& input, const fs::path& database, const fs::path& scratch,
                const Progress& progress) {
  RocksOptions rocks;
  rocks.directory = database;
  rocks.read_only = true;
  const auto storage = input.disk.open_storage(rocks);
  Head head = stored_head(*storage);
  if (head.tail < input.head.tail || head.incarnation != input.head.incarnation) {
    throw_damaged(database, fmt::format("the copy ends at position {}, the log at {} or later",
                                        head.tail.value, input.head.tail.value));
  }
  check_log_end(*storage, input.info, head);
  const std::vector<FileDamage> damaged = storage->damaged_files(progress);
  if (!damaged.empty()) throw_damaged(database, describe(damaged));
  const auto view = storage->read_view();
  require_passed(database, verify_store({*storage, *view, input.info, head, scratch},
                                        VerifyDepth::kQuick, progress));
  return head;
}

bool lies_in(const fs::path& directory, const fs::path& store) {
  const auto [end, rest] =
      std::mismatch(store.begin(), store.end(), directory.begin(), directory.end());
  return end == store.end();
}

// Missing, cut short or grown: what the checks of a store would call by other names.
void check_files(const Backup& backup, const fs::path& database) {
  for (const BackupFile& file : backup.files) {
    const fs::path path = database / file.name;
    std::error_code error;
    const std::uint64_t bytes =
        is_plain_name(file.name) ? fs::file_size(path, error) : std::uint64_t{0};
    if (error || bytes != file.bytes || !is_plain_name(file.name)) {
      throw_damaged(path,
                    error ? "is missing" : fmt::format("has {} bytes, not {}", bytes, file.bytes));
    }
  }
}

void copy_files(const Backup& backup, const fs::path& from, const fs::path& to,
                const Progress& progress) {
  make_private_directory(to);
  for (const BackupFile& file : backup.files) {
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
  std::vector<CheckResult> checks =
      verify_store({*opened.storage, *view, opened.info, opened.head, opened.paths.scratch()},
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
  const Head head = check_copy(input, database, made.path() / "scratch", progress);
  Backup backup;
  backup.report.directory = directory;
  backup.report.identity = {input.info.id, head.incarnation};
  backup.report.tail = head.tail;
  backup.report.head_digest = head_digest(input.info.id, head);
  backup.term = head.term;
  backup.batch_seq = head.batch_seq;
  backup.report.taken_at = now;
  backup.files = list_files(database);
  count_files(backup);
  // Where files cannot have a second name, RocksDB has copied them.
  for (const BackupFile& file : backup.files) fsync_file(database / file.name);
  fsync_directory(database);
  write_file_durably(made.path() / ".gitignore", "*\n");
  write_file_durably(made.path() / kBackupName, encode_backup(backup));
  if (progress) progress(head.tail.value, head.tail.value);  // The last moment to stop it.
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
  check_files(backup, database);
  UnfinishedStore made(directory, ids, [&](const StorePaths& paths) {
    copy_files(backup, database, paths.database(), progress);
    write_store_files(paths, ack_of_backup(backup), options.disk);
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
