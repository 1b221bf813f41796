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
#include "core/file_ops.h"
#include "core/log_fragments.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;

using log_fragments::Fragment;
using log_fragments::fragment_at;
using log_fragments::kBlockBytes;
using log_fragments::kHeaderBytes;

// A record is a batch of changes: u64 sequence number of the first, u32 how many, the changes.
constexpr std::size_t kBatchHeaderBytes = 12;
constexpr std::size_t kCountAt = 8;

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
      if (!fragment || fragment->begins_record() == in_record_) {
        damage_met_ = !is_trailer(block, at);
        if (!damage_met_) at = block.size();
        break;
      }
      at += fragment->bytes;
      keep_batch_header(*fragment);
      in_record_ = !fragment->ends_record();
      if (in_record_) continue;
      whole_ = start_ + at;
      count_batch();
    }
    // The rest of a block after whole records belongs to them.
    if (!damage_met_ && !in_record_) whole_ = start_ + block.size();
    if (damage_met_) search(block, at);
    start_ += block.size();
    return !goes_on_;
  }

  [[nodiscard]] std::uint64_t whole() const { return whole_; }
  [[nodiscard]] bool goes_on() const { return goes_on_; }
  [[nodiscard]] const LogSequence& sequence() const { return sequence_; }

 private:
  void keep_batch_header(const Fragment& fragment) {
    if (fragment.begins_record()) batch_header_.clear();
    const std::size_t wanted =
        kBatchHeaderBytes - std::min(kBatchHeaderBytes, batch_header_.size());
    batch_header_ += fragment.payload.substr(0, wanted);
  }

  void count_batch() {
    if (batch_header_.size() < kBatchHeaderBytes) return;
    const auto first = read_le<std::uint64_t>(batch_header_, 0);
    sequence_.follow({first, first + read_le<std::uint32_t>(batch_header_, kCountAt)});
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
      if (fragment->begins_record() && fragment->bytes >= kHeaderBytes + kBatchHeaderBytes) {
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
  std::string batch_header_;  // Of the record that is being read, as far as it is.
  LogSequence sequence_;
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

void LogSequence::follow(const LogSequence& later) {
  if (later.empty()) return;
  in_order = in_order && later.in_order && (empty() || later.first >= end);
  if (empty()) first = later.first;
  end = later.end;
}

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
  end.sequence = examination.sequence();
  return end;
}

LogFilesEnd examine_log_files(const fs::path& database, std::uint64_t oldest) {
  std::vector<std::pair<std::uint64_t, fs::path>> files;
  for (const auto& entry : fs::directory_iterator(database)) {
    const std::string number = entry.path().stem().string();
    const bool numbered = !number.empty() && number.size() < 19 &&
                          number.find_first_not_of("0123456789") == std::string::npos;
    if (entry.path().extension() != ".log" || !numbered || entry.file_size() == 0) continue;
    if (std::stoull(number) < oldest) continue;
    files.emplace_back(std::stoull(number), entry.path());
  }
  std::sort(files.begin(), files.end());
  LogFilesEnd end;
  for (const auto& [number, path] : files) {
    if (end.last && end.last->damaged() && !end.older_damaged) {
      end.older_damaged = true;
      end.older_damage = damaged_place(*end.last);
    }
    end.last = examine_log_file(path);
    end.sequence.follow(end.last->sequence);
    if (!end.last->sequence.empty()) end.first_sequences[number] = end.last->sequence.first;
  }
  return end;
}

std::string damaged_place(const LogFileEnd& file) {
  return fmt::format("bytes {} to {} of {}", file.whole_bytes, file.bytes, file.path.string());
}

}  // namespace tenantry
