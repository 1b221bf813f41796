#include "core/rocks_damage.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/file_checksum.h>
#include <rocksdb/metadata.h>
#include <rocksdb/sst_file_reader.h>

#include "core/file_damage.h"
#include "core/rocks_options.h"
#include "core/rocks_status.h"

namespace tenantry {
namespace {

std::string path_of(const rocksdb::LiveFileMetaData& file) {
  return file.directory + "/" + file.relative_filename;
}

// What is wrong with a file whose reading ended so; empty when nothing is. One that the disk did
// not give this time may be as it was written.
std::string fault_of(const rocksdb::Status& status, const std::string& path) {
  if (status.IsIOError() && !status.IsPathNotFound()) check(status, "cannot read " + path);
  return status.ok() ? "" : status.ToString();
}

// What is wrong with the file; empty when nothing is. `told` is called with the number of bytes
// read, piece by piece.
std::string fault_of_bytes(rocksdb::Env& env, const rocksdb::LiveFileMetaData& file,
                           const std::function<void(std::uint64_t)>& told) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  std::unique_ptr<rocksdb::SequentialFile> content;
  rocksdb::Status status = env.NewSequentialFile(path_of(file), &content, rocksdb::EnvOptions());
  if (!status.ok()) return fault_of(status, path_of(file));
  const auto checksum = rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
  std::string piece(kPieceBytes, '\0');
  std::uint64_t bytes = 0;
  for (rocksdb::Slice read;; bytes += read.size()) {
    status = content->Read(piece.size(), &read, piece.data());
    if (!status.ok()) return fault_of(status, path_of(file));
    if (read.empty()) break;
    checksum->Update(read.data(), read.size());
    told(read.size());
  }
  if (bytes != file.size) {
    return "it has " + std::to_string(bytes) + " bytes, not " + std::to_string(file.size);
  }
  checksum->Finalize();
  return checksum->GetChecksum() == file.file_checksum ? "" : "its checksum is wrong";
}

// What was wrong before it was written has the right checksum as a file.
std::string fault_of_blocks(rocksdb::Env& env, const rocksdb::LiveFileMetaData& file) {
  rocksdb::Options options;
  options.env = &env;
  rocksdb::SstFileReader reader(options);
  rocksdb::Status status = reader.Open(path_of(file));
  if (status.ok()) status = reader.VerifyChecksum();
  return fault_of(status, path_of(file));
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

std::vector<FileDamage> damaged_table_files(rocksdb::DB& database,
                                            const Storage::ReadProgress& progress) {
  std::vector<FileDamage> damaged;
  rocksdb::Env& env = *database.GetEnv();
  const auto files = live_files(database);
  std::uint64_t total = 0;
  for (const rocksdb::LiveFileMetaData& file : files) total += file.size;
  std::uint64_t done = 0;
  const auto told = [&](std::uint64_t bytes) {
    done += bytes;
    if (progress) progress(done, total);
  };
  for (const rocksdb::LiveFileMetaData& file : files) {
    std::string fault = fault_of_bytes(env, file, told);
    if (fault.empty()) fault = fault_of_blocks(env, file);
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
  const std::string places = places_of_damage([&] { return damaged_table_files(database); });
  check(status, places.empty() ? "read" : "read: " + places);
}

}  // namespace tenantry
