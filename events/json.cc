#include "events/json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>
#include <system_error>
#include <unordered_map>

#include <fmt/format.h>
#include <rapidjson/error/error.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "events/text.h"

namespace tenantry::events {
namespace {

// A JSON number, taken apart but not evaluated: (-) whole . fraction × 10^exponent.
struct Decimal {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  std::int64_t exponent = 0;
  bool in_range = true;  // False when the exponent is past kExponentMax; then it reads 0.
};

// PostgreSQL's numeric gives up above this, whatever the exponent multiplies.
constexpr std::int64_t kExponentMax = (std::int64_t{1} << 30) - 2;

// Takes the digits at the front of `text`, which may be none.
std::string_view take_digits(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_exponent(std::string_view& text, Decimal& number) {
  if (!take(text, 'e') && !take(text, 'E')) return true;
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  const std::string_view digits = take_digits(text);
  if (digits.empty()) return false;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number.exponent);
  number.in_range = error == std::errc() && number.exponent <= kExponentMax;
  if (!number.in_range) number.exponent = 0;
  if (negative) number.exponent = -number.exponent;
  return true;
}

// nullopt when `text` is not exactly one number of RFC 8259's grammar.
std::optional<Decimal> split_number(std::string_view text) {
  Decimal number;
  number.negative = take(text, '-');
  number.whole = take_digits(text);
  if (number.whole.empty() || (number.whole.size() > 1 && number.whole.front() == '0')) {
    return std::nullopt;
  }
  if (take(text, '.')) {
    number.fraction = take_digits(text);
    if (number.fraction.empty()) return std::nullopt;
  }
  if (!take_exponent(text, number) || !text.empty()) return std::nullopt;
  return number;
}

// The shape that PostgreSQL's numeric gives a number. Sizes come first, so that 1e999999999 is
// refused before anything is written.
struct NumericLayout {
  std::int64_t point =
      0;  // Digits of the source, counted with its leading zeros, before the point.
  std::int64_t leading = 0;  // Zeros at the start of the source's digits.
  std::int64_t whole = 0;    // Digits written before the point, at least one.
  std::int64_t scale = 0;    // Digits written after it.
  bool zero = false;
};

NumericLayout layout_of(const Decimal& number, std::string_view digits) {
  NumericLayout layout;
  const std::size_t first = digits.find_first_not_of('0');
  layout.zero = first == std::string_view::npos;
  layout.leading = static_cast<std::int64_t>(layout.zero ? digits.size() : first);
  layout.point = static_cast<std::int64_t>(number.whole.size()) + number.exponent;
  layout.whole = layout.zero ? 1 : std::max<std::int64_t>(1, layout.point - layout.leading);
  layout.scale = std::max<std::int64_t>(
      0, static_cast<std::int64_t>(number.fraction.size()) - number.exponent);
  return layout;
}

bool is_too_long(const Decimal& number, const NumericLayout& layout) {
  return !number.in_range ||
         layout.whole + layout.scale > static_cast<std::int64_t>(kJsonNumberDigitsMax);
}

// Only sizes that is_too_long() lets pass.
void append_numeric(std::string& out, const NumericLayout& layout, bool negative,
                    std::string_view digits) {
  const auto digit_at = [&](std::int64_t index) {
    const bool given = index >= 0 && index < static_cast<std::int64_t>(digits.size());
    return given ? digits[static_cast<std::size_t>(index)] : '0';
  };
  if (negative && !layout.zero) out += '-';
  if (layout.zero) {
    out += '0';
  } else {
    for (auto i = layout.point - layout.whole; i < layout.point; ++i) out += digit_at(i);
  }
  if (layout.scale == 0) return;
  out += '.';
  for (auto i = layout.point; i < layout.point + layout.scale; ++i) out += digit_at(i);
}

std::optional<JsonError> append_number(std::string& out, std::string_view text) {
  const auto number = split_number(text);
  if (!number) return JsonError{fmt::format("\"{}\" is not a number", printable(text))};
  const std::string digits = fmt::format("{}{}", number->whole, number->fraction);
  const NumericLayout layout = layout_of(*number, digits);
  if (is_too_long(*number, layout)) {
    return JsonError{
        fmt::format("a number has more than {} digits when written out", kJsonNumberDigitsMax)};
  }
  append_numeric(out, layout, number->negative, digits);
  return std::nullopt;
}

// A key as messages show it.
std::string quoted(std::string_view key) {
  constexpr std::size_t kShownMax = 60;
  if (key.size() <= kShownMax) return fmt::format("\"{}\"", printable(key));
  std::size_t end = kShownMax;
  while ((static_cast<std::uint8_t>(key[end]) & 0xc0) == 0x80) --end;  // Not inside a character.
  return fmt::format("\"{}…\"", printable(key.substr(0, end)));
}

// A key that occurs twice. The few members that objects usually have are compared in pairs, which
// needs no memory; many are sorted, or the time would grow with the square of an attacker's input.
std::optional<std::string_view> repeated_key(const JsonObject& members) {
  constexpr std::size_t kFew = 16;
  if (members.size() <= kFew) {
    for (auto member = members.begin(); member != members.end(); ++member) {
      if (std::any_of(members.begin(), member,
                      [&](const JsonMember& other) { return other.first == member->first; })) {
        return member->first;
      }
    }
    return std::nullopt;
  }
  std::vector<std::string_view> keys;
  keys.reserve(members.size());
  for (const auto& member : members) keys.emplace_back(member.first);
  std::ranges::sort(keys);
  const auto repeated = std::ranges::adjacent_find(keys);
  return repeated == keys.end() ? std::nullopt : std::optional(*repeated);
}

std::string repeated_key_message(std::string_view key) {
  return fmt::format("the key {} occurs twice in one object", quoted(key));
}

// Builds the tree from RapidJSON's events, and stops it where we are stricter than it is.
class TreeBuilder final : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  explicit TreeBuilder(std::size_t depth_max) : depth_max_(depth_max) {}

  // Takes the numbers from `spellings`, in this order, in place of those of the source.
  TreeBuilder(std::size_t depth_max, std::vector<std::string_view> spellings)
      : depth_max_(depth_max), spellings_(std::move(spellings)) {}

  // NOLINTBEGIN(readability-identifier-naming): RapidJSON calls its handlers by these names.
  bool Null() { return add(Json()); }
  bool Bool(bool value) { return add(Json(value)); }

  bool RawNumber(const char* text, rapidjson::SizeType length, bool /*copy*/) {
    // Past the last spelling only before an error: `1-2` is one spelling of nothing.
    const bool masked = numbers_ < spellings_.size();
    std::string spelling(masked ? spellings_[numbers_] : std::string_view(text, length));
    ++numbers_;
    return add(Json(JsonNumber{std::move(spelling)}));
  }

  bool String(const char* text, rapidjson::SizeType length, bool /*copy*/) {
    return check_text({text, length}) && add(Json(std::string(text, length)));
  }

  bool Key(const char* text, rapidjson::SizeType length, bool /*copy*/) {
    if (!check_text({text, length})) return false;
    open_.back().members.emplace_back(std::string(text, length), Json());
    return true;
  }

  bool StartObject() {
    if (!open(/*is_object=*/true)) return false;
    constexpr std::size_t kUsualMembers = 8;  // Saves growing in steps.
    open_.back().members.reserve(kUsualMembers);
    return true;
  }

  bool EndObject(rapidjson::SizeType /*count*/) {
    JsonObject members = std::move(open_.back().members);
    open_.pop_back();
    if (const auto key = repeated_key(members)) return fail(repeated_key_message(*key));
    return add(Json(std::move(members)));
  }

  bool StartArray() { return open(/*is_object=*/false); }

  bool EndArray(rapidjson::SizeType /*count*/) {
    JsonArray elements = std::move(open_.back().elements);
    open_.pop_back();
    return add(Json(std::move(elements)));
  }
  // NOLINTEND(readability-identifier-naming)

  [[nodiscard]] Json& root() { return root_; }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  struct Level {
    bool is_object = false;
    JsonArray elements;
    JsonObject members;  // The last one awaits its value after Key().
  };

  bool fail(std::string message) {
    fault_ = std::move(message);
    return false;
  }

  // RapidJSON validates the bytes of the source, but decodes \u0000 and a lone \udc00.
  bool check_text(std::string_view text) {
    if (is_storable_text(text)) return true;
    return fail(text.find('\0') != std::string_view::npos
                    ? "a text contains the character \\u0000, which cannot be stored"
                    : "a text contains half of a surrogate pair");
  }

  bool open(bool is_object) {
    if (open_.size() == depth_max_) {
      return fail(fmt::format("arrays and objects are nested more than {} deep", depth_max_));
    }
    open_.push_back(Level{.is_object = is_object, .elements = {}, .members = {}});
    return true;
  }

  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_object) {
      open_.back().members.back().second = std::move(value);
    } else {
      open_.back().elements.push_back(std::move(value));
    }
    return true;
  }

  Json root_;
  std::vector<Level> open_;
  std::string fault_;
  std::size_t depth_max_;
  std::vector<std::string_view> spellings_;
  std::size_t numbers_ = 0;
};

rapidjson::ParseResult read(std::string_view text, TreeBuilder& builder) {
  constexpr unsigned kFlags = rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseIterativeFlag;
  rapidjson::MemoryStream stream(text.data(), text.size());
  return rapidjson::Reader().Parse<kFlags>(stream, builder);
}

struct MaskedNumbers {
  std::string text;                         // As long as the source, so that offsets stay true.
  std::vector<std::string_view> spellings;  // Point into the source.
};

std::size_t end_of_string(std::string_view text, std::size_t quote) {
  std::size_t at = quote + 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

// RapidJSON works out a double even when told to leave numbers as they are, and refuses what does
// not fit one. Here each number outside the strings becomes a 1 and blanks, which it can read.
MaskedNumbers mask_numbers(std::string_view text) {
  constexpr std::string_view kNumberCharacters = "+-.0123456789Ee";
  MaskedNumbers masked{.text = std::string(text), .spellings = {}};
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '"') {
      at = end_of_string(text, at);
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of(kNumberCharacters, at), text.size());
    const std::string_view number = text.substr(at, end - at);
    if (split_number(number)) {
      masked.text.replace(at, number.size(), number.size(), ' ').replace(at, 1, 1, '1');
      masked.spellings.push_back(number);
    }
    at = std::max(end, at + 1);
  }
  return masked;
}

std::string string_message(std::string_view text, std::size_t offset) {
  if (offset < text.size() && static_cast<std::uint8_t>(text[offset]) < 0x20) {
    return "a control character in a text must be escaped";
  }
  return "a backslash in a text starts no known escape";
}

std::string describe(const rapidjson::ParseResult& result, std::string_view text) {
  switch (result.Code()) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "there is no value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "something follows the value";
    case rapidjson::kParseErrorObjectMissName:
      return "a key in double quotes is missing";
    case rapidjson::kParseErrorObjectMissColon:
      return "a colon is missing after a key";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "a comma or } is missing after a member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "a comma or ] is missing after an element";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "\\u in a text must be followed by four hexadecimal digits";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "a text contains half of a surrogate pair";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return string_message(text, result.Offset());
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a closing double quote is missing";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "a text is not valid UTF-8";
    case rapidjson::kParseErrorNumberMissFraction:
      return "digits are missing after a decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "digits are missing in the exponent of a number";
    default:
      return "this is no value: expected an object, an array, a text in double quotes, a number, "
             "true, false or null";
  }
}

// Writes a document as jsonb prints it, until the first error.
class JsonbWriter {
 public:
  [[nodiscard]] std::optional<JsonError> write(const Json& value) {
    if (const JsonObject* members = value.object()) return write_object(*members);
    if (const JsonArray* elements = value.array()) return write_array(*elements);
    if (const std::string* text = value.string()) return write_string(*text);
    if (const JsonNumber* number = value.number()) return append_number(out_, number->text);
    if (const bool* boolean = value.boolean()) {
      out_ += *boolean ? "true" : "false";
    } else {
      out_ += "null";
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string& out() { return out_; }

 private:
  std::optional<JsonError> write_string(std::string_view text) {
    if (!is_storable_text(text)) return JsonError{"a text is not valid UTF-8 without U+0000"};
    append_json_string(out_, text);
    return std::nullopt;
  }

  std::optional<JsonError> write_array(const JsonArray& elements) {
    out_ += '[';
    for (const Json& element : elements) {
      if (&element != &elements.front()) out_ += ", ";
      if (auto error = write(element)) return error;
    }
    out_ += ']';
    return std::nullopt;
  }

  std::optional<JsonError> write_object(const JsonObject& members) {
    std::vector<const JsonMember*> sorted;
    sorted.reserve(members.size());
    for (const JsonMember& member : members) sorted.push_back(&member);
    std::ranges::sort(sorted, [](const JsonMember* left, const JsonMember* right) {
      const auto sizes = left->first.size() <=> right->first.size();
      return sizes != 0 ? sizes < 0 : left->first < right->first;
    });
    const std::string* previous = nullptr;
    out_ += '{';
    for (const JsonMember* member : sorted) {
      if (previous != nullptr) out_ += ", ";
      if (previous != nullptr && *previous == member->first) {
        return JsonError{repeated_key_message(member->first)};
      }
      previous = &member->first;
      if (auto error = write_string(member->first)) return error;
      out_ += ": ";
      if (auto error = write(member->second)) return error;
    }
    out_ += '}';
    return std::nullopt;
  }

  std::string out_;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  const JsonObject* members = object();
  if (members == nullptr) return nullptr;
  const auto member = std::ranges::find(*members, key, &JsonMember::first);
  return member == members->end() ? nullptr : &member->second;
}

std::variant<Json, JsonError> parse_json(std::string_view text, std::size_t depth_max) {
  if (text.size() > kJsonTextMax) {
    return JsonError{fmt::format("the document has more than {} bytes", kJsonTextMax)};
  }
  // RapidJSON takes a zero byte for the end of its input.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return JsonError{"a zero byte", zero};
  }
  TreeBuilder builder(depth_max);
  rapidjson::ParseResult result = read(text, builder);
  if (result.Code() == rapidjson::kParseErrorNumberTooBig) {
    MaskedNumbers masked = mask_numbers(text);
    builder = TreeBuilder(depth_max, std::move(masked.spellings));
    result = read(masked.text, builder);
  }
  if (result.IsError()) {
    const bool ours = result.Code() == rapidjson::kParseErrorTermination;
    return JsonError{ours ? builder.fault() : describe(result, text), result.Offset()};
  }
  return std::move(builder.root());
}

std::variant<std::string, JsonError> to_jsonb_text(const Json& document) {
  JsonbWriter writer;
  if (auto error = writer.write(document)) return *std::move(error);
  return std::move(writer.out());
}

Json merge_patch(Json target, const Json& patch) {
  const JsonObject* const changes = patch.object();
  if (changes == nullptr) return patch;
  if (target.object() == nullptr) target = Json(JsonObject{});

  std::unordered_map<std::string_view, const Json*> pending;
  for (const auto& [key, change] : *changes) pending.emplace(key, &change);
  JsonObject merged;
  for (auto& [key, value] : *target.object()) {
    const auto change = pending.find(key);
    if (change == pending.end()) {
      merged.emplace_back(std::move(key), std::move(value));
      continue;
    }
    if (!change->second->is_null()) {
      merged.emplace_back(std::move(key), merge_patch(std::move(value), *change->second));
    }
    pending.erase(change);
  }
  for (const auto& [key, change] : *changes) {
    if (!change.is_null() && pending.contains(key)) {
      merged.emplace_back(key, merge_patch(Json(), change));
    }
  }
  return Json(std::move(merged));
}

void append_json_string(std::string& out, std::string_view text) {
  const auto append_escaped = [&out](char c) {
    constexpr std::string_view kShort = "\b\f\n\r\t\"\\";
    constexpr std::string_view kLetters = "bfnrt\"\\";
    if (const std::size_t known = kShort.find(c); known != std::string_view::npos) {
      out += '\\';
      out += kLetters[known];
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint8_t>(c));
    }
  };
  const auto must_escape = [](char c) {
    return static_cast<std::uint8_t>(c) < 0x20 || c == '"' || c == '\\';
  };
  out += '"';
  for (;;) {
    const auto special = std::ranges::find_if(text, must_escape);
    out.append(text.begin(), special);
    if (special == text.end()) break;
    append_escaped(*special);
    text = std::string_view(special + 1, text.end());
  }
  out += '"';
}

}  // namespace tenantry::events
