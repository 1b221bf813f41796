#include "core/rocks_partitioner.h"

#include <string_view>

#include "core/keys.h"

namespace tenantry {
namespace {

constexpr std::size_t kEpochPrefixBytes = 7;  // Kind, scope and epoch (core/LOG_FORMAT.md).

// Keys with an equal group may share a file.
std::string_view group_of(const rocksdb::Slice& key) {
  const std::string_view bytes = key.ToStringView();
  return bytes.substr(0, bytes.starts_with(keys::kTimeIndex) ? 1 : kEpochPrefixBytes);
}

class IndexPartitioner final : public rocksdb::SstPartitioner {
 public:
  [[nodiscard]] const char* Name() const override { return "TenantryIndexPartitioner"; }

  rocksdb::PartitionerResult ShouldPartition(const rocksdb::PartitionerRequest& request) override {
    return group_of(*request.prev_user_key) == group_of(*request.current_user_key)
               ? rocksdb::kNotRequired
               : rocksdb::kRequired;
  }

  bool CanDoTrivialMove(const rocksdb::Slice& smallest, const rocksdb::Slice& largest) override {
    return group_of(smallest) == group_of(largest);
  }
};

class IndexPartitionerFactory final : public rocksdb::SstPartitionerFactory {
 public:
  [[nodiscard]] const char* Name() const override { return "TenantryIndexPartitionerFactory"; }
  [[nodiscard]] std::unique_ptr<rocksdb::SstPartitioner> CreatePartitioner(
      const rocksdb::SstPartitioner::Context& /*context*/) const override {
    return std::make_unique<IndexPartitioner>();
  }
};

}  // namespace

std::shared_ptr<rocksdb::SstPartitionerFactory> make_index_partitioner() {
  return std::make_shared<IndexPartitionerFactory>();
}

}  // namespace tenantry
