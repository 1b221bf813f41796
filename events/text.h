#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// The rules of text: what the log may hold, and the syntax of names. Pure functions; no locale is
// read.
namespace tenantry::events {

// Valid UTF-8 without NUL: PostgreSQL refuses anything else, and libraries between cut it silently.
[[nodiscard]] bool is_storable_text(std::string_view text);

// Characters (code points) of valid UTF-8, which is what varchar(n) counts.
[[nodiscard]] std::size_t count_characters(std::string_view text);

// A to Z only; every other byte stays.
[[nodiscard]] std::string to_ascii_lower(std::string_view text);

// Not empty; Unicode letters and digits, and @ . + - _ (Django's UnicodeUsernameValidator).
[[nodiscard]] bool is_username(std::string_view text);

// `[-a-z0-9_]+`, already lower-cased, and not of the shape of a UUID, which would be read as an id.
[[nodiscard]] bool is_slug(std::string_view text);

// Labels of 1 to 63 `[a-z0-9-]` without a hyphen at either end, joined by dots; already
// lower-cased.
[[nodiscard]] bool is_host_name(std::string_view text);

// An ASCII dot-atom of at most 64 characters, `@`, and a host name (of either case) that has a dot
// or is `localhost`.
[[nodiscard]] bool is_email(std::string_view text);

// `#RRGGBB`, digits of either case.
[[nodiscard]] bool is_hex_color(std::string_view text);

// What Django stores for a password: an encoded hash `algorithm$…`, or `!…` for none.
[[nodiscard]] bool is_password_hash(std::string_view text);

// The PostgreSQL identifier syntax that a schema_name must have is not checked: any text of 1 to 63
// characters is taken, as the reference application's column takes it.

// `text` with control characters, bidirectional overrides and invalid bytes made visible as \u{…},
// for messages on a terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace tenantry::events
