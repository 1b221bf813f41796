#include <cstdint>
#include <optional>
#include <string>

#include "core/deciders.h"
#include "core/deciding.h"

namespace tenantry {
namespace {

using events::Refusal;

EntityName name_of(const FoundProtein& protein) {
  return {.kind = EntityKind::PROTEIN,
          .id = protein.key.id,
          .key = string_of(protein.read().getName())};
}

// Names compare as they are spelled: `Beef` and `beef` are two proteins.
std::optional<Refusal> check_name_free(const Deciding& deciding, std::string_view name) {
  const auto holder = deciding.find_protein(name);
  if (!holder) return std::nullopt;
  return refuse("protein_taken", "name",
                "the name " + quoted(name) + " belongs to the protein with the id " +
                    std::to_string(holder->read().getId()));
}

}  // namespace

DecideOutcome decide_add_protein(Deciding& deciding, events::AddProtein::Reader command) {
  const std::optional<std::int64_t> given = given_id(command);
  if (auto refusal =
          deciding.expect_version(deciding.existing_version(EntityKind::PROTEIN, given))) {
    return *refusal;
  }
  const auto id = deciding.take_integer_id(EntityKind::PROTEIN, given);
  if (id.refused()) return id.refusal();
  if (auto refusal = check_name_free(deciding, view_of(command.getName()))) return *refusal;
  deciding.emit([&](events::Event::Builder event) {
    auto fact = event.initProteinAdded();
    fact.setId(*id);
    fact.setName(command.getName());
  });
  return deciding.accept(EntityName{.kind = EntityKind::PROTEIN,
                                    .id = events::entity_key(*id),
                                    .key = string_of(command.getName())});
}

DecideOutcome decide_rename_protein(Deciding& deciding, events::RenameProtein::Reader command) {
  const auto protein = deciding.resolve(command.getProtein(), "protein");
  if (protein.refused()) return protein.refusal();
  if (auto refusal = deciding.expect_version(protein->version)) return *refusal;
  EntityName entity = name_of(*protein);
  if (command.getName() == protein->read().getName()) return deciding.accept(std::move(entity));
  if (auto refusal = check_name_free(deciding, view_of(command.getName()))) return *refusal;
  deciding.emit([&](events::Event::Builder event) {
    auto fact = event.initProteinRenamed();
    fact.setId(protein->read().getId());
    fact.setName(command.getName());
  });
  entity.key = string_of(command.getName());
  return deciding.accept(std::move(entity));
}

DecideOutcome decide_remove_protein(Deciding& deciding, events::RemoveProtein::Reader command) {
  const auto protein = deciding.resolve(command.getProtein(), "protein");
  if (protein.refused()) return protein.refusal();
  if (auto refusal = deciding.expect_version(protein->version)) return *refusal;
  deciding.emit([&](events::Event::Builder event) {
    auto fact = event.initProteinRemoved();
    fact.setId(protein->read().getId());
    fact.setName(protein->read().getName());
  });
  return deciding.accept(name_of(*protein));
}

}  // namespace tenantry
