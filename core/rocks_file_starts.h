#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <rocksdb/db.h>

#include "core/storage.h"

namespace tenantry {

// The keys with which the table files of a family's sorted levels begin, as the database was when
// they were asked for.
struct FileStarts {
  std::uint64_t version = 0;
  std::vector<std::string> keys;  // In order.
};

// An iterator of RocksDB before 8.7 that comes from one file of a sorted level to the next, and
// cannot read the first block of that, leaves the rest of the level out and reports no error. Only
// one that is sent right there does. So whoever walks forward over the start of a file must ask
// there once more; here are the starts.
//
// Threads: any.
class KnownFileStarts {
 public:
  // Those of the version that is current now.
  [[nodiscard]] std::shared_ptr<const FileStarts> of(rocksdb::DB& database,
                                                     rocksdb::ColumnFamilyHandle* handle,
                                                     Family family);

 private:
  std::mutex mutex_;
  std::array<std::shared_ptr<const FileStarts>, kFamilyCount> known_;  // Guarded by mutex_.
};

// Grows whenever the files of the family may have changed.
[[nodiscard]] std::uint64_t version_number(rocksdb::DB& database,
                                           rocksdb::ColumnFamilyHandle* handle);

}  // namespace tenantry
