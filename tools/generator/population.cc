#include "tools/generator/population.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/error.h"

namespace tenantry::generator {
namespace {

constexpr std::array<std::string_view, kRoles> kRoleNames = {"owner", "admin", "manager", "user",
                                                             "readonly"};

void take_out(std::vector<Slot>& slots, Slot slot) {
  const auto found = std::find(slots.begin(), slots.end(), slot);
  TENANTRY_ASSERT(found != slots.end());
  *found = slots.back();
  slots.pop_back();
}

}  // namespace

std::string_view role_name(Role role) { return kRoleNames[static_cast<std::size_t>(role)]; }

std::size_t Population::size_wanted(Slot slot) const {
  constexpr std::size_t kSmallest = 4;
  constexpr std::size_t kLargestMax = 600;
  const std::size_t largest = std::min<std::size_t>(kLargestMax, 20 + 2 * tenants_wanted_);
  return kSmallest + largest / (slot + std::size_t{1});
}

// --- Users

void Population::make_idle(Slot user) {
  users_[user].idle_place = idle_users_.size();
  idle_users_.push_back(user);
}

void Population::make_busy(Slot user) {
  const std::size_t place = users_[user].idle_place;
  idle_users_[place] = idle_users_.back();
  users_[idle_users_[place]].idle_place = place;
  idle_users_.pop_back();
}

Slot Population::add_user(User user) {
  user.id = ++users_added_;
  const Slot slot = users_.add(std::move(user));
  make_idle(slot);
  return slot;
}

bool Population::is_last_owner_somewhere(Slot user) const {
  return std::ranges::any_of(users_[user].tenants, [&](Slot tenant) {
    return tenants_[tenant].active_owners == 1 && find_member(tenant, user)->is_active_owner();
  });
}

std::size_t Population::deletion_events(const User& user) const {
  return user.tenants.size() + (user.has_preferences ? 1 : 0) + user.created.size() +
         user.invited.size() + user.accepted.size() + 1;
}

void Population::name_instead(const std::vector<Slot>& invitations, Slot Invitation::*who,
                              Slot heir) {
  for (const Slot invitation : invitations) invitations_[invitation].*who = heir;
}

void Population::delete_user(Slot user) {
  while (!users_[user].tenants.empty()) remove_member(users_[user].tenants.back(), user);
  for (const Slot tenant : users_[user].created) {
    tenants_[tenant].created_by = kNoSlot;
    ++tenants_[tenant].version;
  }
  name_instead(users_[user].invited, &Invitation::invited_by, kNoSlot);
  name_instead(users_[user].accepted, &Invitation::accepted_by, kNoSlot);
  make_busy(user);  // No longer among the idle ones.
  users_.remove(user);
}

std::size_t Population::merge_events_max(const User& user) {
  return 3 * user.tenants.size() + 2 + user.created.size() + user.invited.size() +
         user.accepted.size() + 1;
}

// An inactive membership goes over only where there is another one already.
std::size_t Population::merge_memberships(Slot user, Slot into) {
  std::size_t count = 0;
  while (!users_[user].tenants.empty()) {
    const Slot tenant = users_[user].tenants.back();
    const Member leaving = member_at(tenant, user);
    if (const Member* const found = find_member(tenant, into)) {
      Member staying = *found;
      if (!staying.is_active && leaving.is_active) ++count;
      if (leaving.role < staying.role) ++count;
      staying.is_active = staying.is_active || leaving.is_active;
      staying.role = std::min(staying.role, leaving.role);
      change_member(tenant, staying);
    } else if (leaving.is_active) {
      add_member(tenant, {into, leaving.role, true});
      ++count;
    }
    remove_member(tenant, user);
    ++count;
  }
  return count;
}

std::size_t Population::merge_users(Slot user, Slot into) {
  std::size_t count = merge_memberships(user, into);
  User& gone = users_[user];
  User& heir = users_[into];
  if (gone.has_preferences) {
    count += heir.has_preferences ? 1 : 2;
    if (!heir.has_preferences) {
      heir.has_preferences = true;
      heir.theme = gone.theme;
      heir.sidebar_collapsed = gone.sidebar_collapsed;
    }
  }
  for (const Slot tenant : gone.created) {
    tenants_[tenant].created_by = into;
    ++tenants_[tenant].version;
  }
  name_instead(gone.invited, &Invitation::invited_by, into);
  name_instead(gone.accepted, &Invitation::accepted_by, into);
  count += gone.created.size() + gone.invited.size() + gone.accepted.size() + 1;
  heir.created.insert(heir.created.end(), gone.created.begin(), gone.created.end());
  heir.invited.insert(heir.invited.end(), gone.invited.begin(), gone.invited.end());
  heir.accepted.insert(heir.accepted.end(), gone.accepted.begin(), gone.accepted.end());
  make_busy(user);
  users_.remove(user);
  return count;
}

// --- Tenants

Slot Population::add_tenant(Tenant tenant) {
  tenant.size_wanted = size_wanted(tenants_.next());
  tenant.version = 1;
  const Slot created_by = tenant.created_by;
  const Slot slot = tenants_.add(std::move(tenant));
  if (created_by != kNoSlot) users_[created_by].created.push_back(slot);
  return slot;
}

std::size_t Population::deletion_events(const Tenant& tenant) {
  return tenant.domains.size() + tenant.members.size() + tenant.invitations.size() + 1;
}

void Population::delete_tenant(Slot slot) {
  Tenant& tenant = tenants_[slot];
  while (!tenant.members.empty()) remove_member(slot, tenant.members.back().user);
  while (!tenant.invitations.empty()) delete_invitation(tenant.invitations.back());
  if (tenant.created_by != kNoSlot) take_out(users_[tenant.created_by].created, slot);
  tenants_.remove(slot);
}

// --- Members

const Member* Population::find_member(Slot tenant, Slot user) const {
  const auto& members = tenants_[tenant].members;
  const auto found = std::ranges::find(members, user, &Member::user);
  return found == members.end() ? nullptr : &*found;
}

Member& Population::member_at(Slot tenant, Slot user) {
  auto& members = tenants_[tenant].members;
  const auto found = std::ranges::find(members, user, &Member::user);
  TENANTRY_ASSERT(found != members.end());
  return *found;
}

void Population::count_owner(Tenant& tenant, const Member& member, bool comes) {
  if (!member.is_active_owner()) return;
  comes ? ++tenant.active_owners : --tenant.active_owners;
}

void Population::add_member(Slot tenant, const Member& member) {
  User& user = users_[member.user];
  if (user.tenants.empty()) make_busy(member.user);
  user.tenants.push_back(tenant);
  tenants_[tenant].members.push_back(member);
  count_owner(tenants_[tenant], member, true);
}

void Population::remove_member(Slot tenant, Slot user) {
  Member& member = member_at(tenant, user);
  count_owner(tenants_[tenant], member, false);
  member = tenants_[tenant].members.back();
  tenants_[tenant].members.pop_back();
  take_out(users_[user].tenants, tenant);
  if (users_[user].tenants.empty()) make_idle(user);
}

void Population::change_member(Slot tenant, const Member& member) {
  Member& present = member_at(tenant, member.user);
  count_owner(tenants_[tenant], present, false);
  present = member;
  count_owner(tenants_[tenant], present, true);
}

std::size_t Population::join(Slot tenant, Slot user, Role role) {
  const Member* const member = find_member(tenant, user);
  if (member == nullptr) {
    add_member(tenant, {user, role, true});
    return 1;
  }
  const std::size_t count = member->role == role ? 1 : 2;
  change_member(tenant, {user, role, true});
  return count;
}

// --- Domains

std::size_t Population::add_domain(Slot slot, bool is_primary) {
  Tenant& tenant = tenants_[slot];
  Domain domain;
  domain.order = ++domains_added_;
  domain.company = tenant.company;
  domain.place = tenant.hosts++;
  domain.is_primary = is_primary || tenant.domains.empty();
  const std::size_t count = domain.is_primary && !tenant.domains.empty() ? 2 : 1;
  if (domain.is_primary) {
    for (Domain& other : tenant.domains) other.is_primary = false;
  }
  tenant.domains.push_back(domain);
  return count;
}

void Population::set_primary(Slot slot, std::size_t place) {
  auto& domains = tenants_[slot].domains;
  for (Domain& domain : domains) domain.is_primary = false;
  domains[place].is_primary = true;
}

// Returns whether somebody had to take over.
bool Population::hand_over(Tenant& tenant) {
  auto& domains = tenant.domains;
  if (domains.empty() || std::ranges::any_of(domains, &Domain::is_primary)) return false;
  const auto heir = std::ranges::min_element(domains, {}, [](const Domain& domain) {
    return std::tuple(!domain.is_active, domain.order);
  });
  heir->is_primary = true;
  return true;
}

std::size_t Population::remove_domain(Slot slot, std::size_t place) {
  Tenant& tenant = tenants_[slot];
  tenant.domains.erase(tenant.domains.begin() + static_cast<std::ptrdiff_t>(place));
  return hand_over(tenant) ? 2 : 1;
}

std::size_t Population::move_domain(Slot from_tenant, std::size_t place, Slot to_tenant) {
  Domain domain = tenants_[from_tenant].domains[place];
  const std::size_t count = remove_domain(from_tenant, place);
  domain.is_primary = tenants_[to_tenant].domains.empty();
  tenants_[to_tenant].domains.push_back(domain);
  return count;
}

// --- Invitations

Slot Population::add_invitation(const Invitation& invitation) {
  const Slot tenant = invitation.tenant;
  const Slot inviter = invitation.invited_by;
  const std::int64_t expires_at = invitation.expires_at;
  const Slot slot = invitations_.add(invitation);
  tenants_[tenant].invitations.push_back(slot);
  ++tenants_[tenant].pending;
  pending_.emplace(expires_at, slot);
  if (inviter != kNoSlot) users_[inviter].invited.push_back(slot);
  return slot;
}

void Population::extend(Slot slot, std::int64_t expires_at) {
  Invitation& invitation = invitations_[slot];
  pending_.erase({invitation.expires_at, slot});
  invitation.expires_at = expires_at;
  pending_.emplace(expires_at, slot);
}

void Population::close(Slot slot, InvitationStatus status) {
  Invitation& invitation = invitations_[slot];
  if (invitation.status == InvitationStatus::kPending) {
    pending_.erase({invitation.expires_at, slot});
    --tenants_[invitation.tenant].pending;
  }
  invitation.status = status;
}

void Population::accept(Slot slot, Slot user) {
  close(slot, InvitationStatus::kAccepted);
  invitations_[slot].accepted_by = user;
  users_[user].accepted.push_back(slot);
}

void Population::delete_invitation(Slot slot) {
  const Invitation& invitation = invitations_[slot];
  if (invitation.status == InvitationStatus::kPending) close(slot, InvitationStatus::kRevoked);
  if (invitation.invited_by != kNoSlot) take_out(users_[invitation.invited_by].invited, slot);
  if (invitation.accepted_by != kNoSlot) take_out(users_[invitation.accepted_by].accepted, slot);
  // The others stay in the order in which they were issued.
  std::erase(tenants_[invitation.tenant].invitations, slot);
  invitations_.remove(slot);
}

}  // namespace tenantry::generator
