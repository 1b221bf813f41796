#include <algorithm>
#include <array>
#include <string>

#include "tools/generator/actions.h"

// Commands that a rule refuses, whatever else is true: one kind for each of many codes.
namespace tenantry::generator {
namespace {

bool reject_taken_username(Stage& stage) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  stage.begin("register_user");
  stage.username("username", stage.population().users()[slot]);
  stage.text("email", "somebody.else@mail.example");
  return stage.refused("username_taken");
}

bool reject_taken_slug(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot) return false;
  stage.begin("create_tenant");
  stage.text("name", "The same again");
  stage.slug("slug", stage.population().tenants()[slot].slug_company);
  stage.text("contact_email", "office@mail.example");
  return stage.refused("slug_taken");
}

bool reject_wrong_confirmation(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot) return false;
  stage.begin("delete_tenant");
  stage.tenant("tenant", slot);
  stage.text("confirm", "yes");
  return stage.refused("confirmation_mismatch");
}

bool reject_second_membership(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  const Slot user = slot == kNoSlot ? kNoSlot : stage.pick_member(slot);
  if (user == kNoSlot || !stage.population().find_member(slot, user)->is_active) return false;
  stage.begin("add_member");
  stage.tenant("tenant", slot);
  stage.user("user", user);
  return stage.refused("already_member");
}

bool reject_last_owner(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot || stage.population().tenants()[slot].active_owners != 1) return false;
  const auto& members = stage.population().tenants()[slot].members;
  const auto owner = std::ranges::find_if(members, &Member::is_active_owner);
  stage.begin("remove_member");
  stage.tenant("tenant", slot);
  stage.user("user", owner->user);
  return stage.refused("last_owner");
}

bool reject_taken_domain(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot || stage.population().tenants()[slot].domains.empty()) return false;
  stage.begin("add_domain");
  stage.tenant("tenant", slot);
  stage.host("domain", stage.population().tenants()[slot].domains.front());
  return stage.refused("domain_taken");
}

bool reject_extension_without_trial(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot || stage.population().tenants()[slot].is_trial) return false;
  stage.begin("extend_trial");
  stage.tenant("tenant", slot);
  stage.time("ends_at", stage.now() + 14 * kDay);
  return stage.refused("not_in_trial");
}

bool reject_past_trial(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot) return false;
  stage.begin("start_trial");
  stage.tenant("tenant", slot);
  stage.time("ends_at", stage.now() - kDay);
  return stage.refused("invalid_period");
}

bool reject_second_invitation(Stage& stage) {
  const auto& pending = stage.population().pending();
  if (pending.empty() || pending.rbegin()->first <= stage.now()) return false;
  const Invitation& invitation = stage.population().invitations()[pending.rbegin()->second];
  stage.begin("invite");
  stage.tenant("tenant", invitation.tenant);
  stage.address("email", invitation.person, invitation.mail, true);
  return stage.refused("pending_invitation_exists");
}

bool reject_merge_with_itself(Stage& stage) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  stage.begin("merge_users");
  stage.user("user", slot);
  stage.user("into", slot);
  return stage.refused("invalid_merge");
}

bool reject_taken_protein(Stage& stage) {
  const auto& proteins = stage.population().proteins();
  if (proteins.empty()) return false;
  stage.begin("add_protein");
  stage.protein_name("name", proteins[stage.random().below(proteins.size())].name);
  return stage.refused("protein_taken");
}

bool reject_unknown_user(Stage& stage) {
  std::string name = "nobody-";
  stage.random().append_hex(name, 8);
  stage.begin("record_login");
  stage.text("user", name);
  return stage.refused("not_found");
}

constexpr std::array kRejections = {
    reject_taken_username,          reject_taken_slug,    reject_wrong_confirmation,
    reject_second_membership,       reject_last_owner,    reject_taken_domain,
    reject_extension_without_trial, reject_past_trial,    reject_second_invitation,
    reject_merge_with_itself,       reject_taken_protein, reject_unknown_user,
};

}  // namespace

void write_rejected(Stage& stage) {
  if (!kRejections[stage.random().below(kRejections.size())](stage)) reject_unknown_user(stage);
}

}  // namespace tenantry::generator
