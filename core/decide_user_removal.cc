#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/deciders.h"
#include "core/deciding.h"

// How a user goes: deleted, or merged into another. Foreign keys of the read model never cascade,
// so every row that goes and every reference that is cleared is an event.
namespace tenantry {
namespace {

using events::Event;
using events::Refusal;

constexpr std::size_t kSlugsNamedMax = 5;

void emit_preferences_deleted(Deciding& deciding, const FoundPreferences& preferences) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initPreferencesDeleted();
    fact.setId(preferences.read().getId());
    fact.setUserId(preferences.read().getUserId());
  });
}

void emit_user_deleted(Deciding& deciding, const FoundUser& user) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initUserDeleted();
    fact.setId(user.read().getId());
    fact.setUsername(user.read().getUsername());
  });
}

// Whatever names `user` as its creator, inviter or accepter names `heir` from now on, or nobody.
void hand_over_references(Deciding& deciding, std::int32_t user,
                          const std::optional<std::int32_t>& heir) {
  deciding.visit_lookup<events::TenantRow>("created_by_id", user, [&](const FoundTenant& tenant) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTenantCreatorChanged();
      fact.setId(tenant.read().getId());
      if (heir) fact.initCreatedById().setValue(*heir);
    });
    return true;
  });
  deciding.visit_lookup<events::InvitationRow>(
      "invited_by_id", user, [&](const FoundInvitation& invitation) {
        deciding.emit([&](Event::Builder event) {
          auto fact = event.initInvitationInviterChanged();
          fact.setId(invitation.read().getId());
          fact.setTenantId(invitation.read().getTenantId());
          if (heir) fact.initInvitedById().setValue(*heir);
        });
        return true;
      });
  deciding.visit_lookup<events::InvitationRow>(
      "accepted_by_id", user, [&](const FoundInvitation& invitation) {
        deciding.emit([&](Event::Builder event) {
          auto fact = event.initInvitationAccepterChanged();
          fact.setId(invitation.read().getId());
          fact.setTenantId(invitation.read().getTenantId());
          if (heir) fact.initAcceptedById().setValue(*heir);
        });
        return true;
      });
}

std::string slug_of(const Deciding& deciding, const events::Uuid& tenant) {
  const auto row = deciding.find<events::TenantRow>(tenant);
  TENANTRY_ASSERT(row.has_value());
  return string_of(row->read().getSlug());
}

// Refuses when a tenant would be left without the active owner that it has.
std::optional<Refusal> check_owners_stay(const Deciding& deciding, const FoundUser& user) {
  std::string slugs;
  std::size_t count = 0;
  deciding.visit_lookup<events::MemberRow>(
      "user_id", user.read().getId(), [&](const FoundMember& member) {
        if (!is_active_owner(member)) return true;  // Spares a look at all members.
        const events::Uuid& tenant = member.key.tenant;
        if (!would_lose_last_owner(deciding, tenant, std::span(&member.key.id, 1))) return true;
        if (++count <= kSlugsNamedMax)
          slugs += (count == 1 ? "" : ", ") + slug_of(deciding, tenant);
        return true;
      });
  if (count == 0) return std::nullopt;
  if (count > kSlugsNamedMax) slugs += " and " + std::to_string(count - kSlugsNamedMax) + " more";
  return refuse("last_owner", "user",
                quoted(view_of(user.read().getUsername())) + " is the last active owner of " +
                    slugs + ": add another owner first, or give force");
}

// A membership of the user that goes, and that of the user that stays in the same tenant.
struct SharedMembership {
  FoundMember leaving;
  std::optional<FoundMember> staying;
};

std::vector<SharedMembership> shared_memberships(const Deciding& deciding, std::int32_t user,
                                                 std::int32_t into) {
  std::vector<SharedMembership> all;
  deciding.visit_lookup<events::MemberRow>("user_id", user, [&](FoundMember member) {
    auto staying = deciding.find_member(member.key.tenant, into);
    all.push_back({std::move(member), std::move(staying)});
    return true;
  });
  return all;
}

// An inactive membership of which `into` has none does not go over: MemberAdded would give back an
// access that was taken away. Nothing is lost that granted anything, and the history keeps it.
std::optional<Refusal> emit_members_added(Deciding& deciding,
                                          const std::vector<SharedMembership>& memberships,
                                          std::int32_t into) {
  for (const SharedMembership& membership : memberships) {
    const auto row = membership.leaving.read();
    if (membership.staying || !row.getIsActive()) continue;
    const auto id = deciding.take_integer_id(EntityKind::MEMBER, std::nullopt);
    if (id.refused()) return id.refusal();
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initMemberAdded();
      fact.setId(*id);
      fact.setTenantId(row.getTenantId());
      fact.setUserId(into);
      fact.setRole(row.getRole());
    });
  }
  return std::nullopt;
}

void emit_members_reactivated(Deciding& deciding,
                              const std::vector<SharedMembership>& memberships) {
  for (const SharedMembership& membership : memberships) {
    if (!membership.staying || membership.staying->read().getIsActive()) continue;
    if (!membership.leaving.read().getIsActive()) continue;
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initMemberReactivated();
      fact.setId(membership.staying->read().getId());
      fact.setTenantId(membership.staying->read().getTenantId());
      fact.setUserId(membership.staying->read().getUserId());
    });
  }
}

void emit_member_roles_changed(Deciding& deciding,
                               const std::vector<SharedMembership>& memberships) {
  for (const SharedMembership& membership : memberships) {
    if (!membership.staying) continue;
    const auto role = membership.leaving.read().getRole();
    if (!is_higher_role(view_of(role), view_of(membership.staying->read().getRole()))) continue;
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initMemberRoleChanged();
      fact.setId(membership.staying->read().getId());
      fact.setTenantId(membership.staying->read().getTenantId());
      fact.setUserId(membership.staying->read().getUserId());
      fact.setRole(role);
    });
  }
}

std::optional<Refusal> merge_memberships(Deciding& deciding, std::int32_t user, std::int32_t into) {
  const std::vector<SharedMembership> memberships = shared_memberships(deciding, user, into);
  if (auto refusal = emit_members_added(deciding, memberships, into)) return refusal;
  emit_members_reactivated(deciding, memberships);
  emit_member_roles_changed(deciding, memberships);
  for (const SharedMembership& membership : memberships) {
    emit_member_removed(deciding, membership.leaving);
  }
  return std::nullopt;
}

std::optional<Refusal> merge_preferences(Deciding& deciding, std::int32_t user, std::int32_t into) {
  const auto preferences = deciding.find_preferences(user);
  if (!preferences) return std::nullopt;
  if (!deciding.find_preferences(into)) {
    const auto id = deciding.take_integer_id(EntityKind::PREFERENCES, std::nullopt);
    if (id.refused()) return id.refusal();
    deciding.emit([&](Event::Builder event) {
      const auto row = preferences->read();
      auto fact = event.initPreferencesCreated();
      fact.setId(*id);
      fact.setUserId(into);
      fact.setTheme(row.getTheme());
      fact.setDashboardLayout(row.getDashboardLayout());
      fact.setSidebarCollapsed(row.getSidebarCollapsed());
      fact.setQuickMenuItems(row.getQuickMenuItems());
      fact.setWidgetPreferences(row.getWidgetPreferences());
    });
  }
  emit_preferences_deleted(deciding, *preferences);
  return std::nullopt;
}

}  // namespace

DecideOutcome decide_delete_user(Deciding& deciding, events::DeleteUser::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  if (auto refusal = deciding.expect_version(user->version)) return *refusal;
  if (!value_or(command.hasForce(), command.getForce(), false)) {
    if (auto refusal = check_owners_stay(deciding, *user)) return *refusal;
  }
  const std::int32_t id = user->read().getId();
  deciding.visit_lookup<events::MemberRow>("user_id", id, [&](const FoundMember& member) {
    emit_member_removed(deciding, member);
    return true;
  });
  if (const auto preferences = deciding.find_preferences(id)) {
    emit_preferences_deleted(deciding, *preferences);
  }
  hand_over_references(deciding, id, std::nullopt);
  emit_user_deleted(deciding, *user);
  return deciding.accept(name_of(*user));
}

DecideOutcome decide_merge_users(Deciding& deciding, events::MergeUsers::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  const auto into = deciding.resolve(command.getInto(), "into");
  if (into.refused()) return into.refusal();
  if (auto refusal = deciding.expect_version(user->version)) return *refusal;
  if (user->key == into->key) {
    return refuse("invalid_merge", "into",
                  "a user is merged into another one, and both are " +
                      quoted(view_of(user->read().getUsername())));
  }
  const std::int32_t from_id = user->read().getId();
  const std::int32_t into_id = into->read().getId();
  if (auto refusal = merge_memberships(deciding, from_id, into_id)) return *refusal;
  if (auto refusal = merge_preferences(deciding, from_id, into_id)) return *refusal;
  hand_over_references(deciding, from_id, into_id);
  emit_user_deleted(deciding, *user);
  return deciding.accept(name_of(*user));
}

}  // namespace tenantry
