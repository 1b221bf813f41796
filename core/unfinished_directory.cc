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
      aside_(directory_ / (std::string(kPrefix) + events::format_uuid(ids.new_uuid()))),
      made_directory_(!fs::exists(directory_)) {}

// The destructor tidies up, also when this throws.
UnfinishedDirectory::UnfinishedDirectory(fs::path directory, IdSource& ids)
    : UnfinishedDirectory(Named{}, std::move(directory), ids) {
  std::error_code ignored;  // What is missing then is named by the next call.
  fs::create_directories(directory_.parent_path(), ignored);
  make_private_directory(directory_);
  make_private_directory(aside_);
}

UnfinishedDirectory::~UnfinishedDirectory() {
  std::error_code ignored;
  fs::remove_all(aside_, ignored);
  if (made_directory_) fs::remove(directory_, ignored);  // It stays if anything is in it.
}

void UnfinishedDirectory::put_in_place(std::initializer_list<const char*> names) {
  for (const char* name : names) rename_durably(aside_ / name, directory_ / name);
}

}  // namespace tenantry
