#include "core/command_recovery.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <capnp/message.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include "core/decide.h"
#include "core/error.h"
#include "events/encoding.h"
#include "events/kinds.h"
#include "events/rows.capnp.h"

namespace tenantry {
namespace {

using events::Command;
using events::EntityKind;
using events::Event;

// For proofs: a command that leaves something to chance does not give the same events again.
class NoIds final : public IdSource {
 public:
  [[nodiscard]] events::Uuid new_uuid() override { return {}; }
  [[nodiscard]] std::string new_token(std::size_t /*length*/) override { return {}; }
};

// The events of a command, decoded, and the commands that may have made them.
class Guessing {
 public:
  Guessing(std::span<const StoredEvent> made, const StateView& state) : made_(made), state_(state) {
    for (const StoredEvent& event : made)
      facts_.push_back(views_.emplace_back(event.payload).event());
    circumstances_ = circumstances_of(made.front(), facts_.front());
  }

  [[nodiscard]] std::size_t size() const { return facts_.size(); }
  [[nodiscard]] const Event::Reader& first() const { return facts_.front(); }
  [[nodiscard]] const Event::Reader& last() const { return facts_.back(); }
  [[nodiscard]] const std::vector<Event::Reader>& facts() const { return facts_; }
  [[nodiscard]] const Event::Reader* find(Event::Which which) const {
    const auto found = std::ranges::find(facts_, which, &Event::Reader::which);
    return found == facts_.end() ? nullptr : &*found;
  }

  // The row that an entity had before the command, as Row::Reader; it exists.
  template <class Row>
  [[nodiscard]] events::OwnedRow<Row> row(EntityKind kind, const events::Uuid& id) const {
    const auto stored = state_.row_by_id(events::table_of(kind), id);
    if (!stored) {
      throw CorruptionError(
          fmt::format("event {} is about a row that is not there", made_.front().position.value));
    }
    return events::OwnedRow<Row>(stored->bytes);
  }
  [[nodiscard]] std::string host_of(std::int64_t domain) const {
    auto found = row<events::DomainRow>(EntityKind::DOMAIN, events::entity_key(domain));
    const auto host = found.read().getDomain();
    return {host.cStr(), host.size()};
  }

  // Whether the command that `fill` writes makes these events; the first that does is kept.
  template <class Fill>
  bool proves(const Fill& fill) {
    capnp::MallocMessageBuilder message;
    auto command = message.initRoot<Command>();
    fill(command);
    events::EncodedCommand encoded = events::encode_canonical(command.asReader());
    NoIds ids;
    const DecideOutcome outcome =
        decide(encoded, state_, {circumstances_, made_.front().recorded_at, ids});
    const auto* const decision = std::get_if<Decision>(&outcome);
    if (decision == nullptr ||
        !std::ranges::equal(decision->events, made_, {}, {}, &StoredEvent::payload)) {
      return false;
    }
    found_ = events::CommandRequest{std::move(encoded), circumstances_};
    return true;
  }

  [[nodiscard]] std::optional<events::CommandRequest> take_found() { return std::move(found_); }

 private:
  static std::string text_of(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

  static events::Circumstances circumstances_of(const StoredEvent& event,
                                                const Event::Reader& facts) {
    events::Circumstances circumstances;
    if (event.command != events::Uuid{}) circumstances.id = event.command;
    circumstances.actor = text_of(facts.getActor());
    circumstances.channel = text_of(facts.getChannel());
    circumstances.reason = text_of(facts.getReason());
    circumstances.correlation_id = text_of(facts.getCorrelationId());
    if (event.causation != 0) circumstances.causation_position = event.causation;
    circumstances.at = event.recorded_at;
    return circumstances;
  }

  std::span<const StoredEvent> made_;
  const StateView& state_;
  std::deque<events::EventView> views_;  // The facts point into them.
  std::vector<Event::Reader> facts_;
  events::Circumstances circumstances_;
  std::optional<events::CommandRequest> found_;
};

events::Uuid uuid_in(capnp::Data::Reader data) {
  events::Uuid uuid;
  TENANTRY_ASSERT(data.size() == uuid.bytes.size());  // EventView saw to it.
  std::ranges::copy(data, uuid.bytes.begin());
  return uuid;
}

// Tries a command as it is, then with a flag that a rule may have asked for.
template <class Fill>
void try_with_force(Guessing& guess, const Fill& fill) {
  if (guess.proves([&](Command::Builder command) { fill(command); })) return;
  guess.proves([&](Command::Builder command) { fill(command).initForce().setValue(true); });
}

// Users.

// For register_user, and for the new user of accept_invitation.
void fill_new_user(events::RegisterUser::Builder command, events::UserRegistered::Reader fact) {
  command.initId().setValue(fact.getId());
  command.setUsername(fact.getUsername());
  command.setEmail(fact.getEmail());  // Absent, it would be the invitation's.
  if (fact.getFirstName().size() > 0) command.setFirstName(fact.getFirstName());
  if (fact.getLastName().size() > 0) command.setLastName(fact.getLastName());
  command.setPassword(fact.getPassword());
  if (!fact.getIsActive()) command.initIsActive().setValue(false);
  if (fact.getIsStaff()) command.initIsStaff().setValue(true);
  if (fact.getIsSuperuser()) command.initIsSuperuser().setValue(true);
}

void recover_profile(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    auto change = command.initChangeUserProfile();
    for (const Event::Reader& event : guess.facts()) {
      if (event.isUserRenamed()) {
        change.initUser().setId(event.getUserRenamed().getId());
        change.setUsername(event.getUserRenamed().getUsername());
      } else if (event.isUserProfileChanged()) {
        const auto fact = event.getUserProfileChanged();
        change.initUser().setId(fact.getId());
        if (fact.hasEmail()) change.setEmail(fact.getEmail());
        if (fact.hasFirstName()) change.setFirstName(fact.getFirstName());
        if (fact.hasLastName()) change.setLastName(fact.getLastName());
      }
    }
  });
}

void recover_flags(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.first().getUserFlagsChanged();
    auto change = command.initSetUserFlags();
    change.initUser().setId(fact.getId());
    const auto yes = [](events::Flag flag) { return flag == events::Flag::YES; };
    const auto given = [](events::Flag flag) { return flag != events::Flag::UNCHANGED; };
    if (given(fact.getIsActive())) change.initIsActive().setValue(yes(fact.getIsActive()));
    if (given(fact.getIsStaff())) change.initIsStaff().setValue(yes(fact.getIsStaff()));
    if (given(fact.getIsSuperuser())) {
      change.initIsSuperuser().setValue(yes(fact.getIsSuperuser()));
    }
  });
}

// The user that took over from one that was merged, as far as an event names it.
std::optional<std::int64_t> heir_named_in(const Event::Reader& event) {
  switch (event.which()) {
    case Event::Which::MEMBER_ADDED:
      return event.getMemberAdded().getUserId();
    case Event::Which::MEMBER_REACTIVATED:
      return event.getMemberReactivated().getUserId();
    case Event::Which::MEMBER_ROLE_CHANGED:
      return event.getMemberRoleChanged().getUserId();
    case Event::Which::PREFERENCES_CREATED:
      return event.getPreferencesCreated().getUserId();
    case Event::Which::TENANT_CREATOR_CHANGED:
      if (!event.getTenantCreatorChanged().hasCreatedById()) return std::nullopt;
      return event.getTenantCreatorChanged().getCreatedById().getValue();
    case Event::Which::INVITATION_INVITER_CHANGED:
      if (!event.getInvitationInviterChanged().hasInvitedById()) return std::nullopt;
      return event.getInvitationInviterChanged().getInvitedById().getValue();
    case Event::Which::INVITATION_ACCEPTER_CHANGED:
      if (!event.getInvitationAccepterChanged().hasAcceptedById()) return std::nullopt;
      return event.getInvitationAccepterChanged().getAcceptedById().getValue();
    default:
      return std::nullopt;
  }
}

// Deleted, or merged. A merge that left nothing to the other user is a deletion by its effects.
void recover_user_removal(Guessing& guess) {
  const std::int64_t user = guess.last().getUserDeleted().getId();
  for (const Event::Reader& event : guess.facts()) {
    const auto heir = heir_named_in(event);
    if (!heir) continue;
    guess.proves([&](Command::Builder command) {
      auto merge = command.initMergeUsers();
      merge.initUser().setId(user);
      merge.initInto().setId(*heir);
    });
    return;
  }
  try_with_force(guess, [&](Command::Builder command) {
    auto removal = command.initDeleteUser();
    removal.initUser().setId(user);
    return removal;
  });
}

// Tenants.

// What create_tenant makes of a slug unless it is told otherwise.
std::string usual_schema_name(capnp::Text::Reader slug) {
  std::string name(slug.cStr(), slug.size());
  std::ranges::replace(name, '-', '_');
  return name;
}

void fill_schema_name(events::CreateTenant::Builder command, events::TenantCreated::Reader fact) {
  if (!fact.hasSchemaName()) {
    command.initSchemaName().setNull();
  } else if (fact.getSchemaName() != usual_schema_name(fact.getSlug()).c_str()) {
    command.initSchemaName().setValue(fact.getSchemaName());
  }
}

void recover_new_tenant(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.first().getTenantCreated();
    auto create = command.initCreateTenant();
    create.setId(fact.getId());
    create.setName(fact.getName());
    create.setSlug(fact.getSlug());
    fill_schema_name(create, fact);
    create.setContactEmail(fact.getContactEmail());
    if (fact.getContactPhone().size() > 0) create.setContactPhone(fact.getContactPhone());
    if (!fact.getIsActive()) create.initIsActive().setValue(false);
    if (fact.getIsTrial()) create.initIsTrial().setValue(true);
    if (fact.hasTrialEndsAt()) {
      create.initTrialEndsAt().setMicros(fact.getTrialEndsAt().getMicros());
    }
    if (fact.getSettings() != "{}") create.setSettings(fact.getSettings());
    if (fact.hasLogo()) create.initLogo().setValue(fact.getLogo());
    if (fact.hasCreatedById()) {
      create.initCreatedBy().initUser().setId(fact.getCreatedById().getValue());
    }
    if (const auto* const member = guess.find(Event::Which::MEMBER_ADDED)) {
      create.initOwner().setId(member->getMemberAdded().getUserId());
    }
    if (const auto* const domain = guess.find(Event::Which::DOMAIN_ADDED)) {
      create.setDomain(domain->getDomainAdded().getDomain());
    }
  });
}

void fill_nullable(events::NullableText::Builder out, bool present, capnp::Text::Reader text) {
  if (present) {
    out.setValue(text);
  } else {
    out.setNull();
  }
}

// One field of change_tenant; nothing for an event that it does not make.
void fill_tenant_change(events::ChangeTenant::Builder change, const Event::Reader& event) {
  if (event.isTenantRenamed()) {
    change.setName(event.getTenantRenamed().getName());
  } else if (event.isTenantSlugChanged()) {
    change.setSlug(event.getTenantSlugChanged().getSlug());
  } else if (event.isTenantSchemaNameChanged()) {
    const auto fact = event.getTenantSchemaNameChanged();
    fill_nullable(change.initSchemaName(), fact.hasSchemaName(), fact.getSchemaName());
  } else if (event.isTenantDomainNameChanged()) {
    const auto fact = event.getTenantDomainNameChanged();
    fill_nullable(change.initDomain(), fact.hasDomain(), fact.getDomain());
  } else if (event.isTenantContactChanged()) {
    const auto fact = event.getTenantContactChanged();
    if (fact.hasContactEmail()) change.setContactEmail(fact.getContactEmail());
    if (fact.hasContactPhone()) change.setContactPhone(fact.getContactPhone());
  } else if (event.isTenantLogoChanged()) {
    const auto fact = event.getTenantLogoChanged();
    fill_nullable(change.initLogo(), fact.hasLogo(), fact.getLogo());
  }
}

void recover_tenant_change(Guessing& guess, const events::Uuid& tenant) {
  guess.proves([&](Command::Builder command) {
    auto change = command.initChangeTenant();
    change.initTenant().setId({tenant.bytes.data(), tenant.bytes.size()});
    for (const Event::Reader& event : guess.facts()) fill_tenant_change(change, event);
  });
}

// Domains.

void recover_new_domain(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.first().getDomainAdded();
    auto add = command.initAddDomain();
    add.initId().setValue(fact.getId());
    add.initTenant().setId(fact.getTenantId());
    add.setDomain(fact.getDomain());
    if (fact.getIsPrimary()) add.initIsPrimary().setValue(true);
    if (!fact.getIsActive()) add.initIsActive().setValue(false);
  });
}

void recover_moved_domain(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.first().getDomainMoved();
    auto move = command.initMoveDomain();
    move.initDomain().setHost(guess.host_of(fact.getId()));
    move.initFromTenant().setId(fact.getTenantId());
    move.initToTenant().setId(fact.getToTenantId());
  });
}

// Members.

template <class Fact>
void recover_reactivation(Guessing& guess, const Fact& fact) {
  if (guess.size() == 1) {
    guess.proves([&](Command::Builder command) {
      auto reactivate = command.initReactivateMember();
      reactivate.initTenant().setId(fact.getTenantId());
      reactivate.initUser().setId(fact.getUserId());
    });
    return;
  }
  const auto* const role = guess.find(Event::Which::MEMBER_ROLE_CHANGED);
  if (role == nullptr) return;
  guess.proves([&](Command::Builder command) {
    auto add = command.initAddMember();
    add.initTenant().setId(fact.getTenantId());
    add.initUser().setId(fact.getUserId());
    add.setRole(role->getMemberRoleChanged().getRole());
  });
}

template <class Init, class Fact>
auto init_of_member(Command::Builder command, Init init, const Fact& fact) {
  auto out = (command.*init)();
  out.initTenant().setId(fact.getTenantId());
  out.initUser().setId(fact.getUserId());
  return out;
}

void recover_member_change(Guessing& guess) {
  const Event::Reader& event = guess.first();
  if (event.isMemberRoleChanged()) {
    const auto fact = event.getMemberRoleChanged();
    try_with_force(guess, [&](Command::Builder command) {
      auto change = init_of_member(command, &Command::Builder::initChangeMemberRole, fact);
      change.setRole(fact.getRole());
      return change;
    });
  } else if (event.isMemberDeactivated()) {
    try_with_force(guess, [&](Command::Builder command) {
      return init_of_member(command, &Command::Builder::initDeactivateMember,
                            event.getMemberDeactivated());
    });
  } else {
    try_with_force(guess, [&](Command::Builder command) {
      return init_of_member(command, &Command::Builder::initRemoveMember, event.getMemberRemoved());
    });
  }
}

// Invitations.

void recover_invite(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.last().getInvitationIssued();
    auto invite = command.initInvite();
    invite.setId(fact.getId());
    invite.initTenant().setId(fact.getTenantId());
    invite.setEmail(fact.getEmail());
    invite.setRole(fact.getRole());
    if (fact.getMessage().size() > 0) invite.setMessage(fact.getMessage());
    invite.setToken(fact.getToken());
    invite.initExpiresAt().setMicros(fact.getExpiresAt());
    if (fact.hasInvitedById()) {
      invite.initInvitedBy().initUser().setId(fact.getInvitedById().getValue());
    }
  });
}

void recover_acceptance(Guessing& guess) {
  const auto fill = [&](Command::Builder command) {
    const auto fact = guess.last().getInvitationAccepted();
    auto accept = command.initAcceptInvitation();
    accept.initInvitation().setId(fact.getId());
    if (const auto* const registered = guess.find(Event::Which::USER_REGISTERED)) {
      fill_new_user(accept.initNewUser(), registered->getUserRegistered());
    } else {
      accept.initUser().setId(fact.getAcceptedById().getValue());
    }
    return accept;
  };
  if (guess.proves([&](Command::Builder command) { fill(command); })) return;
  guess.proves([&](Command::Builder command) { fill(command).initAnyEmail().setValue(true); });
}

// All that have lapsed, or those of one tenant; by now, or by the time of the last one that lapsed.
void recover_expiry(Guessing& guess) {
  const auto fact = guess.last().getInvitationExpired();
  auto row = guess.row<events::InvitationRow>(EntityKind::INVITATION, uuid_in(fact.getId()));
  const std::int64_t last = row.read().getExpiresAt();
  for (const bool with_time : {false, true}) {
    for (const bool with_tenant : {false, true}) {
      const bool found = guess.proves([&](Command::Builder command) {
        auto expire = command.initExpireInvitations();
        if (with_tenant) expire.initTenant().setId(fact.getTenantId());
        if (with_time) expire.initTime().setMicros(last);
      });
      if (found) return;
    }
  }
}

// Preferences and proteins.

void recover_new_preferences(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.first().getPreferencesCreated();
    auto set = command.initSetPreferences();
    set.initId().setValue(fact.getId());
    set.initUser().setId(fact.getUserId());
    set.setTheme(fact.getTheme());
    if (fact.getDashboardLayout() != "{}") set.setDashboardLayout(fact.getDashboardLayout());
    if (fact.getSidebarCollapsed()) set.initSidebarCollapsed().setValue(true);
    if (fact.getQuickMenuItems() != "[]") set.setQuickMenuItems(fact.getQuickMenuItems());
    if (fact.getWidgetPreferences() != "{}") set.setWidgetPreferences(fact.getWidgetPreferences());
  });
}

void recover_changed_preferences(Guessing& guess) {
  guess.proves([&](Command::Builder command) {
    const auto fact = guess.first().getPreferencesChanged();
    auto set = command.initSetPreferences();
    set.initUser().setId(fact.getUserId());
    if (fact.hasTheme()) set.setTheme(fact.getTheme());
    if (fact.hasDashboardLayout()) set.setDashboardLayout(fact.getDashboardLayout());
    if (fact.getSidebarCollapsed() != events::Flag::UNCHANGED) {
      set.initSidebarCollapsed().setValue(fact.getSidebarCollapsed() == events::Flag::YES);
    }
    if (fact.hasQuickMenuItems()) set.setQuickMenuItems(fact.getQuickMenuItems());
    if (fact.hasWidgetPreferences()) set.setWidgetPreferences(fact.getWidgetPreferences());
  });
}

// Which command to guess. The event that ends a command of many tells most.

bool recover_by_last(Guessing& guess) {
  switch (guess.last().which()) {
    case Event::Which::USER_DELETED:
      recover_user_removal(guess);
      return true;
    case Event::Which::TENANT_DELETED:
      guess.proves([&](Command::Builder command) {
        auto removal = command.initDeleteTenant();
        removal.initTenant().setId(guess.last().getTenantDeleted().getId());
        removal.setConfirm(guess.last().getTenantDeleted().getSlug());
      });
      return true;
    case Event::Which::INVITATION_ISSUED:
      recover_invite(guess);
      return true;
    case Event::Which::INVITATION_ACCEPTED:
      recover_acceptance(guess);
      return true;
    case Event::Which::INVITATION_EXPIRED:
      recover_expiry(guess);
      return true;
    default:
      return false;
  }
}

bool recover_user_or_protein(Guessing& guess) {
  const Event::Reader& event = guess.first();
  switch (event.which()) {
    case Event::Which::USER_REGISTERED:
      guess.proves([&](Command::Builder command) {
        fill_new_user(command.initRegisterUser(), event.getUserRegistered());
      });
      return true;
    case Event::Which::USER_RENAMED:
    case Event::Which::USER_PROFILE_CHANGED:
      recover_profile(guess);
      return true;
    case Event::Which::USER_PASSWORD_CHANGED:
      guess.proves([&](Command::Builder command) {
        auto change = command.initChangeUserPassword();
        change.initUser().setId(event.getUserPasswordChanged().getId());
        change.setPassword(event.getUserPasswordChanged().getPassword());
      });
      return true;
    case Event::Which::USER_FLAGS_CHANGED:
      recover_flags(guess);
      return true;
    case Event::Which::USER_LOGGED_IN:
      guess.proves([&](Command::Builder command) {
        auto login = command.initRecordLogin();
        login.initUser().setId(event.getUserLoggedIn().getId());
        login.initTime().setMicros(event.getUserLoggedIn().getLastLogin());
      });
      return true;
    case Event::Which::PROTEIN_ADDED:
      guess.proves([&](Command::Builder command) {
        auto add = command.initAddProtein();
        add.initId().setValue(event.getProteinAdded().getId());
        add.setName(event.getProteinAdded().getName());
      });
      return true;
    case Event::Which::PROTEIN_RENAMED:
      guess.proves([&](Command::Builder command) {
        auto rename = command.initRenameProtein();
        rename.initProtein().setId(event.getProteinRenamed().getId());
        rename.setName(event.getProteinRenamed().getName());
      });
      return true;
    case Event::Which::PROTEIN_REMOVED:
      guess.proves([&](Command::Builder command) {
        command.initRemoveProtein().initProtein().setId(event.getProteinRemoved().getId());
      });
      return true;
    default:
      return false;
  }
}

template <class Init>
void recover_trial(Guessing& guess, Init init, capnp::Data::Reader tenant, std::int64_t ends_at) {
  guess.proves([&](Command::Builder command) {
    auto trial = (command.*init)();
    trial.initTenant().setId(tenant);
    trial.initEndsAt().setMicros(ends_at);
  });
}

template <class Init>
void recover_of_tenant(Guessing& guess, Init init, capnp::Data::Reader tenant) {
  guess.proves([&](Command::Builder command) { (command.*init)().initTenant().setId(tenant); });
}

bool recover_tenant(Guessing& guess, const events::Uuid& tenant) {
  using Builder = Command::Builder;
  const Event::Reader& event = guess.first();
  switch (event.which()) {
    case Event::Which::TENANT_CREATED:
      recover_new_tenant(guess);
      return true;
    case Event::Which::TENANT_SETTINGS_CHANGED:
      guess.proves([&](Command::Builder command) {
        auto change = command.initChangeTenantSettings();
        change.initTenant().setId(event.getTenantSettingsChanged().getId());
        change.setReplace(event.getTenantSettingsChanged().getSettings());
      });
      return true;
    case Event::Which::TRIAL_STARTED:
      recover_trial(guess, &Builder::initStartTrial, event.getTrialStarted().getId(),
                    event.getTrialStarted().getTrialEndsAt());
      return true;
    case Event::Which::TRIAL_EXTENDED:
      recover_trial(guess, &Builder::initExtendTrial, event.getTrialExtended().getId(),
                    event.getTrialExtended().getTrialEndsAt());
      return true;
    case Event::Which::TRIAL_ENDED:
      recover_of_tenant(guess, &Builder::initEndTrial, event.getTrialEnded().getId());
      return true;
    case Event::Which::TENANT_ACTIVATED:
      recover_of_tenant(guess, &Builder::initActivateTenant, event.getTenantActivated().getId());
      return true;
    case Event::Which::TENANT_DEACTIVATED:
      recover_of_tenant(guess, &Builder::initDeactivateTenant,
                        event.getTenantDeactivated().getId());
      return true;
    case Event::Which::TENANT_RENAMED:
    case Event::Which::TENANT_SLUG_CHANGED:
    case Event::Which::TENANT_SCHEMA_NAME_CHANGED:
    case Event::Which::TENANT_DOMAIN_NAME_CHANGED:
    case Event::Which::TENANT_CONTACT_CHANGED:
    case Event::Which::TENANT_LOGO_CHANGED:
      recover_tenant_change(guess, tenant);
      return true;
    default:
      return false;
  }
}

template <class Init>
void recover_of_domain(Guessing& guess, Init init, const std::string& host) {
  guess.proves([&](Command::Builder command) { (command.*init)().initDomain().setHost(host); });
}

bool recover_domain(Guessing& guess) {
  using Builder = Command::Builder;
  const Event::Reader& event = guess.first();
  switch (event.which()) {
    case Event::Which::DOMAIN_ADDED:
      recover_new_domain(guess);
      return true;
    case Event::Which::DOMAIN_PRIMARY_CHANGED:  // The last one tells which became primary.
      recover_of_domain(guess, &Builder::initSetPrimaryDomain,
                        guess.host_of(guess.last().getDomainPrimaryChanged().getId()));
      return true;
    case Event::Which::DOMAIN_ACTIVATED:
      recover_of_domain(guess, &Builder::initActivateDomain,
                        guess.host_of(event.getDomainActivated().getId()));
      return true;
    case Event::Which::DOMAIN_DEACTIVATED:
      recover_of_domain(guess, &Builder::initDeactivateDomain,
                        guess.host_of(event.getDomainDeactivated().getId()));
      return true;
    case Event::Which::DOMAIN_REMOVED:
      recover_of_domain(guess, &Builder::initRemoveDomain,
                        guess.host_of(event.getDomainRemoved().getId()));
      return true;
    case Event::Which::DOMAIN_MOVED:
      recover_moved_domain(guess);
      return true;
    default:
      return false;
  }
}

bool recover_member(Guessing& guess) {
  const Event::Reader& event = guess.first();
  switch (event.which()) {
    case Event::Which::MEMBER_ADDED:
      guess.proves([&](Command::Builder command) {
        const auto fact = event.getMemberAdded();
        auto add = init_of_member(command, &Command::Builder::initAddMember, fact);
        add.initId().setValue(fact.getId());
        add.setRole(fact.getRole());
      });
      return true;
    case Event::Which::MEMBER_REACTIVATED:
      recover_reactivation(guess, event.getMemberReactivated());
      return true;
    case Event::Which::MEMBER_ROLE_CHANGED:
    case Event::Which::MEMBER_DEACTIVATED:
    case Event::Which::MEMBER_REMOVED:
      recover_member_change(guess);
      return true;
    default:
      return false;
  }
}

void recover_invitation_or_preferences(Guessing& guess) {
  const Event::Reader& event = guess.first();
  switch (event.which()) {
    case Event::Which::INVITATION_EXTENDED:
      guess.proves([&](Command::Builder command) {
        auto extend = command.initExtendInvitation();
        extend.initInvitation().setId(event.getInvitationExtended().getId());
        extend.initExpiresAt().setMicros(event.getInvitationExtended().getExpiresAt());
      });
      return;
    case Event::Which::INVITATION_REVOKED:
      guess.proves([&](Command::Builder command) {
        command.initRevokeInvitation().initInvitation().setId(event.getInvitationRevoked().getId());
      });
      return;
    case Event::Which::INVITATION_DELETED:
      guess.proves([&](Command::Builder command) {
        command.initDeleteInvitation().initInvitation().setId(event.getInvitationDeleted().getId());
      });
      return;
    case Event::Which::PREFERENCES_CREATED:
      recover_new_preferences(guess);
      return;
    case Event::Which::PREFERENCES_CHANGED:
      recover_changed_preferences(guess);
      return;
    case Event::Which::PREFERENCES_DELETED:
      guess.proves([&](Command::Builder command) {
        command.initDeletePreferences().initUser().setId(event.getPreferencesDeleted().getUserId());
      });
      return;
    default:
      return;
  }
}

}  // namespace

std::optional<events::CommandRequest> recover_command(std::span<const StoredEvent> made,
                                                      const StateView& state) {
  try {
    Guessing guess(made, state);
    const bool guessed = recover_by_last(guess) || recover_user_or_protein(guess) ||
                         recover_tenant(guess, made.front().tenant) || recover_domain(guess) ||
                         recover_member(guess);
    if (!guessed) recover_invitation_or_preferences(guess);
    return guess.take_found();
  } catch (const kj::Exception& error) {
    throw events::MalformedError(
        fmt::format("event {}: {}", made.front().position.value, error.getDescription().cStr()));
  }
}

}  // namespace tenantry
