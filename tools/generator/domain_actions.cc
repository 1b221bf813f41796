#include <algorithm>
#include <optional>
#include <utility>

#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

struct Place {
  Slot tenant = kNoSlot;
  std::size_t domain = 0;
};

// A domain of some tenant that has at least `count`; few tries.
std::optional<Place> pick_domain(Stage& stage, std::size_t count) {
  constexpr int kTries = 4;
  for (int i = 0; i < kTries; ++i) {
    const Slot tenant = stage.pick_any_tenant();
    if (tenant == kNoSlot) return std::nullopt;
    const auto& domains = stage.population().tenants()[tenant].domains;
    if (domains.size() < count) continue;
    return Place{tenant, stage.random().below(domains.size())};
  }
  return std::nullopt;
}

void begin_domain(Stage& stage, std::string_view command, const Place& place) {
  stage.begin(command);
  stage.host("domain", stage.population().tenants()[place.tenant].domains[place.domain]);
  if (stage.random().percent(40)) stage.tenant("tenant", place.tenant);
  stage.act_as(stage.pick_manager(place.tenant));
}

bool add_to(Stage& stage, Slot tenant) {
  const Tenant& owner = stage.population().tenants()[tenant];
  if (owner.domains.size() >= kDomainsMax || !stage.fits(2)) return false;
  const bool is_primary = stage.random().percent(25);
  stage.begin("add_domain");
  stage.tenant("tenant", tenant);
  stage.host("domain", {.company = owner.company, .place = owner.hosts});
  if (is_primary) stage.boolean("is_primary", true);
  stage.act_as(stage.pick_manager(tenant));
  return stage.done(stage.population().add_domain(tenant, is_primary));
}

}  // namespace

bool add_domain(Stage& stage) {
  const Slot tenant = stage.pick_any_tenant();
  return tenant != kNoSlot && add_to(stage, tenant);
}

bool add_planned_domain(Stage& stage, const Task& task) {
  return stage.is_alive(task.tenant) && add_to(stage, task.tenant.slot);
}

bool set_primary_domain(Stage& stage) {
  const auto place = pick_domain(stage, 2);
  if (!place || !stage.fits(2)) return false;
  if (stage.population().tenants()[place->tenant].domains[place->domain].is_primary) return false;
  begin_domain(stage, "set_primary_domain", *place);
  stage.population().set_primary(place->tenant, place->domain);
  return stage.done(2);
}

bool switch_domain(Stage& stage) {
  const auto place = pick_domain(stage, 1);
  if (!place) return false;
  Domain& domain = stage.population().tenants()[place->tenant].domains[place->domain];
  begin_domain(stage, domain.is_active ? "deactivate_domain" : "activate_domain", *place);
  domain.is_active = !domain.is_active;
  return stage.done(1);
}

bool remove_domain(Stage& stage) {
  const auto place = pick_domain(stage, 2);
  if (!place || !stage.fits(2)) return false;
  begin_domain(stage, "remove_domain", *place);
  return stage.done(stage.population().remove_domain(place->tenant, place->domain));
}

bool move_domain(Stage& stage) {
  const auto place = pick_domain(stage, 2);
  const Slot target = stage.pick_any_tenant();
  if (!place || target == kNoSlot || target == place->tenant || !stage.fits(2)) return false;
  if (stage.population().tenants()[target].domains.size() >= kDomainsMax) return false;
  stage.begin("move_domain");
  stage.host("domain", stage.population().tenants()[place->tenant].domains[place->domain]);
  stage.tenant("from_tenant", place->tenant);
  stage.tenant("to_tenant", target);
  return stage.done(stage.population().move_domain(place->tenant, place->domain, target));
}

}  // namespace tenantry::generator
