#include "core/write_ahead_log.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/file_ops.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

// The file is a row of blocks; a record is one fragment, or several that follow each other. No
// fragment crosses a block's end. A fragment: u32 masked CRC-32C of type and payload, u16 length of
// the payload, u8 type. What is left of a block and too short for a header is zeros.
constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTypeAt = 6;
constexpr std::size_t kBatchHeaderBytes = 12;  // The shortest record that is a write.
enum FragmentType : std::uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

struct Fragment {
  std::uint8_t type = 0;
  std::size_t bytes = 0;  // With its header.
};

// The fragment that begins at `at`, if a whole one does.
std::optional<Fragment> fragment_at(std::string_view block, std::size_t at) {
  if (at + kHeaderBytes > block.size()) return std::nullopt;
  const auto type = static_cast<std::uint8_t>(block[at + kTypeAt]);
  if (type < kFull || type > kLast) return std::nullopt;
  const auto length = read_le<std::uint16_t>(block, at + kLengthAt);
  if (at + kHeaderBytes + length > block.size()) return std::nullopt;
  const std::string_view covered = block.substr(at + kTypeAt, std::size_t{1} + length);
  if (masked(crc32c(covered)) != read_le<std::uint32_t>(block, at)) return std::nullopt;
  return Fragment{type, kHeaderBytes + length};
}

bool is_zeros(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

// Takes the blocks of a file, one after the other.
class Examination {
 public:
  // False when nothing more can be learned.
  bool take(std::string_view block) {
    std::size_t at = 0;
    while (!damage_met_ && at < block.size()) {
      const auto fragment = fragment_at(block, at);
      if (!fragment || !fits(fragment->type)) {
        damage_met_ = !is_trailer(block, at);
        if (!damage_met_) at = block.size();
        break;
      }
      at += fragment->bytes;
      in_record_ = fragment->type == kFirst || fragment->type == kMiddle;
      if (!in_record_) whole_ = start_ + at;
    }
    // The rest of a block after whole records belongs to them.
    if (!damage_met_ && !in_record_) whole_ = start_ + block.size();
    if (damage_met_) search(block, at);
    start_ += block.size();
    return !goes_on_;
  }

  [[nodiscard]] std::uint64_t whole() const { return whole_; }
  [[nodiscard]] bool goes_on() const { return goes_on_; }

 private:
  [[nodiscard]] bool fits(std::uint8_t type) const {
    return in_record_ == (type == kMiddle || type == kLast);
  }

  static bool is_trailer(std::string_view block, std::size_t at) {
    return block.size() == kBlockBytes && block.size() - at < kHeaderBytes &&
           is_zeros(block.substr(at));
  }

  // Whether a record begins anywhere from `at` on: the length of what is damaged says nothing.
  void search(std::string_view block, std::size_t at) {
    while (at + kHeaderBytes <= block.size()) {
      const auto fragment = fragment_at(block, at);
      if (!fragment) {
        ++at;
        continue;
      }
      const bool begins = fragment->type == kFull || fragment->type == kFirst;
      if (begins && fragment->bytes >= kHeaderBytes + kBatchHeaderBytes) {
        goes_on_ = true;
        return;
      }
      at += fragment->bytes;
    }
  }

  std::uint64_t start_ = 0;  // Of the block.
  std::uint64_t whole_ = 0;
  bool in_record_ = false;
  bool damage_met_ = false;
  bool goes_on_ = false;
};

// Fills `block` from `offset` on, less at the end of the file.
std::size_t read_block(const FileDescriptor& file, const fs::path& path, std::uint64_t offset,
                       std::string& block) {
  std::size_t filled = 0;
  while (filled < block.size()) {
    const ssize_t count = ::pread(file.get(), block.data() + filled, block.size() - filled,
                                  static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error("read", path, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

}  // namespace

LogFileEnd examine_log_file(const fs::path& path) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  LogFileEnd end;
  end.path = path;
  Examination examination;
  std::string block(kBlockBytes, '\0');
  bool more = true;
  while (const std::size_t filled = read_block(file, path, end.bytes, block)) {
    end.bytes += filled;
    if (more) more = examination.take(std::string_view(block).substr(0, filled));
  }
  end.whole_bytes = examination.whole();
  end.goes_on = examination.goes_on();
  return end;
}

LogFilesEnd examine_log_files(const fs::path& database) {
  std::vector<std::pair<std::uint64_t, fs::path>> files;
  for (const auto& entry : fs::directory_iterator(database)) {
    const std::string number = entry.path().stem().string();
    const bool numbered = !number.empty() && number.size() < 19 &&
                          number.find_first_not_of("0123456789") == std::string::npos;
    if (entry.path().extension() != ".log" || !numbered || entry.file_size() == 0) continue;
    files.emplace_back(std::stoull(number), entry.path());
  }
  std::sort(files.begin(), files.end());
  LogFilesEnd end;
  for (const auto& [number, path] : files) {
    if (end.last) end.older_damaged = end.older_damaged || end.last->damaged();
    end.last = examine_log_file(path);
  }
  return end;
}

std::string damaged_place(const LogFileEnd& file) {
  return fmt::format("bytes {} to {} of {}", file.whole_bytes, file.bytes, file.path.string());
}

}  // namespace tenantry
