#include <optional>
#include <string>
#include <variant>

#include "events/json.h"
#include "events/text.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {
namespace {

using events::Json;
using events::JsonError;

// The document as it is stored; nothing for what is none.
struct Document {
  Json json;
  std::string text;
};
std::optional<Document> read_document(std::string_view text) {
  auto parsed = events::parse_json(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    require(error->offset <= text.size() && !error->message.empty(),
            "an error has words and a place in the text");
    return std::nullopt;
  }
  Document document{std::get<Json>(std::move(parsed)), {}};
  auto written = events::to_jsonb_text(document.json);
  if (std::holds_alternative<JsonError>(written)) return std::nullopt;
  document.text = std::get<std::string>(std::move(written));
  return document;
}

void check_document(const Document& document) {
  require(events::is_storable_text(document.text), "a document is text that can be stored");
  const auto again = read_document(document.text);
  require(again.has_value(), "a stored document can be read");
  require(again->text == document.text, "a stored document is stored as it is");
}

void check_merge(const Document& target, const Document& patch) {
  const Json merged = events::merge_patch(target.json, patch.json);
  const auto written = events::to_jsonb_text(merged);
  const auto* const text = std::get_if<std::string>(&written);
  require(text != nullptr, "merged documents are a document");
  const auto twice = events::to_jsonb_text(events::merge_patch(merged, patch.json));
  require(std::get<std::string>(twice) == *text, "a patch that is merged again changes nothing");
  if (patch.json.object() == nullptr) {
    require(*text == patch.text, "a patch that is no object replaces");
  }
}

void check_string(std::string_view text) {
  if (!events::is_storable_text(text)) return;
  std::string quoted;
  events::append_json_string(quoted, text);
  const auto parsed = events::parse_json(quoted);
  const Json* const json = std::get_if<Json>(&parsed);
  require(json != nullptr && json->string() != nullptr && *json->string() == text,
          "a quoted text reads as it was");
}

}  // namespace

void run_json(std::string_view input) {
  const std::size_t end = input.find('\0');
  const auto target = read_document(input.substr(0, end));
  if (target) check_document(*target);
  check_string(input.substr(0, end));
  if (!target || end == std::string_view::npos) return;
  if (const auto patch = read_document(input.substr(end + 1))) check_merge(*target, *patch);
}

}  // namespace tenantry::fuzz
