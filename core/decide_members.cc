#include <array>
#include <optional>
#include <string>

#include "core/deciders.h"
#include "core/deciding.h"

namespace tenantry {
namespace {

using events::Event;
using events::Refusal;
using events::Uuid;

// The membership that a command speaks of, and both its ends.
struct Membership {
  FoundTenant tenant;
  FoundUser user;
  FoundMember member;
};

EntityName name_of(const Uuid& id, const FoundTenant& tenant, const FoundUser& user) {
  return {EntityKind::MEMBER, id,
          string_of(tenant.read().getSlug()) + "/" + string_of(user.read().getUsername())};
}

EntityName name_of(const Membership& membership) {
  return name_of(membership.member.key.id, membership.tenant, membership.user);
}

std::string who_of_what(const FoundTenant& tenant, const FoundUser& user) {
  return "the user " + quoted(view_of(user.read().getUsername())) + " of the tenant " +
         quoted(view_of(tenant.read().getSlug()));
}

// At the version that the command expects.
template <class CommandReader>
OrRefusal<Membership> membership_of(const Deciding& deciding, const CommandReader& command) {
  auto tenant = deciding.resolve(command.getTenant(), "tenant");
  if (tenant.refused()) return tenant.refusal();
  auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  auto member = deciding.find_member(tenant->key.id, user->read().getId());
  if (!member) {
    return refuse("not_found", "user",
                  "the tenant " + quoted(view_of(tenant->read().getSlug())) + " has no member " +
                      quoted(view_of(user->read().getUsername())));
  }
  if (auto refusal = deciding.expect_version(member->version)) return *refusal;
  return Membership{std::move(*tenant), std::move(*user), std::move(*member)};
}

// A tenant that has an active owner keeps one; called before `membership` ceases to be one.
template <class CommandReader>
std::optional<Refusal> check_owner_stays(const Deciding& deciding, const Membership& membership,
                                         const CommandReader& command) {
  const bool force = value_or(command.hasForce(), command.getForce(), false);
  if (force || !is_active_owner(membership.member)) return std::nullopt;
  const std::array<Uuid, 1> leaving = {membership.member.key.id};
  if (!would_lose_last_owner(deciding, membership.tenant.key.id, leaving)) return std::nullopt;
  return refuse("last_owner", "user",
                who_of_what(membership.tenant, membership.user) +
                    " is its last active owner: make another member owner first, or give force");
}

void emit_member_reactivated(Deciding& deciding, const FoundMember& member) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initMemberReactivated();
    fact.setId(member.read().getId());
    fact.setTenantId(member.read().getTenantId());
    fact.setUserId(member.read().getUserId());
  });
}

void emit_member_role_changed(Deciding& deciding, const FoundMember& member,
                              capnp::Text::Reader role) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initMemberRoleChanged();
    fact.setId(member.read().getId());
    fact.setTenantId(member.read().getTenantId());
    fact.setUserId(member.read().getUserId());
    fact.setRole(role);
  });
}

// An inactive membership keeps its id: a given one must be it.
std::optional<Refusal> check_reactivation_id(const FoundMember& member,
                                             std::optional<std::int64_t> given) {
  const std::int64_t id = member.read().getId();
  if (!given || *given == id) return std::nullopt;
  return refuse("id_taken", "id",
                "the user has an inactive membership with the id " + std::to_string(id) +
                    ", which keeps it: give that id or none");
}

}  // namespace

void emit_member_added(Deciding& deciding, const NewMember& member) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initMemberAdded();
    fact.setId(member.id);
    fact.setTenantId(data_of(member.tenant));
    fact.setUserId(static_cast<std::int32_t>(member.user));
    fact.setRole(member.role);
  });
}

void emit_member_back(Deciding& deciding, const FoundMember& member, capnp::Text::Reader role) {
  emit_member_reactivated(deciding, member);
  if (member.read().getRole() != role) emit_member_role_changed(deciding, member, role);
}

Refusal already_member(const FoundTenant& tenant, const FoundUser& user) {
  return refuse("already_member", "user",
                who_of_what(tenant, user) + " is an active member already");
}

DecideOutcome decide_add_member(Deciding& deciding, events::AddMember::Reader command) {
  const auto tenant = deciding.resolve(command.getTenant(), "tenant");
  if (tenant.refused()) return tenant.refusal();
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  const auto given = given_id(command);
  const auto member = deciding.find_member(tenant->key.id, user->read().getId());
  const auto present = member ? std::optional<Version>(member->version)
                              : deciding.existing_version(EntityKind::MEMBER, given);
  if (auto refusal = deciding.expect_version(present)) return *refusal;
  const capnp::Text::Reader role =
      command.hasRole() ? command.getRole() : capnp::Text::Reader(kDefaultRole);
  if (member && !member->read().getIsActive()) {
    if (auto refusal = check_reactivation_id(*member, given)) return *refusal;
    emit_member_back(deciding, *member, role);
    return deciding.accept(name_of(member->key.id, *tenant, *user));
  }
  const auto id = deciding.take_integer_id(EntityKind::MEMBER, given);
  if (id.refused()) return id.refusal();
  if (member) return already_member(*tenant, *user);
  emit_member_added(deciding, {*id, tenant->key.id, user->read().getId(), role});
  return deciding.accept(name_of(events::entity_key(*id), *tenant, *user));
}

DecideOutcome decide_change_member_role(Deciding& deciding,
                                        events::ChangeMemberRole::Reader command) {
  const auto membership = membership_of(deciding, command);
  if (membership.refused()) return membership.refusal();
  const FoundMember& member = membership->member;
  if (member.read().getRole() == command.getRole()) return deciding.accept(name_of(*membership));
  if (auto refusal = check_owner_stays(deciding, *membership, command)) return *refusal;
  emit_member_role_changed(deciding, member, command.getRole());
  return deciding.accept(name_of(*membership));
}

DecideOutcome decide_deactivate_member(Deciding& deciding,
                                       events::DeactivateMember::Reader command) {
  const auto membership = membership_of(deciding, command);
  if (membership.refused()) return membership.refusal();
  const auto row = membership->member.read();
  if (!row.getIsActive()) return deciding.accept(name_of(*membership));
  if (auto refusal = check_owner_stays(deciding, *membership, command)) return *refusal;
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initMemberDeactivated();
    fact.setId(row.getId());
    fact.setTenantId(row.getTenantId());
    fact.setUserId(row.getUserId());
  });
  return deciding.accept(name_of(*membership));
}

DecideOutcome decide_reactivate_member(Deciding& deciding,
                                       events::ReactivateMember::Reader command) {
  const auto membership = membership_of(deciding, command);
  if (membership.refused()) return membership.refusal();
  const FoundMember& member = membership->member;
  if (!member.read().getIsActive()) emit_member_reactivated(deciding, member);
  return deciding.accept(name_of(*membership));
}

void emit_member_removed(Deciding& deciding, const FoundMember& member) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initMemberRemoved();
    fact.setId(member.read().getId());
    fact.setTenantId(member.read().getTenantId());
    fact.setUserId(member.read().getUserId());
  });
}

DecideOutcome decide_remove_member(Deciding& deciding, events::RemoveMember::Reader command) {
  const auto membership = membership_of(deciding, command);
  if (membership.refused()) return membership.refusal();
  if (auto refusal = check_owner_stays(deciding, *membership, command)) return *refusal;
  emit_member_removed(deciding, membership->member);
  return deciding.accept(name_of(*membership));
}

}  // namespace tenantry
