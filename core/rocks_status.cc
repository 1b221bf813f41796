#include "core/rocks_status.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "core/error.h"

namespace tenantry {
namespace {

bool is_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound();
}

bool is_full(const rocksdb::Status& status) {
  return status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit;
}

// The status has the words of the error, not its number.
bool has_too_many_files(const rocksdb::Status& status) {
  return status.IsIOError() && status.ToString().ends_with(std::generic_category().message(EMFILE));
}

std::string hint_for(const rocksdb::Status& status) {
  if (is_full(status)) {
    return "free disk space, then open the store again";
  }
  if (has_too_many_files(status)) return "raise the limit of open files: ulimit -n";
  if (status.IsNotSupported())
    return "open the store with the version that wrote it, or a newer one";
  if (status.IsIOError()) return "look at the system's log for faults of the disk, then try again";
  return {};
}

}  // namespace

void check(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return;
  const std::string text = fmt::format("{}: {}", what, status.ToString());
  if (is_damage(status)) throw CorruptionError(text);
  throw UnavailableError(text, hint_for(status), is_full(status) ? "disk_full" : "unavailable");
}

}  // namespace tenantry
