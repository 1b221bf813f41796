#include "core/manifest.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/error.h"
#include "core/file_ops.h"
#include "core/log_fragments.h"

namespace tenantry {
namespace {

namespace fs = std::filesystem;
using log_fragments::fragment_at;
using log_fragments::kBlockBytes;
using log_fragments::kHeaderBytes;

// A record of the manifest is an edit: parts that each begin with one of these numbers.
enum Part : std::uint32_t {
  kComparator = 1,
  kLogNumber = 2,  // Of the family: older logs hold nothing of it that is not in table files.
  kNextFile = 3,
  kLastSequence = 4,
  kDeletedFile = 6,
  kPreviousLog = 9,
  kOldestLog = 10,
  kNewFile = 103,
  kFamily = 200,
  kFamilyAdded = 201,
  kLargestFamily = 203,
  kInAtomicGroup = 300,
};
constexpr std::uint32_t kBringsItsLength = 1U << 13U;
constexpr std::uint64_t kEndOfNewFile = 1;

// Reads an edit. Once something does not fit, all that follows is nothing.
class EditReader {
 public:
  explicit EditReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool more() const { return good_ && !rest_.empty(); }
  [[nodiscard]] bool good() const { return good_; }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  void skip_text() {
    const std::uint64_t length = number();
    good_ = good_ && length <= rest_.size();
    if (good_) rest_.remove_prefix(length);
  }
  void skip_new_file() {
    for (int i = 0; i < 3; ++i) number();  // Level, number, size.
    for (int i = 0; i < 2; ++i) skip_text();
    for (int i = 0; i < 2; ++i) number();
    while (good_ && number() != kEndOfNewFile) skip_text();
  }
  void fail() { good_ = false; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct Edit {
  std::uint64_t family = 0;
  std::optional<std::uint64_t> log_number;
  std::uint64_t oldest_log = 0;
  std::optional<std::uint64_t> next_file;
  std::optional<std::uint64_t> last_sequence;
  // Of the group that it belongs to, so many edits come after it. A group counts once all of it is
  // there.
  std::optional<std::uint64_t> left_of_group;
};

std::optional<Edit> read_edit(std::string_view record) {
  EditReader reader(record);
  Edit edit;
  while (reader.more()) {
    switch (const std::uint64_t part = reader.number()) {
      case kLogNumber:
        edit.log_number = reader.number();
        break;
      case kNextFile:
        edit.next_file = reader.number();
        break;
      case kLastSequence:
        edit.last_sequence = reader.number();
        break;
      case kFamily:
        edit.family = reader.number();
        break;
      case kInAtomicGroup:
        edit.left_of_group = reader.number();
        break;
      case kOldestLog:
        edit.oldest_log = reader.number();
        break;
      case kPreviousLog:
      case kLargestFamily:
        reader.number();
        break;
      case kDeletedFile:
        reader.number();
        reader.number();
        break;
      case kComparator:
      case kFamilyAdded:
        reader.skip_text();
        break;
      case kNewFile:
        reader.skip_new_file();
        break;
      default:
        (part & kBringsItsLength) != 0 ? reader.skip_text() : reader.fail();
    }
  }
  return reader.good() ? std::optional(edit) : std::nullopt;
}

struct Record {
  std::string payload;
  std::size_t end = 0;  // In the file.
};

// The record that begins at `at`, if a whole one does.
std::optional<Record> record_at(std::string_view file, std::size_t at) {
  Record record;
  for (bool begun = false; at < file.size();) {
    const std::size_t start = at / kBlockBytes * kBlockBytes;
    if (at + kHeaderBytes > start + kBlockBytes) {
      at = start + kBlockBytes;
      continue;
    }
    const auto fragment = fragment_at(file.substr(start, kBlockBytes), at - start);
    if (!fragment || fragment->begins_record() == begun) break;
    begun = true;
    record.payload += fragment->payload;
    at += fragment->bytes;
    record.end = at;
    if (fragment->ends_record()) return record;
  }
  return std::nullopt;
}

// What the whole edits from the beginning on come to, without those of a group that is not.
struct Manifest {
  std::size_t whole_bytes = 0;  // That they take,
  std::size_t read_bytes = 0;   // and with those of such a group.
  std::uint64_t next_file = 0;
  std::uint64_t last_sequence = 0;
  std::map<std::uint64_t, std::uint64_t> log_numbers;  // By family.
  std::uint64_t oldest_log = 0;                        // That any of them needs, if it is said.
  bool goes_back = false;
  bool understood = true;
  std::vector<Edit> group;  // Of which more is to come.

  void add(const Record& record) {
    const std::optional<Edit> edit = read_edit(record.payload);
    understood = understood && edit;
    if (!understood) return;
    read_bytes = record.end;
    group.push_back(*edit);
    if (edit->left_of_group.value_or(0) > 0) return;
    for (const Edit& part : group) apply(part);
    group.clear();
    whole_bytes = record.end;
  }
  void apply(const Edit& edit) {
    next_file = std::max(next_file, edit.next_file.value_or(0));
    goes_back = goes_back || edit.last_sequence.value_or(last_sequence) < last_sequence;
    last_sequence = edit.last_sequence.value_or(last_sequence);
    oldest_log = std::max(oldest_log, edit.oldest_log);
    if (!edit.log_number) return;
    std::uint64_t& number = log_numbers[edit.family];
    number = std::max(number, *edit.log_number);
  }
};

Manifest read_manifest(std::string_view file) {
  Manifest manifest;
  for (auto record = record_at(file, 0); record; record = record_at(file, record->end)) {
    manifest.add(*record);
  }
  return manifest;
}

// Whether behind the damage there is what was written once the damaged edit was synced: a whole
// edit, unless it and all others are the rest of a group, which is synced as one. A group has at
// most an edit for each family, and one that says which logs are needed no more.
bool goes_on_after(std::string_view file, const Manifest& manifest) {
  std::uint64_t left = manifest.log_numbers.size();
  if (!manifest.group.empty()) left = *manifest.group.back().left_of_group;
  for (std::size_t at = manifest.read_bytes; at < file.size();) {
    const auto record = record_at(file, at);
    if (!record || record->payload.empty()) {
      ++at;
      continue;
    }
    const auto edit = read_edit(record->payload);
    if (!edit || !edit->left_of_group || *edit->left_of_group >= left) return true;
    left = *edit->left_of_group;
    at = record->end;
  }
  return false;
}

}  // namespace

struct ManifestCheck::Read {
  fs::path path;
  std::uint64_t number = 0;
  std::string bytes;
  Manifest manifest;
};

ManifestCheck::ManifestCheck(const fs::path& database) {
  constexpr std::string_view kPrefix = "MANIFEST-";
  const std::string named = read_file(database / "CURRENT").value_or("");
  if (!named.starts_with(kPrefix) || !named.ends_with('\n')) return;
  auto read = std::make_unique<Read>();
  read->path = database / named.substr(0, named.size() - 1);
  std::from_chars(named.data() + kPrefix.size(), named.data() + named.size(), read->number);
  auto bytes = read_file(read->path);
  if (!bytes) return;
  read->bytes = std::move(*bytes);
  read->manifest = read_manifest(read->bytes);
  if (read->manifest.understood) read_ = std::move(read);
}

ManifestCheck::~ManifestCheck() = default;

std::uint64_t ManifestCheck::oldest_log() const {
  if (!read_ || read_->manifest.log_numbers.empty()) return 0;
  const auto older = [](const auto& left, const auto& right) { return left.second < right.second; };
  const auto& numbers = read_->manifest.log_numbers;
  return std::max(read_->manifest.oldest_log,
                  std::min_element(numbers.begin(), numbers.end(), older)->second);
}

std::optional<LogFileEnd> ManifestCheck::check(const LogFilesEnd& logs) const {
  if (!read_) return std::nullopt;
  const Manifest& manifest = read_->manifest;
  const std::string path = read_->path.string();
  if (manifest.goes_back) {
    throw CorruptionError(
        fmt::format("{} goes back to changes before {}", path, manifest.last_sequence));
  }
  // The last of the edits that a manifest is begun with gives its own number away.
  if (manifest.next_file <= read_->number) {
    throw CorruptionError(path + " is an older one, or its end is lost");
  }
  const auto first = logs.first_sequences.begin();
  if (first != logs.first_sequences.end() && first->second > manifest.last_sequence + 1) {
    throw CorruptionError(fmt::format(
        "{} ends at change {}, the write-ahead log begins with {}: what lies between is lost", path,
        manifest.last_sequence, first->second));
  }
  const LogFileEnd end{read_->path,
                       read_->bytes.size(),
                       manifest.whole_bytes,
                       goes_on_after(read_->bytes, manifest),
                       {}};
  return end.damaged() ? std::optional(end) : std::nullopt;
}

}  // namespace tenantry
