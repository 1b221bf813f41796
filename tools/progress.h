#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tenantry::tools {

// How far a long piece of work is, on standard error: a bar with rate and time left on a terminal,
// otherwise a line every few seconds.
class ProgressMeter {
 public:
  enum class Mode { kOff, kBar, kLines };

  // `label` says what is done, `unit` what is counted.
  ProgressMeter(Mode mode, std::string label, std::string unit);
  ProgressMeter(const ProgressMeter&) = delete;
  ProgressMeter& operator=(const ProgressMeter&) = delete;
  ~ProgressMeter();  // Takes the bar away.

  // Cheap enough for every record. `total` 0: not known.
  void update(std::uint64_t done, std::uint64_t total);

 private:
  void show(std::chrono::steady_clock::time_point now, std::uint64_t done, std::uint64_t total);

  Mode mode_;
  std::string label_;
  std::string unit_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point next_;
  bool shown_ = false;
};

// `[=====>    ] 50%`-like parts of the line, for tests.
[[nodiscard]] std::string progress_text(const std::string& label, const std::string& unit,
                                        std::uint64_t done, std::uint64_t total, double seconds,
                                        bool bar);

}  // namespace tenantry::tools
