#pragma once

#include <memory>
#include <string>

#include "projections/postgres/session.h"
#include "projections/read_model.h"

namespace tenantry::projections::postgres {

// The session outlives the view.
[[nodiscard]] std::unique_ptr<ReadView> open_read_view(Session& session, const std::string& schema);

// The mark of `schema`, in the caller's transaction.
[[nodiscard]] std::optional<Mark> read_mark(pqxx::transaction_base& transaction,
                                            const std::string& schema);

}  // namespace tenantry::projections::postgres
