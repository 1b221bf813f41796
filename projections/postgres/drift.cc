#include "projections/postgres/drift.h"
namespace tenantry::projections::postgres {
std::vector<ShapeFinding> compare_shape(pqxx::transaction_base&, const std::string&,
                                        const events::TableInfo&) {
  return {};
}
}  // namespace tenantry::projections::postgres
