#include "tools/cell.h"

#include <algorithm>
#include <type_traits>

namespace tenantry::tools {

Cell number_cell(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Cell text_cell(std::string_view text) {
  if (text.empty()) return events::Null{};
  return std::string(text);
}

Cell uuid_cell(const events::Uuid& uuid) {
  if (uuid == events::Uuid{}) return events::Null{};
  return uuid;
}

Cell column_cell(const events::ColumnInfo& column, const events::Value& value, bool reveal) {
  return std::visit(
      [&](const auto& held) -> Cell {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          if (column.type == events::SqlType::JSONB) return JsonText{held};
          if (column.secret && !reveal) return mask_secret(held);
        }
        return held;
      },
      value);
}

std::string mask_secret(std::string_view secret) {
  constexpr std::size_t kShownMax = 6;  // What `invitation/TOKEN-PREFIX` needs at least.
  std::size_t shown = std::min(kShownMax, secret.size() / 2);
  // A character is shown whole or not at all.
  while (shown > 0 && (static_cast<unsigned char>(secret[shown]) & 0xc0U) == 0x80U) --shown;
  return std::string(secret.substr(0, shown)) + "…";
}

std::string plain_text(const Cell& cell) {
  struct Visitor {
    std::string operator()(const events::Null& /*null*/) const { return {}; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(events::Timestamp value) const { return format_timestamp(value); }
    std::string operator()(const events::Uuid& value) const { return format_uuid(value); }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const JsonText& value) const { return value.text; }
  };
  return std::visit(Visitor{}, cell);
}

}  // namespace tenantry::tools
