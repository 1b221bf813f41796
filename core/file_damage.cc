#include "core/file_damage.h"

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "events/tables.h"

namespace tenantry {
namespace {

constexpr std::size_t kScopeBytes = 2;
constexpr std::size_t kBlockKeyBytes = 10;
constexpr std::size_t kFilesMax = 20;

std::string scope_of(const std::string& key, std::size_t at) {
  if (key.size() < at + kScopeBytes) return "?";
  return std::string(
      events::scope_name(static_cast<events::Scope>(read_be<std::uint16_t>(key, at))));
}

std::string range(const std::string& first, const std::string& last) {
  return first == last ? first : first + " to " + last;
}

std::string content_of(const FileDamage& damage) {
  const std::string& first = damage.first_key;
  const std::string& last = damage.last_key;
  switch (damage.family) {
    case Family::kLog:
      if (first.size() != kBlockKeyBytes || last.size() != kBlockKeyBytes) return "events";
      return fmt::format("events of scope {} in blocks from position {} to the one at {}",
                         range(scope_of(first, 0), scope_of(last, 0)),
                         read_be<std::uint64_t>(first, kScopeBytes),
                         read_be<std::uint64_t>(last, kScopeBytes));
    case Family::kIndex:
      return "index entries of the log";
    case Family::kState:
      return "rows and claims of scope " + range(scope_of(first, 0), scope_of(last, 0));
    case Family::kIdempotency:
      return "kept answers";
    case Family::kMeta:
      break;
  }
  return "the head of the log";
}

}  // namespace

std::string describe(const FileDamage& damage) {
  return fmt::format("{} is damaged ({}); it may hold {}", damage.file, damage.reason,
                     content_of(damage));
}

std::string describe(const std::vector<FileDamage>& damages) {
  std::string text;
  for (std::size_t i = 0; i < damages.size() && i < kFilesMax; ++i) {
    text += (i == 0 ? "" : "; ") + describe(damages[i]);
  }
  if (damages.size() > kFilesMax) text += fmt::format("; and {} more", damages.size() - kFilesMax);
  return text;
}

std::string places_of_damage(const std::function<std::vector<FileDamage>()>& find) {
  try {
    return describe(find());
  } catch (const UnavailableError& error) {
    return std::string("where is not known: ") + error.what();
  }
}

}  // namespace tenantry
