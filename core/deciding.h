#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <capnp/message.h>

#include "core/decide.h"
#include "core/error.h"
#include "core/state_view.h"
#include "events/commands.capnp.h"
#include "events/encoding.h"
#include "events/events.capnp.h"
#include "events/rows.capnp.h"
#include "events/tables.h"
#include "events/values.h"

// What all deciders share: finding rows, resolving references, checking versions, taking ids,
// emitting events. For core/decide*.cc only. Refusals travel as values: a step that can fail
// returns an optional<Refusal>, or an OrRefusal<T> when it has something to give, and the decider
// returns it.
namespace tenantry {

using events::EntityKind;

// A value, or why there is none.
template <class T>
class OrRefusal {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` and `return refuse(…);` are the
  // point.
  OrRefusal(T value) : outcome_(std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): as above.
  OrRefusal(events::Refusal refusal) : outcome_(std::move(refusal)) {}

  [[nodiscard]] bool refused() const { return std::holds_alternative<events::Refusal>(outcome_); }
  // Only when refused().
  [[nodiscard]] const events::Refusal& refusal() const {
    return std::get<events::Refusal>(outcome_);
  }
  // Only when not refused().
  [[nodiscard]] T& operator*() { return std::get<T>(outcome_); }
  [[nodiscard]] T* operator->() { return &std::get<T>(outcome_); }
  [[nodiscard]] const T& operator*() const { return std::get<T>(outcome_); }
  [[nodiscard]] const T* operator->() const { return &std::get<T>(outcome_); }

 private:
  std::variant<T, events::Refusal> outcome_;
};

// A refusal by a rule. `field` is a key of `data`, or `expected_version`; empty for none.
[[nodiscard]] events::Refusal refuse(std::string_view code, std::string_view field,
                                     std::string message);

// Where a row is, and in which state it was found.
struct FoundPlace {
  RowKey key;
  Version version;
  Position last;
};

// A row that is there, decoded. Movable; readers of its fields live as long as it does.
template <class Row>
class Found : public FoundPlace {
 public:
  explicit Found(const StoredRow& stored)
      : FoundPlace{stored.key, stored.version, stored.last},
        owned_(stored.bytes, stored.origin),
        reader_(owned_.read()) {}

  // One reader for all calls: Cap'n Proto counts every fetch of a root against the message's limit.
  [[nodiscard]] typename Row::Reader read() const { return reader_; }

 private:
  events::OwnedRow<Row> owned_;
  typename Row::Reader reader_;
};

using FoundUser = Found<events::UserRow>;
using FoundProtein = Found<events::ProteinRow>;
using FoundPreferences = Found<events::PreferencesRow>;
using FoundTenant = Found<events::TenantRow>;
using FoundDomain = Found<events::DomainRow>;
using FoundMember = Found<events::MemberRow>;
using FoundInvitation = Found<events::InvitationRow>;

// The kind whose rows a Row is.
template <class Row>
inline constexpr EntityKind kKindOf = EntityKind::NONE;
template <>
inline constexpr EntityKind kKindOf<events::UserRow> = EntityKind::USER;
template <>
inline constexpr EntityKind kKindOf<events::ProteinRow> = EntityKind::PROTEIN;
template <>
inline constexpr EntityKind kKindOf<events::PreferencesRow> = EntityKind::PREFERENCES;
template <>
inline constexpr EntityKind kKindOf<events::TenantRow> = EntityKind::TENANT;
template <>
inline constexpr EntityKind kKindOf<events::DomainRow> = EntityKind::DOMAIN;
template <>
inline constexpr EntityKind kKindOf<events::MemberRow> = EntityKind::MEMBER;
template <>
inline constexpr EntityKind kKindOf<events::InvitationRow> = EntityKind::INVITATION;

template <class Row>
[[nodiscard]] const events::TableInfo& table_for() {
  static_assert(kKindOf<Row> != EntityKind::NONE, "no row of a table");
  return events::table_of(kKindOf<Row>);
}

// Between Cap'n Proto's views and ours. Views point into their argument.
[[nodiscard]] std::string_view view_of(capnp::Text::Reader text);
[[nodiscard]] std::string string_of(capnp::Text::Reader text);
[[nodiscard]] events::Uuid uuid_of(capnp::Data::Reader data);  // MalformedError unless of 16 bytes.
[[nodiscard]] capnp::Data::Reader data_of(const events::Uuid& uuid);
// `text` in quotes, safe on a terminal; for messages.
[[nodiscard]] std::string quoted(std::string_view text);
// The first six characters and `…`; a secret as messages may show it.
[[nodiscard]] std::string masked(std::string_view secret);

// The `id` of a command, if it gives one.
template <class CommandReader>
[[nodiscard]] std::optional<std::int64_t> given_id(const CommandReader& command) {
  if (!command.hasId()) return std::nullopt;
  return command.getId().getValue();
}
template <class CommandReader>
[[nodiscard]] std::optional<events::Uuid> given_uuid(const CommandReader& command) {
  if (!command.hasId()) return std::nullopt;
  return uuid_of(command.getId());
}

// The value of an optional field: `given` is the command's hasX().
[[nodiscard]] bool value_or(bool given, events::OptionalBool::Reader value, bool fallback);
// `UNCHANGED` unless the command gives a value other than the present one.
[[nodiscard]] events::Flag changed_flag(bool given, events::OptionalBool::Reader value,
                                        bool present);
// Whether the command gives a text other than the present one.
[[nodiscard]] bool changes_text(bool given, capnp::Text::Reader text, capnp::Text::Reader present);

// One decision in the making. Reads the state as it was before the command, also after emit().
class Deciding {
 public:
  Deciding(const StateView& state, const DecisionInput& input) : state_(state), input_(input) {}
  Deciding(const Deciding&) = delete;
  Deciding& operator=(const Deciding&) = delete;
  ~Deciding() = default;

  [[nodiscard]] const StateView& state() const { return state_; }
  [[nodiscard]] events::Timestamp now() const { return input_.now; }
  [[nodiscard]] IdSource& ids() const { return input_.ids; }

  // Rows by what identifies them.
  template <class Row>
  [[nodiscard]] std::optional<Found<Row>> find(const events::Uuid& id) const {
    return found<Row>(state_.row_by_id(table_for<Row>(), id));
  }
  template <class Row>
  [[nodiscard]] std::optional<Found<Row>> find(std::int64_t id) const {
    return find<Row>(events::entity_key(id));
  }
  [[nodiscard]] std::optional<FoundUser> find_user(std::string_view username) const;
  [[nodiscard]] std::optional<FoundProtein> find_protein(std::string_view name) const;
  [[nodiscard]] std::optional<FoundPreferences> find_preferences(std::int64_t user) const;
  [[nodiscard]] std::optional<FoundTenant> find_tenant(std::string_view slug) const;
  [[nodiscard]] std::optional<FoundDomain> find_domain(std::string_view host) const;
  [[nodiscard]] std::optional<FoundMember> find_member(const events::Uuid& tenant,
                                                       std::int64_t user) const;
  [[nodiscard]] std::optional<FoundInvitation> find_invitation(std::string_view token) const;
  // At most one, but for imported ones.
  [[nodiscard]] std::vector<FoundInvitation> pending_invitations(const events::Uuid& tenant,
                                                                 std::string_view email) const;
  // The row that holds a unique value; `columns` are those of one of the table's claims.
  template <class Row>
  [[nodiscard]] std::optional<Found<Row>> find_holder(
      std::initializer_list<std::string_view> columns,
      std::initializer_list<events::Value> values) const {
    return found<Row>(holder(table_for<Row>(), columns, {values.begin(), values.size()}));
  }

  // Rows in key order, until `visit` returns false. emit() may be called from inside.
  template <class Row>
  void visit_tenant(const events::Uuid& tenant,
                    const std::function<bool(Found<Row>)>& visit) const {
    state_.scan_rows(table_for<Row>(), tenant,
                     [&](const StoredRow& row) { return visit(Found<Row>(row)); });
  }
  // Whether `holds` is true of a row of the tenant.
  template <class Row>
  [[nodiscard]] bool tenant_has(const events::Uuid& tenant,
                                const std::function<bool(const Found<Row>&)>& holds) const {
    return state_
        .find_row(table_for<Row>(), tenant,
                  [&](const StoredRow& row) { return holds(Found<Row>(row)); })
        .has_value();
  }
  // Rows whose lookup column (`user_id`, `created_by_id`, `invited_by_id`, …) holds `value`.
  template <class Row>
  void visit_lookup(std::string_view column, std::int64_t value,
                    const std::function<bool(Found<Row>)>& visit) const {
    visit_lookup_rows(table_for<Row>(), column, value,
                      [&](const StoredRow& row) { return visit(Found<Row>(row)); });
  }

  // What a reference names, or `not_found` with the given key of `data`.
  [[nodiscard]] OrRefusal<FoundUser> resolve(events::UserRef::Reader ref,
                                             std::string_view field) const;
  [[nodiscard]] OrRefusal<FoundTenant> resolve(events::TenantRef::Reader ref,
                                               std::string_view field) const;
  [[nodiscard]] OrRefusal<FoundDomain> resolve(events::DomainRef::Reader ref,
                                               std::string_view field) const;
  [[nodiscard]] OrRefusal<FoundInvitation> resolve(events::InvitationRef::Reader ref,
                                                   std::string_view field) const;
  [[nodiscard]] OrRefusal<FoundProtein> resolve(events::ProteinRef::Reader ref,
                                                std::string_view field) const;
  // The id of the user; nullopt for a reference that is absent or null.
  [[nodiscard]] OrRefusal<std::optional<std::int64_t>> resolve(events::ClearableUserRef::Reader ref,
                                                               std::string_view field) const;

  // Whether the entity that the command speaks of is at the version that was expected: `actual` is
  // nullopt when it does not exist. A command that makes a new one passes existing_version().
  [[nodiscard]] std::optional<events::Refusal> expect_version(
      const std::optional<Version>& actual) const;
  template <class Row>
  [[nodiscard]] std::optional<events::Refusal> expect_version(
      const std::optional<Found<Row>>& row) const {
    return expect_version(row ? std::optional<Version>(row->version) : std::nullopt);
  }
  // The version of the row that has a given id; nullopt when no id is given or no row has it.
  [[nodiscard]] std::optional<Version> existing_version(EntityKind kind,
                                                        std::optional<std::int64_t> id) const;
  [[nodiscard]] std::optional<Version> existing_version(
      EntityKind kind, const std::optional<events::Uuid>& id) const;

  // An id for a new row: the given one, if no row has it, else one more than the largest ever used,
  // counting those taken before in this decision. `field` is the key of `data` that gave it.
  [[nodiscard]] OrRefusal<std::int64_t> take_integer_id(EntityKind kind,
                                                        std::optional<std::int64_t> given,
                                                        std::string_view field = "id");
  [[nodiscard]] OrRefusal<events::Uuid> take_uuid(EntityKind kind,
                                                  const std::optional<events::Uuid>& given,
                                                  std::string_view field = "id");

  // Appends one event with the circumstances of the command; `fill` initialises the union's member.
  void emit(const std::function<void(events::Event::Builder)>& fill);

  // The end of a decider: what was emitted, or `too_large`. Called once, last.
  [[nodiscard]] DecideOutcome accept(std::optional<EntityName> entity);

 private:
  template <class Row>
  [[nodiscard]] static std::optional<Found<Row>> found(const std::optional<StoredRow>& row) {
    if (!row) return std::nullopt;
    return std::optional<Found<Row>>(std::in_place, *row);
  }
  [[nodiscard]] std::optional<StoredRow> holder(const events::TableInfo& table,
                                                std::initializer_list<std::string_view> columns,
                                                std::span<const events::Value> values) const;
  void visit_lookup_rows(const events::TableInfo& table, std::string_view column,
                         std::int64_t value,
                         const std::function<bool(const StoredRow&)>& visit) const;
  void keep(events::EncodedEvent event);

  // Most events fit; what does not goes to the heap for the time of one emit(). Zero between uses.
  static constexpr std::size_t kScratchWords = 128;

  const StateView& state_;
  const DecisionInput& input_;
  std::map<EntityKind, std::int64_t> taken_ids_;  // The largest of this decision.
  std::array<capnp::word, kScratchWords> scratch_{};
  std::vector<events::EncodedEvent> events_;
  std::size_t bytes_ = 0;
  bool too_large_ = false;
};

[[nodiscard]] EntityName name_of(const FoundUser& user);

// Where a role stands: 0 for owner, then admin, manager, user, readonly; after them what is none.
[[nodiscard]] std::size_t role_rank(std::string_view role);
[[nodiscard]] bool is_higher_role(std::string_view role, std::string_view than);

// Role owner and `is_active`, whatever the account's own flag.
[[nodiscard]] bool is_active_owner(const FoundMember& member);

// Whether `tenant` has an active owner now and none but among `leaving` (ids of members).
[[nodiscard]] bool would_lose_last_owner(const Deciding& deciding, const events::Uuid& tenant,
                                         std::span<const events::Uuid> leaving);

}  // namespace tenantry
