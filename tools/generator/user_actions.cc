#include <algorithm>
#include <array>
#include <string>

#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

constexpr std::array<std::string_view, 3> kThemes = {"light", "dark", "auto"};
constexpr std::array<std::string_view, 3> kLayouts = {
    R"({"columns":2,"widgets":["orders","prices"]})",
    R"({"columns":3,"widgets":[],"compact":true})",
    R"({"rows":[{"title":"Überblick","size":1.5},{"title":"Lager","size":1}]})"};
constexpr std::array<std::string_view, 3> kMenus = {R"(["orders","suppliers"])", "[]",
                                                    R"([{"label":"Preise","path":"/prices"}])"};

// How much of the history's users may be members of nothing before they are looked after.
std::size_t idle_users_max(const Stage& stage) {
  return 8 + stage.population().users().size() / 20;
}

// A person at a company, or at one of the public hosts.
MailHost draw_mail(Stage& stage, Slot tenant) {
  if (tenant == kNoSlot || stage.random().percent(20)) {
    return MailHost::public_host(stage.random().below(MailHost::kPublicHosts));
  }
  return MailHost::company(stage.population().tenants()[tenant].company);
}

Slot write_register_user(Stage& stage, Slot tenant) {
  const MailHost mail = draw_mail(stage, tenant);
  const Slot actor = tenant == kNoSlot ? kNoSlot : stage.pick_manager(tenant);
  stage.begin("register_user");
  User user = write_new_user(stage, stage.take_person(), mail);
  stage.act_as(actor);
  return stage.population().add_user(std::move(user));
}

bool add_as_member(Stage& stage, const Task& task) {
  Population& population = stage.population();
  if (!stage.is_alive(task.tenant) || !stage.is_alive(task.user) || !stage.fits(1)) return false;
  const Slot tenant = task.tenant.slot;
  const Slot user = task.user.slot;
  if (population.find_member(tenant, user) != nullptr) return false;
  if (!Population::has_room(population.tenants()[tenant])) return false;
  const Role role = draw_role(stage.random());
  stage.begin("add_member");
  stage.tenant("tenant", tenant);
  stage.user("user", user);
  if (role != Role::kUser || stage.random().percent(50)) stage.text("role", role_name(role));
  stage.act_as(stage.pick_manager(tenant));
  return stage.done(population.join(tenant, user, role));
}

void rename(Stage& stage, Slot slot) {
  User& user = stage.population().users()[slot];
  user.renaming = stage.take_renaming();
  user.last = (user.last + 1 + stage.random().below(kLastNames - 1)) % kLastNames;
  user.renamed_first = user.first;
  user.renamed_last = user.last;
  stage.username("username", user);
  stage.text("last_name", last_name(user.last));
}

void change_mail(Stage& stage, User& user) {
  // One of the public hosts, but not the present one.
  const auto place = stage.random().below(MailHost::kPublicHosts);
  const MailHost drawn = MailHost::public_host(place);
  const MailHost next = MailHost::public_host((place + 1) % MailHost::kPublicHosts);
  user.mail = drawn == user.mail ? next : drawn;
  stage.address("email", user.person, user.mail);
}

void write_preferences(Stage& stage, User& user) {
  // Every command changes something: an existing row gets another theme or the other sidebar.
  const bool is_new = !user.has_preferences;
  const bool changes_theme = stage.random().percent(50);
  if (changes_theme) {
    user.theme = static_cast<std::uint8_t>((user.theme + 1 + stage.random().below(2)) % 3);
    stage.text("theme", kThemes[user.theme]);
  }
  if (stage.random().percent(30))
    stage.document("dashboard_layout", kLayouts[stage.random().below(3)]);
  if (!changes_theme && !is_new) {
    user.sidebar_collapsed = !user.sidebar_collapsed;
    stage.boolean("sidebar_collapsed", user.sidebar_collapsed);
  }
  if (stage.random().percent(20))
    stage.document("quick_menu_items", kMenus[stage.random().below(3)]);
  if (stage.random().percent(10)) {
    stage.document("widget_preferences", R"({"prices":{"currency":"EUR","digits":2}})");
  }
  user.has_preferences = true;
}

}  // namespace

User write_new_user(Stage& stage, std::uint64_t person, MailHost mail) {
  RandomSource& random = stage.random();
  User user;
  user.person = person;
  user.mail = mail;
  user.first = first_name_of(person);
  user.last = last_name_of(person);
  user.is_staff = random.percent(1);
  user.last_login = stage.now();  // None is earlier.
  stage.username("username", user);
  stage.address("email", person, mail);
  stage.text("first_name", first_name(user.first));
  stage.text("last_name", last_name(user.last));
  stage.password("password");
  if (user.is_staff) {
    stage.boolean("is_staff", true);
    if (random.percent(20)) stage.boolean("is_superuser", true);
  }
  return user;
}

void plan_membership(Stage& stage, Slot tenant, Slot user) {
  stage.plan({add_as_member, stage.handle_of_tenant(tenant), stage.handle_of_user(user)});
}

bool register_user(Stage& stage) {
  write_register_user(stage, stage.pick_tenant());
  return stage.done(1);
}

bool register_new_colleague(Stage& stage) {
  const Slot tenant = stage.pick_tenant();
  if (tenant == kNoSlot) return false;
  if (!Population::has_room(stage.population().tenants()[tenant])) return false;
  const Slot user = write_register_user(stage, tenant);
  plan_membership(stage, tenant, user);
  return stage.done(1);
}

bool record_login(Stage& stage) {
  constexpr int kTries = 3;
  Slot slot = stage.pick_user();
  for (int i = 0; i < kTries && slot != kNoSlot && !stage.population().users()[slot].is_active;
       ++i) {
    slot = stage.pick_user();
  }
  if (slot == kNoSlot) return false;
  stage.begin("record_login");
  stage.user("user", slot);
  User& user = stage.population().users()[slot];
  std::int64_t time = stage.now();
  // A report that took a while.
  if (stage.random().percent(10) && time - 5 * kMinute > user.last_login) {
    time -= stage.random().between(1, 5 * kMinute);
    stage.time("time", time);
  }
  user.last_login = time;
  stage.act_as(slot);
  return stage.done(1);
}

bool change_user_profile(Stage& stage) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot || !stage.fits(2)) return false;
  stage.begin("change_user_profile");
  stage.user("user", slot);
  User& user = stage.population().users()[slot];
  stage.act_as(slot);
  const std::uint32_t choice = stage.random().below(10);
  if (choice < 4) {
    rename(stage, slot);
    return stage.done(2);
  }
  if (choice < 7) {
    change_mail(stage, user);
  } else {
    user.first = (user.first + 1 + stage.random().below(kFirstNames - 1)) % kFirstNames;
    stage.text("first_name", first_name(user.first));
  }
  return stage.done(1);
}

bool change_user_password(Stage& stage) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  stage.begin("change_user_password");
  stage.user("user", slot);
  stage.password("password");
  stage.act_as(slot);
  return stage.done(1);
}

bool set_user_flags(Stage& stage) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  stage.begin("set_user_flags");
  stage.user("user", slot);
  User& user = stage.population().users()[slot];
  // Who was switched off mostly comes back before anything else happens.
  if (!user.is_active || stage.random().percent(40)) {
    user.is_active = !user.is_active;
    stage.boolean("is_active", user.is_active);
  } else {
    user.is_staff = !user.is_staff;
    stage.boolean("is_staff", user.is_staff);
  }
  return stage.done(1);
}

bool delete_user(Stage& stage) {
  Slot slot = stage.random().percent(60) ? stage.pick_idle_user() : stage.pick_user();
  if (slot == kNoSlot) slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  const std::size_t count = stage.population().deletion_events(stage.population().users()[slot]);
  const bool must_force = stage.population().is_last_owner_somewhere(slot);
  if (!stage.fits(count) || (must_force && !stage.random().percent(20))) return false;
  stage.begin("delete_user");
  stage.user("user", slot);
  if (must_force) stage.boolean("force", true);
  stage.population().delete_user(slot);
  return stage.done(count);
}

bool merge_users(Stage& stage) {
  Slot slot = stage.random().percent(50) ? stage.pick_idle_user() : stage.pick_user();
  if (slot == kNoSlot) slot = stage.pick_user();
  const Slot into = stage.pick_user();
  if (slot == kNoSlot || into == kNoSlot || slot == into) return false;
  if (!stage.fits(Population::merge_events_max(stage.population().users()[slot]))) return false;
  stage.begin("merge_users");
  stage.user("user", slot);
  stage.user("into", into);
  return stage.done(stage.population().merge_users(slot, into));
}

bool tidy_idle_users(Stage& stage) {
  if (stage.population().idle_users().size() <= idle_users_max(stage)) return false;
  const std::uint32_t choice = stage.random().below(10);
  if (choice < 6) return delete_user(stage);
  return choice < 8 ? add_member(stage) : merge_users(stage);
}

bool set_preferences(Stage& stage) {
  const Slot slot = stage.pick_user();
  if (slot == kNoSlot) return false;
  stage.begin("set_preferences");
  stage.user("user", slot);
  write_preferences(stage, stage.population().users()[slot]);
  stage.act_as(slot);
  return stage.done(1);
}

bool delete_preferences(Stage& stage) {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    const Slot slot = stage.pick_user();
    if (slot == kNoSlot || !stage.population().users()[slot].has_preferences) continue;
    stage.begin("delete_preferences");
    stage.user("user", slot);
    User& user = stage.population().users()[slot];
    user.has_preferences = false;
    user.theme = 0;
    user.sidebar_collapsed = false;
    stage.act_as(slot);
    return stage.done(1);
  }
  return false;
}

}  // namespace tenantry::generator
