#include "tests/support/faulty_files.h"

#include <utility>

namespace tenantry {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile>&& file, FaultyFiles& disk)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus status = disk_.change();
    return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug)
                       : torn(status, data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus status = disk_.change();
    return status.ok() ? FSWritableFileOwnerWrapper::Truncate(size, options, debug) : status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus status = disk_.change();
    const IOStatus closed = FSWritableFileOwnerWrapper::Close(options, debug);
    return status.ok() ? closed : status;
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return disk_.change();
  }
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return disk_.change();
  }
  IOStatus RangeSync(std::uint64_t /*offset*/, std::uint64_t /*bytes*/,
                     const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return disk_.change();
  }

 private:
  // A write that fails may have written a part.
  IOStatus torn(const IOStatus& failure, const Slice& data, const IOOptions& options,
                IODebugContext* debug) {
    const Slice part(data.data(), data.size() / 2);
    FSWritableFileOwnerWrapper::Append(part, options, debug).PermitUncheckedError();
    return failure;
  }

  FaultyFiles& disk_;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory>&& directory, FaultyFiles& disk)
      : FSDirectoryWrapper(std::move(directory)), disk_(disk) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return disk_.change();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& /*options*/, IODebugContext* /*debug*/,
                               const rocksdb::DirFsyncOptions& /*how*/) override {
    return disk_.change();
  }

 private:
  FaultyFiles& disk_;
};

}  // namespace

IOStatus FaultyFiles::change() {
  const long number = ++changes_;
  const bool fails = repeat_ == Repeat::kOnce ? number == failing_ : number >= failing_;
  return fails ? IOStatus::IOError("injected fault") : IOStatus::OK();
}

IOStatus FaultyFiles::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result,
                                      IODebugContext* debug) {
  IOStatus status = change();
  if (status.ok()) status = FileSystemWrapper::NewWritableFile(name, options, result, debug);
  if (status.ok()) *result = std::make_unique<File>(std::move(*result), *this);
  return status;
}

IOStatus FaultyFiles::NewDirectory(const std::string& name, const IOOptions& options,
                                   std::unique_ptr<rocksdb::FSDirectory>* result,
                                   IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewDirectory(name, options, result, debug);
  if (status.ok()) *result = std::make_unique<Directory>(std::move(*result), *this);
  return status;
}

IOStatus FaultyFiles::DeleteFile(const std::string& name, const IOOptions& options,
                                 IODebugContext* debug) {
  const IOStatus status = change();
  return status.ok() ? FileSystemWrapper::DeleteFile(name, options, debug) : status;
}

IOStatus FaultyFiles::RenameFile(const std::string& from, const std::string& to,
                                 const IOOptions& options, IODebugContext* debug) {
  const IOStatus status = change();
  return status.ok() ? FileSystemWrapper::RenameFile(from, to, options, debug) : status;
}

IOStatus FaultyFiles::LinkFile(const std::string& from, const std::string& to,
                               const IOOptions& options, IODebugContext* debug) {
  const IOStatus status = change();
  return status.ok() ? FileSystemWrapper::LinkFile(from, to, options, debug) : status;
}

}  // namespace tenantry
