#include "core/deciding.h"

#include <algorithm>
#include <limits>

#include "events/text.h"

namespace tenantry {
namespace {

using events::Refusal;
using events::TableInfo;
using events::Uuid;

// Characters of a secret that messages show: enough to tell which one it was, too few to use it.
constexpr std::size_t kSecretCharactersShown = 6;

Refusal not_found(std::string_view field, const std::string& what) {
  return refuse("not_found", field, "there is no " + what);
}

std::int64_t largest_possible_id(const TableInfo& table) {
  const bool narrow = table.columns[table.id_column].type == events::SqlType::INTEGER;
  return narrow ? std::numeric_limits<std::int32_t>::max()
                : std::numeric_limits<std::int64_t>::max();
}

std::string describe(const events::ExpectedVersion& expected) {
  if (expected.kind == events::ExpectedVersion::Kind::kNone) return "none";
  return std::to_string(expected.version);
}

}  // namespace

Refusal refuse(std::string_view code, std::string_view field, std::string message) {
  return {.invalid = false,
          .code = std::string(code),
          .field = std::string(field),
          .message = std::move(message)};
}

std::string_view view_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

std::string string_of(capnp::Text::Reader text) { return std::string(view_of(text)); }

Uuid uuid_of(capnp::Data::Reader data) {
  Uuid uuid;
  if (data.size() != uuid.bytes.size()) {
    throw events::MalformedError("a UUID of " + std::to_string(data.size()) + " bytes");
  }
  std::copy(data.begin(), data.end(), uuid.bytes.begin());
  return uuid;
}

capnp::Data::Reader data_of(const Uuid& uuid) { return {uuid.bytes.data(), uuid.bytes.size()}; }

std::string quoted(std::string_view text) { return "'" + events::printable(text) + "'"; }

std::string masked(std::string_view secret) {
  // Tokens are ASCII, so bytes are characters.
  return events::printable(secret.substr(0, kSecretCharactersShown)) + "…";
}

bool value_or(bool given, events::OptionalBool::Reader value, bool fallback) {
  return given ? value.getValue() : fallback;
}

events::Flag changed_flag(bool given, events::OptionalBool::Reader value, bool present) {
  if (!given || value.getValue() == present) return events::Flag::UNCHANGED;
  return value.getValue() ? events::Flag::YES : events::Flag::NO;
}

bool changes_text(bool given, capnp::Text::Reader text, capnp::Text::Reader present) {
  return given && text != present;
}

std::optional<StoredRow> Deciding::holder(const TableInfo& table,
                                          std::initializer_list<std::string_view> columns,
                                          std::span<const events::Value> values) const {
  const events::ClaimInfo& claim = claim_on(table, columns);
  const std::optional<std::string> value = claim_value(claim, values);
  if (!value) return std::nullopt;
  const std::optional<RowKey> key = state_.claim_holder(table, claim, *value);
  if (!key) return std::nullopt;
  return state_.row(table, *key);
}

void Deciding::visit_lookup_rows(const TableInfo& table, std::string_view column,
                                 std::int64_t value,
                                 const std::function<bool(const StoredRow&)>& visit) const {
  state_.scan_lookup(table, lookup_on(table, column), value, value, [&](const RowKey& key) {
    const std::optional<StoredRow> row = state_.row(table, key);
    TENANTRY_ASSERT(row.has_value());
    return visit(*row);
  });
}

std::optional<FoundUser> Deciding::find_user(std::string_view username) const {
  return find_holder<events::UserRow>({"username"}, {std::string(username)});
}

std::optional<FoundProtein> Deciding::find_protein(std::string_view name) const {
  return find_holder<events::ProteinRow>({"name"}, {std::string(name)});
}

std::optional<FoundPreferences> Deciding::find_preferences(std::int64_t user) const {
  return find_holder<events::PreferencesRow>({"user_id"}, {user});
}

std::optional<FoundTenant> Deciding::find_tenant(std::string_view slug) const {
  return find_holder<events::TenantRow>({"slug"}, {std::string(slug)});
}

std::optional<FoundDomain> Deciding::find_domain(std::string_view host) const {
  return find_holder<events::DomainRow>({"domain"}, {std::string(host)});
}

std::optional<FoundMember> Deciding::find_member(const Uuid& tenant, std::int64_t user) const {
  return find_holder<events::MemberRow>({"tenant_id", "user_id"}, {tenant, user});
}

std::optional<FoundInvitation> Deciding::find_invitation(std::string_view token) const {
  return find_holder<events::InvitationRow>({"token"}, {std::string(token)});
}

std::vector<FoundInvitation> Deciding::pending_invitations(const Uuid& tenant,
                                                           std::string_view email) const {
  const TableInfo& table = table_for<events::InvitationRow>();
  const events::ClaimInfo& claim = claim_on(table, {"tenant_id", "email"});
  const events::Value values[] = {tenant, std::string(email)};
  std::vector<FoundInvitation> found;
  for (const RowKey& key : state_.claim_holders(table, claim, claim_value(claim, values).value())) {
    found.emplace_back(state_.row(table, key).value());
  }
  return found;
}

OrRefusal<FoundUser> Deciding::resolve(events::UserRef::Reader ref, std::string_view field) const {
  if (ref.isId()) {
    if (auto user = find<events::UserRow>(ref.getId())) return std::move(*user);
    return not_found(field, "user with the id " + std::to_string(ref.getId()));
  }
  const std::string_view username = view_of(ref.getUsername());
  if (auto user = find_user(username)) return std::move(*user);
  return not_found(field, "user with the username " + quoted(username));
}

OrRefusal<FoundTenant> Deciding::resolve(events::TenantRef::Reader ref,
                                         std::string_view field) const {
  if (ref.isId()) {
    const Uuid id = uuid_of(ref.getId());
    if (auto tenant = find<events::TenantRow>(id)) return std::move(*tenant);
    return not_found(field, "tenant with the id " + events::format_uuid(id));
  }
  const std::string_view slug = view_of(ref.getSlug());
  if (auto tenant = find_tenant(slug)) return std::move(*tenant);
  return not_found(field, "tenant with the slug " + quoted(slug));
}

OrRefusal<FoundDomain> Deciding::resolve(events::DomainRef::Reader ref,
                                         std::string_view field) const {
  const std::string_view host = view_of(ref.getHost());
  if (auto domain = find_domain(host)) return std::move(*domain);
  return not_found(field, "domain with the host name " + quoted(host));
}

OrRefusal<FoundInvitation> Deciding::resolve(events::InvitationRef::Reader ref,
                                             std::string_view field) const {
  if (ref.isId()) {
    const Uuid id = uuid_of(ref.getId());
    if (auto invitation = find<events::InvitationRow>(id)) return std::move(*invitation);
    return not_found(field, "invitation with the id " + events::format_uuid(id));
  }
  const std::string_view token = view_of(ref.getToken());
  if (auto invitation = find_invitation(token)) return std::move(*invitation);
  return not_found(field, "invitation with the token " + masked(token));
}

OrRefusal<FoundProtein> Deciding::resolve(events::ProteinRef::Reader ref,
                                          std::string_view field) const {
  if (ref.isId()) {
    if (auto protein = find<events::ProteinRow>(ref.getId())) return std::move(*protein);
    return not_found(field, "protein with the id " + std::to_string(ref.getId()));
  }
  const std::string_view name = view_of(ref.getName());
  if (auto protein = find_protein(name)) return std::move(*protein);
  return not_found(field, "protein with the name " + quoted(name));
}

OrRefusal<std::optional<std::int64_t>> Deciding::resolve(events::ClearableUserRef::Reader ref,
                                                         std::string_view field) const {
  if (ref.isNull()) return std::optional<std::int64_t>();
  const auto user = resolve(ref.getUser(), field);
  if (user.refused()) return user.refusal();
  return std::optional<std::int64_t>(user->read().getId());
}

std::optional<Refusal> Deciding::expect_version(const std::optional<Version>& actual) const {
  using Kind = events::ExpectedVersion::Kind;
  const events::ExpectedVersion& expected = input_.circumstances.expected_version;
  const bool met = expected.kind == Kind::kAny || (expected.kind == Kind::kNone && !actual) ||
                   (expected.kind == Kind::kExact && actual && actual->value == expected.version);
  if (met) return std::nullopt;
  const std::string is = actual ? "it is at version " + std::to_string(actual->value)
                                : std::string("it does not exist");
  return refuse("version_conflict", "expected_version",
                "expected version " + describe(expected) + ", but " + is);
}

std::optional<Version> Deciding::existing_version(EntityKind kind,
                                                  std::optional<std::int64_t> id) const {
  if (!id) return std::nullopt;
  return existing_version(kind, std::optional<Uuid>(events::entity_key(*id)));
}

std::optional<Version> Deciding::existing_version(EntityKind kind,
                                                  const std::optional<Uuid>& id) const {
  if (!id) return std::nullopt;
  const std::optional<StoredRow> row = state_.row_by_id(events::table_of(kind), *id);
  if (!row) return std::nullopt;
  return row->version;
}

OrRefusal<std::int64_t> Deciding::take_integer_id(EntityKind kind,
                                                  std::optional<std::int64_t> given,
                                                  std::string_view field) {
  const TableInfo& table = events::table_of(kind);
  const std::int64_t largest = largest_possible_id(table);
  TENANTRY_ASSERT(!given || (*given >= 1 && *given <= largest));  // parse_command() saw to it.
  if (given && state_.row_by_id(table, events::entity_key(*given))) {
    return refuse("id_taken", field,
                  "there is a " + table.entity_name + " with the id " + std::to_string(*given));
  }
  std::int64_t& taken = taken_ids_[kind];
  const std::int64_t used = std::max(taken, state_.largest_id(table));
  if (!given && used >= largest) {
    return refuse("id_taken", field,
                  "the largest id, " + std::to_string(largest) +
                      ", has been used: give one that no " + table.entity_name + " has");
  }
  const std::int64_t id = given ? *given : used + 1;
  taken = std::max(taken, id);
  return id;
}

namespace {

// Streams are told apart by id alone, so an id must not be one that another kind of entity has or
// had, nor look like the stream of an entity with an integer id.
bool names_other_stream(const StateView& state, const TableInfo& own, const Uuid& id) {
  const bool like_integer =
      id.bytes[0] < 0x40 && std::all_of(id.bytes.begin() + 1, id.bytes.begin() + 8,
                                        [](std::uint8_t byte) { return byte == 0; });
  if (like_integer) return true;
  return std::any_of(events::tables().begin(), events::tables().end(), [&](const TableInfo& other) {
    return !other.integer_ids && &other != &own && state.stream_version(other, id).value > 0;
  });
}

}  // namespace

OrRefusal<Uuid> Deciding::take_uuid(EntityKind kind, const std::optional<Uuid>& given,
                                    std::string_view field) {
  if (!given) return input_.ids.new_uuid();
  const TableInfo& table = events::table_of(kind);
  if (names_other_stream(state_, table, *given)) {
    return refuse("id_taken", field,
                  "the id " + events::format_uuid(*given) + " is that of another kind of entity");
  }
  if (state_.row_by_id(table, *given)) {
    return refuse(
        "id_taken", field,
        "there is a " + table.entity_name + " with the id " + events::format_uuid(*given));
  }
  return *given;
}

void Deciding::emit(const std::function<void(events::Event::Builder)>& fill) {
  if (too_large_) return;
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch_.data(), scratch_.size()));
  auto event = message.initRoot<events::Event>();
  events::set_circumstances(event, input_.circumstances);
  fill(event);
  keep(events::encode_canonical(event.asReader()));
}

void Deciding::keep(events::EncodedEvent event) {
  bytes_ += event.size();
  too_large_ = event.size() > events::kPayloadBytesMax || bytes_ > kCommandBytesMax;
  if (!too_large_) {
    events_.push_back(std::move(event));
    return;
  }
  events_ = {};  // Nothing of them will be used: give the memory back.
}

DecideOutcome Deciding::accept(std::optional<EntityName> entity) {
  if (too_large_) {
    return refuse("too_large", "",
                  "the events of one command may amount to " +
                      std::to_string(kCommandBytesMax >> 20) + " MiB, one of them to " +
                      std::to_string(events::kPayloadBytesMax >> 10) + " KiB");
  }
  return Decision{.events = std::move(events_), .entity = std::move(entity)};
}

EntityName name_of(const FoundUser& user) {
  return {.kind = EntityKind::USER, .id = user.key.id, .key = string_of(user.read().getUsername())};
}

std::size_t role_rank(std::string_view role) {
  const std::vector<std::string>& roles = events::roles();  // Highest first.
  return static_cast<std::size_t>(std::find(roles.begin(), roles.end(), role) - roles.begin());
}

bool is_higher_role(std::string_view role, std::string_view than) {
  return role_rank(role) < role_rank(than);
}

bool is_active_owner(const FoundMember& member) {
  return member.read().getIsActive() && view_of(member.read().getRole()) == "owner";
}

bool would_lose_last_owner(const Deciding& deciding, const Uuid& tenant,
                           std::span<const Uuid> leaving) {
  const bool stays = deciding.tenant_has<events::MemberRow>(tenant, [&](const FoundMember& member) {
    return is_active_owner(member) &&
           std::find(leaving.begin(), leaving.end(), member.key.id) == leaving.end();
  });
  return !stays && deciding.tenant_has<events::MemberRow>(tenant, is_active_owner);
}

}  // namespace tenantry
