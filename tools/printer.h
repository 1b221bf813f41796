#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tools/cell.h"
#include "tools/json_builder.h"
#include "tools/output_stream.h"

namespace tenantry::tools {

enum class Format { kTable, kJson, kNdjson, kCsv };

struct PrintOptions {
  Format format = Format::kNdjson;
  std::vector<std::string> fields;  // These alone, in this order; empty: all.
  bool color = false;
  std::size_t width = 0;  // Of the terminal, to which table lines are cut; 0: they are not cut.
};

struct Column {
  std::string name;
  bool wide = false;  // A table leaves it out unless it is asked for.
};

// Prints records in the chosen format as they come. A table's widths are those of its first
// records, so memory does not grow with their number.
// Errors: UsageError for a field that is no column; those of OutputStream.
class Printer {
 public:
  Printer(OutputStream& out, PrintOptions options, std::vector<Column> columns);

  // One cell a column, in their order. `notes` are lines that a table shows below the record.
  void row(const std::vector<Cell>& cells, const std::vector<std::string>& notes = {});
  // Shows everything so far; later records keep to the widths found by now.
  void flush();
  // Once, after the last record.
  void finish();

 private:
  struct Line {
    std::vector<std::string> cells;
    std::vector<bool> number;
    std::vector<std::string> notes;
  };

  void print_object(const std::vector<Cell>& cells);
  void print_csv(const std::vector<std::string>& cells);
  void hold_line(const std::vector<Cell>& cells, const std::vector<std::string>& notes);
  void print_held_lines();
  void print_line(const Line& line, bool header);

  OutputStream& out_;
  PrintOptions options_;
  std::vector<Column> columns_;
  std::vector<std::size_t> shown_;  // Places in columns_.
  JsonBuilder json_;
  std::vector<Line> held_;
  std::vector<std::size_t> widths_;
  std::vector<bool> right_;  // Columns of numbers.
  bool started_ = false;
};

// A single record: a table shows it as a list of names and values, NULL left out; JSON as an
// object, not a list.
void print_record(OutputStream& out, const PrintOptions& options,
                  const std::vector<Column>& columns, const std::vector<Cell>& cells);

}  // namespace tenantry::tools
