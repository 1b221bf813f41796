#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "events/commands.h"

namespace tenantry {

// Lines of NDJSON drawn at random: commands of every kind with fields of every kind, out of few
// names and ids that users, tenants and all that they have share, so that they collide; and some
// lines that are no command, or whose fields are not what they must be. The same seed, the same
// lines.
class CollidingCommands {
 public:
  explicit CollidingCommands(std::uint64_t seed) : random_(seed) {}

  // `now`: the time that the line will be decided at.
  [[nodiscard]] std::string next_line(events::Timestamp now);
  // 0 to 40 hours, for the clock to go on: invitations and trials end.
  [[nodiscard]] std::int64_t pause_seconds();

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class Names>
  std::string pick(const Names& names) {
    return names[below(std::size(names))];
  }
  // Mostly the name of the topic.
  template <class Names>
  std::string near(const Names& names) {
    return one_in(4) ? pick(names) : names[topic_];
  }

  const events::CommandInfo& command();
  // `"key":value,…` of the fields that are given.
  std::string fields(const events::CommandInfo& info);
  bool gives(const events::CommandInfo& info, std::size_t place, std::size_t alternative);
  std::string value(const events::CommandInfo& info, const events::CommandField& field);
  std::string text(const events::CommandInfo& info, const events::CommandField& field);
  std::string name_of(events::Syntax syntax);
  std::string free_text(std::string_view field);
  std::string user();
  std::string tenant();
  std::string time();
  std::string wrong_value();
  std::string wrong_line();
  std::string circumstances();

  std::mt19937_64 random_;
  events::Timestamp now_;
  std::size_t lines_ = 0;
  std::size_t topic_ = 0;          // Of the line.
  std::vector<std::string> sent_;  // Lines with an id, to be sent again.
};

}  // namespace tenantry
