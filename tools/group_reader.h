#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "events/commands.h"
#include "tools/answer_output.h"
#include "tools/wake_up.h"

namespace tenantry::tools {

// Lines that are answered together.
struct CommandGroup {
  // A line that is a command, the next one of `requests`, or that has its answer already.
  struct Entry {
    AnsweredLine line;
    std::optional<Answer> answer;
  };
  std::vector<Entry> entries;
  std::vector<events::CommandRequest> requests;
  std::size_t bytes = 0;         // Of the lines in `requests`.
  std::uint64_t bytes_read = 0;  // Of all sources, up to here.
};

// Reads lines from one source after the other and parses them, on a thread of its own: one group
// ahead of whoever commits, so that neither waits for the other. A group is handed out when it is
// full or when the source has no more lines for the moment; until somebody comes for it, lines are
// added to it. Memory is bounded by two groups.
// Threads: one calls next(). Lifetime: the descriptors stay open until the object is destroyed,
// which ends the thread even while it waits for input.
class GroupReader {
 public:
  struct Source {
    int descriptor;
    std::string name;  // For answers; empty for none.
  };
  struct Options {
    events::CommandDefaults defaults = {};
    std::size_t commands_max = 1024;
    std::size_t bytes_max = std::size_t{8} << 20;
    bool historic = false;
    bool ends_at_refusal = false;  // Nothing is read after a line that is no command.
    std::stop_token interrupt = {};
  };

  GroupReader(std::vector<Source> sources, Options options);
  GroupReader(const GroupReader&) = delete;
  GroupReader& operator=(const GroupReader&) = delete;
  ~GroupReader() = default;  // Stops and joins the thread.

  // The next group, which is not empty. nullopt at the end and once interrupted: what was read and
  // not handed out is thrown away then. What reading threw is thrown here, after all that was read
  // before.
  [[nodiscard]] std::optional<CommandGroup> next();
  // next() gave nullopt before the end of the sources.
  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  // How reading a source, or adding a line, ended: with nothing more there, with a line after
  // which nothing counts, or early.
  enum class Outcome { kMore, kEnd, kLast, kStopped };

  void run(const std::stop_token& stop);
  [[nodiscard]] Outcome read(const Source& source, const std::stop_token& stop);
  [[nodiscard]] std::optional<Answer> parse(std::string_view text, bool too_long,
                                            std::optional<events::CommandRequest>& request) const;
  // Waits until there is room.
  [[nodiscard]] Outcome add(const AnsweredLine& line, std::string_view text, bool too_long,
                            const std::stop_token& stop);
  void hand_out();
  [[nodiscard]] bool full() const;

  const std::vector<Source> sources_;
  const Options options_;
  const WakeUp wake_up_;            // Ends the wait for input.
  std::uint64_t bytes_before_ = 0;  // Of the thread: read from the sources that are done.
  std::uint64_t bytes_read_ = 0;    // Of the thread: the same with the present source.
  bool interrupted_ = false;        // Of the caller.

  std::mutex mutex_;
  std::condition_variable_any changed_;
  CommandGroup group_;       // Guarded by mutex_, as are the next four: the one being filled.
  bool handed_out_ = false;  // It may be taken though it is not full.
  bool ended_ = false;       // Nothing more is added,
  bool stopped_ = false;     // though there was more.
  std::exception_ptr fault_;

  std::jthread thread_;  // After what it uses; the next one uses it.
  std::optional<std::stop_callback<std::function<void()>>> on_interrupt_;
};

}  // namespace tenantry::tools
