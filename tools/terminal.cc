#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unistd.h>

namespace tenantry::tools {
namespace {

std::size_t character_width(UChar32 character) {
  switch (u_charType(character)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_FORMAT_CHAR:
      return 0;
    default:
      break;
  }
  const int width = u_getIntPropertyValue(character, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

icu::UnicodeString decode(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

}  // namespace

std::size_t terminal_width(int descriptor) {
  winsize size{};
  if (::isatty(descriptor) != 1 || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::size_t display_width(std::string_view text) {
  const icu::UnicodeString decoded = decode(text);
  std::size_t width = 0;
  for (int32_t at = 0; at < decoded.length(); at = decoded.moveIndex32(at, 1)) {
    width += character_width(decoded.char32At(at));
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  if (text.size() <= width || display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const icu::UnicodeString decoded = decode(text);
  std::size_t taken = 0;
  int32_t at = 0;
  while (at < decoded.length()) {
    const std::size_t next = character_width(decoded.char32At(at));
    if (taken + next > width - 1) break;
    taken += next;
    at = decoded.moveIndex32(at, 1);
  }
  std::string cut;
  decoded.tempSubString(0, at).toUTF8String(cut);
  return cut + "…";
}

std::string styled(std::string_view text, Style style, bool color) {
  if (!color) return std::string(text);
  const auto code = [style] {
    switch (style) {
      case Style::kBold:
        return "1";
      case Style::kRed:
        return "31";
      case Style::kGreen:
        return "32";
      case Style::kYellow:
        return "33";
      case Style::kDim:
        return "2";
    }
    return "0";
  }();
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace tenantry::tools
