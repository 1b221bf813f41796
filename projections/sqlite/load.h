#pragma once

#include <memory>
#include <optional>

#include "projections/read_model.h"
#include "projections/sqlite/connection.h"
#include "projections/sqlite/loading_file.h"

// The ways in which a whole read model gets into a SQLite file.
namespace tenantry::projections::sqlite {

// `before` is the mark that must still stand.

// Into a file of its own that is put in place at the end.
[[nodiscard]] std::unique_ptr<Load> load_new_file(const ConnectOptions& target,
                                                  const LoadOptions& options,
                                                  const std::optional<Mark>& before);
// Into a database that has other tables but none of ours, in one transaction.
[[nodiscard]] std::unique_ptr<Load> load_new_tables(Connection& connection,
                                                    const LoadOptions& options,
                                                    const std::optional<Mark>& before);
// Staged in temporary tables, then merged in one transaction.
[[nodiscard]] std::unique_ptr<Load> load_in_place(Connection& connection,
                                                  const LoadOptions& options,
                                                  const std::optional<Mark>& before);

}  // namespace tenantry::projections::sqlite
