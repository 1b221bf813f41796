#include <cstdint>
#include <optional>
#include <string>

#include "core/deciders.h"
#include "core/deciding.h"

// Registering and changing users. How they go: core/decide_user_removal.cc.
namespace tenantry {
namespace {

using events::Flag;
using events::Refusal;

// Django's form of a password that no login matches: a `!`, then random characters.
constexpr std::string_view kUnusablePasswordPrefix = "!";
constexpr std::size_t kUnusablePasswordLength = 40;

// `holder` is who has it: another user than the one that wants it.
Refusal username_taken(const FoundUser& holder, std::string_view field) {
  return refuse("username_taken", field,
                "the username " + quoted(view_of(holder.read().getUsername())) +
                    " belongs to the user with the id " + std::to_string(holder.read().getId()));
}

}  // namespace

std::optional<Refusal> register_new_user(Deciding& deciding, std::int64_t id,
                                         events::RegisterUser::Reader fields,
                                         const NewUserDefaults& defaults) {
  if (const auto holder = deciding.find_user(view_of(fields.getUsername()))) {
    return username_taken(*holder, defaults.field.empty() ? "username" : defaults.field);
  }
  const std::string email =
      fields.hasEmail() ? string_of(fields.getEmail()) : std::string(defaults.email);
  const std::string password = fields.hasPassword()
                                   ? string_of(fields.getPassword())
                                   : std::string(kUnusablePasswordPrefix) +
                                         deciding.ids().new_token(kUnusablePasswordLength);
  deciding.emit([&](events::Event::Builder event) {
    auto fact = event.initUserRegistered();
    fact.setId(static_cast<std::int32_t>(id));  // take_integer_id() keeps to the column's range.
    fact.setUsername(fields.getUsername());
    fact.setEmail(email);
    fact.setFirstName(fields.getFirstName());
    fact.setLastName(fields.getLastName());
    fact.setPassword(password);
    fact.setIsActive(value_or(fields.hasIsActive(), fields.getIsActive(), true));
    fact.setIsStaff(value_or(fields.hasIsStaff(), fields.getIsStaff(), false));
    fact.setIsSuperuser(value_or(fields.hasIsSuperuser(), fields.getIsSuperuser(), false));
  });
  return std::nullopt;
}

DecideOutcome decide_register_user(Deciding& deciding, events::RegisterUser::Reader command) {
  const std::optional<std::int64_t> given = given_id(command);
  if (auto refusal = deciding.expect_version(deciding.existing_version(EntityKind::USER, given))) {
    return *refusal;
  }
  const auto id = deciding.take_integer_id(EntityKind::USER, given);
  if (id.refused()) return id.refusal();
  if (auto refusal = register_new_user(deciding, *id, command, {})) return *refusal;
  return deciding.accept(EntityName{.kind = EntityKind::USER,
                                    .id = events::entity_key(*id),
                                    .key = string_of(command.getUsername())});
}

DecideOutcome decide_change_user_profile(Deciding& deciding,
                                         events::ChangeUserProfile::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  if (auto refusal = deciding.expect_version(user->version)) return *refusal;
  const auto row = user->read();
  EntityName entity = name_of(*user);

  if (changes_text(command.hasUsername(), command.getUsername(), row.getUsername())) {
    const auto holder = deciding.find_user(view_of(command.getUsername()));
    if (holder) return username_taken(*holder, "username");
    deciding.emit([&](events::Event::Builder event) {
      auto fact = event.initUserRenamed();
      fact.setId(row.getId());
      fact.setUsername(command.getUsername());
    });
    entity.key = string_of(command.getUsername());
  }
  const bool first_name =
      changes_text(command.hasFirstName(), command.getFirstName(), row.getFirstName());
  const bool last_name =
      changes_text(command.hasLastName(), command.getLastName(), row.getLastName());
  const bool email = changes_text(command.hasEmail(), command.getEmail(), row.getEmail());
  if (first_name || last_name || email) {
    deciding.emit([&](events::Event::Builder event) {
      auto fact = event.initUserProfileChanged();
      fact.setId(row.getId());
      if (first_name) fact.setFirstName(command.getFirstName());
      if (last_name) fact.setLastName(command.getLastName());
      if (email) fact.setEmail(command.getEmail());
    });
  }
  return deciding.accept(std::move(entity));
}

DecideOutcome decide_change_user_password(Deciding& deciding,
                                          events::ChangeUserPassword::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  if (auto refusal = deciding.expect_version(user->version)) return *refusal;
  if (command.getPassword() != user->read().getPassword()) {
    deciding.emit([&](events::Event::Builder event) {
      auto fact = event.initUserPasswordChanged();
      fact.setId(user->read().getId());
      fact.setPassword(command.getPassword());
    });
  }
  return deciding.accept(name_of(*user));
}

DecideOutcome decide_set_user_flags(Deciding& deciding, events::SetUserFlags::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  if (auto refusal = deciding.expect_version(user->version)) return *refusal;
  const auto row = user->read();
  const Flag active = changed_flag(command.hasIsActive(), command.getIsActive(), row.getIsActive());
  const Flag staff = changed_flag(command.hasIsStaff(), command.getIsStaff(), row.getIsStaff());
  const Flag superuser =
      changed_flag(command.hasIsSuperuser(), command.getIsSuperuser(), row.getIsSuperuser());
  if (active != Flag::UNCHANGED || staff != Flag::UNCHANGED || superuser != Flag::UNCHANGED) {
    deciding.emit([&](events::Event::Builder event) {
      auto fact = event.initUserFlagsChanged();
      fact.setId(row.getId());
      fact.setIsActive(active);
      fact.setIsStaff(staff);
      fact.setIsSuperuser(superuser);
    });
  }
  return deciding.accept(name_of(*user));
}

DecideOutcome decide_record_login(Deciding& deciding, events::RecordLogin::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  if (auto refusal = deciding.expect_version(user->version)) return *refusal;
  const events::Timestamp time =
      command.hasTime() ? events::Timestamp{command.getTime().getMicros()} : deciding.now();
  if (time > deciding.now()) {
    return refuse(
        "invalid_period", "time",
        "a login lies not in the future: now is " + events::format_timestamp(deciding.now()));
  }
  const auto row = user->read();
  // The column holds the last login. Reports arrive late and out of order (several servers,
  // retries): one of an earlier login is accepted, and changes nothing.
  const bool later = !row.hasLastLogin() || row.getLastLogin().getMicros() < time.micros;
  if (later) {
    deciding.emit([&](events::Event::Builder event) {
      auto fact = event.initUserLoggedIn();
      fact.setId(row.getId());
      fact.setLastLogin(time.micros);
    });
  }
  return deciding.accept(name_of(*user));
}

}  // namespace tenantry
