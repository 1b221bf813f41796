#include "projections/postgres/postgres_read_model.h"

#include <algorithm>

#include "core/error.h"
#include "projections/postgres/drift.h"
#include "projections/postgres/load.h"
#include "projections/postgres/maintenance.h"
#include "projections/postgres/mark.h"
#include "projections/postgres/read_view.h"
#include "projections/postgres/roles.h"
#include "projections/postgres/row_writer.h"
#include "projections/postgres/schema.h"
#include "projections/postgres/session.h"

namespace tenantry::projections {
namespace postgres {
namespace {

using events::TableInfo;

// The connection that writes, with the statements that it has prepared. Of no use after an error.
struct Writing {
  Writing(const ConnectionInfo& info, const std::string& schema)
      : connection(info),
        writer(connection, [schema](const TableInfo& t) { return qualified(schema, t.name); }) {}
  Connection connection;
  RowWriter writer;
  bool failed = false;  // Not to be used for another transaction.
};

class PostgresBatch final : public Batch {
 public:
  PostgresBatch(Writing& writing, std::string schema)
      : writing_(writing), schema_(std::move(schema)) {}
  PostgresBatch(const PostgresBatch&) = delete;
  PostgresBatch& operator=(const PostgresBatch&) = delete;
  ~PostgresBatch() override { writing_.failed = writing_.failed || !committed_; }

  // Fenced when the mark is not the expected one.
  [[nodiscard]] std::optional<Fenced> start(const Mark& expected) {
    const auto found = lock_mark(writing_.connection, schema_);
    if (!still_stands(expected, found) || found->position != expected.position) {
      return Fenced{found};
    }
    mark_ = *found;
    return std::nullopt;
  }

  void apply(const events::RowChange& change) override { writing_.writer.apply(change); }

  void commit(const Mark& mark) override {
    TENANTRY_ASSERT(mark.position >= mark_.position && mark.epoch == mark_.epoch);
    Connection& connection = writing_.connection;
    writing_.writer.flush();
    check_references(connection);
    for (const auto& [table, id] : writing_.writer.take_largest_ids()) {
      raise_sequence(connection, schema_, *table, id);
    }
    // The row was locked at the start.
    TENANTRY_ASSERT(move_mark(connection, schema_, mark_, mark));
    transaction_.commit();
    committed_ = true;
  }

 private:
  Writing& writing_;
  std::string schema_;
  // The log outlives the read model: a crash of the server may undo the last batches, whole.
  Transaction transaction_{writing_.connection, "SET LOCAL synchronous_commit = off"};
  Mark mark_;
  bool committed_ = false;
};

class PostgresReadModel final : public ReadModel {
 public:
  explicit PostgresReadModel(PostgresOptions options)
      : options_(std::move(options)), info_(parse_connection(options_.connection)) {
    info_.stop = options_.stop;
  }

  [[nodiscard]] std::string name() const override { return info_.name; }
  [[nodiscard]] std::size_t batch_events() const override { return 1000; }

  [[nodiscard]] Probe probe() override {
    Probe probe;
    reading([&](pqxx::transaction_base& transaction) {
      const Catalogue catalogue = catalogue_of(transaction);
      probe.mark = read_mark(transaction, options_.schema);
      for (const TableInfo& table : events::tables()) {
        if (!catalogue.tables.contains(table.name)) {
          probe.missing_tables.push_back(table.name);
          continue;
        }
        std::ranges::move(compare_shape(transaction, options_.schema, table),
                          std::back_inserter(probe.findings));
        probe.has_rows = probe.has_rows || has_rows(transaction, table);
      }
      std::ranges::move(
          compare_recorded_migrations(transaction, options_.schema, probe.missing_tables),
          std::back_inserter(probe.findings));
    });
    probe.conclude();
    return probe;
  }

  [[nodiscard]] std::vector<Migration> migrations() override {
    RecordedMigrations recorded;
    reading([&](pqxx::transaction_base& transaction) {
      recorded = read_recorded_migrations(transaction, options_.schema);
    });
    return migrations_of(recorded);
  }

  [[nodiscard]] std::vector<std::string> schema_sql() const override {
    std::vector<std::string> statements;
    for (const SchemaStatement& statement :
         missing_statements(Catalogue{}, options_.schema, name())) {
      statements.push_back(statement.sql);
    }
    return statements;
  }

  [[nodiscard]] std::vector<std::string> role_sql() const override {
    return role_statements(options_.schema);
  }

  std::vector<std::string> create_missing() override {
    Connection& connection = writing().connection;
    Transaction transaction(connection);
    auto made = postgres::create_missing(connection, options_.schema);
    transaction.commit();
    return made;
  }

  [[nodiscard]] std::vector<std::string> missing() override {
    std::vector<SchemaStatement> statements;
    reading([&](pqxx::transaction_base& transaction) {
      const Catalogue catalogue = catalogue_of(transaction);
      statements = missing_statements(catalogue, options_.schema, name());
      std::ranges::move(migration_statements(catalogue.recorded, options_.schema),
                        std::back_inserter(statements));
    });
    std::vector<std::string> made;
    for (const SchemaStatement& statement : statements) {
      if (!statement.made.empty()) made.push_back(statement.made);
    }
    return made;
  }

  [[nodiscard]] std::optional<Fenced> adopt(const Mark& mark) override {
    Connection& connection = writing().connection;
    Transaction transaction(connection);
    if (const auto found = lock_mark(connection, options_.schema)) return Fenced{found};
    if (!write_mark(connection, options_.schema, std::nullopt, mark)) return Fenced{};
    transaction.commit();
    return std::nullopt;
  }

  [[nodiscard]] BeginOutcome begin(const Mark& expected) override {
    auto batch = std::make_unique<PostgresBatch>(writing(), options_.schema);
    if (auto fenced = batch->start(expected)) return *std::move(fenced);
    return batch;
  }

  [[nodiscard]] std::unique_ptr<Load> begin_load(const LoadOptions& options,
                                                 const std::optional<Mark>& before) override {
    Connection& connection = writing().connection;
    // The load prepares statements of its own, under names that a second one would take again.
    writing_->failed = true;
    return options.mode == LoadMode::kFresh
               ? load_fresh(connection, options_.schema, options, before)
               : load_in_place(connection, options_.schema, options, before);
  }

  [[nodiscard]] std::unique_ptr<ReadView> read() override {
    return open_read_view(session(), options_.schema);
  }

 private:
  Session& session() {
    if (!session_ || !session_->usable()) {
      session_ = nullptr;
      session_ = std::make_unique<Session>(info_);
      session_->translated([&] {
        pqxx::nontransaction settings(session_->connection());
        settings.exec(set_lock_timeout());
      });
    }
    return *session_;
  }

  [[nodiscard]] std::string set_lock_timeout() const {
    return "SET lock_timeout = " + std::to_string(options_.lock_timeout.count());
  }

  Writing& writing() {
    if (options_.read_only) {
      throw UsageError("read_only", name() + " was opened for reading only");
    }
    if (!writing_ || writing_->failed || !writing_->connection.usable()) {
      writing_ = nullptr;  // The old connection gives its locks up first.
      writing_ = std::make_unique<Writing>(info_, options_.schema);
      writing_->connection.execute(set_lock_timeout());
    }
    return *writing_;
  }

  void reading(const std::function<void(pqxx::transaction_base&)>& body) {
    Session& open = session();
    open.translated([&] {
      ReadTransaction transaction(open.connection());
      body(transaction);
    });
  }

  // A table whose rows row security hides is taken for one that has some.
  [[nodiscard]] bool has_rows(pqxx::transaction_base& transaction, const TableInfo& table) const {
    const std::string name = qualified(options_.schema, table.name);
    const auto answer = [&](const std::string& question) {
      return transaction.exec1("SELECT " + question)[0].as<bool>();
    };
    return answer("pg_catalog.row_security_active(" + text_literal(name) + "::regclass)") ||
           answer("EXISTS (SELECT 1 FROM " + name + ")");
  }

  [[nodiscard]] Catalogue catalogue_of(pqxx::transaction_base& transaction) const {
    Catalogue catalogue;
    for (const pqxx::row& row : transaction.exec_params(kCatalogueQuery, options_.schema)) {
      add_catalogue_row(catalogue, row[0].c_str(), row[1].c_str(), row[2].c_str());
    }
    catalogue.recorded = read_recorded_migrations(transaction, options_.schema);
    return catalogue;
  }

  PostgresOptions options_;
  ConnectionInfo info_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Writing> writing_;
};

}  // namespace
}  // namespace postgres

std::unique_ptr<ReadModel> open_postgres_read_model(PostgresOptions options) {
  return std::make_unique<postgres::PostgresReadModel>(std::move(options));
}

bool holds_password(const std::string& connection) {
  return postgres::parse_connection(connection).has_password;
}

std::string database_name(const std::string& connection) {
  return postgres::parse_connection(connection).database;
}

}  // namespace tenantry::projections
