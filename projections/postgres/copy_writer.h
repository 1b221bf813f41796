#pragma once

#include <functional>
#include <string>

#include "events/tables.h"
#include "projections/postgres/connection.h"

namespace tenantry::projections::postgres {

// Rows in bulk, by binary COPY; one table after the other.
class CopyWriter {
 public:
  enum class Visible {
    kAsUsual,
    kAtOnce,  // No transaction has to be looked up for these rows later: their table is new.
  };
  CopyWriter(Connection& connection, std::function<std::string(const events::TableInfo&)> name_of,
             Visible visible = Visible::kAsUsual);

  void add(const events::TableInfo& table, const events::RowValues& row);
  // Every row is in its table, and the connection takes other statements again.
  void finish();

 private:
  void send();

  Connection& connection_;
  std::function<std::string(const events::TableInfo&)> name_of_;
  Visible visible_;
  const events::TableInfo* table_ = nullptr;  // The one that is being filled.
  std::string buffer_;
};

}  // namespace tenantry::projections::postgres
