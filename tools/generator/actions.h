#pragma once

#include <string_view>

#include "tools/generator/stage.h"

// What can happen in a made-up history: one function for each, which writes a command that the
// rules accept, or returns false when there is nobody now to whom it could happen. See Stage.
namespace tenantry::generator {

// tools/generator/user_actions.cc
bool record_login(Stage& stage);
bool register_user(Stage& stage);
bool register_new_colleague(Stage& stage);  // And makes it a member with the next command.
bool change_user_profile(Stage& stage);
bool change_user_password(Stage& stage);
bool set_user_flags(Stage& stage);
bool delete_user(Stage& stage);
bool merge_users(Stage& stage);
bool set_preferences(Stage& stage);
bool delete_preferences(Stage& stage);
// Too many users are members of nothing: deletes, merges or employs one.
bool tidy_idle_users(Stage& stage);

// tools/generator/tenant_actions.cc
bool found_tenant(Stage& stage);  // Starts with its owner, the rest is planned.
bool change_tenant(Stage& stage);
bool change_tenant_settings(Stage& stage);
bool start_trial(Stage& stage);
bool deactivate_tenant(Stage& stage);
bool delete_tenant(Stage& stage);

// tools/generator/domain_actions.cc
bool add_domain(Stage& stage);
bool set_primary_domain(Stage& stage);
bool switch_domain(Stage& stage);  // Activates or deactivates one.
bool remove_domain(Stage& stage);
bool move_domain(Stage& stage);

// tools/generator/member_actions.cc
bool add_member(Stage& stage);
bool change_member_role(Stage& stage);
bool deactivate_member(Stage& stage);
bool reactivate_member(Stage& stage);
bool remove_member(Stage& stage);
Role draw_role(RandomSource& random);

// tools/generator/invitation_actions.cc. Accepting, extending and revoking are appointments.
bool invite(Stage& stage);
bool invite_again(Stage& stage);  // An address whose invitation lapsed.
bool expire_invitations(Stage& stage);
bool delete_old_invitation(Stage& stage);

// tools/generator/protein_actions.cc
bool add_protein(Stage& stage);
bool rename_protein(Stage& stage);
bool remove_protein(Stage& stage);

// Steps that several of them share.
// Writes the fields of a new user at `mail`; population.add_user() has to follow.
User write_new_user(Stage& stage, std::uint64_t person, MailHost mail);
// Plans that the user becomes a member of the tenant, or gets to host a domain, or invites.
void plan_membership(Stage& stage, Slot tenant, Slot user);
bool add_planned_domain(Stage& stage, const Task& task);
bool invite_as_planned(Stage& stage, const Task& task);

// tools/generator/rejections.cc
// Writes a command that a rule refuses, and changes nothing.
void write_rejected(Stage& stage);

}  // namespace tenantry::generator
