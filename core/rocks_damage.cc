#include "core/rocks_damage.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/file_checksum.h>
#include <rocksdb/metadata.h>

#include "core/file_damage.h"
#include "core/rocks_options.h"
#include "core/rocks_status.h"

namespace tenantry {
namespace {

// What is wrong with the file; empty when nothing is.
std::string fault_of(rocksdb::Env& env, const rocksdb::LiveFileMetaData& file) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  std::unique_ptr<rocksdb::SequentialFile> content;
  rocksdb::Status status = env.NewSequentialFile(file.directory + "/" + file.relative_filename,
                                                 &content, rocksdb::EnvOptions());
  if (!status.ok()) return status.ToString();
  const auto checksum = rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
  std::string piece(kPieceBytes, '\0');
  std::uint64_t bytes = 0;
  for (rocksdb::Slice read;; bytes += read.size()) {
    status = content->Read(piece.size(), &read, piece.data());
    if (!status.ok()) return status.ToString();
    if (read.empty()) break;
    checksum->Update(read.data(), read.size());
  }
  if (bytes != file.size) {
    return "it has " + std::to_string(bytes) + " bytes, not " + std::to_string(file.size);
  }
  checksum->Finalize();
  return checksum->GetChecksum() == file.file_checksum ? "" : "its checksum is wrong";
}

std::vector<rocksdb::LiveFileMetaData> live_files(rocksdb::DB& database) {
  std::vector<rocksdb::LiveFileMetaData> files;
  database.GetLiveFilesMetaData(&files);
  return files;
}

// Whether a compaction has merged the file into others since it was listed, and so may have
// removed it before it was read. The merge has checked each block that it read.
bool replaced_meanwhile(rocksdb::DB& database, const rocksdb::LiveFileMetaData& file) {
  const auto live = live_files(database);
  return std::none_of(live.begin(), live.end(), [&](const rocksdb::LiveFileMetaData& now) {
    return now.relative_filename == file.relative_filename;
  });
}

Family family_named(const std::string& name) {
  const auto names = rocks_family_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<Family>(i);
  }
  return Family::kMeta;
}

}  // namespace

std::vector<FileDamage> damaged_table_files(rocksdb::DB& database) {
  std::vector<FileDamage> damaged;
  for (const rocksdb::LiveFileMetaData& file : live_files(database)) {
    std::string fault = fault_of(*database.GetEnv(), file);
    if (fault.empty() || replaced_meanwhile(database, file)) continue;
    damaged.push_back({file.relative_filename, family_named(file.column_family_name),
                       file.smallestkey, file.largestkey, std::move(fault)});
  }
  return damaged;
}

void check_read(rocksdb::DB& database, const rocksdb::Status& status) {
  if (!status.IsCorruption() || status.ToString().find(".sst") != std::string::npos) {
    return check(status, "read");
  }
  const std::string places = describe(damaged_table_files(database));
  check(status, places.empty() ? "read" : "read: " + places);
}

}  // namespace tenantry
