#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace tenantry {

// Files in the making, beside the place where they are to lie, inside the same directory. What was
// not put in place is gone with the object; a crash leaves it behind.
class UnfinishedDirectory {
 public:
  static constexpr std::string_view kPrefix = ".new-";  // Of the name that it has until then.

  // `directory` is absolute; it is made if need be, with its parents, and removed again if nothing
  // is put in place. Throws UnavailableError when it cannot be made.
  UnfinishedDirectory(std::filesystem::path directory, IdSource& ids);
  UnfinishedDirectory(const UnfinishedDirectory&) = delete;
  UnfinishedDirectory& operator=(const UnfinishedDirectory&) = delete;
  ~UnfinishedDirectory();

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  // Where the files lie now.
  [[nodiscard]] const std::filesystem::path& path() const { return aside_; }
  // Durably moves them, in this order: whoever goes by the last one never meets a half. Whoever
  // else puts the same names there at the same time fails at the first.
  void put_in_place(std::initializer_list<const char*> names);

 private:
  struct Named {};
  UnfinishedDirectory(Named, std::filesystem::path directory, IdSource& ids);
  // Durably in its own parent, which is made likewise.
  void make_parent(const std::filesystem::path& directory);

  const std::filesystem::path directory_;
  const std::filesystem::path aside_;
  std::vector<std::filesystem::path> made_;  // The outermost first.
};

}  // namespace tenantry
