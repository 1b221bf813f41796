#include <algorithm>
#include <array>
#include <string>

#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

constexpr std::size_t kDeletionEventsMax = 120;  // Larger tenants stay.

void write_box(Stage& stage, std::string_view key, std::uint64_t company, std::uint64_t number) {
  std::string box = "office";
  if (number > 0) box += "+" + std::to_string(number);
  box += '@';
  MailHost::company(company).append(box);
  stage.text(key, box);
}

// `area` tells the first number of a tenant from later ones.
void write_phone(Stage& stage, std::string_view area, std::uint64_t number) {
  std::string phone(area);
  phone += std::to_string(100'000 + number % 10'000'000);
  stage.text("contact_phone", phone);
}

void write_schema_name(Stage& stage, std::uint64_t company) {
  std::string name;
  append_slug(name, company);
  std::ranges::replace(name, '-', '_');
  stage.text("schema_name", name);
}

std::string theme(RandomSource& random) {
  std::string json = R"({"theme":{"primary_color":"#)";
  random.append_hex(json, 6);
  json += R"(","secondary_color":)";
  json += random.percent(30) ? "null" : R"("#F0F0F0")";
  return json + R"(,"mode":")" + (random.percent(50) ? "light" : "dark") + R"("})";
}

// --- Trials

bool reactivate_as_planned(Stage& stage, const Appointment& appointment) {
  if (!stage.is_alive(appointment.tenant)) return false;
  const Slot slot = appointment.tenant.slot;
  if (stage.population().tenants()[slot].is_active) return false;
  stage.begin("activate_tenant");
  stage.tenant("tenant", slot);
  stage.population().tenants()[slot].is_active = true;
  ++stage.population().tenants()[slot].version;
  return stage.done(1);
}

bool deactivate(Stage& stage, Slot slot) {
  Tenant& tenant = stage.population().tenants()[slot];
  if (!tenant.is_active) return false;
  stage.begin("deactivate_tenant");
  stage.tenant("tenant", slot);
  tenant.is_active = false;
  ++tenant.version;
  const std::int64_t pause = stage.random().between(kDay, 30 * kDay);
  stage.plan_at(
      stage.now() + pause,
      {.act = reactivate_as_planned, .tenant = stage.handle_of_tenant(slot), .invitation = {}});
  return stage.done(1);
}

bool deactivate_as_planned(Stage& stage, const Appointment& appointment) {
  return stage.is_alive(appointment.tenant) && deactivate(stage, appointment.tenant.slot);
}

bool decide_on_trial(Stage& stage, const Appointment& appointment);

void plan_end_of_trial(Stage& stage, Slot slot) {
  stage.plan_at(stage.population().tenants()[slot].trial_ends_at - kDay,
                {.act = decide_on_trial, .tenant = stage.handle_of_tenant(slot), .invitation = {}});
}

bool extend_trial(Stage& stage, Slot slot) {
  Tenant& tenant = stage.population().tenants()[slot];
  tenant.trial_ends_at = std::max(tenant.trial_ends_at, stage.now()) + 14 * kDay;
  stage.begin("extend_trial");
  stage.tenant("tenant", slot);
  stage.time("ends_at", tenant.trial_ends_at);
  ++tenant.version;
  plan_end_of_trial(stage, slot);
  return stage.done(1);
}

// Shortly before its end: extended, or ended, by a customer or by one who soon goes away.
bool decide_on_trial(Stage& stage, const Appointment& appointment) {
  if (!stage.is_alive(appointment.tenant)) return false;
  const Slot slot = appointment.tenant.slot;
  if (stage.random().percent(25)) return extend_trial(stage, slot);
  Tenant& tenant = stage.population().tenants()[slot];
  stage.begin("end_trial");
  stage.tenant("tenant", slot);
  tenant.is_trial = false;
  ++tenant.version;
  if (stage.random().percent(20)) {
    stage.plan_at(stage.now() + stage.random().between(kDay, 10 * kDay),
                  {.act = deactivate_as_planned, .tenant = appointment.tenant, .invitation = {}});
  }
  return stage.done(1);
}

// --- Founding

void write_new_tenant(Stage& stage, Tenant& tenant, Slot owner) {
  RandomSource& random = stage.random();
  stage.uuid("id", tenant.id);
  stage.company_name("name", tenant.company);
  stage.slug("slug", tenant.company);
  if (random.percent(10)) {
    stage.null("schema_name");
  } else if (random.percent(5)) {
    write_schema_name(stage, stage.take_company());
  }
  write_box(stage, "contact_email", tenant.company, 0);
  if (random.percent(60)) write_phone(stage, "+1 555 ", random.bits());
  if (random.percent(60)) {
    tenant.is_trial = true;
    tenant.trial_ends_at = stage.now() + random.between(14 * kDay, 30 * kDay);
    stage.boolean("is_trial", true);
    stage.time("trial_ends_at", tenant.trial_ends_at);
  }
  if (random.percent(50)) stage.document("settings", theme(random) + "}");
  if (owner == kNoSlot) return;
  if (random.percent(80)) {
    tenant.created_by = owner;
    stage.user("created_by", owner);
  }
  stage.user("owner", owner);
}

bool create_tenant_as_planned(Stage& stage, const Task& task) {
  if (!stage.fits(3)) return false;
  const Slot owner = stage.is_alive(task.user) ? task.user.slot : kNoSlot;
  Tenant tenant;
  tenant.id = stage.random().uuid();
  tenant.company = stage.take_company();
  tenant.name_company = tenant.company;
  tenant.slug_company = tenant.company;
  const bool has_domain = stage.random().percent(75);
  stage.begin("create_tenant");
  write_new_tenant(stage, tenant, owner);
  if (has_domain) stage.host("domain", {.company = tenant.company, .place = 0});
  if (stage.random().percent(30)) stage.expect_none();
  const Slot slot = stage.population().add_tenant(tenant);
  std::size_t count = 1;
  if (has_domain) count += stage.population().add_domain(slot, false);
  if (owner != kNoSlot) count += stage.population().join(slot, owner, Role::kOwner);
  if (tenant.is_trial) plan_end_of_trial(stage, slot);
  const TenantHandle handle = stage.handle_of_tenant(slot);
  if (stage.random().percent(50)) stage.plan({add_planned_domain, handle, {}});
  for (std::uint32_t i = stage.random().below(4); i > 0; --i) {
    stage.plan({invite_as_planned, handle, {}});
  }
  return stage.done(count);
}

}  // namespace

bool found_tenant(Stage& stage) {
  const MailHost mail = MailHost::public_host(stage.random().below(MailHost::kPublicHosts));
  stage.begin("register_user");
  User owner = write_new_user(stage, stage.take_person(), mail);
  const Slot slot = stage.population().add_user(std::move(owner));
  stage.plan({create_tenant_as_planned, {}, stage.handle_of_user(slot)});
  return stage.done(1);
}

bool change_tenant(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot || !stage.fits(6)) return false;
  Tenant& tenant = stage.population().tenants()[slot];
  RandomSource& random = stage.random();
  stage.begin("change_tenant");
  stage.tenant("tenant", slot);
  std::size_t count = 0;
  ++tenant.edits;  // What is numbered by it differs from what is there.
  if (random.percent(25)) {
    tenant.name_company = stage.take_company();
    stage.company_name("name", tenant.name_company);
    ++count;
    if (random.percent(40)) {
      tenant.slug_company = tenant.name_company;
      stage.slug("slug", tenant.slug_company);
      ++count;
    }
  }
  if (random.percent(15)) {
    stage.text("domain", "shop-" + std::to_string(tenant.edits) + ".example");
    ++count;
  }
  if (random.percent(20)) {
    tenant.has_logo = !tenant.has_logo || random.percent(80);
    if (tenant.has_logo) {
      stage.text("logo", "tenant-logos/" + std::to_string(tenant.edits) + ".png");
    } else {
      stage.null("logo");
    }
    ++count;
  }
  if (random.percent(5)) {
    write_schema_name(stage, stage.take_company());
    ++count;
  }
  if (count == 0 || random.percent(20)) {
    if (random.percent(60)) write_box(stage, "contact_email", tenant.company, tenant.edits);
    write_phone(stage, "+49 30 ", tenant.edits);
    ++count;
  }
  if (random.percent(30)) stage.expect_version(tenant.version);
  tenant.version += count;
  stage.act_as(stage.pick_manager(slot));
  return stage.done(count);
}

bool change_tenant_settings(Stage& stage) {
  const Slot slot = stage.pick_tenant();
  if (slot == kNoSlot) return false;
  Tenant& tenant = stage.population().tenants()[slot];
  ++tenant.edits;
  std::string settings = stage.random().percent(60) ? theme(stage.random()) + "," : "{";
  settings += R"("revision":)" + std::to_string(tenant.edits) + "}";
  stage.begin("change_tenant_settings");
  stage.tenant("tenant", slot);
  stage.document(stage.random().percent(75) ? "merge" : "replace", settings);
  if (stage.random().percent(20)) stage.expect_version(tenant.version);
  ++tenant.version;
  stage.act_as(stage.pick_manager(slot));
  return stage.done(1);
}

bool start_trial(Stage& stage) {
  const Slot slot = stage.pick_any_tenant();
  if (slot == kNoSlot || stage.population().tenants()[slot].is_trial) return false;
  Tenant& tenant = stage.population().tenants()[slot];
  tenant.is_trial = true;
  tenant.trial_ends_at = stage.now() + stage.random().between(14 * kDay, 30 * kDay);
  stage.begin("start_trial");
  stage.tenant("tenant", slot);
  stage.time("ends_at", tenant.trial_ends_at);
  ++tenant.version;
  plan_end_of_trial(stage, slot);
  return stage.done(1);
}

bool deactivate_tenant(Stage& stage) {
  const Slot slot = stage.pick_any_tenant();
  return slot != kNoSlot && deactivate(stage, slot);
}

bool delete_tenant(Stage& stage) {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries && stage.population().tenants().size() > 1; ++i) {
    const Slot slot = stage.pick_any_tenant();
    if (slot == kNoSlot) continue;
    const Tenant& tenant = stage.population().tenants()[slot];
    const std::size_t count = Population::deletion_events(tenant);
    // Who is not served any more goes first.
    const bool agrees = !tenant.is_active || i > kTries / 2;
    if (!agrees || count > kDeletionEventsMax || !stage.fits(count)) continue;
    stage.begin("delete_tenant");
    stage.tenant("tenant", slot);
    stage.slug("confirm", tenant.slug_company);
    stage.population().delete_tenant(slot);
    return stage.done(count);
  }
  return false;
}

}  // namespace tenantry::generator
