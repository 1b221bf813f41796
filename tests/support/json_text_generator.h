#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tenantry {

// Texts of JSON documents in every spelling: blanks, escapes, numbers of all lengths, keys of all
// scripts. A few break a rule: of JSON's grammar, or one of ours. The same seed, the same texts.
class JsonTextGenerator {
 public:
  explicit JsonTextGenerator(std::uint64_t seed) : random_(seed) {}

  std::string document();
  // An object whose jsonb form has about so many bytes, with thousands of keys in no order.
  std::string large_object(std::size_t bytes);
  // A document that shares keys with `target`, on several levels, to be merged into it.
  std::string patch_of(std::string_view target);
  // Some bytes exchanged, taken out or put in.
  std::string damaged(std::string text);

  // A character as it is, and as `\u` escapes spell it; half a surrogate pair as what it would be.
  static std::string utf8(char32_t character);
  static std::string escaped(char32_t character);

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  char32_t character();
  void add_blanks();
  void add_digits(std::size_t how_many);
  void add_number();
  void add_exponent();
  void add_string();
  void add_key();
  void add_fault();
  void add_object(int depth);
  void add_array(int depth);
  void add_value(int depth);

  std::mt19937_64 random_;
  std::string out_;
  std::vector<std::string> keys_;  // Spelled before in this document, to come up again.
};

}  // namespace tenantry
