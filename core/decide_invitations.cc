#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/deciders.h"
#include "core/deciding.h"
#include "events/text.h"

namespace tenantry {
namespace {

using events::Event;
using events::Refusal;
using events::Uuid;

constexpr std::size_t kTokenCharacters = 64;
constexpr std::int64_t kLifetimeMicros = std::chrono::microseconds(std::chrono::days(7)).count();

EntityName name_of(const FoundInvitation& invitation) {
  return {EntityKind::INVITATION, invitation.key.id, string_of(invitation.read().getEmail())};
}

// The invitation that a command speaks of, at the version it expects.
template <class CommandReader>
OrRefusal<FoundInvitation> invitation_of(const Deciding& deciding, const CommandReader& command) {
  auto invitation = deciding.resolve(command.getInvitation(), "invitation");
  if (invitation.refused()) return invitation;
  if (auto refusal = deciding.expect_version(invitation->version)) return *refusal;
  return invitation;
}

bool is_pending(const FoundInvitation& invitation) {
  return invitation.read().getStatus() == "pending";
}

bool is_accepted(const FoundInvitation& invitation) {
  return invitation.read().getStatus() == "accepted";
}

// Whether its time is over; the status may not say so yet.
bool has_lapsed(const Deciding& deciding, const FoundInvitation& invitation) {
  return invitation.read().getExpiresAt() <= deciding.now().micros;
}

bool equal_ignoring_case(std::string_view one, std::string_view other) {
  return events::to_ascii_lower(one) == events::to_ascii_lower(other);
}

Refusal already_accepted(std::string_view what) {
  return refuse("invitation_already_accepted", "invitation",
                "the invitation was accepted" + std::string(what));
}

void emit_expired(Deciding& deciding, const RowKey& invitation) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initInvitationExpired();
    fact.setId(data_of(invitation.id));
    fact.setTenantId(data_of(invitation.tenant));
  });
}

// `expires_at` of a command, or a lifetime from now.
template <class CommandReader>
std::int64_t expires_at_of(const Deciding& deciding, const CommandReader& command) {
  if (command.hasExpiresAt()) return command.getExpiresAt().getMicros();
  return deciding.now().micros + kLifetimeMicros;
}

std::optional<Refusal> check_future(const Deciding& deciding, std::int64_t expires_at) {
  if (expires_at > deciding.now().micros) return std::nullopt;
  return refuse(
      "invalid_period", "expires_at",
      "an invitation expires in the future, after " + events::format_timestamp(deciding.now()));
}

// E-mail addresses are not unique: every user who has this one is asked for.
bool has_active_member(const Deciding& deciding, const Uuid& tenant, std::string_view email) {
  bool found = false;
  deciding.visit_lookup<events::UserRow>("email", lookup_value(email), [&](const FoundUser& user) {
    if (!equal_ignoring_case(view_of(user.read().getEmail()), email)) return true;
    const auto member = deciding.find_member(tenant, user.read().getId());
    found = member && member->read().getIsActive();
    return !found;
  });
  return found;
}

// The rules of a new invitation, in the order of the contract. `pending` are those that the tenant
// and the address have now.
std::optional<Refusal> check_invite(const Deciding& deciding, events::Invite::Reader command,
                                    const FoundTenant& tenant,
                                    const std::vector<FoundInvitation>& pending) {
  const std::string_view email = view_of(command.getEmail());
  const std::string at = " at the tenant " + quoted(view_of(tenant.read().getSlug()));
  for (const FoundInvitation& one : pending) {
    if (has_lapsed(deciding, one)) continue;
    return refuse("pending_invitation_exists", "email",
                  quoted(email) + " has a pending invitation" + at + ", " +
                      events::format_uuid(one.key.id) + ": extend or revoke that one");
  }
  if (has_active_member(deciding, tenant.key.id, email)) {
    return refuse("already_member", "email", quoted(email) + " is an active member" + at);
  }
  if (command.hasToken() && deciding.find_invitation(view_of(command.getToken()))) {
    return refuse("token_taken", "token", "another invitation has this token");
  }
  return check_future(deciding, expires_at_of(deciding, command));
}

void emit_issued(Deciding& deciding, events::Invite::Reader command, const RowKey& key,
                 const std::optional<std::int64_t>& invited_by) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initInvitationIssued();
    fact.setId(data_of(key.id));
    fact.setTenantId(data_of(key.tenant));
    if (command.hasToken()) {
      fact.setToken(command.getToken());
    } else {
      fact.setToken(deciding.ids().new_token(kTokenCharacters));
    }
    fact.setEmail(command.getEmail());
    if (command.hasRole()) {
      fact.setRole(command.getRole());
    } else {
      fact.setRole(kDefaultRole);
    }
    fact.setExpiresAt(expires_at_of(deciding, command));
    fact.setMessage(command.getMessage());
    if (invited_by) fact.initInvitedById().setValue(*invited_by);
  });
}

// Accepting.

// Who accepts: a user that exists, or one to be registered under `id`.
struct Accepter {
  std::optional<FoundUser> user;
  std::int64_t id = 0;
  std::string_view field;  // The key of `data` that names the accepter.
};

std::optional<Refusal> check_open(const Deciding& deciding, const FoundInvitation& invitation) {
  if (is_accepted(invitation)) return already_accepted(" already");
  const std::string status = string_of(invitation.read().getStatus());
  if (!is_pending(invitation)) {
    return refuse("invitation_not_pending", "invitation",
                  "only a pending invitation can be accepted; this one is " + status);
  }
  if (has_lapsed(deciding, invitation)) {
    return refuse("invitation_expired", "invitation",
                  "the invitation expired at " +
                      events::format_timestamp({invitation.read().getExpiresAt()}));
  }
  return std::nullopt;
}

std::optional<Refusal> check_email(const FoundInvitation& invitation, const Accepter& accepter,
                                   events::AcceptInvitation::Reader command) {
  if (value_or(command.hasAnyEmail(), command.getAnyEmail(), false)) return std::nullopt;
  const std::string_view invited = view_of(invitation.read().getEmail());
  std::string_view email = invited;
  if (accepter.user) {
    email = view_of(accepter.user->read().getEmail());
  } else if (command.getNewUser().hasEmail()) {
    email = view_of(command.getNewUser().getEmail());
  }
  if (equal_ignoring_case(email, invited)) return std::nullopt;
  return refuse("email_mismatch", accepter.field,
                "the invitation is for " + quoted(invited) + ", the user has " + quoted(email) +
                    ": give any_email to accept it nevertheless");
}

// What makes the accepter a member with the role of the invitation, or why not. An inactive member
// comes back with that role.
std::optional<Refusal> join(Deciding& deciding, const FoundTenant& tenant,
                            const FoundInvitation& invitation, const Accepter& accepter) {
  const auto role = invitation.read().getRole();
  if (accepter.user) {
    const auto member = deciding.find_member(tenant.key.id, accepter.id);
    if (member && member->read().getIsActive()) return already_member(tenant, *accepter.user);
    if (member) {
      emit_member_back(deciding, *member, role);
      return std::nullopt;
    }
  }
  const auto id = deciding.take_integer_id(EntityKind::MEMBER, std::nullopt, accepter.field);
  if (id.refused()) return id.refusal();
  emit_member_added(deciding, {*id, tenant.key.id, accepter.id, role});
  return std::nullopt;
}

void emit_accepted(Deciding& deciding, const FoundInvitation& invitation, std::int64_t user) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initInvitationAccepted();
    fact.setId(data_of(invitation.key.id));
    fact.setTenantId(data_of(invitation.key.tenant));
    fact.initAcceptedById().setValue(user);
    fact.initAcceptedAt().setMicros(deciding.now().micros);
  });
}

// Exactly one of `user` and `new_user`, with the references, the expected version and a given id
// checked in their order.
OrRefusal<Accepter> accepter_of(Deciding& deciding, const FoundInvitation& invitation,
                                events::AcceptInvitation::Reader command) {
  Accepter accepter;
  if (command.hasUser()) {
    auto user = deciding.resolve(command.getUser(), "user");
    if (user.refused()) return user.refusal();
    accepter.id = user->read().getId();
    accepter.field = "user";
    accepter.user.emplace(std::move(*user));
  }
  if (auto refusal = deciding.expect_version(invitation.version)) return *refusal;
  if (!accepter.user) {
    const auto given = given_id(command.getNewUser());
    const auto id = deciding.take_integer_id(EntityKind::USER, given, "new_user");
    if (id.refused()) return id.refusal();
    accepter.id = *id;
    accepter.field = "new_user";
  }
  return accepter;
}

}  // namespace

void emit_invitation_deleted(Deciding& deciding, const FoundInvitation& invitation) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initInvitationDeleted();
    fact.setId(invitation.read().getId());
    fact.setTenantId(invitation.read().getTenantId());
    fact.setEmail(invitation.read().getEmail());
  });
}

DecideOutcome decide_invite(Deciding& deciding, events::Invite::Reader command) {
  const auto tenant = deciding.resolve(command.getTenant(), "tenant");
  if (tenant.refused()) return tenant.refusal();
  const auto invited_by = deciding.resolve(command.getInvitedBy(), "invited_by");
  if (invited_by.refused()) return invited_by.refusal();
  const auto given = given_uuid(command);
  if (auto refusal =
          deciding.expect_version(deciding.existing_version(EntityKind::INVITATION, given))) {
    return *refusal;
  }
  const auto id = deciding.take_uuid(EntityKind::INVITATION, given);
  if (id.refused()) return id.refusal();
  const std::string email = string_of(command.getEmail());
  const auto pending = deciding.pending_invitations(tenant->key.id, email);
  if (auto refusal = check_invite(deciding, command, *tenant, pending)) return *refusal;
  for (const FoundInvitation& lapsed : pending) emit_expired(deciding, lapsed.key);
  emit_issued(deciding, command, {tenant->key.id, *id}, *invited_by);
  return deciding.accept(EntityName{EntityKind::INVITATION, *id, email});
}

// Also brings back a lapsed one that is still pending.
DecideOutcome decide_extend_invitation(Deciding& deciding,
                                       events::ExtendInvitation::Reader command) {
  const auto invitation = invitation_of(deciding, command);
  if (invitation.refused()) return invitation.refusal();
  const auto row = invitation->read();
  if (!is_pending(*invitation)) {
    return refuse(
        "invitation_not_pending", "invitation",
        "only a pending invitation can be extended; this one is " + string_of(row.getStatus()));
  }
  const std::int64_t expires_at = expires_at_of(deciding, command);
  if (auto refusal = check_future(deciding, expires_at)) return *refusal;
  if (expires_at < row.getExpiresAt()) {
    return refuse("invalid_period", "expires_at",
                  "an invitation is never extended to before its present end, " +
                      events::format_timestamp({row.getExpiresAt()}));
  }
  if (expires_at != row.getExpiresAt()) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initInvitationExtended();
      fact.setId(row.getId());
      fact.setTenantId(row.getTenantId());
      fact.setExpiresAt(expires_at);
    });
  }
  return deciding.accept(name_of(*invitation));
}

// An expired one may be revoked as well.
DecideOutcome decide_revoke_invitation(Deciding& deciding,
                                       events::RevokeInvitation::Reader command) {
  const auto invitation = invitation_of(deciding, command);
  if (invitation.refused()) return invitation.refusal();
  const auto row = invitation->read();
  if (is_accepted(*invitation)) return already_accepted(" and cannot be revoked");
  if (row.getStatus() != "revoked") {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initInvitationRevoked();
      fact.setId(row.getId());
      fact.setTenantId(row.getTenantId());
    });
  }
  return deciding.accept(name_of(*invitation));
}

DecideOutcome decide_delete_invitation(Deciding& deciding,
                                       events::DeleteInvitation::Reader command) {
  const auto invitation = invitation_of(deciding, command);
  if (invitation.refused()) return invitation.refusal();
  emit_invitation_deleted(deciding, *invitation);
  return deciding.accept(name_of(*invitation));
}

DecideOutcome decide_accept_invitation(Deciding& deciding,
                                       events::AcceptInvitation::Reader command) {
  const auto invitation = deciding.resolve(command.getInvitation(), "invitation");
  if (invitation.refused()) return invitation.refusal();
  const auto accepter = accepter_of(deciding, *invitation, command);
  if (accepter.refused()) return accepter.refusal();
  if (auto refusal = check_open(deciding, *invitation)) return *refusal;
  const auto tenant = deciding.find<events::TenantRow>(invitation->key.tenant);
  TENANTRY_ASSERT(tenant.has_value());
  if (!tenant->read().getIsActive()) {
    return refuse("tenant_inactive", "invitation",
                  "the tenant " + quoted(view_of(tenant->read().getSlug())) + " is not active");
  }
  if (auto refusal = check_email(*invitation, *accepter, command)) return *refusal;
  if (!accepter->user) {
    const NewUserDefaults defaults{view_of(invitation->read().getEmail()), "new_user"};
    if (auto refusal = register_new_user(deciding, accepter->id, command.getNewUser(), defaults)) {
      return *refusal;
    }
  }
  if (auto refusal = join(deciding, *tenant, *invitation, *accepter)) return *refusal;
  emit_accepted(deciding, *invitation, accepter->id);
  return deciding.accept(name_of(*invitation));
}

// Speaks of no entity, so an expected version means nothing. Reads the lookup on `expires_at`,
// which has the pending ones only: what is not due costs nothing.
DecideOutcome decide_expire_invitations(Deciding& deciding,
                                        events::ExpireInvitations::Reader command) {
  std::optional<Uuid> tenant;
  if (command.hasTenant()) {
    const auto found = deciding.resolve(command.getTenant(), "tenant");
    if (found.refused()) return found.refusal();
    tenant = found->key.id;
  }
  const std::int64_t time =
      command.hasTime() ? command.getTime().getMicros() : deciding.now().micros;
  if (time > deciding.now().micros) {
    return refuse("invalid_period", "time",
                  "time must not be later than now, " + events::format_timestamp(deciding.now()));
  }
  const events::TableInfo& table = table_for<events::InvitationRow>();
  deciding.state().scan_lookup(table, lookup_on(table, "expires_at"),
                               std::numeric_limits<std::int64_t>::min(), time,
                               [&](const RowKey& key) {
                                 if (!tenant || key.tenant == *tenant) emit_expired(deciding, key);
                                 return true;
                               });
  return deciding.accept(std::nullopt);
}

}  // namespace tenantry
