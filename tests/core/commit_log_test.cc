#include "core/commit_log.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/random_history.h"
#include "tests/support/temp_directory.h"

namespace tenantry {
namespace {

using ::testing::SizeIs;

StoreInfo test_info() {
  return {events::entity_key(std::int64_t{1}), std::string(32, 'k'), {}, "test"};
}

events::EncodedEvent protein_added(std::int64_t id) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<events::Event>();
  event.setActor("tester");
  auto protein = event.initProteinAdded();
  protein.setId(id);
  protein.setName(("p" + std::to_string(id)).c_str());
  return events::encode_canonical(event.asReader());
}

// One copy of a store over a log: what a writer holds. Its own storage, and a view of the log.
struct Copy {
  explicit Copy(std::unique_ptr<Storage> own) : storage(std::move(own)) {
    ChangeSet changes;
    changes.put(Family::kMeta, "head", encode_head(head));
    EXPECT_EQ(storage->write(changes, true), WriteResult::kDone);
  }

  AppendOutcome append(std::uint64_t term, const std::vector<AcceptedCommand>& commands) {
    State state(*storage);
    BatchWriter writer(info, head, term, state);
    for (const AcceptedCommand& command : commands) (void)writer.add(command);
    ChangeSet changes;
    const Batch batch = writer.finish(changes);
    const AppendOutcome outcome = log->append(batch, changes);
    if (outcome == AppendOutcome::kCommitted) head = writer.head();
    return outcome;
  }
  AppendOutcome append(std::uint64_t term, std::int64_t protein) {
    AcceptedCommand command;
    command.events = {protein_added(protein)};
    command.recorded_at = {1000 + protein};
    return append(term, {command});
  }

  StoreInfo info = test_info();
  Head head;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<CommitLog> log;
};

std::string dump(const Storage& storage) {
  std::string all;
  for (std::size_t family = 0; family < kFamilyCount; ++family) {
    const auto cursor = storage.cursor(static_cast<Family>(family), {}, {}, true);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      all.append(std::to_string(family)).append(events::hex(cursor->key())).append("=");
      all.append(events::hex(cursor->value())).append("\n");
    }
  }
  return all;
}

// One set of promises for every implementation.
class CommitLogTest : public ::testing::TestWithParam<const char*> {
 protected:
  CommitLogTest() : copy_(make_storage()) {
    if (is_memory()) shared_ = make_memory_log_store();
    attach(copy_);
    term_ = copy_.log->open_term().term;
  }
  [[nodiscard]] bool is_memory() const { return std::string(GetParam()) == "memory"; }
  std::unique_ptr<Storage> make_storage() {
    if (is_memory()) return make_memory_storage();
    RocksOptions options;
    options.directory = temp_ / "db";
    options.create = true;
    return open_rocks_storage(options);
  }
  void attach(Copy& copy) {
    copy.log = is_memory() ? make_memory_log(shared_, *copy.storage)
                           : make_embedded_log(*copy.storage, copy.info);
  }

  TempDirectory temp_;
  std::shared_ptr<MemoryLogStore> shared_;
  Copy copy_;
  std::uint64_t term_ = 0;
};

TEST_P(CommitLogTest, TermsGrow) {
  ASSERT_EQ(copy_.append(term_, 1), AppendOutcome::kCommitted);
  attach(copy_);
  EXPECT_GT(copy_.log->open_term().term, term_);
}

TEST_P(CommitLogTest, ABatchThatDoesNotFollowTheTailIsAConflict) {
  ASSERT_EQ(copy_.append(term_, 1), AppendOutcome::kCommitted);
  const Head after_one = copy_.head;
  ASSERT_EQ(copy_.append(term_, 2), AppendOutcome::kCommitted);
  const std::string before = dump(*copy_.storage);
  Copy late(make_memory_storage());
  late.head = after_one;
  State state(*late.storage);
  BatchWriter writer(late.info, after_one, term_, state);
  AcceptedCommand command;
  command.events = {protein_added(3)};
  (void)writer.add(command);
  ChangeSet changes;
  const Batch batch = writer.finish(changes);
  EXPECT_EQ(copy_.log->append(batch, changes), AppendOutcome::kConflict);
  EXPECT_EQ(dump(*copy_.storage), before);
}

TEST_P(CommitLogTest, AnOlderTermIsFenced) {
  ASSERT_EQ(copy_.append(term_, 1), AppendOutcome::kCommitted);
  const std::uint64_t newer = copy_.log->open_term().term;
  EXPECT_EQ(copy_.append(term_, 2), AppendOutcome::kFenced);
  EXPECT_EQ(copy_.append(newer, 2), AppendOutcome::kCommitted);
}

TEST_P(CommitLogTest, ReadGivesBatchesInOrderFromAnyPlace) {
  for (int n = 1; n <= 5; ++n) ASSERT_EQ(copy_.append(term_, n), AppendOutcome::kCommitted);
  const auto all = copy_.log->read(0, std::size_t{1} << 20);
  ASSERT_THAT(all, SizeIs(5));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const BatchImage image = decode_batch_image(all[i].image);
    EXPECT_EQ(image.header.seq, i + 1);
    EXPECT_EQ(image.events.at(0).position.value, i + 1);
  }
  EXPECT_EQ(copy_.log->read(3, std::size_t{1} << 20).at(0).image, all[3].image);
  EXPECT_THAT(copy_.log->read(0, 1), SizeIs(1)) << "at least one, whatever its size";
  EXPECT_THAT(copy_.log->read(5, 1), SizeIs(0));
}

TEST_P(CommitLogTest, ABatchWithoutEventsIsABatch) {
  ASSERT_EQ(copy_.append(term_, 1), AppendOutcome::kCommitted);
  AcceptedCommand nothing;
  nothing.id = events::entity_key(std::int64_t{99});
  nothing.recorded_at = {5000};
  nothing.entity = EntityName{events::EntityKind::USER, events::entity_key(std::int64_t{4}), "ann"};
  ASSERT_EQ(copy_.append(term_, {nothing}), AppendOutcome::kCommitted);
  ASSERT_EQ(copy_.append(term_, 2), AppendOutcome::kCommitted);
  const auto all = copy_.log->read(0, std::size_t{1} << 20);
  ASSERT_THAT(all, SizeIs(3));
  const BatchImage image = decode_batch_image(all[1].image);
  EXPECT_EQ(image.header.events, 0U);
  EXPECT_EQ(image.header.term, term_);
  EXPECT_EQ(image.header.before, image.header.after);
  ASSERT_THAT(image.commands, SizeIs(1));
  EXPECT_EQ(image.commands[0].entity, nothing.entity);
}

// Law: a copy that replays the batches holds the same bytes, whatever the history, also when it is
// stopped between.
TEST_P(CommitLogTest, AReplicaHoldsTheSameBytes) {
  constexpr unsigned kSeed = 20261123;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  RandomHistory history(kSeed);
  for (int n = 0; n < 150; ++n) {
    const State state(*copy_.storage);
    AcceptedCommand command;
    command.events = history.next(state);
    command.recorded_at = history.now();
    command.id = events::entity_key(std::int64_t{1000 + n});
    ASSERT_EQ(copy_.append(term_, {command}), AppendOutcome::kCommitted);
  }
  Copy replica(make_memory_storage());
  std::uint64_t seq = 0;
  for (auto batches = copy_.log->read(seq, 4096); !batches.empty();
       batches = copy_.log->read(seq, 4096)) {
    for (const CertifiedBatch& batch : batches) {
      State state(*replica.storage);
      ChangeSet changes;
      (void)replay(decode_batch_image(batch.image), replica.info, replica.head, state, changes);
      ASSERT_EQ(replica.storage->write(changes, true), WriteResult::kDone);
      replica.head = decode_head(*replica.storage->get(Family::kMeta, "head"));
      seq = batch.seq;
    }
  }
  EXPECT_EQ(seq, 150U);
  EXPECT_EQ(dump(*replica.storage), dump(*copy_.storage));
}

TEST_P(CommitLogTest, AChangedBatchIsNotReplayed) {
  ASSERT_EQ(copy_.append(term_, 1), AppendOutcome::kCommitted);
  const std::string image = copy_.log->read(0, 1).at(0).image;
  int refused = 0;
  for (std::size_t at = 0; at < image.size(); at += 3) {
    std::string changed = image;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const Copy replica(make_memory_storage());
    State state(*replica.storage);
    ChangeSet changes;
    try {
      const BatchImage decoded = decode_batch_image(changed);
      (void)replay(decoded, replica.info, replica.head, state, changes);
      // What is not covered by the chain: how the batch was packed, and what the chain does not
      // hash.
      EXPECT_EQ(decoded.events.at(0).chain_hash, decode_batch_image(image).events.at(0).chain_hash);
    } catch (const CorruptionError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(image.size() / 6)) << "most of the bytes are covered";
}

INSTANTIATE_TEST_SUITE_P(Implementations, CommitLogTest, ::testing::Values("embedded", "memory"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(MemoryLogTest, ResolveTellsWhetherABatchIsThere) {
  Copy copy(make_memory_storage());
  copy.log = make_memory_log(make_memory_log_store(), *copy.storage);
  const std::uint64_t term = copy.log->open_term().term;
  State state(*copy.storage);
  BatchWriter writer(copy.info, copy.head, term, state);
  AcceptedCommand command;
  command.events = {protein_added(1)};
  (void)writer.add(command);
  ChangeSet changes;
  const Batch batch = writer.finish(changes);
  EXPECT_EQ(copy.log->resolve(batch), AppendOutcome::kConflict);
  ASSERT_EQ(copy.log->append(batch, changes), AppendOutcome::kCommitted);
  EXPECT_EQ(copy.log->resolve(batch), AppendOutcome::kCommitted);
}

}  // namespace
}  // namespace tenantry
