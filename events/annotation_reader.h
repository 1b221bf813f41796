#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <capnp/schema.h>

#include "events/annotation_ids.h"

// Reading the annotations of a schema. For the files of this folder.
namespace tenantry::events {

using Annotations = capnp::List<capnp::schema::Annotation>::Reader;

[[nodiscard]] inline std::optional<capnp::schema::Annotation::Reader> find_annotation(
    Annotations all, std::uint64_t id) {
  for (const auto annotation : all) {
    if (annotation.getId() == id) return annotation;
  }
  return std::nullopt;
}

[[nodiscard]] inline std::string to_string(capnp::Text::Reader text) {
  return {text.cStr(), text.size()};
}

// The text of a text annotation; empty when it is not there.
[[nodiscard]] inline std::string annotation_text(Annotations all, std::uint64_t id) {
  const auto found = find_annotation(all, id);
  return found ? to_string(found->getValue().getText()) : std::string{};
}

}  // namespace tenantry::events
