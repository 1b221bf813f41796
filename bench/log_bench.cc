#include <string>

#include <benchmark/benchmark.h>

#include "bench/workload.h"
#include "core/clock.h"
#include "core/crc32c.h"
#include "core/hash.h"
#include "core/keys.h"
#include "core/record.h"

// What the log is made of: hashes, records, blocks.
namespace tenantry::bench {
namespace {

// Both hashes of a record: of the payload, and of the header with the link before.
void chain_record(benchmark::State& state) {
  const std::string header(kRecordHeaderBytes, 'h');
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'p');
  Hash link{};
  for ([[maybe_unused]] auto turn : state) {
    link = chain_hash(link, std::string_view(header).substr(0, kRecordHashedBytes), payload);
  }
  benchmark::DoNotOptimize(link);
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(kRecordHashedBytes + payload.size()));
}
BENCHMARK(chain_record)->Arg(104)->Arg(1024)->Arg(65536);

void hash_actor(benchmark::State& state) {
  const std::string key(32, 'k');
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(keyed_hash(key, "ann@example.com"));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(hash_actor);

void sum_row(benchmark::State& state) {
  const std::string key(35, 'k');
  const std::string value(static_cast<std::size_t>(state.range(0)), 'v');
  RowSum sum;
  for ([[maybe_unused]] auto turn : state) sum.add(key, value);
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(key.size() + value.size()));
}
BENCHMARK(sum_row)->Arg(160)->Arg(4096);

StoredEvent event_at(std::uint64_t position, const std::string& payload) {
  StoredEvent event;
  event.position = {position};
  event.scope_seq = position;
  event.version = {1};
  event.scope = events::Scope::TENANTS;
  event.stream = uuid_from(2, position);
  event.payload = payload;
  return event;
}

std::string encode_records(std::size_t count) {
  const std::string payload(104, 'p');
  std::string records;
  Hash link{};
  for (std::uint64_t n = 1; n <= count; ++n) {
    records += encode_record_header(event_at(n, payload), link, link) + payload;
  }
  return records;
}

BlockHeader block_header(std::size_t count) {
  BlockHeader header;
  header.scope = events::Scope::TENANTS;
  header.records = static_cast<std::uint32_t>(count);
  header.first = {1};
  header.last = {count};
  header.first_scope_seq = 1;
  return header;
}

void encode_block_of_records(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::string records = encode_records(count);
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(encode_block(block_header(count), {}, records));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(records.size()));
}
BENCHMARK(encode_block_of_records)->Arg(1)->Arg(240);

void decode_block_of_records(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::string block = encode_block(block_header(count), {}, encode_records(count));
  const std::string key = keys::block(events::Scope::TENANTS, {1});
  for ([[maybe_unused]] auto turn : state) {
    benchmark::DoNotOptimize(Block(key, block).records().size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(block.size()));
}
BENCHMARK(decode_block_of_records)->Arg(1)->Arg(240);

void checksum(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'b');
  for ([[maybe_unused]] auto turn : state) benchmark::DoNotOptimize(crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(256)->Arg(65536);

}  // namespace
}  // namespace tenantry::bench
