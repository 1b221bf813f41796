#include "events/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <iterator>
#include <system_error>

#include <fmt/format.h>

namespace tenantry::events {
namespace {

using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::sys_days;

constexpr char kHexDigits[] = "0123456789abcdef";

// Takes fixed-width parts off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `width` ASCII digits that spell at most `max`.
  std::optional<int> number(std::size_t width, int max) {
    if (rest_.size() < width) return std::nullopt;
    int value = 0;
    for (const char digit : rest_.substr(0, width)) {
      if (digit < '0' || digit > '9') return std::nullopt;
      value = value * 10 + (digit - '0');
    }
    rest_.remove_prefix(width);
    return value <= max ? std::optional(value) : std::nullopt;
  }

  bool take(char expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] std::size_t digits_ahead() const {
    const std::size_t end = rest_.find_first_not_of("0123456789");
    return end == std::string_view::npos ? rest_.size() : end;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<sys_days> scan_date(Scanner& scanner) {
  const auto year = scanner.number(4, 9999);
  if (!year || !scanner.take('-')) return std::nullopt;
  const auto month = scanner.number(2, 12);
  if (!month || !scanner.take('-')) return std::nullopt;
  const auto day = scanner.number(2, 31);
  if (!day || *year == 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  return date.ok() ? std::optional(sys_days(date)) : std::nullopt;
}

// What follows the point: one to six digits, read as microseconds.
std::optional<microseconds> scan_fraction(Scanner& scanner) {
  const std::size_t width = scanner.digits_ahead();
  if (width == 0 || width > 6) return std::nullopt;
  int micros = *scanner.number(width, 999'999);
  for (std::size_t missing = width; missing < 6; ++missing) micros *= 10;
  return microseconds(micros);
}

std::optional<microseconds> scan_time_of_day(Scanner& scanner) {
  const auto hour = scanner.number(2, 23);
  if (!hour || !scanner.take(':')) return std::nullopt;
  const auto minute = scanner.number(2, 59);
  if (!minute || !scanner.take(':')) return std::nullopt;
  const auto second = scanner.number(2, 59);
  if (!second) return std::nullopt;
  const microseconds time =
      std::chrono::hours(*hour) + minutes(*minute) + std::chrono::seconds(*second);
  if (!scanner.take('.')) return time;
  const auto fraction = scan_fraction(scanner);
  return fraction ? std::optional(time + *fraction) : std::nullopt;
}

// `Z`, or a sign with hh, hhmm or hh:mm: how far the local time is ahead of UTC.
std::optional<minutes> scan_zone(Scanner& scanner) {
  if (scanner.take('Z')) return minutes(0);
  const bool behind = scanner.take('-');
  if (!behind && !scanner.take('+')) return std::nullopt;
  const auto hour = scanner.number(2, 23);
  if (!hour) return std::nullopt;
  minutes ahead = std::chrono::hours(*hour);
  if (scanner.take(':') || !scanner.at_end()) {
    const auto minute = scanner.number(2, 59);
    if (!minute) return std::nullopt;
    ahead += minutes(*minute);
  }
  return behind ? -ahead : ahead;
}

std::optional<Timestamp> in_range(std::chrono::sys_time<microseconds> time) {
  using namespace std::chrono_literals;
  constexpr sys_days kFirst = 1y / 1 / 1;
  constexpr sys_days kEnd = 10000y / 1 / 1;
  if (time < kFirst || time >= kEnd) return std::nullopt;
  return Timestamp{time.time_since_epoch().count()};
}

std::optional<Timestamp> parse_date(std::string_view text) {
  Scanner scanner(text);
  const auto date = scan_date(scanner);
  return date && scanner.at_end() ? in_range(*date) : std::nullopt;
}

std::optional<microseconds> unit_of_age(char unit) {
  switch (unit) {
    case 's':
      return std::chrono::seconds(1);
    case 'm':
      return minutes(1);
    case 'h':
      return std::chrono::hours(1);
    case 'd':
      return std::chrono::days(1);
    case 'w':
      return std::chrono::weeks(1);
    default:
      return std::nullopt;
  }
}

std::optional<Timestamp> parse_age(std::string_view text, Timestamp now) {
  if (text.empty()) return std::nullopt;
  const auto unit = unit_of_age(text.back());
  const char* const end = text.data() + text.size() - 1;
  std::uint64_t count = 0;  // Unsigned, so that no sign is read.
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  if (!unit || error != std::errc() || stop != end) return std::nullopt;
  // More than the whole range of time; checked here because the product below must not overflow.
  constexpr microseconds kLongest = std::chrono::years(10000);
  if (count > static_cast<std::uint64_t>(kLongest / *unit)) return std::nullopt;
  const std::chrono::sys_time<microseconds> start{microseconds(now.micros)};
  return in_range(start - static_cast<std::int64_t>(count) * *unit);
}

std::optional<std::uint8_t> hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<std::uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<std::uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<std::uint8_t>(digit - 'A' + 10);
  return std::nullopt;
}

void append_hex(std::string& out, std::uint8_t byte) {
  out += kHexDigits[byte >> 4];
  out += kHexDigits[byte & 0x0f];
}

// Written out: a rebuild prints millions of times, and fmt's fixed widths took a tenth of it.
template <std::size_t kWidth>
void append_digits(std::string& out, std::int64_t value) {
  std::array<char, kWidth> digits;
  for (std::size_t place = kWidth; place-- > 0; value /= 10) {
    digits[place] = static_cast<char>('0' + value % 10);
  }
  out.append(digits.data(), kWidth);
}

// Whether a hyphen precedes byte `index` of a UUID.
constexpr bool starts_group(std::size_t index) {
  return index == 4 || index == 6 || index == 8 || index == 10;
}

}  // namespace

void append_timestamp(std::string& out, Timestamp time) {
  const std::chrono::sys_time<microseconds> point{microseconds(time.micros)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<microseconds> clock(point - day);
  const int year = static_cast<int>(date.year());
  if (year < 0 || year > 9999) {  // No event has it; whoever prints it should see it.
    fmt::format_to(std::back_inserter(out), "{:04}", year);
  } else {
    append_digits<4>(out, year);
  }
  append_digits<2>(out += '-', static_cast<unsigned>(date.month()));
  append_digits<2>(out += '-', static_cast<unsigned>(date.day()));
  append_digits<2>(out += 'T', clock.hours().count());
  append_digits<2>(out += ':', clock.minutes().count());
  append_digits<2>(out += ':', clock.seconds().count());
  append_digits<6>(out += '.', clock.subseconds().count());
  out += 'Z';
}

std::string format_timestamp(Timestamp time) {
  std::string text;
  text.reserve(27);
  append_timestamp(text, time);
  return text;
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  Scanner scanner(text);
  const auto date = scan_date(scanner);
  if (!date || (!scanner.take('T') && !scanner.take(' '))) return std::nullopt;
  const auto time = scan_time_of_day(scanner);
  if (!time) return std::nullopt;
  const auto ahead = scan_zone(scanner);
  if (!ahead || !scanner.at_end()) return std::nullopt;
  return in_range(*date + *time - *ahead);
}

std::optional<Timestamp> parse_time_argument(std::string_view text, Timestamp now) {
  if (const auto time = parse_timestamp(text)) return time;
  if (const auto date = parse_date(text)) return date;
  return parse_age(text, now);
}

std::string format_uuid(const Uuid& uuid) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (starts_group(i)) text += '-';
    append_hex(text, uuid.bytes[i]);
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid;
  std::size_t at = 0;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (starts_group(i) && text[at++] != '-') return std::nullopt;
    const auto high = hex_digit(text[at++]);
    const auto low = hex_digit(text[at++]);
    if (!high || !low) return std::nullopt;
    uuid.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return uuid;
}

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) append_hex(text, static_cast<std::uint8_t>(byte));
  return text;
}

}  // namespace tenantry::events
