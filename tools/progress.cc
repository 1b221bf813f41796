#include "tools/progress.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

namespace tenantry::tools {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What cannot be shown is not worth an error.
void write_line(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

SteadyClock::duration interval(ProgressMeter::Mode mode) {
  if (mode == ProgressMeter::Mode::kBar) return std::chrono::milliseconds(100);
  return std::chrono::seconds(5);
}

std::string duration_text(double seconds) {
  return fmt::format("{:%H:%M:%S}", std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

}  // namespace

std::string progress_text(const std::string& label, const std::string& unit, std::uint64_t done,
                          std::uint64_t total, double seconds, bool bar) {
  constexpr std::size_t kBarWidth = 24;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = label;
  if (total > 0) {
    const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    if (bar) {
      const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarWidth));
      text += fmt::format(" [{:<{}}]", std::string(filled, '#'), kBarWidth);
    }
    text += fmt::format(" {:3.0f}%  {} of {} {}", part * 100, done, total, unit);
  } else {
    text += fmt::format("  {} {}", done, unit);
  }
  text += fmt::format("  {:.0f}/s", rate);
  if (total > done && rate > 0) {
    text += "  " + duration_text(static_cast<double>(total - done) / rate) + " left";
  }
  return text;
}

ProgressMeter::ProgressMeter(Mode mode, std::string label, std::string unit)
    : mode_(mode),
      label_(std::move(label)),
      unit_(std::move(unit)),
      started_(SteadyClock::now()),
      next_(started_ + interval(mode)) {}

ProgressMeter::~ProgressMeter() {
  if (mode_ == Mode::kBar && shown_) write_line("\r\x1b[K");
}

void ProgressMeter::update(std::uint64_t done, std::uint64_t total) {
  if (mode_ == Mode::kOff) return;
  const auto now = SteadyClock::now();
  if (now >= next_) show(now, done, total);
}

void ProgressMeter::show(SteadyClock::time_point now, std::uint64_t done, std::uint64_t total) {
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const bool bar = mode_ == Mode::kBar;
  const std::string text = progress_text(label_, unit_, done, total, seconds, bar);
  write_line(bar ? "\r\x1b[K" + text : text + "\n");
  next_ = now + interval(mode_);
  shown_ = true;
}

}  // namespace tenantry::tools
