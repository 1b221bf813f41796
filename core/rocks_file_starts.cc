#include "core/rocks_file_starts.h"

#include <algorithm>
#include <utility>

#include <rocksdb/metadata.h>

#include "core/error.h"

namespace tenantry {
namespace {

std::vector<std::string> starts_of_files(rocksdb::DB& database,
                                         rocksdb::ColumnFamilyHandle* handle) {
  rocksdb::ColumnFamilyMetaData family;
  database.GetColumnFamilyMetaData(handle, &family);
  std::vector<std::string> keys;
  for (const rocksdb::LevelMetaData& level : family.levels) {
    if (level.level == 0) continue;  // Each of its files is walked by itself.
    for (const rocksdb::SstFileMetaData& file : level.files) keys.push_back(file.smallestkey);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

std::uint64_t version_number(rocksdb::DB& database, rocksdb::ColumnFamilyHandle* handle) {
  std::uint64_t number = 0;
  const bool known =
      database.GetIntProperty(handle, rocksdb::DB::Properties::kCurrentSuperVersionNumber, &number);
  TENANTRY_ASSERT(known);
  return number;
}

std::shared_ptr<const FileStarts> KnownFileStarts::of(rocksdb::DB& database,
                                                      rocksdb::ColumnFamilyHandle* handle,
                                                      Family family) {
  const std::uint64_t version = version_number(database, handle);
  const std::lock_guard lock(mutex_);
  auto& known = known_[static_cast<std::size_t>(family)];
  if (known == nullptr || known->version != version) {
    // Files that are newer than the version only lead to asking again.
    known =
        std::make_shared<const FileStarts>(FileStarts{version, starts_of_files(database, handle)});
  }
  return known;
}

}  // namespace tenantry
