#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/event_source.h"
#include "events/events.capnp.h"
#include "projections/verify.h"
#include "tests/support/fake_state.h"

namespace tenantry::projections {

using Fill = std::function<void(events::Event::Builder)>;

// A log in memory, with the state at its end. Event n is recorded n seconds and n microseconds
// after a fixed time.
class FakeLog final : public EventSource {
 public:
  explicit FakeLog(std::uint64_t store = 1) { identity_.store = number(store); }

  // A command that leads to these events.
  void append(const std::vector<Fill>& command);
  void append(const Fill& event) { append(std::vector<Fill>{event}); }

  void register_user(std::int32_t id, const std::string& username);
  void rename_user(std::int32_t id, const std::string& username);
  void delete_user(std::int32_t id);
  void create_tenant(std::uint64_t id, const std::string& slug);
  void change_slug(std::uint64_t id, const std::string& slug);
  void add_member(std::int64_t id, std::uint64_t tenant, std::int32_t user);
  void add_domain(std::int64_t id, std::uint64_t tenant, const std::string& host);
  void invite(std::uint64_t id, std::uint64_t tenant, const std::string& email);
  void delete_invitation(std::uint64_t id, std::uint64_t tenant, const std::string& email);
  void create_preferences(std::int64_t id, std::int32_t user, const std::string& layout);
  // Two users, two tenants, and something in every other table.
  void fill_every_table();
  // Valid commands of all sorts, with values that change hands.
  void append_random(std::mt19937_64& random, std::size_t commands);

  void restore() { ++identity_.incarnation; }
  void forget_end(std::size_t events);
  // The same events with other bytes, as if history had been written anew.
  void rewrite_history() { ++rewritten_; }

  [[nodiscard]] Position end() const { return Position{events_.size()}; }
  [[nodiscard]] StateAt state_at() const;
  static events::Uuid number(std::uint64_t id) {
    return events::entity_key(static_cast<std::int64_t>(id));
  }

  [[nodiscard]] StoreIdentity identity() const override { return identity_; }
  [[nodiscard]] LogTail tail() const override;
  void read_after(Position after, Position through,
                  const std::function<bool(const StoredEvent&)>& visit) const override;
  [[nodiscard]] RowsAt rows_now() const override;
  [[nodiscard]] RowsAt rows_at(Position position, const Progress& progress) const override;
  void fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                 const std::function<bool(const FoldedRow&)>& visit) const override;
  [[nodiscard]] std::optional<Hash> chain_hash_at(Position position) const override;

 private:
  struct Kept {
    std::string payload;
    std::uint32_t index = 0;
    std::uint32_t count = 1;
  };
  [[nodiscard]] static events::Timestamp time_of(Position position);
  [[nodiscard]] FakeState fold(Position through) const;

  StoreIdentity identity_{{}, 1};
  std::vector<Kept> events_;
  FakeState state_;
  std::uint8_t rewritten_ = 0;
  mutable std::deque<FakeState> folded_;
};

}  // namespace tenantry::projections
