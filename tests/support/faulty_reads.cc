#include "tests/support/faulty_reads.h"

#include <utility>

namespace tenantry {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class ReadInOrder final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  ReadInOrder(std::unique_ptr<rocksdb::FSSequentialFile>&& file, FaultyReads& disk)
      : FSSequentialFileOwnerWrapper(std::move(file)), disk_(disk) {}

  IOStatus Read(std::size_t bytes, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    const IOStatus status = disk_.read();
    return status.ok() ? FSSequentialFileOwnerWrapper::Read(bytes, options, result, scratch, debug)
                       : status;
  }

 private:
  FaultyReads& disk_;
};

class ReadAnywhere final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  ReadAnywhere(std::unique_ptr<rocksdb::FSRandomAccessFile>&& file, FaultyReads& disk)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), disk_(disk) {}

  IOStatus Read(std::uint64_t offset, std::size_t bytes, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) const override {
    const IOStatus status = disk_.read();
    return status.ok() ? FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result,
                                                              scratch, debug)
                       : status;
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, std::size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    for (std::size_t n = 0; n < count; ++n) {
      rocksdb::FSReadRequest& one = requests[n];
      one.status = Read(one.offset, one.len, options, &one.result, one.scratch, debug);
    }
    return IOStatus::OK();
  }

 private:
  FaultyReads& disk_;
};

}  // namespace

rocksdb::IOStatus FaultyReads::read() {
  return ++reads_ == failing_ ? IOStatus::IOError("a read that is made to fail") : IOStatus::OK();
}

rocksdb::IOStatus FaultyReads::NewSequentialFile(const std::string& name,
                                                 const rocksdb::FileOptions& options,
                                                 std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                                 IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  const IOStatus status = target()->NewSequentialFile(name, options, &file, debug);
  if (status.ok()) *result = std::make_unique<ReadInOrder>(std::move(file), *this);
  return status;
}

rocksdb::IOStatus FaultyReads::NewRandomAccessFile(
    const std::string& name, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  const IOStatus status = target()->NewRandomAccessFile(name, options, &file, debug);
  if (status.ok()) *result = std::make_unique<ReadAnywhere>(std::move(file), *this);
  return status;
}

}  // namespace tenantry
