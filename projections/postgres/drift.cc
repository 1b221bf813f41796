#include "projections/postgres/drift.h"

#include <algorithm>

#include <pqxx/pqxx>

#include "projections/contract.h"
#include "projections/postgres/live_table.h"
#include "projections/postgres/schema.h"

namespace tenantry::projections::postgres {
namespace {

using events::ColumnInfo;
using events::TableInfo;

std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + identifier(name);
  return list;
}

std::vector<std::string> names_of(const TableInfo& table, const std::vector<std::size_t>& columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const std::size_t place : columns) names.push_back(table.columns[place].name);
  return names;
}

std::string action_name(char action) {
  switch (action) {
    case 'c':
      return "CASCADE";
    case 'n':
      return "SET NULL";
    case 'd':
      return "SET DEFAULT";
    case 'r':
      return "RESTRICT";
    default:
      return "NO ACTION";
  }
}

// Whether values of the live type read like those of the wanted one.
bool reads_as(events::SqlType wanted, const std::string& live) {
  switch (wanted) {
    case events::SqlType::VARCHAR:
    case events::SqlType::TEXT:
      return live == "text" || live.starts_with("character varying");
    case events::SqlType::INTEGER:
    case events::SqlType::BIGINT:
      return live == "integer" || live == "bigint" || live == "smallint";
    default:
      return false;
  }
}

// The same key as a Django application would have it.
std::string remade_sql(const LiveForeignKey& key) {
  const std::string name = identifier(key.name);
  return "ALTER TABLE " + qualified(key.schema, key.table) + " DROP CONSTRAINT " + name +
         ", ADD CONSTRAINT " + name + " FOREIGN KEY (" + joined(key.columns) + ") REFERENCES " +
         qualified(key.target_schema, key.target_table) + " (" + joined(key.target_columns) +
         ") DEFERRABLE INITIALLY DEFERRED";
}

// Whether a row that the wanted rule lets in is let in by the live one, whatever it holds.
bool implies(const TableInfo& table, const IndexInfo& wanted, const LiveIndex& live) {
  return wanted.unique() && !wanted.where_column && live.nulls_distinct &&
         live.definition.find(" COLLATE ") == std::string::npos &&
         std::ranges::all_of(names_of(table, wanted.columns), [&](const std::string& name) {
           return std::ranges::find(live.columns, name) != live.columns.end();
         });
}

// One table and what was found of it so far.
class Comparison {
 public:
  Comparison(const LiveTable& live, const std::string& schema, const TableInfo& table)
      : live_(live), schema_(schema), table_(table), sql_name_(qualified(schema, table.name)) {}

  std::vector<ShapeFinding> run() {
    if (live_.kind != "table") {
      unreadable("is a " + live_.kind + " rather than a table");
      return std::move(findings_);
    }
    compare_storage();
    compare_columns();
    compare_indexes();
    compare_references();
    compare_inbound();
    compare_obstacles();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string message, std::string remedy = {}) {
    findings_.push_back({severity, table_.name, std::move(message), std::move(remedy)});
  }
  // Nor can the rows be read before it is mended.
  void unreadable(std::string message, std::string remedy = {}) {
    fatal(std::move(message), std::move(remedy));
    findings_.back().unreadable = true;
  }
  void fatal(std::string message, std::string remedy = {}) {
    add(Severity::kFatal, std::move(message), std::move(remedy));
  }
  void warn(std::string message, std::string remedy = {}) {
    add(Severity::kWarning, std::move(message), std::move(remedy));
  }
  [[nodiscard]] std::string alter(const std::string& what) const {
    return "ALTER TABLE " + sql_name_ + " " + what;
  }
  [[nodiscard]] std::string alter_column(const std::string& name, const std::string& what) const {
    return alter("ALTER COLUMN " + identifier(name) + " " + what);
  }
  [[nodiscard]] std::string drop_constraint(const std::string& name) const {
    return alter("DROP CONSTRAINT " + identifier(name));
  }

  void compare_storage() {
    if (live_.persistence == 'u') {
      fatal("is unlogged: a crash of the server empties it", alter("SET LOGGED"));
    } else if (live_.persistence != 'p') {
      fatal("is temporary: it is gone with its session");
    }
    if (live_.hides_rows) {
      unreadable("row security hides rows from the role " + live_.role,
                 "ALTER ROLE " + identifier(live_.role) + " BYPASSRLS");
    }
  }

  void compare_columns() {
    for (std::size_t place = 0; place < table_.columns.size(); ++place) {
      const std::string& name = table_.columns[place].name;
      const auto found = std::ranges::find(live_.columns, name, &LiveColumn::name);
      if (found == live_.columns.end()) {
        miss_column(place);
        continue;
      }
      compare_column(table_.columns[place], *found);
      if (place == table_.id_column && table_.integer_ids) compare_source_of_ids(*found);
    }
    compare_order();
    for (const LiveColumn& column : live_.columns) {
      if (table_.find_column(column.name)) continue;
      const bool fillable =
          column.nullable || column.has_default || column.generated || column.identity;
      add(fillable ? Severity::kWarning : Severity::kFatal,
          "column " + column.name + " is not part of the read model" +
              (fillable ? "" : ", may not be NULL and has no default"),
          fillable ? "" : alter_column(column.name, "DROP NOT NULL"));
    }
  }

  // A column that our remedies add to the end may stand there.
  void compare_order() {
    std::vector<std::string> order;
    std::vector<std::size_t> places;
    for (const LiveColumn& column : live_.columns) {
      const auto place = table_.find_column(column.name);
      if (!place || can_be_added(table_, *place)) continue;
      order.push_back(column.name);
      places.push_back(*place);
    }
    if (std::ranges::is_sorted(places)) return;
    // No remedy: only a new table has another order.
    warn("columns stand in the order (" + joined(order) +
         "): statements that name no columns mix them up");
  }

  void miss_column(std::size_t place) {
    const std::string message = "column " + table_.columns[place].name + " is missing";
    if (!can_be_added(table_, place)) return unreadable(message);
    fatal(message, add_column_sql(schema_, table_, place));
  }

  void compare_column(const ColumnInfo& wanted, const LiveColumn& live) {
    const std::string column = "column " + wanted.name;
    if (live.generated) {
      fatal(column + " is computed by the database", alter_column(live.name, "DROP EXPRESSION"));
    }
    const std::string type = type_sql(wanted);
    if (live.type != type) {
      fatal(column + " is " + live.type + " instead of " + type,
            alter_column(live.name,
                         "TYPE " + type + " USING " + identifier(live.name) + "::" + type));
      findings_.back().unreadable = !reads_as(wanted.type, live.type);
    }
    if (live.nullable && !wanted.nullable) {
      fatal(column + " may be NULL", alter_column(live.name, "SET NOT NULL"));
    } else if (!live.nullable && wanted.nullable) {
      fatal(column + " may not be NULL", alter_column(live.name, "DROP NOT NULL"));
    }
    if (live.identity_always) {
      fatal(column + " refuses the values that are given to it (GENERATED ALWAYS)",
            alter_column(live.name, "SET GENERATED BY DEFAULT"));
    }
    // Of another type, the type is to be mended first.
    if (live.collation.empty() || live.type != type) return;
    const std::string plain = alter_column(live.name, "TYPE " + type);
    if (live.deterministic) {
      warn(column + " is sorted by the collation " + live.collation, plain);
    } else {
      fatal(column + " takes texts that differ for equal, by the collation " + live.collation,
            plain);
    }
  }

  void compare_source_of_ids(const LiveColumn& live) {
    if (live.draws_ids || live.generated) return;
    const std::string name = identifier(live.name);
    fatal("column " + live.name + " draws ids from no sequence of its own: it is neither an " +
              "identity nor a serial",
          alter((live.has_default ? "ALTER COLUMN " + name + " DROP DEFAULT, " : "") +
                "ALTER COLUMN " + name + " ADD GENERATED BY DEFAULT AS IDENTITY"));
  }

  void compare_indexes() {
    std::vector<LiveIndex> rest = live_.indexes;
    for (const IndexInfo& wanted : contract_of(table_).indexes) {
      const std::string definition = index_definition(table_, wanted);
      const auto found = std::ranges::find_if(rest, [&](const LiveIndex& live) {
        return live.unique == wanted.unique() && live.definition == definition &&
               live.primary == (wanted.use == IndexUse::kPrimaryKey);
      });
      if (found != rest.end()) {
        compare_index(wanted, *found);
        rest.erase(found);
      } else if (wanted.use == IndexUse::kPrimaryKey) {
        miss_primary_key(rest);
      } else {
        miss_index(rest, wanted);
      }
    }
    for (const LiveIndex& live : rest) add_extra_index(live);
  }

  void compare_index(const IndexInfo& wanted, const LiveIndex& live) {
    if (!live.valid) {
      add(wanted.unique() ? Severity::kFatal : Severity::kWarning,
          "index " + live.name + " is invalid: its making failed",
          "REINDEX INDEX " + qualified(schema_, live.name));
    }
    if (wanted.unique() && !live.immediate) {
      warn("unique constraint " + live.name + " is deferrable: ON CONFLICT cannot use it");
    }
    if (wanted.is_constraint() && !live.constraint) {
      warn("unique constraint on " + live.definition + " is the plain index " + live.name +
               ": migrations that change the constraint do not find it",
           alter("ADD CONSTRAINT " + identifier(wanted.name) + " UNIQUE USING INDEX " +
                 identifier(live.name)));
    }
  }

  void miss_primary_key(std::vector<LiveIndex>& rest) {
    const std::string add_sql = primary_key_sql(schema_, table_);
    const auto other = std::ranges::find(rest, true, &LiveIndex::primary);
    const std::string id = table_.columns[table_.id_column].name;
    if (other == rest.end()) return fatal("primary key (" + id + ") is missing", add_sql);
    fatal("primary key is " + other->definition + " instead of (" + id + ")",
          alter("DROP CONSTRAINT " + identifier(other->name) + ", " +
                add_sql.substr(alter("").size())));
    rest.erase(other);
  }

  void miss_index(std::vector<LiveIndex>& rest, const IndexInfo& wanted) {
    const std::string what = (wanted.unique() ? "unique index " : "index ") + std::string("on ") +
                             index_definition(table_, wanted);
    const auto same_rule =
        std::ranges::find_if(rest, [&](const LiveIndex& live) { return enforces(wanted, live); });
    if (!wanted.unique()) return warn(what + " is missing", index_sql(schema_, table_, wanted));
    if (same_rule == rest.end()) {
      return fatal(what + " is missing", index_sql(schema_, table_, wanted));
    }
    warn(what + " is laid out as " + same_rule->definition + " by " + same_rule->name);
    rest.erase(same_rule);
  }

  // The same rows are refused, though the index is another.
  [[nodiscard]] bool enforces(const IndexInfo& wanted, const LiveIndex& live) const {
    const std::string definition = index_definition(table_, wanted);
    const auto where = definition.find(" WHERE ");
    const std::string condition = where == std::string::npos ? "" : definition.substr(where + 7);
    return live.unique && live.valid && live.nulls_distinct && !live.primary &&
           live.condition == condition && live.definition.find(" COLLATE ") == std::string::npos &&
           std::ranges::is_permutation(live.columns, names_of(table_, wanted.columns));
  }

  void add_extra_index(const LiveIndex& live) {
    const bool redundant =
        std::ranges::any_of(contract_of(table_).indexes,
                            [&](const IndexInfo& wanted) { return implies(table_, wanted, live); });
    const bool refuses = live.unique && !redundant;
    add(refuses ? Severity::kFatal : Severity::kWarning,
        (live.unique ? "unique index " : "index ") + live.name + " " + live.definition +
            " is not part of the read model" + (refuses ? ": it may refuse rows" : "") +
            (live.valid ? "" : ", and invalid"),
        live.constraint ? drop_constraint(live.name)
                        : "DROP INDEX " + qualified(schema_, live.name));
  }

  void compare_references() {
    std::vector<LiveForeignKey> rest = live_.references;
    for (const ForeignKeyInfo& wanted : contract_of(table_).foreign_keys) {
      const TableInfo& target = *wanted.references;
      const auto is_wanted = [&](const LiveForeignKey& live) {
        return live.columns == std::vector{table_.columns[wanted.column].name} &&
               live.target_schema == schema_ && live.target_table == target.name &&
               live.target_columns == std::vector{target.columns[target.id_column].name};
      };
      if (std::ranges::none_of(rest, is_wanted)) {
        warn("column " + table_.columns[wanted.column].name + " does not refer to " + target.name,
             foreign_key_sql(schema_, table_, wanted));
      }
      for (const LiveForeignKey& live : rest) {
        if (is_wanted(live)) compare_reference(live);
      }
      std::erase_if(rest, is_wanted);
    }
    for (const LiveForeignKey& live : rest) {
      fatal("foreign key " + live.name + " to " + live.target_schema + "." + live.target_table +
                " is not part of the read model: it may refuse rows",
            drop_constraint(live.name));
    }
  }

  void compare_reference(const LiveForeignKey& live) {
    const std::string key = "foreign key " + live.name;
    if (live.on_delete != 'a') {
      fatal(key + " acts on its own: ON DELETE " + action_name(live.on_delete), remade_sql(live));
    } else if (!live.deferred) {
      fatal(key + " is not DEFERRABLE INITIALLY DEFERRED: rows are written in another order",
            alter("ALTER CONSTRAINT " + identifier(live.name) + " DEFERRABLE INITIALLY DEFERRED"));
    } else if (live.on_update != 'a') {
      // Ids never change.
      warn(key + " acts on its own: ON UPDATE " + action_name(live.on_update), remade_sql(live));
    } else if (!live.valid) {
      warn(key + " is NOT VALID: older rows were never checked",
           alter("VALIDATE CONSTRAINT " + identifier(live.name)));
    }
  }

  // Tables of others may refer to ours, and stop a row from being deleted. That the database then
  // changes their rows instead is fatal: nothing outside of the read model is ours to change.
  void compare_inbound() {
    for (const LiveForeignKey& live : live_.referenced_by) {
      const bool ours = live.schema == schema_ && events::find_table(live.table) != nullptr;
      if (ours || live.on_delete == 'a' || live.on_delete == 'r') continue;
      fatal("deleting a row changes rows of " + live.schema + "." + live.table + ": foreign key " +
                live.name + " has ON DELETE " + action_name(live.on_delete),
            remade_sql(live));
    }
  }

  void compare_obstacles() {
    for (const LiveObstacle& live : live_.obstacles) {
      const std::string what = live.kind + " " + live.name;
      if (live.kind == "child table") {
        fatal(what + " shows its rows in this table",
              "ALTER TABLE " + live.name + " NO INHERIT " + sql_name_);
      } else if (live.kind == "trigger" || live.kind == "rule") {
        const std::string remedy = (live.kind == "trigger" ? "DROP TRIGGER " : "DROP RULE ") +
                                   identifier(live.name) + " ON " + sql_name_;
        if (live.active) {
          fatal(what + " may change what is written", remedy);
        } else {
          warn(what + " is switched off; on, it may change what is written", remedy);
        }
      } else {
        fatal(what + " may refuse rows: " + live.detail, drop_constraint(live.name));
      }
    }
  }

  const LiveTable& live_;
  const std::string& schema_;
  const TableInfo& table_;
  const std::string sql_name_;
  std::vector<ShapeFinding> findings_;
};

}  // namespace

std::vector<ShapeFinding> compare_shape(pqxx::transaction_base& transaction,
                                        const std::string& schema, const TableInfo& table) {
  const auto live = read_live_table(transaction, schema, table.name);
  if (!live) return {{Severity::kFatal, table.name, "is missing", {}}};
  return Comparison(*live, schema, table).run();
}

RecordedMigrations read_recorded_migrations(pqxx::transaction_base& transaction,
                                            const std::string& schema) {
  RecordedMigrations recorded;
  const std::string table = qualified(schema, kDjangoMigrations);
  if (transaction.exec_params("SELECT to_regclass($1)", table)[0][0].is_null()) return recorded;
  for (const pqxx::row& row : transaction.exec(recorded_migrations_sql(schema))) {
    recorded.emplace(row[0].as<std::string>(), row[1].as<std::string>());
  }
  return recorded;
}

std::vector<ShapeFinding> compare_recorded_migrations(
    pqxx::transaction_base& transaction, const std::string& schema,
    const std::vector<std::string>& missing_tables) {
  return compare_migrations(read_recorded_migrations(transaction, schema), missing_tables,
                            qualified(schema, kDjangoMigrations));
}

}  // namespace tenantry::projections::postgres
