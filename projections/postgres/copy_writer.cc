#include "projections/postgres/copy_writer.h"

#include "projections/postgres/schema.h"
#include "projections/postgres/values.h"

namespace tenantry::projections::postgres {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

}  // namespace

CopyWriter::CopyWriter(Connection& connection,
                       std::function<std::string(const events::TableInfo&)> name_of,
                       Visible visible)
    : connection_(connection), name_of_(std::move(name_of)), visible_(visible) {}

void CopyWriter::add(const events::TableInfo& table, const events::RowValues& row) {
  if (table_ != &table) {
    finish();
    connection_.begin_copy("COPY " + name_of_(table) + " (" + column_list(table) +
                           ") FROM STDIN (FORMAT binary" +
                           (visible_ == Visible::kAtOnce ? ", FREEZE)" : ")"));
    table_ = &table;
    buffer_ = copy_header();
  }
  append_copy_row(buffer_, table, row);
  if (buffer_.size() >= kBufferBytes) send();
}

void CopyWriter::finish() {
  if (table_ == nullptr) return;
  buffer_ += copy_trailer();
  send();
  connection_.end_copy();
  table_ = nullptr;
}

void CopyWriter::send() {
  connection_.copy(buffer_);
  buffer_.clear();
}

}  // namespace tenantry::projections::postgres
