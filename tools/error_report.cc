#include "tools/error_report.h"

#include "events/text.h"
#include "tools/json_builder.h"
#include "tools/terminal.h"

namespace tenantry::tools {

ErrorReport report_of(const events::Refusal& refusal) {
  return {.code = refusal.code,
          .message = refusal.message,
          .field = refusal.field,
          .hint = {},
          .exit = exit_code_of(refusal)};
}

std::string format_error(const ErrorReport& report, bool json, bool color) {
  const std::string message = events::printable(report.message);
  const std::string hint = events::printable(report.hint);
  if (!json) {
    std::string text = styled("error[" + report.code + "]", Style::kRed, color) + ": " + message;
    if (!report.field.empty()) text += " (field " + events::printable(report.field) + ")";
    text += "\n";
    if (!hint.empty()) text += "hint: " + hint + "\n";
    return text;
  }
  JsonBuilder builder;
  builder.begin_object().key("error").begin_object();
  builder.key("code").string(report.code).key("message").string(message);
  if (!report.field.empty()) builder.key("field").string(events::printable(report.field));
  if (!hint.empty()) builder.key("hint").string(hint);
  builder.end_object().end_object();
  return std::string(builder.text()) + "\n";
}

}  // namespace tenantry::tools
