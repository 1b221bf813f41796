#include "core/unfinished_directory.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/file_ops.h"
#include "events/values.h"

namespace tenantry {

namespace fs = std::filesystem;

UnfinishedDirectory::UnfinishedDirectory(Named, fs::path directory, IdSource& ids)
    : directory_(std::move(directory)),
      aside_(directory_ / (std::string(kPrefix) + events::format_uuid(ids.new_uuid()))) {}

// The destructor tidies up, also when this throws.
UnfinishedDirectory::UnfinishedDirectory(fs::path directory, IdSource& ids)
    : UnfinishedDirectory(Named{}, std::move(directory), ids) {
  make_parent(directory_.parent_path());
  std::error_code error;
  if (!fs::exists(directory_, error)) made_.push_back(directory_);
  make_private_directory(directory_);
  make_private_directory(aside_);
}

void UnfinishedDirectory::make_parent(const fs::path& directory) {
  std::error_code error;  // What cannot be looked at is named by whoever uses it.
  if (fs::exists(directory, error) || error || !directory.has_relative_path()) return;
  make_parent(directory.parent_path());
  if (!fs::create_directory(directory, error)) return;
  made_.push_back(directory);
  fsync_directory(directory.parent_path());
}

UnfinishedDirectory::~UnfinishedDirectory() {
  std::error_code ignored;
  fs::remove_all(aside_, ignored);
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
    fs::remove(*made, ignored);  // It stays if anything is in it.
  }
}

void UnfinishedDirectory::put_in_place(std::initializer_list<const char*> names) {
  for (const char* name : names) rename_durably(aside_ / name, directory_ / name);
}

}  // namespace tenantry
