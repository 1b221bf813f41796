#include "tests/support/json_text_generator.h"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace tenantry {
namespace {

constexpr int kUsualDepth = 4;
constexpr std::size_t kFaultIn = 150;  // One value of so many is none.

}  // namespace

std::string JsonTextGenerator::utf8(char32_t character) {
  const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
  const auto rest = [&](int shift) { return byte(0x80 | ((character >> shift) & 0x3f)); };
  if (character < 0x80) return {byte(character)};
  if (character < 0x800) return {byte(0xc0 | (character >> 6)), rest(0)};
  if (character < 0x10000) return {byte(0xe0 | (character >> 12)), rest(6), rest(0)};
  return {byte(0xf0 | (character >> 18)), rest(12), rest(6), rest(0)};
}

std::string JsonTextGenerator::escaped(char32_t character) {
  const auto unit = [](char32_t value) {
    return value % 2 == 0 ? fmt::format("\\u{:04x}", static_cast<std::uint32_t>(value))
                          : fmt::format("\\u{:04X}", static_cast<std::uint32_t>(value));
  };
  if (character < 0x10000) return unit(character);
  const char32_t rest = character - 0x10000;
  return unit(0xd800 + (rest >> 10)) + unit(0xdc00 + (rest & 0x3ff));
}

std::string JsonTextGenerator::document() {
  out_.clear();
  keys_.clear();
  if (one_in(100)) {  // About as deep as may be.
    const std::size_t levels = 28 + below(8);
    std::string closing;
    for (std::size_t i = 0; i < levels; ++i) {
      const bool array = one_in(2);
      out_ += array ? "[" : "{\"a\":";
      closing.insert(0, array ? "]" : "}");
    }
    add_value(0);
    return out_ + closing;
  }
  add_blanks();
  add_value(kUsualDepth);
  add_blanks();
  return out_;
}

std::string JsonTextGenerator::large_object(std::size_t bytes) {
  out_ = "{";
  for (std::size_t i = 0; out_.size() < bytes; ++i) {
    if (i > 0) out_ += ',';
    out_ += fmt::format("\"{}{}\":", utf8(0x100 + static_cast<char32_t>(below(0x2000))),
                        i * 7919 % 100'003);
    out_ += fmt::format("[{}.{:03}e{}, \"{}\"]", below(1'000), below(1'000), below(4),
                        utf8(0x4e00 + static_cast<char32_t>(below(0x2000))));
  }
  return out_ + "}";
}

std::string JsonTextGenerator::patch_of(std::string_view target) {
  // Every text that stands in `target` may be a key of it.
  std::vector<std::string> known;
  for (std::size_t at = target.find('"'); at != std::string_view::npos; at = target.find('"', at)) {
    std::size_t end = at + 1;
    while (end < target.size() && target[end] != '"') end += target[end] == '\\' ? 2 : 1;
    if (end >= target.size()) break;
    known.emplace_back(target.substr(at, end + 1 - at));
    at = end + 1;
  }
  out_.clear();
  keys_ = std::move(known);
  add_value(kUsualDepth);
  return out_;
}

std::string JsonTextGenerator::damaged(std::string text) {
  constexpr std::string_view kBytes =
      "{}[]:,\"\\u0019dDcCEe+-.truefalsn \n\t\x7f\x01\xed\xb0\x80\xff";
  for (std::size_t i = 1 + below(3); i > 0; --i) {
    const std::size_t at = below(text.size() + 1);
    std::string put;
    for (std::size_t j = below(3); j > 0; --j) {
      put += one_in(10) ? static_cast<char>(random_()) : kBytes[below(kBytes.size())];
    }
    text.replace(at, below(3), put);
  }
  return text;
}

char32_t JsonTextGenerator::character() {
  // Where a script or an encoding's length begins or ends, and what JSON treats on its own.
  constexpr std::array<std::pair<char32_t, char32_t>, 16> kRanges = {{{'a', 'z'},
                                                                      {'A', 'Z'},
                                                                      {' ', '~'},
                                                                      {0x01, 0x20},
                                                                      {0x7f, 0xff},
                                                                      {0x300, 0x370},
                                                                      {0x370, 0x5ff},
                                                                      {0x600, 0x6ff},
                                                                      {0x7f0, 0x810},
                                                                      {0x900, 0xdff},
                                                                      {0x2000, 0x206f},
                                                                      {0x4e00, 0x9fff},
                                                                      {0xac00, 0xd7ff},
                                                                      {0xe000, 0xffff},
                                                                      {0x10000, 0x1ffff},
                                                                      {0x1f300, 0x10ffff}}};
  const auto& [first, last] = kRanges[below(kRanges.size())];
  return first + static_cast<char32_t>(below(last - first + 1));
}

void JsonTextGenerator::add_blanks() {
  while (one_in(4)) out_ += " \t\n\r"[below(4)];
}

void JsonTextGenerator::add_digits(std::size_t how_many) {
  for (; how_many > 0; --how_many) {
    out_ += one_in(3) ? '0' : static_cast<char>('0' + below(10));
  }
}

void JsonTextGenerator::add_number() {
  if (one_in(3)) out_ += '-';
  if (one_in(3)) {
    out_ += '0';
  } else {
    out_ += static_cast<char>('1' + below(9));
    add_digits(one_in(50) ? 380 + below(40) : below(12));
  }
  if (one_in(2)) {
    out_ += '.';
    add_digits(one_in(50) ? 1 + below(420) : 1 + below(8));
  }
  if (one_in(3)) add_exponent();
}

void JsonTextGenerator::add_exponent() {
  constexpr std::array kSigns = {"", "+", "-"};
  constexpr std::array<std::size_t, 6> kEnds = {10, 10, 10, 50, 420, 100'000};
  out_ += one_in(2) ? 'e' : 'E';
  out_ += kSigns[below(kSigns.size())];
  if (one_in(5)) out_ += std::string(below(4), '0');
  out_ += std::to_string(below(kEnds[below(kEnds.size())]));
}

void JsonTextGenerator::add_string() {
  constexpr std::array kEscapes = {"\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"};
  out_ += '"';
  for (std::size_t i = one_in(10) ? below(40) : below(6); i > 0; --i) {
    if (one_in(6)) {
      out_ += kEscapes[below(kEscapes.size())];
      continue;
    }
    const char32_t next = character();
    const bool raw = next >= ' ' && next != '"' && next != '\\' && !one_in(4);
    out_ += raw ? utf8(next) : escaped(next);
  }
  out_ += '"';
}

void JsonTextGenerator::add_key() {
  if (!keys_.empty() && one_in(8)) {
    out_ += keys_[below(keys_.size())];
    return;
  }
  const std::size_t start = out_.size();
  add_string();
  keys_.push_back(out_.substr(start));
}

// What is no value, each in its own way.
void JsonTextGenerator::add_fault() {
  constexpr std::array kFaults = {"01",
                                  "-",
                                  "+1",
                                  ".5",
                                  "1.",
                                  "1e",
                                  "0x1f",
                                  "NaN",
                                  "Infinity",
                                  "nul",
                                  "True",
                                  "'a'",
                                  "",
                                  "[1,]",
                                  "{\"a\":1,}",
                                  "{\"a\"}",
                                  "{1:2}",
                                  "\"\x01\"",
                                  "\"\t\"",
                                  "\"\\x\"",
                                  "\"\\u12\"",
                                  "\"\\u0000\"",
                                  "\"x\\u0000y\"",
                                  "{\"\\u0000\":1}",
                                  "\"\\ud800\"",
                                  "\"\\udc00\"",
                                  "\"\\ud83d\\u0041\"",
                                  "\"\\ud83d\\ud83d\\ude00\"",
                                  "\"\xff\"",
                                  "\"\xc0\x80\"",
                                  "\"\xed\xa0\x80\"",
                                  "\"\xf4\x90\x80\x80\"",
                                  "1 2",
                                  "// x\n1"};
  out_ += kFaults[below(kFaults.size())];
}

void JsonTextGenerator::add_object(int depth) {
  out_ += '{';
  const std::size_t members = one_in(20) ? below(30) : below(5);
  for (std::size_t i = 0; i < members; ++i) {
    if (i > 0) out_ += ',';
    add_blanks();
    add_key();
    add_blanks();
    out_ += ':';
    add_blanks();
    add_value(depth - 1);
    add_blanks();
  }
  out_ += '}';
}

void JsonTextGenerator::add_array(int depth) {
  out_ += '[';
  for (std::size_t i = below(5), first = i; i > 0; --i) {
    if (i != first) out_ += ',';
    add_blanks();
    add_value(depth - 1);
    add_blanks();
  }
  out_ += ']';
}

void JsonTextGenerator::add_value(int depth) {
  if (one_in(kFaultIn)) return add_fault();
  switch (below(depth > 0 ? 9 : 5)) {
    case 0:
      out_ += std::array{"null", "true", "false"}[below(3)];
      return;
    case 1:
    case 2:
      return add_number();
    case 3:
    case 4:
      return add_string();
    case 5:
      return add_array(depth);
    default:
      return add_object(depth);
  }
}

}  // namespace tenantry
