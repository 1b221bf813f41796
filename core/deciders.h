#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/decide.h"
#include "core/deciding.h"
#include "events/commands.capnp.h"

// One function for each command, called by decide(). For core/decide*.cc only.
namespace tenantry {

// core/decide_users.cc
[[nodiscard]] DecideOutcome decide_register_user(Deciding&, events::RegisterUser::Reader);
[[nodiscard]] DecideOutcome decide_change_user_profile(Deciding&,
                                                       events::ChangeUserProfile::Reader);
[[nodiscard]] DecideOutcome decide_change_user_password(Deciding&,
                                                        events::ChangeUserPassword::Reader);
[[nodiscard]] DecideOutcome decide_set_user_flags(Deciding&, events::SetUserFlags::Reader);
[[nodiscard]] DecideOutcome decide_record_login(Deciding&, events::RecordLogin::Reader);

// core/decide_user_removal.cc
[[nodiscard]] DecideOutcome decide_delete_user(Deciding&, events::DeleteUser::Reader);
[[nodiscard]] DecideOutcome decide_merge_users(Deciding&, events::MergeUsers::Reader);

// core/decide_tenants.cc
[[nodiscard]] DecideOutcome decide_create_tenant(Deciding&, events::CreateTenant::Reader);
[[nodiscard]] DecideOutcome decide_change_tenant(Deciding&, events::ChangeTenant::Reader);
[[nodiscard]] DecideOutcome decide_change_tenant_settings(Deciding&,
                                                          events::ChangeTenantSettings::Reader);
[[nodiscard]] DecideOutcome decide_start_trial(Deciding&, events::StartTrial::Reader);
[[nodiscard]] DecideOutcome decide_extend_trial(Deciding&, events::ExtendTrial::Reader);
[[nodiscard]] DecideOutcome decide_end_trial(Deciding&, events::EndTrial::Reader);
[[nodiscard]] DecideOutcome decide_activate_tenant(Deciding&, events::ActivateTenant::Reader);
[[nodiscard]] DecideOutcome decide_deactivate_tenant(Deciding&, events::DeactivateTenant::Reader);
[[nodiscard]] DecideOutcome decide_delete_tenant(Deciding&, events::DeleteTenant::Reader);

// core/decide_domains.cc
[[nodiscard]] DecideOutcome decide_add_domain(Deciding&, events::AddDomain::Reader);
[[nodiscard]] DecideOutcome decide_set_primary_domain(Deciding&, events::SetPrimaryDomain::Reader);
[[nodiscard]] DecideOutcome decide_activate_domain(Deciding&, events::ActivateDomain::Reader);
[[nodiscard]] DecideOutcome decide_deactivate_domain(Deciding&, events::DeactivateDomain::Reader);
[[nodiscard]] DecideOutcome decide_remove_domain(Deciding&, events::RemoveDomain::Reader);
[[nodiscard]] DecideOutcome decide_move_domain(Deciding&, events::MoveDomain::Reader);

// core/decide_members.cc
[[nodiscard]] DecideOutcome decide_add_member(Deciding&, events::AddMember::Reader);
[[nodiscard]] DecideOutcome decide_change_member_role(Deciding&, events::ChangeMemberRole::Reader);
[[nodiscard]] DecideOutcome decide_deactivate_member(Deciding&, events::DeactivateMember::Reader);
[[nodiscard]] DecideOutcome decide_reactivate_member(Deciding&, events::ReactivateMember::Reader);
[[nodiscard]] DecideOutcome decide_remove_member(Deciding&, events::RemoveMember::Reader);

// core/decide_invitations.cc
[[nodiscard]] DecideOutcome decide_invite(Deciding&, events::Invite::Reader);
[[nodiscard]] DecideOutcome decide_extend_invitation(Deciding&, events::ExtendInvitation::Reader);
[[nodiscard]] DecideOutcome decide_revoke_invitation(Deciding&, events::RevokeInvitation::Reader);
[[nodiscard]] DecideOutcome decide_delete_invitation(Deciding&, events::DeleteInvitation::Reader);
[[nodiscard]] DecideOutcome decide_accept_invitation(Deciding&, events::AcceptInvitation::Reader);
[[nodiscard]] DecideOutcome decide_expire_invitations(Deciding&, events::ExpireInvitations::Reader);

// core/decide_preferences.cc
[[nodiscard]] DecideOutcome decide_set_preferences(Deciding&, events::SetPreferences::Reader);
[[nodiscard]] DecideOutcome decide_delete_preferences(Deciding&, events::DeletePreferences::Reader);

// core/decide_proteins.cc
[[nodiscard]] DecideOutcome decide_add_protein(Deciding&, events::AddProtein::Reader);
[[nodiscard]] DecideOutcome decide_rename_protein(Deciding&, events::RenameProtein::Reader);
[[nodiscard]] DecideOutcome decide_remove_protein(Deciding&, events::RemoveProtein::Reader);

// What is not the registering user's own: `email` when the fields give none, and the key of `data`
// that refusals name instead of the field's own (`new_user`); empty for none.
struct NewUserDefaults {
  std::string_view email;
  std::string_view field;
};

// Emits UserRegistered for the user of `fields` under `id`, which comes from take_integer_id(), or
// says which rule refuses it (core/decide_users.cc).
[[nodiscard]] std::optional<events::Refusal> register_new_user(Deciding& deciding, std::int64_t id,
                                                               events::RegisterUser::Reader fields,
                                                               const NewUserDefaults& defaults);

// A role that is left open.
inline constexpr const char* kDefaultRole = "user";

// Steps that several commands share. Each emits exactly what its name says, for rows that the rules
// were applied to.
struct NewDomain {
  std::int64_t id = 0;
  events::Uuid tenant;
  std::string host;
  bool is_primary = false;
  bool is_active = true;
};
struct NewMember {
  std::int64_t id = 0;
  events::Uuid tenant;
  std::int64_t user = 0;
  capnp::Text::Reader role;
};

// core/decide_domains.cc
// `domain_taken`, with the field `domain`, when a tenant has the host name.
[[nodiscard]] std::optional<events::Refusal> check_domain_free(const Deciding& deciding,
                                                               std::string_view host);
void emit_domain_added(Deciding& deciding, const NewDomain& domain);
void emit_domain_removed(Deciding& deciding, const FoundDomain& domain);

// core/decide_members.cc
[[nodiscard]] events::Refusal already_member(const FoundTenant& tenant, const FoundUser& user);
void emit_member_added(Deciding& deciding, const NewMember& member);
// The inactive `member` is active again, with `role`: MemberReactivated and, if it had another
// role, MemberRoleChanged.
void emit_member_back(Deciding& deciding, const FoundMember& member, capnp::Text::Reader role);
void emit_member_removed(Deciding& deciding, const FoundMember& member);

// core/decide_invitations.cc
void emit_invitation_deleted(Deciding& deciding, const FoundInvitation& invitation);

}  // namespace tenantry
