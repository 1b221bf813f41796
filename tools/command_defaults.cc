#include "tools/command_defaults.h"

#include <array>
#include <string_view>

#include "core/error.h"

namespace tenantry::tools {
namespace {

struct Key {
  std::string_view name;
  std::string events::CommandDefaults::*member;
};

constexpr std::array<Key, 4> kKeys = {{
    {"actor", &events::CommandDefaults::actor},
    {"channel", &events::CommandDefaults::channel},
    {"reason", &events::CommandDefaults::reason},
    {"correlation_id", &events::CommandDefaults::correlation_id},
}};

const Key* key_at(std::string_view text) {
  for (const Key& key : kKeys) {
    if (text.starts_with(key.name) && text.substr(key.name.size()).starts_with("=")) return &key;
  }
  return nullptr;
}

std::size_t end_of_value(std::string_view text) {
  std::size_t comma = text.find(',');
  while (comma != std::string_view::npos && key_at(text.substr(comma + 1)) == nullptr) {
    comma = text.find(',', comma + 1);
  }
  return comma;
}

}  // namespace

events::CommandDefaults parse_defaults(const std::vector<std::string>& texts) {
  events::CommandDefaults defaults;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    while (!rest.empty()) {
      const Key* const key = key_at(rest);
      if (key == nullptr) {
        throw UsageError("usage", "--defaults does not know \"" + std::string(rest) + "\"",
                         "--defaults actor=…,channel=…,reason=…,correlation_id=…");
      }
      rest.remove_prefix(key->name.size() + 1);
      const std::size_t end = end_of_value(rest);
      defaults.*key->member = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
  }
  return defaults;
}

}  // namespace tenantry::tools
