#include "core/rocks_cut_manifest.h"

#include <algorithm>
#include <string>
#include <utility>

#include <rocksdb/file_system.h>

namespace tenantry {
namespace {

using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class CutFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  CutFile(std::unique_ptr<FSSequentialFile> file, std::uint64_t bytes)
      : FSSequentialFileOwnerWrapper(std::move(file)), left_(bytes) {}

  IOStatus Read(std::size_t bytes, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                IODebugContext* debug) override {
    const std::size_t wanted = std::min<std::uint64_t>(bytes, left_);
    IOStatus status = FSSequentialFileOwnerWrapper::Read(wanted, options, result, scratch, debug);
    if (status.ok()) left_ -= result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t bytes) override {
    const std::uint64_t skipped = std::min(bytes, left_);
    left_ -= skipped;
    return FSSequentialFileOwnerWrapper::Skip(skipped);
  }

 private:
  std::uint64_t left_;
};

class CutManifests final : public rocksdb::FileSystemWrapper {
 public:
  CutManifests(const std::shared_ptr<rocksdb::FileSystem>& files, std::uint64_t bytes)
      : FileSystemWrapper(files), bytes_(bytes) {}
  [[nodiscard]] const char* Name() const override { return "TenantryCutManifests"; }

  IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                             std::unique_ptr<FSSequentialFile>* result,
                             IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewSequentialFile(name, options, result, debug);
    const bool is_manifest = name.find("/MANIFEST-") != std::string::npos;
    if (status.ok() && is_manifest) *result = std::make_unique<CutFile>(std::move(*result), bytes_);
    return status;
  }

 private:
  std::uint64_t bytes_;
};

class CutManifestEnv final : public rocksdb::EnvWrapper {
 public:
  CutManifestEnv(rocksdb::Env& env, std::uint64_t bytes) : EnvWrapper(&env) {
    file_system_ = std::make_shared<CutManifests>(env.GetFileSystem(), bytes);
  }
  [[nodiscard]] const char* Name() const override { return "TenantryCutManifestEnv"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_cut_manifest_env(rocksdb::Env& env, std::uint64_t bytes) {
  return std::make_unique<CutManifestEnv>(env, bytes);
}

}  // namespace tenantry
