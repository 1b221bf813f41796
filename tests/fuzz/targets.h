#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "events/values.h"

// What reads bytes that anybody may have written, each part as a function that takes any bytes and
// checks what must hold of the outcome. Fuzzers call it with inputs that they make up, the test
// suite with seeds and with every input that ever failed.
namespace tenantry::fuzz {

// When it is, to every target.
inline constexpr events::Timestamp kNow{1'770'000'000'000'000};

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
};

[[nodiscard]] const std::vector<Target>& targets();
[[nodiscard]] const Target* find_target(std::string_view name);  // Null for none.

// Ends the process, naming what does not hold.
void require(bool holds, std::string_view what);

void run_event(std::string_view input);    // An event, as it stands in a record.
void run_block(std::string_view input);    // A block of records, its checksum mended.
void run_stored(std::string_view input);   // All else that is stored: the first byte says what.
void run_files(std::string_view input);    // The `ack` file and RocksDB's write-ahead log.
void run_command(std::string_view input);  // A line of NDJSON, through its decision.
void run_json(std::string_view input);     // A document and, behind a zero byte, a patch of it.
void run_segment(std::string_view input);  // A sealed segment; the first byte says how it is made.
void run_frames(std::string_view input);   // What a caller of the owner of a store sends.
void run_text(std::string_view input);     // Names, times, points, options, conditions.

}  // namespace tenantry::fuzz
