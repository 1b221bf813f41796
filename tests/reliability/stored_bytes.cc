#include "tests/reliability/stored_bytes.h"

#include <utility>

namespace tenantry {

bool Difference::mentions(std::string_view bytes) const {
  const auto in = [&](std::string_view text) { return text.find(bytes) != std::string_view::npos; };
  return in(key) || (before && in(*before)) || (after && in(*after));
}

std::vector<Difference> StoredBytes::follow(const Storage& storage) {
  std::vector<Difference> differences;
  for (std::size_t family = 0; family < kFamilyCount; ++family)
    follow(static_cast<Family>(family), storage, families_[family], differences);
  return differences;
}

void StoredBytes::follow(Family family, const Storage& storage, Entries& entries,
                         std::vector<Difference>& differences) {
  const auto cursor = storage.cursor(family, "", "", /*scan=*/true);
  auto known = entries.begin();
  cursor->seek_first();
  while (cursor->valid() || known != entries.end()) {
    if (known != entries.end() && (!cursor->valid() || known->first < cursor->key())) {
      differences.push_back({family, known->first, std::move(known->second), std::nullopt});
      known = entries.erase(known);
      continue;
    }
    if (known == entries.end() || cursor->key() < known->first) {
      differences.push_back(
          {family, std::string(cursor->key()), std::nullopt, std::string(cursor->value())});
      known = entries.emplace_hint(known, cursor->key(), cursor->value());
    } else if (known->second != cursor->value()) {
      differences.push_back({family, known->first, known->second, std::string(cursor->value())});
      known->second = cursor->value();
    }
    ++known;
    cursor->next();
  }
}

}  // namespace tenantry
