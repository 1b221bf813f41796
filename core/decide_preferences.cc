#include <cstdint>
#include <optional>
#include <string>

#include "core/deciders.h"
#include "core/deciding.h"

namespace tenantry {
namespace {

using events::Flag;

// People know preferences by their user.
EntityName name_of(const events::Uuid& id, const FoundUser& user) {
  return {.kind = EntityKind::PREFERENCES, .id = id, .key = string_of(user.read().getUsername())};
}

DecideOutcome create_preferences(Deciding& deciding, events::SetPreferences::Reader command,
                                 const FoundUser& user) {
  const auto id = deciding.take_integer_id(EntityKind::PREFERENCES, given_id(command));
  if (id.refused()) return id.refusal();
  deciding.emit([&](events::Event::Builder event) {
    auto fact = event.initPreferencesCreated();
    fact.setId(*id);
    fact.setUserId(user.read().getId());
    fact.setTheme(command.hasTheme() ? command.getTheme() : "light");
    fact.setDashboardLayout(command.hasDashboardLayout() ? command.getDashboardLayout() : "{}");
    fact.setSidebarCollapsed(
        value_or(command.hasSidebarCollapsed(), command.getSidebarCollapsed(), false));
    fact.setQuickMenuItems(command.hasQuickMenuItems() ? command.getQuickMenuItems() : "[]");
    fact.setWidgetPreferences(command.hasWidgetPreferences() ? command.getWidgetPreferences()
                                                             : "{}");
  });
  return deciding.accept(name_of(events::entity_key(*id), user));
}

DecideOutcome change_preferences(Deciding& deciding, events::SetPreferences::Reader command,
                                 const FoundUser& user, const FoundPreferences& preferences) {
  const auto row = preferences.read();
  if (command.hasId() && command.getId().getValue() != row.getId()) {
    return refuse("id_taken", "id",
                  "the preferences of " + quoted(view_of(user.read().getUsername())) +
                      " have the id " + std::to_string(row.getId()));
  }
  // Documents are rewritten to one spelling before they get here, so equal ones are equal texts.
  const bool theme = changes_text(command.hasTheme(), command.getTheme(), row.getTheme());
  const bool layout = changes_text(command.hasDashboardLayout(), command.getDashboardLayout(),
                                   row.getDashboardLayout());
  const Flag collapsed = changed_flag(command.hasSidebarCollapsed(), command.getSidebarCollapsed(),
                                      row.getSidebarCollapsed());
  const bool menu = changes_text(command.hasQuickMenuItems(), command.getQuickMenuItems(),
                                 row.getQuickMenuItems());
  const bool widgets = changes_text(command.hasWidgetPreferences(), command.getWidgetPreferences(),
                                    row.getWidgetPreferences());
  if (theme || layout || collapsed != Flag::UNCHANGED || menu || widgets) {
    deciding.emit([&](events::Event::Builder event) {
      auto fact = event.initPreferencesChanged();
      fact.setId(row.getId());
      fact.setUserId(row.getUserId());
      if (theme) fact.setTheme(command.getTheme());
      if (layout) fact.setDashboardLayout(command.getDashboardLayout());
      fact.setSidebarCollapsed(collapsed);
      if (menu) fact.setQuickMenuItems(command.getQuickMenuItems());
      if (widgets) fact.setWidgetPreferences(command.getWidgetPreferences());
    });
  }
  return deciding.accept(name_of(preferences.key.id, user));
}

}  // namespace

DecideOutcome decide_set_preferences(Deciding& deciding, events::SetPreferences::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  const auto preferences = deciding.find_preferences(user->read().getId());
  if (auto refusal = deciding.expect_version(preferences)) return *refusal;
  if (!preferences) return create_preferences(deciding, command, *user);
  return change_preferences(deciding, command, *user, *preferences);
}

DecideOutcome decide_delete_preferences(Deciding& deciding,
                                        events::DeletePreferences::Reader command) {
  const auto user = deciding.resolve(command.getUser(), "user");
  if (user.refused()) return user.refusal();
  const auto preferences = deciding.find_preferences(user->read().getId());
  // What a command speaks of must be there, as with every other deletion.
  if (!preferences) {
    return refuse(
        "not_found", "user",
        "the user " + quoted(view_of(user->read().getUsername())) + " has no preferences");
  }
  if (auto refusal = deciding.expect_version(preferences)) return *refusal;
  deciding.emit([&](events::Event::Builder event) {
    auto fact = event.initPreferencesDeleted();
    fact.setId(preferences->read().getId());
    fact.setUserId(preferences->read().getUserId());
  });
  return deciding.accept(name_of(preferences->key.id, *user));
}

}  // namespace tenantry
