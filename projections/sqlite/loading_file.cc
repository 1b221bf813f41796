#include "projections/sqlite/loading_file.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace tenantry::projections::sqlite {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

std::string loading_prefix(const fs::path& target) {
  return target.filename().string() + ".loading-";
}

void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

void remove_left_overs(const fs::path& target) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory_of(target), error)) {
    if (entry.path().filename().string().starts_with(loading_prefix(target))) {
      found.push_back(entry.path());
    }
  }
  for (const fs::path& path : found) {
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) remove_quietly(path);
  }
}

}  // namespace

LoadingFile::LoadingFile(fs::path target) : target_(std::move(target)) {
  std::error_code error;
  const bool is_nowhere = !fs::exists(directory_of(target_), error);
  if (is_nowhere && !error) throw_file_error("make", target_, ENOENT);
  remove_left_overs(target_);
  path_ = directory_of(target_) / (loading_prefix(target_) + std::to_string(::getpid()));
  lock_ = open_file(path_, O_RDWR | O_CREAT | O_EXCL);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) throw_file_error("lock", path_, errno);
}

LoadingFile::~LoadingFile() { remove_quietly(path_); }

bool LoadingFile::publish() {
  // A log of changes that belonged to an earlier database of that name would be applied to this
  // one.
  if (!fs::exists(target_)) {
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
      remove_quietly(target_.string() + suffix);
    }
  }
  std::error_code error;
  fs::create_hard_link(path_, target_, error);
  if (error == std::errc::file_exists) return false;
  if (error) throw_file_error("put in place", target_, error.value());
  remove_quietly(path_);
  fsync_directory(directory_of(target_));
  return true;
}

}  // namespace tenantry::projections::sqlite
