#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "core/deciders.h"
#include "core/deciding.h"
#include "events/json.h"
#include "events/text.h"

namespace tenantry {
namespace {

using events::Event;
using events::Json;
using events::Refusal;
using events::Uuid;

EntityName name_of(const Uuid& id, std::string_view slug) {
  return {EntityKind::TENANT, id, std::string(slug)};
}

EntityName name_of(const FoundTenant& tenant) {
  return name_of(tenant.key.id, view_of(tenant.read().getSlug()));
}

// The tenant that a command speaks of, at the version it expects.
template <class CommandReader>
OrRefusal<FoundTenant> tenant_of(const Deciding& deciding, const CommandReader& command) {
  auto tenant = deciding.resolve(command.getTenant(), "tenant");
  if (tenant.refused()) return tenant;
  if (auto refusal = deciding.expect_version(tenant->version)) return *refusal;
  return tenant;
}

// Texts that may be null, in commands and in rows.
std::optional<std::string> given_text(events::NullableText::Reader text) {
  if (text.isNull()) return std::nullopt;
  return string_of(text.getValue());
}

std::optional<std::string> present_text(bool present, capnp::Text::Reader text) {
  if (!present) return std::nullopt;
  return string_of(text);
}

std::optional<Refusal> check_slug_free(const Deciding& deciding, std::string_view slug) {
  if (!deciding.find_tenant(slug)) return std::nullopt;
  return refuse("slug_taken", "slug", "there is a tenant with the slug " + quoted(slug));
}

std::size_t schema_name_length_max() {
  const events::TableInfo& table = table_for<events::TenantRow>();
  return table.columns[*table.find_column("schema_name")].length;
}

std::optional<Refusal> check_schema_name(const Deciding& deciding, const std::string& name) {
  const std::size_t length = events::count_characters(name);
  if (length > schema_name_length_max()) {
    return refuse("schema_name_too_long", "schema_name",
                  "the schema_name " + quoted(name) + " has " + std::to_string(length) +
                      " characters of at most " + std::to_string(schema_name_length_max()) +
                      ": give a shorter one, or null for none");
  }
  const auto holder = deciding.find_holder<events::TenantRow>({"schema_name"}, {name});
  if (!holder) return std::nullopt;
  return refuse("schema_name_taken", "schema_name",
                "the tenant " + quoted(view_of(holder->read().getSlug())) +
                    " has the schema_name " + quoted(name) +
                    ": give another one, or null for none");
}

// Settings.

// A document that was checked when it was taken.
Json document_of(std::string_view text) {
  auto parsed = events::parse_json(text);
  if (const auto* error = std::get_if<events::JsonError>(&parsed)) {
    throw events::MalformedError("unreadable settings: " + error->message);
  }
  return std::get<Json>(std::move(parsed));
}

bool is_color(const Json& value) {
  return value.is_null() || (value.string() != nullptr && events::is_hex_color(*value.string()));
}

// Theme colours are the members of settings.theme whose key contains `color`, whatever the case of
// its ASCII letters, so that `primaryColor` is one as well. Only direct members count.
std::optional<Refusal> check_colors(const Json& settings, std::string_view field) {
  const Json* theme = settings.find("theme");
  if (theme == nullptr || theme->object() == nullptr) return std::nullopt;
  for (const auto& [key, value] : *theme->object()) {
    const bool counts = events::to_ascii_lower(key).find("color") != std::string::npos;
    if (!counts || is_color(value)) continue;
    return refuse("invalid_color", field,
                  "theme." + events::printable(key) + " must be a colour, #RRGGBB, or null");
  }
  return std::nullopt;
}

// The text that an event holds for a document, as far as the rules of settings allow.
OrRefusal<std::string> settings_text(const Json& settings, std::string_view field) {
  auto text = events::to_jsonb_text(settings);
  if (const auto* error = std::get_if<events::JsonError>(&text)) {
    return refuse("invalid_json", field, error->message);
  }
  if (std::get<std::string>(text).size() > events::kTextBytesMax) {
    return refuse("too_large", field,
                  "the settings would amount to more than " +
                      std::to_string(events::kTextBytesMax >> 10) + " KiB");
  }
  if (auto refusal = check_colors(settings, field)) return *refusal;
  return std::get<std::string>(std::move(text));
}

// Creating.

// What a new tenant consists of, once every rule agreed.
struct NewTenant {
  Uuid id;
  std::string slug;
  std::optional<std::string> schema_name;
  std::string settings;
  std::optional<std::int64_t> created_by;
};

std::optional<std::string> schema_name_of_new(events::CreateTenant::Reader command) {
  if (command.hasSchemaName()) return given_text(command.getSchemaName());
  std::string name = string_of(command.getSlug());
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// The rules of the tenant itself, in the order of the contract.
OrRefusal<NewTenant> check_new_tenant(const Deciding& deciding,
                                      events::CreateTenant::Reader command) {
  NewTenant tenant;
  tenant.slug = string_of(command.getSlug());
  if (auto refusal = check_slug_free(deciding, tenant.slug)) return *refusal;
  tenant.schema_name = schema_name_of_new(command);
  if (tenant.schema_name) {
    if (auto refusal = check_schema_name(deciding, *tenant.schema_name)) return *refusal;
  }
  const Json settings = command.hasSettings() ? document_of(view_of(command.getSettings()))
                                              : Json(events::JsonObject{});
  const auto text = settings_text(settings, "settings");
  if (text.refused()) return text.refusal();
  tenant.settings = *text;
  return tenant;
}

void emit_tenant_created(Deciding& deciding, events::CreateTenant::Reader command,
                         const NewTenant& tenant) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initTenantCreated();
    fact.setId(data_of(tenant.id));
    fact.setName(command.getName());
    fact.setSlug(tenant.slug);
    if (tenant.schema_name) fact.setSchemaName(*tenant.schema_name);
    fact.setContactEmail(command.getContactEmail());
    fact.setContactPhone(command.getContactPhone());
    fact.setIsActive(value_or(command.hasIsActive(), command.getIsActive(), true));
    fact.setIsTrial(value_or(command.hasIsTrial(), command.getIsTrial(), false));
    if (command.getTrialEndsAt().isMicros()) {
      fact.initTrialEndsAt().setMicros(command.getTrialEndsAt().getMicros());
    }
    fact.setSettings(tenant.settings);
    if (command.getLogo().isValue()) fact.setLogo(command.getLogo().getValue());
    if (tenant.created_by) fact.initCreatedById().setValue(*tenant.created_by);
  });
}

std::optional<Refusal> add_first_domain(Deciding& deciding, events::CreateTenant::Reader command,
                                        const Uuid& tenant) {
  if (!command.hasDomain()) return std::nullopt;
  const std::string host = string_of(command.getDomain());
  if (auto refusal = check_domain_free(deciding, host)) return refusal;
  const auto id = deciding.take_integer_id(EntityKind::DOMAIN, std::nullopt, "domain");
  if (id.refused()) return id.refusal();
  emit_domain_added(deciding, {*id, tenant, host, true, true});
  return std::nullopt;
}

std::optional<Refusal> add_owner(Deciding& deciding, std::int64_t user, const Uuid& tenant) {
  const auto id = deciding.take_integer_id(EntityKind::MEMBER, std::nullopt, "owner");
  if (id.refused()) return id.refusal();
  emit_member_added(deciding, {*id, tenant, user, "owner"});
  return std::nullopt;
}

// Changing.

bool changes_slug(const FoundTenant& tenant, events::ChangeTenant::Reader command) {
  return changes_text(command.hasSlug(), command.getSlug(), tenant.read().getSlug());
}

bool changes_schema_name(const FoundTenant& tenant, events::ChangeTenant::Reader command) {
  const auto row = tenant.read();
  return command.hasSchemaName() && given_text(command.getSchemaName()) !=
                                        present_text(row.hasSchemaName(), row.getSchemaName());
}

std::optional<Refusal> check_new_names(const Deciding& deciding, const FoundTenant& tenant,
                                       events::ChangeTenant::Reader command) {
  if (changes_slug(tenant, command)) {
    if (auto refusal = check_slug_free(deciding, view_of(command.getSlug()))) return refusal;
  }
  if (!changes_schema_name(tenant, command)) return std::nullopt;
  const auto name = given_text(command.getSchemaName());
  return name ? check_schema_name(deciding, *name) : std::nullopt;
}

void emit_new_names(Deciding& deciding, const FoundTenant& tenant,
                    events::ChangeTenant::Reader command) {
  const auto row = tenant.read();
  if (changes_text(command.hasName(), command.getName(), row.getName())) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTenantRenamed();
      fact.setId(row.getId());
      fact.setName(command.getName());
    });
  }
  if (changes_slug(tenant, command)) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTenantSlugChanged();
      fact.setId(row.getId());
      fact.setSlug(command.getSlug());
    });
  }
  if (changes_schema_name(tenant, command)) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTenantSchemaNameChanged();
      fact.setId(row.getId());
      if (const auto name = given_text(command.getSchemaName())) fact.setSchemaName(*name);
    });
  }
}

void emit_new_domain_name(Deciding& deciding, const FoundTenant& tenant,
                          events::ChangeTenant::Reader command) {
  const auto row = tenant.read();
  if (!command.hasDomain()) return;
  const auto name = given_text(command.getDomain());
  if (name == present_text(row.hasDomain(), row.getDomain())) return;
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initTenantDomainNameChanged();
    fact.setId(row.getId());
    if (name) fact.setDomain(*name);
  });
}

// One event that names only what changed.
void emit_new_contact(Deciding& deciding, const FoundTenant& tenant,
                      events::ChangeTenant::Reader command) {
  const auto row = tenant.read();
  const bool email =
      changes_text(command.hasContactEmail(), command.getContactEmail(), row.getContactEmail());
  const bool phone =
      changes_text(command.hasContactPhone(), command.getContactPhone(), row.getContactPhone());
  if (!email && !phone) return;
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initTenantContactChanged();
    fact.setId(row.getId());
    if (email) fact.setContactEmail(command.getContactEmail());
    if (phone) fact.setContactPhone(command.getContactPhone());
  });
}

void emit_new_logo(Deciding& deciding, const FoundTenant& tenant,
                   events::ChangeTenant::Reader command) {
  const auto row = tenant.read();
  if (!command.hasLogo()) return;
  const auto logo = given_text(command.getLogo());
  if (logo == present_text(row.hasLogo(), row.getLogo())) return;
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initTenantLogoChanged();
    fact.setId(row.getId());
    if (logo) fact.setLogo(*logo);
  });
}

std::optional<Refusal> check_trial_end(const Deciding& deciding, std::int64_t ends_at) {
  if (ends_at > deciding.now().micros) return std::nullopt;
  return refuse("invalid_period", "ends_at",
                "a trial ends in the future, after " + events::format_timestamp(deciding.now()));
}

}  // namespace

DecideOutcome decide_create_tenant(Deciding& deciding, events::CreateTenant::Reader command) {
  const auto created_by = deciding.resolve(command.getCreatedBy(), "created_by");
  if (created_by.refused()) return created_by.refusal();
  std::optional<std::int64_t> owner;
  if (command.hasOwner()) {
    const auto user = deciding.resolve(command.getOwner(), "owner");
    if (user.refused()) return user.refusal();
    owner = user->read().getId();
  }
  const auto given = given_uuid(command);
  if (auto refusal =
          deciding.expect_version(deciding.existing_version(EntityKind::TENANT, given))) {
    return *refusal;
  }
  const auto id = deciding.take_uuid(EntityKind::TENANT, given);
  if (id.refused()) return id.refusal();
  auto tenant = check_new_tenant(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  tenant->id = *id;
  tenant->created_by = *created_by;
  emit_tenant_created(deciding, command, *tenant);
  if (auto refusal = add_first_domain(deciding, command, *id)) return *refusal;
  if (owner) {
    if (auto refusal = add_owner(deciding, *owner, *id)) return *refusal;
  }
  return deciding.accept(name_of(*id, tenant->slug));
}

DecideOutcome decide_change_tenant(Deciding& deciding, events::ChangeTenant::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  if (auto refusal = check_new_names(deciding, *tenant, command)) return *refusal;
  emit_new_names(deciding, *tenant, command);
  emit_new_domain_name(deciding, *tenant, command);
  emit_new_contact(deciding, *tenant, command);
  emit_new_logo(deciding, *tenant, command);
  const auto slug = command.hasSlug() ? command.getSlug() : tenant->read().getSlug();
  return deciding.accept(name_of(tenant->key.id, view_of(slug)));
}

DecideOutcome decide_change_tenant_settings(Deciding& deciding,
                                            events::ChangeTenantSettings::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  const auto row = tenant->read();
  const bool merges = command.hasMerge();
  const Json settings = merges ? events::merge_patch(document_of(view_of(row.getSettings())),
                                                     document_of(view_of(command.getMerge())))
                               : document_of(view_of(command.getReplace()));
  const auto text = settings_text(settings, merges ? "merge" : "replace");
  if (text.refused()) return text.refusal();
  if (*text != view_of(row.getSettings())) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTenantSettingsChanged();
      fact.setId(row.getId());
      fact.setSettings(*text);
    });
  }
  return deciding.accept(name_of(*tenant));
}

// In a running trial this moves its end, also forwards.
DecideOutcome decide_start_trial(Deciding& deciding, events::StartTrial::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  const auto row = tenant->read();
  const std::int64_t ends_at = command.getEndsAt().getMicros();
  if (auto refusal = check_trial_end(deciding, ends_at)) return *refusal;
  const bool same = row.hasTrialEndsAt() && row.getTrialEndsAt().getMicros() == ends_at;
  if (!row.getIsTrial() || !same) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTrialStarted();
      fact.setId(row.getId());
      fact.setTrialEndsAt(ends_at);
    });
  }
  return deciding.accept(name_of(*tenant));
}

// A trial without an end may be given any.
DecideOutcome decide_extend_trial(Deciding& deciding, events::ExtendTrial::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  const auto row = tenant->read();
  const std::int64_t ends_at = command.getEndsAt().getMicros();
  if (auto refusal = check_trial_end(deciding, ends_at)) return *refusal;
  if (!row.getIsTrial()) {
    return refuse("not_in_trial", "tenant",
                  "the tenant " + quoted(view_of(row.getSlug())) + " is not in a trial");
  }
  const std::optional<std::int64_t> present =
      row.hasTrialEndsAt() ? std::optional(row.getTrialEndsAt().getMicros()) : std::nullopt;
  if (present && ends_at < *present) {
    return refuse("invalid_period", "ends_at",
                  "a trial is never extended to before its present end, " +
                      events::format_timestamp({*present}));
  }
  if (present != ends_at) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initTrialExtended();
      fact.setId(row.getId());
      fact.setTrialEndsAt(ends_at);
    });
  }
  return deciding.accept(name_of(*tenant));
}

DecideOutcome decide_end_trial(Deciding& deciding, events::EndTrial::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  if (tenant->read().getIsTrial()) {
    deciding.emit(
        [&](Event::Builder event) { event.initTrialEnded().setId(data_of(tenant->key.id)); });
  }
  return deciding.accept(name_of(*tenant));
}

DecideOutcome decide_activate_tenant(Deciding& deciding, events::ActivateTenant::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  if (!tenant->read().getIsActive()) {
    deciding.emit(
        [&](Event::Builder event) { event.initTenantActivated().setId(data_of(tenant->key.id)); });
  }
  return deciding.accept(name_of(*tenant));
}

DecideOutcome decide_deactivate_tenant(Deciding& deciding,
                                       events::DeactivateTenant::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  if (tenant->read().getIsActive()) {
    deciding.emit([&](Event::Builder event) {
      event.initTenantDeactivated().setId(data_of(tenant->key.id));
    });
  }
  return deciding.accept(name_of(*tenant));
}

DecideOutcome decide_delete_tenant(Deciding& deciding, events::DeleteTenant::Reader command) {
  const auto tenant = tenant_of(deciding, command);
  if (tenant.refused()) return tenant.refusal();
  const auto row = tenant->read();
  if (command.getConfirm() != row.getSlug()) {
    return refuse("confirmation_mismatch", "confirm",
                  "confirm must be the tenant's slug, " + quoted(view_of(row.getSlug())));
  }
  const Uuid& id = tenant->key.id;
  deciding.visit_tenant<events::DomainRow>(id, [&](const FoundDomain& domain) {
    emit_domain_removed(deciding, domain);
    return true;
  });
  deciding.visit_tenant<events::MemberRow>(id, [&](const FoundMember& member) {
    emit_member_removed(deciding, member);
    return true;
  });
  deciding.visit_tenant<events::InvitationRow>(id, [&](const FoundInvitation& invitation) {
    emit_invitation_deleted(deciding, invitation);
    return true;
  });
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initTenantDeleted();
    fact.setId(row.getId());
    fact.setSlug(row.getSlug());
  });
  return deciding.accept(name_of(*tenant));
}

}  // namespace tenantry
