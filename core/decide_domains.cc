#include <optional>
#include <string>
#include <tuple>

#include "core/deciders.h"
#include "core/deciding.h"

// A tenant that has domains has exactly one primary one. Data from elsewhere may have none or
// several: every change of hands leaves one.
namespace tenantry {
namespace {

using events::Event;
using events::Refusal;
using events::Uuid;

EntityName name_of(const FoundDomain& domain) {
  return {EntityKind::DOMAIN, domain.key.id, string_of(domain.read().getDomain())};
}

void emit_primary_changed(Deciding& deciding, const Uuid& tenant, std::int64_t domain,
                          bool is_primary) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initDomainPrimaryChanged();
    fact.setId(domain);
    fact.setTenantId(data_of(tenant));
    fact.setIsPrimary(is_primary);
  });
}

bool has_primary(const Deciding& deciding, const Uuid& tenant) {
  return deciding.tenant_has<events::DomainRow>(
      tenant, [](const FoundDomain& domain) { return domain.read().getIsPrimary(); });
}

void demote_others(Deciding& deciding, const Uuid& tenant, std::int64_t primary) {
  deciding.visit_tenant<events::DomainRow>(tenant, [&](const FoundDomain& domain) {
    const auto row = domain.read();
    if (row.getIsPrimary() && row.getId() != primary) {
      emit_primary_changed(deciding, tenant, row.getId(), false);
    }
    return true;
  });
}

// Who takes over when `leaving` goes: the oldest active one, else the oldest. None when nobody is
// left, or when another one is primary already.
std::optional<std::int64_t> successor(const Deciding& deciding, const FoundDomain& leaving) {
  using Rank = std::tuple<bool, std::int64_t, std::int64_t>;  // Inactive, created, id.
  std::optional<Rank> best;
  bool taken = false;
  deciding.visit_tenant<events::DomainRow>(leaving.key.tenant, [&](const FoundDomain& domain) {
    const auto row = domain.read();
    if (row.getId() == leaving.read().getId()) return true;
    const Rank rank{!row.getIsActive(), row.getCreatedAt(), row.getId()};
    if (!best || rank < *best) best = rank;
    taken = row.getIsPrimary();
    return !taken;
  });
  if (taken || !best) return std::nullopt;
  return std::get<2>(*best);
}

// After `leaving`, as it still stands in the state, was removed or moved.
void hand_over(Deciding& deciding, const FoundDomain& leaving) {
  if (!leaving.read().getIsPrimary()) return;
  if (const auto next = successor(deciding, leaving)) {
    emit_primary_changed(deciding, leaving.key.tenant, *next, true);
  }
}

std::optional<Refusal> check_owner(const FoundDomain& domain, const FoundTenant& tenant) {
  if (domain.key.tenant == tenant.key.id) return std::nullopt;
  return refuse("not_found", "domain",
                "the tenant " + quoted(view_of(tenant.read().getSlug())) + " has no domain " +
                    quoted(view_of(domain.read().getDomain())));
}

// The domain that a command speaks of, at the version it expects and with the tenant it names.
template <class CommandReader>
OrRefusal<FoundDomain> domain_of(const Deciding& deciding, const CommandReader& command) {
  auto domain = deciding.resolve(command.getDomain(), "domain");
  if (domain.refused()) return domain;
  if (command.hasTenant()) {
    const auto tenant = deciding.resolve(command.getTenant(), "tenant");
    if (tenant.refused()) return tenant.refusal();
    if (auto refusal = check_owner(*domain, *tenant)) return *refusal;
  }
  if (auto refusal = deciding.expect_version(domain->version)) return *refusal;
  return domain;
}

}  // namespace

std::optional<Refusal> check_domain_free(const Deciding& deciding, std::string_view host) {
  const auto holder = deciding.find_domain(host);
  if (!holder) return std::nullopt;
  return refuse("domain_taken", "domain", "the domain " + quoted(host) + " belongs to a tenant");
}

void emit_domain_added(Deciding& deciding, const NewDomain& domain) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initDomainAdded();
    fact.setId(domain.id);
    fact.setTenantId(data_of(domain.tenant));
    fact.setDomain(domain.host);
    fact.setIsPrimary(domain.is_primary);
    fact.setIsActive(domain.is_active);
  });
}

DecideOutcome decide_add_domain(Deciding& deciding, events::AddDomain::Reader command) {
  const auto tenant = deciding.resolve(command.getTenant(), "tenant");
  if (tenant.refused()) return tenant.refusal();
  const auto given = given_id(command);
  if (auto refusal =
          deciding.expect_version(deciding.existing_version(EntityKind::DOMAIN, given))) {
    return *refusal;
  }
  const auto id = deciding.take_integer_id(EntityKind::DOMAIN, given);
  if (id.refused()) return id.refusal();
  const std::string host = string_of(command.getDomain());
  if (auto refusal = check_domain_free(deciding, host)) return *refusal;
  // The first one becomes primary, whatever was asked for.
  const bool asked = value_or(command.hasIsPrimary(), command.getIsPrimary(), false);
  const bool is_primary = asked || !has_primary(deciding, tenant->key.id);
  const bool is_active = value_or(command.hasIsActive(), command.getIsActive(), true);
  emit_domain_added(deciding, {*id, tenant->key.id, host, is_primary, is_active});
  if (is_primary) demote_others(deciding, tenant->key.id, *id);
  return deciding.accept(EntityName{EntityKind::DOMAIN, events::entity_key(*id), host});
}

DecideOutcome decide_set_primary_domain(Deciding& deciding,
                                        events::SetPrimaryDomain::Reader command) {
  const auto domain = domain_of(deciding, command);
  if (domain.refused()) return domain.refusal();
  const auto row = domain->read();
  demote_others(deciding, domain->key.tenant, row.getId());
  if (!row.getIsPrimary()) emit_primary_changed(deciding, domain->key.tenant, row.getId(), true);
  return deciding.accept(name_of(*domain));
}

DecideOutcome decide_activate_domain(Deciding& deciding, events::ActivateDomain::Reader command) {
  const auto domain = domain_of(deciding, command);
  if (domain.refused()) return domain.refusal();
  if (!domain->read().getIsActive()) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initDomainActivated();
      fact.setId(domain->read().getId());
      fact.setTenantId(domain->read().getTenantId());
    });
  }
  return deciding.accept(name_of(*domain));
}

DecideOutcome decide_deactivate_domain(Deciding& deciding,
                                       events::DeactivateDomain::Reader command) {
  const auto domain = domain_of(deciding, command);
  if (domain.refused()) return domain.refusal();
  if (domain->read().getIsActive()) {
    deciding.emit([&](Event::Builder event) {
      auto fact = event.initDomainDeactivated();
      fact.setId(domain->read().getId());
      fact.setTenantId(domain->read().getTenantId());
    });
  }
  return deciding.accept(name_of(*domain));
}

void emit_domain_removed(Deciding& deciding, const FoundDomain& domain) {
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initDomainRemoved();
    fact.setId(domain.read().getId());
    fact.setTenantId(domain.read().getTenantId());
    fact.setDomain(domain.read().getDomain());
  });
}

DecideOutcome decide_remove_domain(Deciding& deciding, events::RemoveDomain::Reader command) {
  const auto domain = domain_of(deciding, command);
  if (domain.refused()) return domain.refusal();
  emit_domain_removed(deciding, *domain);
  hand_over(deciding, *domain);
  return deciding.accept(name_of(*domain));
}

DecideOutcome decide_move_domain(Deciding& deciding, events::MoveDomain::Reader command) {
  const auto domain = deciding.resolve(command.getDomain(), "domain");
  if (domain.refused()) return domain.refusal();
  const auto source = deciding.resolve(command.getFromTenant(), "from_tenant");
  if (source.refused()) return source.refusal();
  const auto target = deciding.resolve(command.getToTenant(), "to_tenant");
  if (target.refused()) return target.refusal();
  if (auto refusal = check_owner(*domain, *source)) return *refusal;
  if (auto refusal = deciding.expect_version(domain->version)) return *refusal;
  if (source->key.id == target->key.id) return deciding.accept(name_of(*domain));
  deciding.emit([&](Event::Builder event) {
    auto fact = event.initDomainMoved();
    fact.setId(domain->read().getId());
    fact.setTenantId(data_of(source->key.id));
    fact.setToTenantId(data_of(target->key.id));
    fact.setIsPrimary(!has_primary(deciding, target->key.id));
  });
  hand_over(deciding, *domain);
  return deciding.accept(name_of(*domain));
}

}  // namespace tenantry
