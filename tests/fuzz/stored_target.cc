#include <variant>

#include "core/batch.h"
#include "core/error.h"
#include "core/head.h"
#include "events/encoding.h"
#include "tests/fuzz/targets.h"

namespace tenantry::fuzz {
namespace {

bool same(const Head& left, const Head& right) {
  return left.incarnation == right.incarnation && left.term == right.term &&
         left.batch_seq == right.batch_seq && left.tail == right.tail &&
         left.last_recorded == right.last_recorded && left.scopes == right.scopes &&
         left.counters.sums() == right.counters.sums() &&
         left.mark_position == right.mark_position && left.mark_time == right.mark_time;
}

void read_head(std::string_view bytes) {
  const Head head = decode_head(bytes);
  require(same(decode_head(encode_head(head)), head), "a head reads as it was written");
}

void read_store_info(std::string_view bytes) {
  const StoreInfo info = decode_store_info(bytes);
  const StoreInfo again = decode_store_info(encode_store_info(info));
  require(again.id == info.id && again.hash_key == info.hash_key &&
              again.created_at == info.created_at && again.made_by == info.made_by,
          "store information reads as it was written");
}

void read_command_table(std::string_view bytes) {
  (void)decode_command_table(bytes);
  if (!bytes.empty()) (void)command_table_term(bytes);
}

void read_answer(std::string_view bytes) {
  const CommandEntry entry = decode_idempotency({}, bytes);
  require(encode_idempotency(entry) == bytes, "an answer encodes the same");
}

void read_batch_image(std::string_view bytes) {
  const BatchImage image = decode_batch_image(bytes);
  const BatchImage again = decode_batch_image(encode_batch_image(image));
  require(again.header.seq == image.header.seq && again.commands == image.commands &&
              again.records == image.records && again.events.size() == image.header.events,
          "a batch reads as it was written");
}

void read_row(const events::TableInfo& table, std::string_view bytes) {
  const events::RowValues row = events::decode_row(table, bytes);
  require(events::decode_row(table, events::encode_row(table, row)) == row,
          "a row reads as it was written");
}

}  // namespace

void run_stored(std::string_view input) {
  using Read = void (*)(std::string_view);
  static constexpr Read kReads[] = {read_head, read_store_info, read_command_table, read_answer,
                                    read_batch_image};
  if (input.empty()) return;
  const std::size_t reads = std::size(kReads);
  const std::size_t what =
      static_cast<unsigned char>(input.front()) % (reads + events::tables().size());
  try {
    if (what < reads) {
      kReads[what](input.substr(1));
    } else {
      read_row(events::tables()[what - reads], input.substr(1));
    }
  } catch (const CorruptionError&) {
    return;
  } catch (const events::MalformedError&) {
    require(what >= reads, "what cannot be read is called damage");
  }
}

}  // namespace tenantry::fuzz
