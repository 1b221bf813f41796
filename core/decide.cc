#include "core/decide.h"

#include <algorithm>
#include <array>

#include <kj/exception.h>

#include "core/deciders.h"
#include "core/deciding.h"

namespace tenantry {
namespace {

using events::Command;
using Which = Command::Which;

using Decider = DecideOutcome (*)(Deciding&, const Command::Reader&);

template <auto read, auto decide_it>
DecideOutcome run(Deciding& deciding, const Command::Reader& command) {
  return decide_it(deciding, (command.*read)());
}

struct Route {
  Which which;
  Decider decider;
};

using C = Command::Reader;
constexpr std::array kRoutes = {
    Route{Which::REGISTER_USER, run<&C::getRegisterUser, decide_register_user>},
    Route{Which::CHANGE_USER_PROFILE, run<&C::getChangeUserProfile, decide_change_user_profile>},
    Route{Which::CHANGE_USER_PASSWORD, run<&C::getChangeUserPassword, decide_change_user_password>},
    Route{Which::SET_USER_FLAGS, run<&C::getSetUserFlags, decide_set_user_flags>},
    Route{Which::RECORD_LOGIN, run<&C::getRecordLogin, decide_record_login>},
    Route{Which::DELETE_USER, run<&C::getDeleteUser, decide_delete_user>},
    Route{Which::MERGE_USERS, run<&C::getMergeUsers, decide_merge_users>},
    Route{Which::CREATE_TENANT, run<&C::getCreateTenant, decide_create_tenant>},
    Route{Which::CHANGE_TENANT, run<&C::getChangeTenant, decide_change_tenant>},
    Route{Which::CHANGE_TENANT_SETTINGS,
          run<&C::getChangeTenantSettings, decide_change_tenant_settings>},
    Route{Which::START_TRIAL, run<&C::getStartTrial, decide_start_trial>},
    Route{Which::EXTEND_TRIAL, run<&C::getExtendTrial, decide_extend_trial>},
    Route{Which::END_TRIAL, run<&C::getEndTrial, decide_end_trial>},
    Route{Which::ACTIVATE_TENANT, run<&C::getActivateTenant, decide_activate_tenant>},
    Route{Which::DEACTIVATE_TENANT, run<&C::getDeactivateTenant, decide_deactivate_tenant>},
    Route{Which::DELETE_TENANT, run<&C::getDeleteTenant, decide_delete_tenant>},
    Route{Which::ADD_DOMAIN, run<&C::getAddDomain, decide_add_domain>},
    Route{Which::SET_PRIMARY_DOMAIN, run<&C::getSetPrimaryDomain, decide_set_primary_domain>},
    Route{Which::ACTIVATE_DOMAIN, run<&C::getActivateDomain, decide_activate_domain>},
    Route{Which::DEACTIVATE_DOMAIN, run<&C::getDeactivateDomain, decide_deactivate_domain>},
    Route{Which::REMOVE_DOMAIN, run<&C::getRemoveDomain, decide_remove_domain>},
    Route{Which::MOVE_DOMAIN, run<&C::getMoveDomain, decide_move_domain>},
    Route{Which::ADD_MEMBER, run<&C::getAddMember, decide_add_member>},
    Route{Which::CHANGE_MEMBER_ROLE, run<&C::getChangeMemberRole, decide_change_member_role>},
    Route{Which::DEACTIVATE_MEMBER, run<&C::getDeactivateMember, decide_deactivate_member>},
    Route{Which::REACTIVATE_MEMBER, run<&C::getReactivateMember, decide_reactivate_member>},
    Route{Which::REMOVE_MEMBER, run<&C::getRemoveMember, decide_remove_member>},
    Route{Which::INVITE, run<&C::getInvite, decide_invite>},
    Route{Which::EXTEND_INVITATION, run<&C::getExtendInvitation, decide_extend_invitation>},
    Route{Which::REVOKE_INVITATION, run<&C::getRevokeInvitation, decide_revoke_invitation>},
    Route{Which::DELETE_INVITATION, run<&C::getDeleteInvitation, decide_delete_invitation>},
    Route{Which::ACCEPT_INVITATION, run<&C::getAcceptInvitation, decide_accept_invitation>},
    Route{Which::EXPIRE_INVITATIONS, run<&C::getExpireInvitations, decide_expire_invitations>},
    Route{Which::SET_PREFERENCES, run<&C::getSetPreferences, decide_set_preferences>},
    Route{Which::DELETE_PREFERENCES, run<&C::getDeletePreferences, decide_delete_preferences>},
    Route{Which::ADD_PROTEIN, run<&C::getAddProtein, decide_add_protein>},
    Route{Which::RENAME_PROTEIN, run<&C::getRenameProtein, decide_rename_protein>},
    Route{Which::REMOVE_PROTEIN, run<&C::getRemoveProtein, decide_remove_protein>},
};

}  // namespace

DecideOutcome decide(std::string_view command, const StateView& state, const DecisionInput& input) {
  auto view = events::MessageView::over(command);
  try {
    const auto reader = view.root<Command>();
    const Which which = reader.which();
    const auto* route = std::find_if(kRoutes.begin(), kRoutes.end(),
                                     [&](const Route& one) { return one.which == which; });
    if (route == kRoutes.end()) {
      throw events::MalformedError("command " + std::to_string(static_cast<unsigned>(which)) +
                                   " is none that this version of tenantry knows");
    }
    Deciding deciding(state, input);
    return route->decider(deciding, reader);
  } catch (const kj::Exception& error) {
    throw events::MalformedError(std::string("unreadable command or row: ") +
                                 error.getDescription().cStr());
  }
}

}  // namespace tenantry
