#include <algorithm>
#include <optional>

#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

constexpr std::int64_t kLifetime = 7 * kDay;  // Unless the command says otherwise.

void write_reference(Stage& stage, const Invitation& invitation) {
  if (stage.random().percent(50)) {
    stage.uuid("invitation", invitation.id);
    return;
  }
  std::string token;
  append_token(token, invitation.token_key);
  stage.text("invitation", token);
}

bool is_pending(const Invitation& invitation) {
  return invitation.status == InvitationStatus::kPending;
}

// --- What becomes of one

bool revoke(Stage& stage, Slot slot) {
  const Invitation& invitation = stage.population().invitations()[slot];
  stage.begin("revoke_invitation");
  write_reference(stage, invitation);
  stage.act_as(stage.pick_manager(invitation.tenant));
  stage.population().close(slot, InvitationStatus::kRevoked);
  return stage.done(1);
}

// The one that is due and still pending.
std::optional<Slot> pending_of(Stage& stage, const Appointment& appointment) {
  if (!stage.is_alive(appointment.invitation)) return std::nullopt;
  const Slot slot = appointment.invitation.slot;
  return is_pending(stage.population().invitations()[slot]) ? std::optional(slot) : std::nullopt;
}

bool revoke_as_planned(Stage& stage, const Appointment& appointment) {
  const auto slot = pending_of(stage, appointment);
  return slot && revoke(stage, *slot);
}

void begin_accepting(Stage& stage, const Invitation& invitation) {
  stage.begin("accept_invitation");
  write_reference(stage, invitation);
  stage.cause(invitation.position);
}

bool accept_as_new_user(Stage& stage, Slot slot) {
  const Invitation invitation = stage.population().invitations()[slot];
  begin_accepting(stage, invitation);
  stage.begin_object("new_user");
  User user = write_new_user(stage, invitation.person, invitation.mail);
  stage.end_object();
  const Slot accepter = stage.population().add_user(std::move(user));
  stage.population().add_member(invitation.tenant, {accepter, invitation.role, true});
  stage.population().accept(slot, accepter);
  return stage.done(3);
}

bool accept_as_user(Stage& stage, Slot slot, Slot accepter) {
  const Invitation invitation = stage.population().invitations()[slot];
  const User& user = stage.population().users()[accepter];
  const bool is_meant = user.person == invitation.person && user.mail == invitation.mail;
  begin_accepting(stage, invitation);
  stage.user("user", accepter);
  if (!is_meant) stage.boolean("any_email", true);
  stage.act_as(accepter);
  const std::size_t count = stage.population().join(invitation.tenant, accepter, invitation.role);
  stage.population().accept(slot, accepter);
  return stage.done(count + 1);
}

bool accept_as_planned(Stage& stage, const Appointment& appointment) {
  const auto slot = pending_of(stage, appointment);
  if (!slot || !stage.fits(3)) return false;
  const Invitation& invitation = stage.population().invitations()[*slot];
  const bool is_open = invitation.expires_at > stage.now() &&
                       stage.population().tenants()[invitation.tenant].is_active;
  if (!is_open) return false;
  const bool is_known = invitation.user != kNoSlot;
  if (!is_known && !stage.random().percent(8)) return accept_as_new_user(stage, *slot);
  // Somebody else accepts with the mail that was passed on.
  const Slot accepter = is_known ? invitation.user : stage.pick_idle_user();
  if (accepter == kNoSlot) return accept_as_new_user(stage, *slot);
  if (is_known && !stage.is_alive(UserHandle{accepter, invitation.user_id})) {
    return revoke(stage, *slot);
  }
  const Member* const member = stage.population().find_member(invitation.tenant, accepter);
  if (member != nullptr && member->is_active) return revoke(stage, *slot);
  return accept_as_user(stage, *slot, accepter);
}

void plan_acceptance(Stage& stage, const InvitationHandle& invitation) {
  stage.plan_at(stage.now() + 10 * kMinute + stage.random().waiting(kDay),
                {.act = accept_as_planned, .tenant = {}, .invitation = invitation});
}

bool extend_as_planned(Stage& stage, const Appointment& appointment) {
  const auto slot = pending_of(stage, appointment);
  if (!slot) return false;
  const Invitation& invitation = stage.population().invitations()[*slot];
  std::int64_t expires_at = stage.now() + kLifetime;
  const bool by_default = expires_at > invitation.expires_at && stage.random().percent(50);
  if (!by_default) expires_at = std::max(invitation.expires_at, stage.now()) + kLifetime;
  stage.begin("extend_invitation");
  write_reference(stage, invitation);
  if (!by_default) stage.time("expires_at", expires_at);
  stage.act_as(stage.pick_manager(invitation.tenant));
  stage.population().extend(*slot, expires_at);
  plan_acceptance(stage, appointment.invitation);
  return stage.done(1);
}

// Most are accepted soon, some after a reminder; some are taken back, and the rest is forgotten.
void plan_fate(Stage& stage, Slot slot) {
  const Invitation& invitation = stage.population().invitations()[slot];
  const InvitationHandle handle{slot, invitation.id};
  const std::uint32_t choice = stage.random().below(100);
  if (choice < 60) {
    plan_acceptance(stage, handle);
  } else if (choice < 72) {
    stage.plan_at(invitation.expires_at - stage.random().between(0, kDay),
                  {.act = extend_as_planned, .tenant = {}, .invitation = handle});
  } else if (choice < 82) {
    stage.plan_at(stage.now() + stage.random().between(kHour, 3 * kDay),
                  {.act = revoke_as_planned, .tenant = {}, .invitation = handle});
  }
}

// --- Issuing

// Writes the command and adds the invitation; its tenant and addressee are set.
void issue(Stage& stage, Invitation invitation, std::size_t events_before) {
  RandomSource& random = stage.random();
  const Slot manager = stage.pick_manager(invitation.tenant);
  invitation.id = random.uuid();
  invitation.token_key = random.bits();
  invitation.role = draw_role(random);
  invitation.position = stage.events() + events_before + 1;
  stage.begin("invite");
  stage.uuid("id", invitation.id);
  stage.tenant("tenant", invitation.tenant);
  stage.address("email", invitation.person, invitation.mail, random.percent(10));
  stage.text("role", role_name(invitation.role));
  if (random.percent(40)) stage.text("message", draw_invitation_message(random));
  std::string token;
  append_token(token, invitation.token_key);
  stage.text("token", token);
  invitation.expires_at = stage.now() + kLifetime;
  if (random.percent(40)) {
    invitation.expires_at = stage.now() + random.between(3 * kDay, 14 * kDay);
    stage.time("expires_at", invitation.expires_at);
  }
  if (manager != kNoSlot && random.percent(90)) {
    invitation.invited_by = manager;
    stage.user("invited_by", manager);
  }
  stage.act_as(manager);
  plan_fate(stage, stage.population().add_invitation(invitation));
}

// Somebody who has an account, is no active member and has no invitation to the tenant.
bool address_to_user(Stage& stage, Invitation& invitation) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  const User& user = stage.population().users()[slot];
  const Member* const member = stage.population().find_member(invitation.tenant, slot);
  if (member != nullptr && member->is_active) return false;
  const auto& invitations = stage.population().tenants()[invitation.tenant].invitations;
  const bool is_invited = std::ranges::any_of(invitations, [&](Slot other) {
    const Invitation& present = stage.population().invitations()[other];
    return is_pending(present) && present.person == user.person;
  });
  if (is_invited) return false;
  invitation.person = user.person;
  invitation.mail = user.mail;
  invitation.user = slot;
  invitation.user_id = user.id;
  return true;
}

bool delete_oldest(Stage& stage, Slot tenant) {
  const auto& invitations = stage.population().tenants()[tenant].invitations;
  const auto oldest = std::ranges::find_if(
      invitations, [&](Slot slot) { return !is_pending(stage.population().invitations()[slot]); });
  if (oldest == invitations.end()) return false;
  const Slot slot = *oldest;
  stage.begin("delete_invitation");
  write_reference(stage, stage.population().invitations()[slot]);
  stage.population().delete_invitation(slot);
  return stage.done(1);
}

bool invite_to(Stage& stage, Slot slot) {
  const Tenant& tenant = stage.population().tenants()[slot];
  if (!Population::has_room(tenant) || tenant.pending >= Population::pending_max(tenant)) {
    return false;
  }
  if (tenant.invitations.size() >= Population::invitations_max(tenant)) {
    return delete_oldest(stage, slot);
  }
  Invitation invitation;
  invitation.tenant = slot;
  if (!stage.random().percent(25) || !address_to_user(stage, invitation)) {
    invitation.person = stage.take_person();
    invitation.mail = stage.random().percent(70)
                          ? MailHost::company(tenant.company)
                          : MailHost::public_host(stage.random().below(MailHost::kPublicHosts));
  }
  issue(stage, invitation, 0);
  return stage.done(1);
}

// The pending invitations whose time is over.
std::vector<Slot> lapsed(const Stage& stage) {
  std::vector<Slot> slots;
  for (const auto& [expires_at, slot] : stage.population().pending()) {
    if (expires_at > stage.now()) break;
    slots.push_back(slot);
  }
  return slots;
}

// Whether another invitation to the same tenant and addressee can take the place of this one.
bool can_be_repeated(const Stage& stage, const Invitation& invitation) {
  const Tenant& tenant = stage.population().tenants()[invitation.tenant];
  if (tenant.invitations.size() >= Population::invitations_max(tenant)) return false;
  if (invitation.user == kNoSlot) return true;
  // Whoever has the address by now must not be an active member.
  if (!stage.is_alive(UserHandle{invitation.user, invitation.user_id})) return false;
  const Member* const member = stage.population().find_member(invitation.tenant, invitation.user);
  return member == nullptr || !member->is_active;
}

}  // namespace

bool invite(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  return slot != kNoSlot && invite_to(stage, slot);
}

bool invite_as_planned(Stage& stage, const Task& task) {
  return stage.is_alive(task.tenant) && invite_to(stage, task.tenant.slot);
}

bool invite_again(Stage& stage) {
  if (!stage.fits(2) || stage.population().pending().empty()) return false;
  const auto [expires_at, slot] = *stage.population().pending().begin();
  if (expires_at > stage.now()) return false;
  const Invitation before = stage.population().invitations()[slot];
  if (!can_be_repeated(stage, before)) return false;
  stage.population().close(slot, InvitationStatus::kExpired);
  Invitation again;
  again.tenant = before.tenant;
  again.person = before.person;
  again.mail = before.mail;
  again.user = before.user;
  again.user_id = before.user_id;
  issue(stage, again, 1);
  return stage.done(2);
}

bool expire_invitations(Stage& stage) {
  std::vector<Slot> slots = lapsed(stage);
  if (slots.empty()) return false;
  const bool of_tenant = stage.random().percent(30);
  const Slot tenant = stage.population().invitations()[slots.front()].tenant;
  if (of_tenant) {
    std::erase_if(
        slots, [&](Slot slot) { return stage.population().invitations()[slot].tenant != tenant; });
  }
  if (!stage.fits(slots.size())) return false;
  stage.begin("expire_invitations");
  if (of_tenant) stage.tenant("tenant", tenant);
  if (stage.random().percent(30)) stage.time("time", stage.now());
  for (const Slot slot : slots) stage.population().close(slot, InvitationStatus::kExpired);
  return stage.done(slots.size());
}

bool delete_old_invitation(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  return slot != kNoSlot && delete_oldest(stage, slot);
}

}  // namespace tenantry::generator
