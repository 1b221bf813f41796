#include "tools/group_reader.h"

#include <utility>
#include <variant>

#include <fmt/format.h>

#include "tools/line_reader.h"

namespace tenantry::tools {

GroupReader::GroupReader(std::vector<Source> sources, Options options)
    : sources_(std::move(sources)), options_(std::move(options)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  on_interrupt_.emplace(options_.interrupt, [this] { thread_.request_stop(); });
}

std::optional<CommandGroup> GroupReader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, options_.interrupt, [this] { return handed_out_ || ended_ || full(); });
  const bool all_done = ended_ && !stopped_ && group_.entries.empty();
  if (options_.interrupt.stop_requested() && !all_done) {
    interrupted_ = true;
    return std::nullopt;
  }
  if (group_.entries.empty()) {
    if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
    return std::nullopt;
  }
  handed_out_ = false;
  CommandGroup group = std::exchange(group_, {});
  changed_.notify_all();
  return group;
}

void GroupReader::run(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] { wake_up_.signal(); });
  Outcome outcome = Outcome::kEnd;
  std::exception_ptr fault;
  try {
    for (const Source& source : sources_) {
      outcome = read(source, stop);
      if (outcome != Outcome::kEnd) break;
    }
  } catch (...) {  // Whatever it is: next() throws it.
    outcome = Outcome::kStopped;
    fault = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  ended_ = true;
  stopped_ = outcome == Outcome::kStopped;
  changed_.notify_all();
}

GroupReader::Outcome GroupReader::read(const Source& source, const std::stop_token& stop) {
  LineReader reader(source.descriptor, wake_up_.descriptor());
  AnsweredLine line;
  line.file = source.name;
  bool wait = false;
  Outcome outcome = Outcome::kMore;
  while (outcome == Outcome::kMore) {
    const LineReader::Result result = reader.next(wait);
    bytes_read_ = bytes_before_ + reader.bytes_read();
    wait = result == LineReader::Result::kNothingYet;
    switch (result) {
      case LineReader::Result::kLine:
        ++line.number;
        outcome = add(line, reader.line(), reader.too_long(), stop);
        break;
      case LineReader::Result::kNothingYet:
        hand_out();
        break;
      case LineReader::Result::kEnd:
        outcome = Outcome::kEnd;
        break;
      case LineReader::Result::kInterrupted:
        outcome = Outcome::kStopped;
        break;
    }
  }
  bytes_before_ = bytes_read_;
  return outcome;
}

std::optional<Answer> GroupReader::parse(std::string_view text, bool too_long,
                                         std::optional<events::CommandRequest>& request) const {
  if (too_long) {
    return refused(
        {.invalid = true,
         .code = "too_large",
         .field = {},
         .message = fmt::format("a line must have at most {} bytes", events::kLineBytesMax)});
  }
  auto parsed = events::parse_command_line(text, options_.defaults, options_.historic);
  if (auto* refusal = std::get_if<events::Refusal>(&parsed)) return refused(std::move(*refusal));
  request = std::get<events::CommandRequest>(std::move(parsed));
  return std::nullopt;
}

GroupReader::Outcome GroupReader::add(const AnsweredLine& line, std::string_view text,
                                      bool too_long, const std::stop_token& stop) {
  const bool blank = !too_long && text.find_first_not_of(" \t\r") == std::string_view::npos;
  if (blank) return Outcome::kMore;
  std::optional<events::CommandRequest> request;
  std::optional<Answer> answer = parse(text, too_long, request);
  const bool last = answer && options_.ends_at_refusal;
  std::unique_lock lock(mutex_);
  if (full()) changed_.wait(lock, stop, [this] { return !full(); });
  if (stop.stop_requested()) return Outcome::kStopped;
  group_.entries.push_back({line, std::move(answer)});
  group_.bytes_read = bytes_read_;
  if (request) {
    group_.bytes += text.size();
    group_.requests.push_back(std::move(*request));
  }
  if (full()) changed_.notify_all();
  return last ? Outcome::kLast : Outcome::kMore;
}

// The caller need not wait for a full group.
void GroupReader::hand_out() {
  const std::lock_guard lock(mutex_);
  if (group_.entries.empty()) return;
  handed_out_ = true;
  changed_.notify_all();
}

bool GroupReader::full() const {
  return group_.entries.size() >= options_.commands_max || group_.bytes >= options_.bytes_max;
}

}  // namespace tenantry::tools
