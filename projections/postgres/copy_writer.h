#pragma once

#include <functional>
#include <string>

#include "events/tables.h"
#include "projections/postgres/connection.h"

namespace tenantry::projections::postgres {

// Rows in bulk, by binary COPY; one table after the other.
class CopyWriter {
 public:
  CopyWriter(Connection& connection, std::function<std::string(const events::TableInfo&)> name_of);

  void add(const events::TableInfo& table, const events::RowValues& row);
  // Every row is in its table, and the connection takes other statements again.
  void finish();

 private:
  void send();

  Connection& connection_;
  std::function<std::string(const events::TableInfo&)> name_of_;
  const events::TableInfo* table_ = nullptr;  // The one that is being filled.
  std::string buffer_;
};

}  // namespace tenantry::projections::postgres
