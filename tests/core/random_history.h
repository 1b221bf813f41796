#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/decide.h"
#include "events/commands.h"
#include "tests/support/counting_ids.h"

namespace tenantry {

// Commands of every kind, drawn at random from few names, so that they collide. The same seed gives
// the same history. Time goes on by 0 to 40 hours with each, so that invitations lapse.
class RandomHistory {
 public:
  explicit RandomHistory(unsigned seed) : random_(seed) {}
  RandomHistory(unsigned seed, events::Timestamp now) : random_(seed), now_(now) {}

  // Lines that make users, tenants and what they have, for the drawn commands to change: on an
  // empty store each is accepted.
  [[nodiscard]] static std::vector<std::string> opening_lines();
  // The next command as a line of NDJSON.
  [[nodiscard]] std::string next_line();
  // Draws commands until one is accepted on `state`, and gives its events; empty when nothing would
  // change.
  [[nodiscard]] std::vector<events::EncodedEvent> next(const StateView& state);
  [[nodiscard]] events::Timestamp now() const { return now_; }
  // How often each command was accepted or refused, by `name: outcome`.
  [[nodiscard]] const std::map<std::string, int>& outcomes() const { return outcomes_; }

 private:
  template <class Range>
  [[nodiscard]] std::string pick(const Range& range) {
    return range[random_() % std::size(range)];
  }
  [[nodiscard]] std::string flag() { return random_() % 2 == 0 ? "true" : "false"; }
  [[nodiscard]] std::string later(std::int64_t hours_max);
  [[nodiscard]] std::string user_data(int choice);
  [[nodiscard]] std::string draw();

  std::mt19937 random_;
  events::Timestamp now_{1'769'860'800'000'000};
  CountingIds ids_;
  std::map<std::string, int> outcomes_;
};

}  // namespace tenantry
