#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

void write_protein(Stage& stage, std::string_view command, const Protein& protein) {
  stage.begin(command);
  if (stage.random().percent(30)) {
    stage.number("protein", protein.id);
  } else {
    stage.protein_name("protein", protein.name);
  }
}

}  // namespace

bool add_protein(Stage& stage) {
  auto& proteins = stage.population().proteins();
  if (proteins.size() >= kProteinsMax) return false;
  const Protein protein{stage.population().take_protein_id(), stage.take_protein_name()};
  stage.begin("add_protein");
  stage.protein_name("name", protein.name);
  proteins.push_back(protein);
  return stage.done(1);
}

bool rename_protein(Stage& stage) {
  auto& proteins = stage.population().proteins();
  if (proteins.empty()) return false;
  Protein& protein = proteins[stage.random().below(proteins.size())];
  write_protein(stage, "rename_protein", protein);
  protein.name = stage.take_protein_name();
  stage.protein_name("name", protein.name);
  return stage.done(1);
}

bool remove_protein(Stage& stage) {
  auto& proteins = stage.population().proteins();
  if (proteins.empty()) return false;
  Protein& protein = proteins[stage.random().below(proteins.size())];
  write_protein(stage, "remove_protein", protein);
  protein = proteins.back();
  proteins.pop_back();
  return stage.done(1);
}

}  // namespace tenantry::generator
