#include "tools/printer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "events/text.h"
#include "tools/terminal.h"

namespace tenantry::tools {
namespace {

constexpr std::size_t kHeldLinesMax = 1000;
constexpr std::string_view kGap = "  ";

std::vector<std::size_t> shown_columns(const std::vector<Column>& columns,
                                       const PrintOptions& options) {
  std::vector<std::size_t> shown;
  for (const std::string& field : options.fields) {
    const auto found = std::ranges::find(columns, field, &Column::name);
    if (found == columns.end()) {
      std::vector<std::string_view> names;
      names.reserve(columns.size());
      for (const Column& column : columns) names.emplace_back(column.name);
      throw UsageError("unknown_field", fmt::format("there is no field \"{}\" here", field),
                       fmt::format("--fields takes {}", fmt::join(names, ", ")));
    }
    shown.push_back(static_cast<std::size_t>(found - columns.begin()));
  }
  if (!shown.empty()) return shown;
  for (std::size_t place = 0; place < columns.size(); ++place) {
    if (options.format != Format::kTable || !columns[place].wide) shown.push_back(place);
  }
  return shown;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + '"';
}

}  // namespace

Printer::Printer(OutputStream& out, PrintOptions options, std::vector<Column> columns)
    : out_(out), options_(std::move(options)), columns_(std::move(columns)) {
  shown_ = shown_columns(columns_, options_);
}

void Printer::row(const std::vector<Cell>& cells, const std::vector<std::string>& notes) {
  switch (options_.format) {
    case Format::kTable:
      hold_line(cells, notes);
      return;
    case Format::kJson:
      out_.write(started_ ? ",\n" : "[");
      print_object(cells);
      break;
    case Format::kNdjson:
      print_object(cells);
      out_.write("\n");
      break;
    case Format::kCsv: {
      std::vector<std::string> texts;
      for (const std::size_t place : shown_) texts.push_back(plain_text(cells[place]));
      if (!started_) flush();
      print_csv(texts);
      break;
    }
  }
  started_ = true;
}

void Printer::print_object(const std::vector<Cell>& cells) {
  json_.clear();
  json_.begin_object();
  for (const std::size_t place : shown_) json_.member(columns_[place].name, cells[place]);
  json_.end_object();
  out_.write(json_.text());
}

void Printer::print_csv(const std::vector<std::string>& cells) {
  bool first = true;
  for (const std::string& cell : cells) {
    if (!std::exchange(first, false)) out_.write(",");
    out_.write(csv_field(cell));
  }
  out_.write("\n");
}

void Printer::hold_line(const std::vector<Cell>& cells, const std::vector<std::string>& notes) {
  Line line;
  for (const std::size_t place : shown_) {
    line.cells.push_back(events::printable(plain_text(cells[place])));
    line.number.push_back(std::holds_alternative<std::int64_t>(cells[place]));
  }
  for (const std::string& note : notes) line.notes.push_back(events::printable(note));
  held_.push_back(std::move(line));
  if (started_ || held_.size() >= kHeldLinesMax) print_held_lines();
}

void Printer::print_held_lines() {
  if (!started_) {
    Line header;
    for (const std::size_t place : shown_) header.cells.push_back(columns_[place].name);
    for (std::size_t i = 0; i < header.cells.size(); ++i) {
      right_.push_back(!held_.empty() && std::ranges::all_of(held_, [i](const Line& line) {
        return line.number[i];
      }));
      std::size_t width = display_width(header.cells[i]);
      for (const Line& line : held_) width = std::max(width, display_width(line.cells[i]));
      widths_.push_back(width);
    }
    print_line(header, true);
    started_ = true;
  }
  for (const Line& line : held_) print_line(line, false);
  held_.clear();
}

void Printer::print_line(const Line& line, bool header) {
  std::string text;
  for (std::size_t i = 0; i < line.cells.size(); ++i) {
    const bool last = i + 1 == line.cells.size();
    const std::size_t width = display_width(line.cells[i]);
    const std::string padding(widths_[i] > width ? widths_[i] - width : 0, ' ');
    if (i > 0) text += kGap;
    if (right_[i]) text += padding;
    text += line.cells[i];
    if (!right_[i] && !last) text += padding;
  }
  if (options_.width > 0) text = cut_to_width(text, options_.width);
  out_.write(header ? styled(text, Style::kBold, options_.color) : text);
  out_.write("\n");
  for (const std::string& note : line.notes) out_.write(fmt::format("    {}\n", note));
}

void Printer::flush() {
  if (options_.format == Format::kTable) {
    if (!held_.empty()) print_held_lines();
  } else if (options_.format == Format::kCsv && !started_) {
    started_ = true;
    std::vector<std::string> names;
    for (const std::size_t place : shown_) names.push_back(columns_[place].name);
    print_csv(names);
  }
  out_.flush();
}

void Printer::finish() {
  if (options_.format == Format::kTable && !started_) print_held_lines();
  if (options_.format == Format::kJson) out_.write(started_ ? "]\n" : "[]\n");
  flush();
}

void print_record(OutputStream& out, const PrintOptions& options,
                  const std::vector<Column>& columns, const std::vector<Cell>& cells) {
  const std::vector<std::size_t> shown = shown_columns(columns, options);
  if (options.format == Format::kCsv || options.format == Format::kNdjson) {
    Printer printer(out, options, columns);
    printer.row(cells);
    printer.finish();
    return;
  }
  if (options.format == Format::kJson) {
    JsonBuilder json;
    json.begin_object();
    for (const std::size_t place : shown) json.member(columns[place].name, cells[place]);
    json.end_object();
    out.write(json.text());
    out.write("\n");
  } else {
    std::size_t width = 0;
    for (const std::size_t place : shown) width = std::max(width, columns[place].name.size());
    for (const std::size_t place : shown) {
      const bool null = std::holds_alternative<events::Null>(cells[place]);
      if (null && options.fields.empty()) continue;
      const std::string name = fmt::format("{:<{}}", columns[place].name, width);
      out.write(styled(name, Style::kBold, options.color) + std::string(kGap) +
                events::printable(plain_text(cells[place])) + "\n");
    }
  }
  out.flush();
}

}  // namespace tenantry::tools
