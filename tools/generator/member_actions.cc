#include <algorithm>

#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

// The rule of the last owner: whether it needs `force` that `member` ceases to be an active owner.
bool would_lose_owner(const Tenant& tenant, const Member& member) {
  return member.is_active_owner() && tenant.active_owners == 1;
}

// A member, or nobody: seldom one whose going leaves the tenant without an owner.
const Member* pick(Stage& stage, Slot slot, bool is_active) {
  const Tenant& tenant = stage.population().tenants()[slot];
  if (tenant.members.empty()) return nullptr;
  constexpr std::size_t kSteps = 16;
  const std::size_t start = stage.random().below(tenant.members.size());
  const std::size_t steps = std::min(kSteps, tenant.members.size());
  for (std::size_t i = 0; i < steps; ++i) {
    const Member& member = tenant.members[(start + i) % tenant.members.size()];
    if (member.is_active != is_active) continue;
    if (would_lose_owner(tenant, member) && !stage.random().percent(2)) continue;
    return &member;
  }
  return nullptr;
}

// Writes the command of a member up to its own fields.
void begin_member(Stage& stage, std::string_view command, Slot tenant, Slot user) {
  stage.begin(command);
  stage.tenant("tenant", tenant);
  stage.user("user", user);
  stage.act_as(stage.pick_manager(tenant));
}

// A user that could join: one without a tenant, or a colleague from elsewhere.
Slot pick_newcomer(Stage& stage, Slot tenant) {
  const Slot idle = stage.random().percent(70) ? stage.pick_idle_user() : kNoSlot;
  const Slot user = idle != kNoSlot ? idle : stage.pick_user();
  if (user == kNoSlot) return kNoSlot;
  const Member* const member = stage.population().find_member(tenant, user);
  return member == nullptr || !member->is_active ? user : kNoSlot;
}

}  // namespace

Role draw_role(RandomSource& random) {
  const std::uint32_t choice = random.below(100);
  if (choice < 3) return Role::kOwner;
  if (choice < 12) return Role::kAdmin;
  if (choice < 27) return Role::kManager;
  return choice < 85 ? Role::kUser : Role::kReadonly;
}

bool add_member(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot || !stage.fits(2)) return false;
  if (!Population::has_room(stage.population().tenants()[slot])) return false;
  const Slot user = pick_newcomer(stage, slot);
  if (user == kNoSlot) return false;
  const Role role = draw_role(stage.random());
  begin_member(stage, "add_member", slot, user);
  stage.text("role", role_name(role));
  return stage.done(stage.population().join(slot, user, role));
}

bool change_member_role(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  const Member* const found = slot == kNoSlot ? nullptr : pick(stage, slot, true);
  if (found == nullptr) return false;
  Member member = *found;
  const bool must_force = would_lose_owner(stage.population().tenants()[slot], member);
  // A tenant without an owner gets one.
  const bool lacks_owner = stage.population().tenants()[slot].active_owners == 0;
  const Role role = lacks_owner ? Role::kOwner : draw_role(stage.random());
  if (role == member.role) return false;
  begin_member(stage, "change_member_role", slot, member.user);
  stage.text("role", role_name(role));
  if (must_force) stage.boolean("force", true);
  member.role = role;
  stage.population().change_member(slot, member);
  return stage.done(1);
}

bool deactivate_member(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  const Member* const found = slot == kNoSlot ? nullptr : pick(stage, slot, true);
  if (found == nullptr) return false;
  Member member = *found;
  begin_member(stage, "deactivate_member", slot, member.user);
  if (would_lose_owner(stage.population().tenants()[slot], member)) stage.boolean("force", true);
  member.is_active = false;
  stage.population().change_member(slot, member);
  return stage.done(1);
}

bool reactivate_member(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  const Member* const found = slot == kNoSlot ? nullptr : pick(stage, slot, false);
  if (found == nullptr) return false;
  Member member = *found;
  begin_member(stage, "reactivate_member", slot, member.user);
  member.is_active = true;
  stage.population().change_member(slot, member);
  return stage.done(1);
}

bool remove_member(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot) return false;
  const Tenant& tenant = stage.population().tenants()[slot];
  // Small ones grow first.
  if (tenant.members.size() * 3 < tenant.size_wanted * 2) return false;
  const Member* const member = pick(stage, slot, !stage.random().percent(30));
  if (member == nullptr) return false;
  const Slot user = member->user;
  begin_member(stage, "remove_member", slot, user);
  if (would_lose_owner(tenant, *member)) stage.boolean("force", true);
  stage.population().remove_member(slot, user);
  return stage.done(1);
}

}  // namespace tenantry::generator
