#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/counters.h"
#include "core/record.h"

// What blocks of the log account for beside it, computed from them alone.
namespace tenantry {

[[nodiscard]] std::vector<IndexEntry> index_entries(const Block& block);
// Adds the block's index entries, under that epoch, and its answers.
void count_block(const Block& block, std::uint32_t epoch, Counters& counters);
// The answers that a command table keeps.
void count_answers(std::string_view command_table, Counters& counters);

}  // namespace tenantry
