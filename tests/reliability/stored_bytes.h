#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/storage.h"

namespace tenantry {

// An entry that is not what it was.
struct Difference {
  Family family = Family::kMeta;
  std::string key;
  std::optional<std::string> before;
  std::optional<std::string> after;

  // Whether the bytes occur in it, before or after.
  [[nodiscard]] bool mentions(std::string_view bytes) const;
};

// A copy of every byte of a storage.
class StoredBytes {
 public:
  // Compares all of them, and copies what differs.
  [[nodiscard]] std::vector<Difference> follow(const Storage& storage);

 private:
  using Entries = std::map<std::string, std::string>;

  static void follow(Family family, const Storage& storage, Entries& entries,
                     std::vector<Difference>& differences);

  std::array<Entries, kFamilyCount> families_;
};

}  // namespace tenantry
