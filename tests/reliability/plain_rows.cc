#include "tests/reliability/plain_rows.h"

#include <charconv>
#include <functional>
#include <stdexcept>
#include <string>

#include "events/commands.h"
#include "events/text.h"

namespace tenantry {
namespace {

using events::EntityKind;
using events::FieldType;
using events::Json;
using events::RowValues;
using events::TableInfo;
using events::Timestamp;
using events::Uuid;
using events::Value;

const Value& column(EntityKind kind, const RowValues& row, std::string_view name) {
  return row[events::table_of(kind).find_column(name).value()];
}

std::optional<Uuid> owner_of(const TableInfo& table, const RowValues& row) {
  if (!table.owner_column) return std::nullopt;
  return std::get<Uuid>(row[*table.owner_column]);
}

// Finds what a line names, in the rows before it.
class Touching {
 public:
  Touching(const PlainRows& rows, Timestamp now) : rows_(rows), now_(now) {}

  void command(const std::string& name, const Json& data) {
    const events::CommandInfo* const info = events::find_command(name);
    if (info == nullptr) return;
    for (const events::CommandField& field : info->fields) {
      const Json* const value = data.find(field.name);
      if (value != nullptr) reference(field.type, *value);
    }
    if (name == "delete_user" || name == "merge_users") user_goes(data.find("user"));
    if (name == "expire_invitations" && data.find("tenant") == nullptr) add_lapsed();
  }
  [[nodiscard]] const std::set<Uuid>& tenants() const { return tenants_; }

 private:
  void reference(FieldType type, const Json& value) {
    const std::string* const text = value.string();
    if (text == nullptr) return;
    if (type == FieldType::kTenant) {
      add_owners(EntityKind::TENANT, "slug", events::to_ascii_lower(*text));
      add_owners(EntityKind::TENANT, "id", events::parse_uuid(*text));
    } else if (type == FieldType::kDomain) {
      add_owners(EntityKind::DOMAIN, "domain", events::to_ascii_lower(*text));
    } else if (type == FieldType::kInvitation) {
      add_owners(EntityKind::INVITATION, "token", *text);
      add_owners(EntityKind::INVITATION, "id", events::parse_uuid(*text));
    }
  }

  // Of the rows with that value.
  void add_owners(EntityKind kind, std::string_view name, const std::optional<Value>& value) {
    if (!value) return;
    add_owners(kind, [&](const RowValues& row) { return column(kind, row, name) == *value; });
  }
  void add_owners(EntityKind kind, const std::function<bool(const RowValues&)>& holds) {
    for (const auto& [id, row] : rows_.rows(kind)) {
      if (holds(row)) tenants_.insert(owner_of(events::table_of(kind), row).value());
    }
  }

  // Its memberships, and whatever names it.
  void user_goes(const Json* reference) {
    if (reference == nullptr) return;
    for (const auto& [key, row] : rows_.rows(EntityKind::USER)) {
      const Value& id = column(EntityKind::USER, row, "id");
      const std::string* const username = reference->string();
      const events::JsonNumber* const number = reference->number();
      const bool named =
          (username != nullptr && column(EntityKind::USER, row, "username") == Value(*username)) ||
          (number != nullptr && number->text == std::to_string(std::get<std::int64_t>(id)));
      if (!named) continue;
      add_owners(EntityKind::MEMBER, "user_id", id);
      add_owners(EntityKind::TENANT, "created_by_id", id);
      add_owners(EntityKind::INVITATION, "invited_by_id", id);
      add_owners(EntityKind::INVITATION, "accepted_by_id", id);
    }
  }

  void add_lapsed() {
    add_owners(EntityKind::INVITATION, [&](const RowValues& row) {
      const auto expires = std::get<Timestamp>(column(EntityKind::INVITATION, row, "expires_at"));
      return expires <= now_ &&
             column(EntityKind::INVITATION, row, "status") == Value(std::string("pending"));
    });
  }

  const PlainRows& rows_;
  const Timestamp now_;
  std::set<Uuid> tenants_;
};

}  // namespace

void PlainRows::apply(const events::RowChange& change) {
  if (change.effect == events::Effect::RESERVE) return;
  Table& table = tables_[change.table->entity];
  const auto at = table.find(change.id);
  const bool insert = change.effect == events::Effect::INSERT;
  if (insert != (at == table.end())) {
    throw std::logic_error("an event does not fit the rows of " + change.table->name);
  }
  if (change.effect == events::Effect::REMOVE) {
    table.erase(at);
    return;
  }
  RowValues& row =
      insert ? table.emplace(change.id, RowValues(change.table->columns.size())).first->second
             : at->second;
  events::apply_patch(row, change);
}

const PlainRows::Table& PlainRows::rows(EntityKind kind) const {
  static const Table kNone;
  const auto found = tables_.find(kind);
  return found == tables_.end() ? kNone : found->second;
}

const RowValues* PlainRows::find(const TableInfo& table, const Uuid& id) const {
  const Table& all = rows(table.entity);
  const auto found = all.find(id);
  return found == all.end() ? nullptr : &found->second;
}

std::optional<Uuid> PlainRows::owner(const TableInfo& table, const Uuid& id) const {
  const RowValues* const row = find(table, id);
  return row == nullptr ? std::nullopt : owner_of(table, *row);
}

std::set<Uuid> touched_tenants(const Json& line, const PlainRows& rows, Timestamp now) {
  Touching touching(rows, now);
  const Json* const name = line.find("command");
  const Json* const data = line.find("data");
  if (name != nullptr && name->string() != nullptr && data != nullptr)
    touching.command(*name->string(), *data);
  return touching.tenants();
}

}  // namespace tenantry
