#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pqxx/pqxx>

#include "projections/postgres/drift.h"
#include "projections/postgres/schema.h"
#include "tests/support/postgres_database.h"

namespace tenantry::projections::postgres {

// A database and a transaction in it, which is rolled back.
class PostgresSchemaTestBase : public ::testing::Test {
 protected:
  pqxx::result sql(const std::string& statements) { return transaction_.exec(statements); }

  Catalogue catalogue(const std::string& schema = "public") {
    Catalogue found;
    for (const pqxx::row& row : transaction_.exec_params(kCatalogueQuery, schema)) {
      add_catalogue_row(found, row[0].c_str(), row[1].c_str(), row[2].c_str());
    }
    return found;
  }

  // Makes what is missing; what was made.
  std::vector<std::string> create_missing(const std::string& schema = "public") {
    std::vector<std::string> made;
    for (const SchemaStatement& statement :
         missing_statements(catalogue(schema), schema, "the database")) {
      sql(statement.sql);
      if (!statement.made.empty()) made.push_back(statement.made);
    }
    return made;
  }

  std::vector<ShapeFinding> findings(const std::string& schema = "public") {
    std::vector<ShapeFinding> all;
    for (const events::TableInfo& table : events::tables()) {
      for (ShapeFinding& finding : compare_shape(transaction_, schema, table)) {
        all.push_back(std::move(finding));
      }
    }
    return all;
  }

  [[nodiscard]] pqxx::transaction_base& transaction() { return transaction_; }

 private:
  PostgresDatabase database_;
  pqxx::connection connection_{database_.url()};
  pqxx::work transaction_{connection_};
};

}  // namespace tenantry::projections::postgres
