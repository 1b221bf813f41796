#include "projections/postgres/live_table.h"

#include <pqxx/pqxx>

#include "projections/postgres/schema.h"

namespace tenantry::projections::postgres {
namespace {

// Between the parts of a list: no name has it.
constexpr char kSeparator = '\x1f';

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == kSeparator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string text(const pqxx::row& row, int column) { return row[column].as<std::string>(); }
bool flag(const pqxx::row& row, int column) { return row[column].as<bool>(); }
char letter(const pqxx::row& row, int column) { return text(row, column).at(0); }

constexpr const char* kRelationQuery =
    "SELECT c.oid::text, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'"
    " WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END,"
    " c.relpersistence::text, pg_catalog.row_security_active(c.oid), current_user::text"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

// A serial column is one whose default draws from a sequence that would be dropped with it.
constexpr const char* kColumnsQuery =
    "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,"
    " a.atthasdef AND a.attgenerated = '', a.attgenerated <> '', a.attidentity <> '',"
    " a.attidentity = 'a', a.attidentity <> '' OR EXISTS (SELECT FROM pg_catalog.pg_attrdef f"
    " WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND a.attgenerated = ''"
    " AND pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%') AND EXISTS ("
    "SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass"
    " AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = a.attrelid"
    " AND d.refobjsubid = a.attnum AND d.deptype = 'a'"
    " AND (SELECT s.relkind FROM pg_catalog.pg_class s WHERE s.oid = d.objid) = 'S'),"
    " CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text"
    " ELSE '' END, coalesce(k.collisdeterministic, true)"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_collation k ON k.oid = a.attcollation"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

std::string indexes_query() {
  return "SELECT c.relname::text, " + index_definition_sql() +
         ", (SELECT string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false), chr(31)"
         " ORDER BY k) FROM generate_series(1, i.indnkeyatts) k),"
         " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''), i.indisunique,"
         " i.indisprimary, i.indisvalid AND i.indisready AND i.indislive, i.indimmediate,"
         " coalesce(to_jsonb(i)->>'indnullsnotdistinct', 'false') <> 'true',"
         " EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid"
         " AND k.contype IN ('p', 'u'))"
         " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
         // An exclusion constraint is told by itself.
         " WHERE i.indrelid = $1::oid AND NOT i.indisexclusion ORDER BY c.relname";
}

constexpr const char* kForeignKeysQuery =
    "SELECT k.conname::text, n.nspname::text, c.relname::text,"
    " (SELECT string_agg(a.attname::text, chr(31) ORDER BY p) FROM"
    " unnest(k.conkey) WITH ORDINALITY u(number, p) JOIN pg_catalog.pg_attribute a"
    " ON a.attrelid = k.conrelid AND a.attnum = u.number),"
    " m.nspname::text, r.relname::text,"
    " (SELECT string_agg(a.attname::text, chr(31) ORDER BY p) FROM"
    " unnest(k.confkey) WITH ORDINALITY u(number, p) JOIN pg_catalog.pg_attribute a"
    " ON a.attrelid = k.confrelid AND a.attnum = u.number),"
    " k.confdeltype::text, k.confupdtype::text, k.condeferrable AND k.condeferred, k.convalidated,"
    " k.conrelid = $1::oid, k.confrelid = $1::oid FROM pg_catalog.pg_constraint k"
    " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_class r ON r.oid = k.confrelid"
    " JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace"
    " WHERE k.contype = 'f' AND (k.conrelid = $1::oid OR k.confrelid = $1::oid)"
    // A partition's part of a key goes with the whole.
    " AND k.conparentid = 0 ORDER BY n.nspname, c.relname, k.conname";

constexpr const char* kObstaclesQuery =
    "SELECT CASE contype WHEN 'c' THEN 'check constraint' ELSE 'exclusion constraint' END,"
    " conname::text, pg_catalog.pg_get_constraintdef(oid), true FROM pg_catalog.pg_constraint"
    " WHERE conrelid = $1::oid AND contype IN ('c', 'x')"
    " UNION ALL SELECT 'trigger', tgname::text, pg_catalog.pg_get_triggerdef(oid),"
    " tgenabled IN ('O', 'A') FROM pg_catalog.pg_trigger"
    " WHERE tgrelid = $1::oid AND NOT tgisinternal"
    " UNION ALL SELECT 'rule', rulename::text, pg_catalog.pg_get_ruledef(oid),"
    " ev_enabled IN ('O', 'A') FROM pg_catalog.pg_rewrite WHERE ev_class = $1::oid"
    " UNION ALL SELECT 'child table', inhrelid::regclass::text, '', true"
    " FROM pg_catalog.pg_inherits WHERE inhparent = $1::oid ORDER BY 1, 2";

LiveColumn column_of(const pqxx::row& row) {
  LiveColumn column;
  column.name = text(row, 0);
  column.type = text(row, 1);
  column.nullable = flag(row, 2);
  column.has_default = flag(row, 3);
  column.generated = flag(row, 4);
  column.identity = flag(row, 5);
  column.identity_always = flag(row, 6);
  column.draws_ids = flag(row, 7);
  column.collation = text(row, 8);
  column.deterministic = flag(row, 9);
  return column;
}

LiveIndex index_of(const pqxx::row& row) {
  LiveIndex index;
  index.name = text(row, 0);
  index.definition = text(row, 1);
  index.columns = parts_of(text(row, 2));
  index.condition = text(row, 3);
  index.unique = flag(row, 4);
  index.primary = flag(row, 5);
  index.valid = flag(row, 6);
  index.immediate = flag(row, 7);
  index.nulls_distinct = flag(row, 8);
  index.constraint = flag(row, 9);
  return index;
}

LiveForeignKey foreign_key_of(const pqxx::row& row) {
  LiveForeignKey key;
  key.name = text(row, 0);
  key.schema = text(row, 1);
  key.table = text(row, 2);
  key.columns = parts_of(text(row, 3));
  key.target_schema = text(row, 4);
  key.target_table = text(row, 5);
  key.target_columns = parts_of(text(row, 6));
  key.on_delete = letter(row, 7);
  key.on_update = letter(row, 8);
  key.deferred = flag(row, 9);
  key.valid = flag(row, 10);
  return key;
}

}  // namespace

std::optional<LiveTable> read_live_table(pqxx::transaction_base& transaction,
                                         const std::string& schema, const std::string& table) {
  const pqxx::result found = transaction.exec_params(kRelationQuery, schema, table);
  if (found.empty()) return std::nullopt;
  const pqxx::row relation = found[0];
  const std::string oid = text(relation, 0);
  LiveTable live;
  live.kind = text(relation, 1);
  live.persistence = letter(relation, 2);
  live.hides_rows = flag(relation, 3);
  live.role = text(relation, 4);
  for (const pqxx::row& row : transaction.exec_params(kColumnsQuery, oid)) {
    live.columns.push_back(column_of(row));
  }
  for (const pqxx::row& row : transaction.exec_params(indexes_query(), oid)) {
    live.indexes.push_back(index_of(row));
  }
  for (const pqxx::row& row : transaction.exec_params(kForeignKeysQuery, oid)) {
    if (flag(row, 11)) live.references.push_back(foreign_key_of(row));
    if (flag(row, 12)) live.referenced_by.push_back(foreign_key_of(row));
  }
  for (const pqxx::row& row : transaction.exec_params(kObstaclesQuery, oid)) {
    live.obstacles.push_back({text(row, 0), text(row, 1), text(row, 2), flag(row, 3)});
  }
  return live;
}

}  // namespace tenantry::projections::postgres
