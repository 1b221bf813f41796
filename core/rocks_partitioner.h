#pragma once

#include <cstddef>
#include <memory>

#include <rocksdb/sst_partitioner.h>

// Where compactions end one table file and begin the next. Internal to core/rocks_*.cc.
namespace tenantry {

// No file of the index spans two epochs of a scope, so that the files of an epoch that is over can
// be dropped whole. Time marks belong to no epoch and share files: the first bytes of their keys
// are a time, and a cut where it changes would give nearly each commit a file of its own.
[[nodiscard]] std::shared_ptr<rocksdb::SstPartitionerFactory> make_index_partitioner();

}  // namespace tenantry
