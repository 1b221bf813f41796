#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/decide.h"
#include "events/events.capnp.h"
#include "tests/support/counting_ids.h"
#include "tests/support/fake_state.h"

namespace tenantry {

// Carries commands out on a model of the state, and checks after each that the rows fit together.
//
// Commands are a name and `data` with single quotes for JSON's double ones; `beside` is what else
// stands in the line: `'expected_version':2`. Events print as `UserRenamed id=1 username=maria`:
// UUIDs of the form that CountingIds makes as #N, times as seconds after kNow (@-60), what an event
// leaves out not at all.
class DecidingTestBase : public ::testing::Test {
 protected:
  // 2026-01-31T12:00:00Z, the time that all events carry until pass_seconds().
  static constexpr events::Timestamp kNow{1'769'860'800'000'000};

  // Accepts the command or fails the test; gives its events.
  std::vector<std::string> run(std::string_view command, std::string_view data,
                               std::string_view beside = "");
  // The code and the field of the refusal: `username_taken username`; `accepted` if there was none.
  // Nothing is carried out.
  std::string refused(std::string_view command, std::string_view data,
                      std::string_view beside = "");
  // Of the last run() or refused().
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] const std::string& entity() const { return entity_; }  // `user 1 maria`
  [[nodiscard]] const std::vector<events::EncodedEvent>& encoded() const { return encoded_; }

  // Puts an event into the state, however it came to be.
  void given(const std::function<void(events::Event::Builder)>& fill);
  // The same for what tests need most. Users are active and have the password `!`; the tenant N is
  // #N.
  void given_user(std::int32_t id, const std::string& username);
  void given_tenant(std::uint64_t number, const std::string& slug,
                    std::optional<std::int64_t> created_by = std::nullopt);
  void given_member(std::int64_t id, std::uint64_t tenant, std::int32_t user,
                    const std::string& role, bool is_active = true);
  [[nodiscard]] static events::Uuid uuid(std::uint64_t number);  // What prints as #N.

  // A column of a row, printed as in events; `none` when there is no row.
  [[nodiscard]] std::string column(std::string_view table, const events::Uuid& id,
                                   std::string_view column) const;
  [[nodiscard]] std::string column(std::string_view table, std::int64_t id,
                                   std::string_view name) const {
    return column(table, events::entity_key(id), name);
  }
  [[nodiscard]] static std::string time(std::int64_t seconds_after_now);  // As a command spells it.
  void pass_seconds(std::int64_t seconds) { now_.micros += seconds * 1'000'000; }

  [[nodiscard]] const FakeState& state() const { return state_; }
  [[nodiscard]] CountingIds& ids() { return ids_; }

 private:
  DecideOutcome decide_line(std::string_view command, std::string_view data,
                            std::string_view beside);

  FakeState state_;
  CountingIds ids_;
  events::Timestamp now_ = kNow;
  std::string message_;
  std::string entity_;
  std::vector<events::EncodedEvent> encoded_;
};

// The names of the events' kinds.
[[nodiscard]] std::vector<std::string> kinds_of(const std::vector<std::string>& events);

}  // namespace tenantry
