#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/file_ops.h"
#include "core/rocks_diagnostics.h"

namespace tenantry::sim {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSectorBytes = 512;

std::atomic<SimDisk*> active_disk = nullptr;
thread_local bool inside_disk = false;

std::uint64_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string parent_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// The real operating system is asked here; it has no reason to refuse.
void require(bool done, const std::string& what) {
  if (!done) throw std::system_error(errno, std::generic_category(), "simulated disk: " + what);
}

std::string read_at(const std::string& path, std::uint64_t offset, std::uint64_t bytes) {
  std::string content(bytes, '\0');
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(file.get() >= 0, path);
  const ssize_t count =
      ::pread(file.get(), content.data(), content.size(), static_cast<off_t>(offset));
  require(count >= 0, path);
  content.resize(static_cast<std::size_t>(count));
  return content;
}

void write_at(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  require(file.get() >= 0, path);
  const ssize_t count =
      ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  require(count == static_cast<ssize_t>(bytes.size()), path);
}

void cut(const std::string& path, std::uint64_t size) {
  require(::truncate(path.c_str(), static_cast<off_t>(size)) == 0, path);
}

}  // namespace

class SimDisk::Hold {
 public:
  explicit Hold(std::mutex& mutex) : lock_(mutex) { inside_disk = true; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { inside_disk = false; }

 private:
  const std::lock_guard<std::mutex> lock_;
};

SimDisk::SimDisk(fs::path root, std::uint64_t seed)
    : root_(std::move(root)), hidden_(root_.string() + ".hidden"), random_(seed) {
  fs::create_directories(root_);
  fs::create_directories(hidden_);
  active_disk = this;
}

SimDisk::~SimDisk() {
  active_disk = nullptr;
  std::error_code ignored;
  fs::remove_all(hidden_, ignored);
}

SimDisk* SimDisk::active() { return inside_disk ? nullptr : active_disk.load(); }

bool SimDisk::covers(std::string_view path) const {
  const std::string& root = root_.native();
  const bool is_below =
      path.size() > root.size() && path.starts_with(root) && path[root.size()] == '/';
  return is_below && path.find(BoundedInfoLog::kFileName) == std::string_view::npos;
}

void SimDisk::crash_at(std::uint64_t change, Crash crash) {
  const Hold hold(mutex_);
  crash_at_ = changes_ + change;
  crash_ = crash;
}

void SimDisk::fail_at(std::uint64_t change, int error, bool once) {
  const Hold hold(mutex_);
  fail_at_ = changes_ + change;
  error_ = error;
  fails_once_ = once;
}

void SimDisk::limit_space(std::optional<std::uint64_t> bytes) {
  const Hold hold(mutex_);
  space_ = bytes;
}

std::uint64_t SimDisk::free_space() const {
  constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
  const Hold hold(mutex_);
  return space_.value_or(kPlenty);
}

void SimDisk::forgive() {
  const Hold hold(mutex_);
  crash_at_.reset();
  fail_at_.reset();
  space_.reset();
}

bool SimDisk::dead() const {
  const Hold hold(mutex_);
  return dead_;
}

void SimDisk::kill(Crash crash) {
  const Hold hold(mutex_);
  if (dead_) return;
  dead_ = true;
  crash_ = crash;
}

std::uint64_t SimDisk::trace_hash() const {
  const Hold hold(mutex_);
  return trace_;
}

std::uint64_t SimDisk::changes() const {
  const Hold hold(mutex_);
  return changes_;
}

SimDisk::Losses SimDisk::losses() const {
  const Hold hold(mutex_);
  return losses_;
}

std::vector<std::string> SimDisk::ruined() const {
  const Hold hold(mutex_);
  return ruined_;
}

// --- Changes.

SimDisk::Verdict SimDisk::begin(std::string_view kind, const std::string& path,
                                std::uint64_t size) {
  if (dead_) return {EIO, false};
  ++changes_;
  const std::string line =
      std::string(kind) + path.substr(root_.native().size()) + std::to_string(size);
  if (traced_) std::cerr << changes_ << ' ' << line << '\n';
  trace_ = XXH3_64bits_withSeed(line.data(), line.size(), trace_);
  if (crash_at_ == changes_) {
    dead_ = true;
    crash_at_.reset();
    return {EIO, draw(2) == 0};
  }
  if (!fail_at_ || changes_ < *fail_at_) return {};
  if (fails_once_) fail_at_.reset();
  return {error_, false};
}

int SimDisk::create(const std::string& path, bool empties) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("create", path, empties ? 1 : 0);
  if (verdict.error != 0) return verdict.error;
  if (!exists(path)) {
    note_name({NameChange::kCreate, path, {}, {}, changes_});
  } else if (empties) {
    note_write(path, 0, 0, size_of(path));
  }
  return 0;
}

int SimDisk::write(const std::string& path, std::uint64_t offset, std::uint64_t bytes,
                   std::uint64_t& allowed) {
  const Hold hold(mutex_);
  Verdict verdict = begin("write", path, bytes);
  allowed = bytes;
  const std::uint64_t size = size_of(path);
  const std::uint64_t end = offset + bytes;
  if (verdict.error == 0 && space_ && end > size) {
    const std::uint64_t growth = std::min(end - size, bytes);
    if (growth > *space_) {
      allowed = bytes - (growth - *space_);
      verdict.error = ENOSPC;
    }
    *space_ -= std::min(growth, *space_);
  } else if (verdict.error != 0) {
    // Of a write that fails a part may be there; of a dead process nothing more.
    allowed = dead_ && !verdict.done ? 0 : draw(bytes + 1);
  }
  if (allowed > 0) note_write(path, offset, allowed, std::min(size, offset + allowed));
  return verdict.error;
}

int SimDisk::truncate(const std::string& path, std::uint64_t size) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("truncate", path, size);
  if (verdict.error != 0) return verdict.error;
  note_write(path, size, 0, size_of(path));
  return 0;
}

int SimDisk::sync(const std::string& path) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("sync", path, 0);
  const auto found = files_.find(path);
  if (found == files_.end()) return verdict.error;
  File& file = *found->second;
  if (verdict.done) {
    file.writes.clear();
  } else if (!dead_) {
    for (const UnsyncedWrite& write : file.writes) {
      file.given_up.push_back({write.offset, write.offset + write.bytes});
    }
    file.writes.clear();
  }
  if (file.writes.empty() && file.given_up.empty()) files_.erase(found);
  return verdict.error;
}

int SimDisk::sync_directory(const std::string& path) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("sync_directory", path, 0);
  const auto found = directories_.find(path);
  if (verdict.done && found != directories_.end()) {
    forget_names(found->second);
    directories_.erase(found);
  }
  return verdict.error;
}

int SimDisk::make_directory(const std::string& path) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("make_directory", path, 0);
  if (!verdict.done) return verdict.error;
  constexpr mode_t kOwnerOnly = 0700;
  if (::mkdir(path.c_str(), kOwnerOnly) != 0) return errno;
  note_name({NameChange::kDirectory, path, {}, {}, changes_});
  return verdict.error;
}

int SimDisk::rename(const std::string& from, const std::string& to) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("rename", to, 0);
  if (!verdict.done) return verdict.error;
  const std::string hidden = hide(to);
  if (::rename(from.c_str(), to.c_str()) != 0) return errno;
  if (!hidden.empty()) move(to, hidden);
  move(from, to);
  note_name({NameChange::kRename, to, from, hidden, changes_});
  return verdict.error;
}

int SimDisk::exchange(const std::string& first, const std::string& second) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("exchange", first, 0);
  if (!verdict.done) return verdict.error;
  if (::renameat2(AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE) != 0) {
    return errno;
  }
  exchange_known(first, second);
  note_name({NameChange::kExchange, first, second, {}, changes_});
  return verdict.error;
}

int SimDisk::link(const std::string& from, const std::string& to) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("link", to, 0);
  if (!verdict.done) return verdict.error;
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  note_name({NameChange::kLink, to, from, {}, changes_});
  return verdict.error;
}

int SimDisk::remove(const std::string& path) {
  const Hold hold(mutex_);
  const Verdict verdict = begin("remove", path, 0);
  if (!verdict.done) return verdict.error;
  const std::string hidden = hide(path);
  if (space_) *space_ += size_of(path);
  if (::unlink(path.c_str()) != 0) return errno;
  move(path, hidden);
  note_name({NameChange::kRemove, path, {}, hidden, changes_});
  return verdict.error;
}

// --- What would undo them.

void SimDisk::note_write(const std::string& path, std::uint64_t offset, std::uint64_t bytes,
                         std::uint64_t overwritten_to) {
  std::shared_ptr<File>& file = files_[path];
  if (!file) file = std::make_shared<File>();
  write_again(*file,
              {offset, bytes == 0 ? std::numeric_limits<std::uint64_t>::max() : offset + bytes});
  UnsyncedWrite& write = file->writes.emplace_back();
  write.offset = offset;
  write.bytes = bytes;
  write.size_before = size_of(path);
  if (overwritten_to > offset) write.old = read_at(path, offset, overwritten_to - offset);
}

void SimDisk::write_again(File& file, Range written) {
  std::vector<Range> left;
  for (const Range& range : file.given_up) {
    const Range before{range.from, std::min(range.to, written.from)};
    const Range after{std::max(range.from, written.to), range.to};
    for (const Range& piece : {before, after}) {
      if (piece.from < piece.to) left.push_back(piece);
    }
  }
  file.given_up = std::move(left);
}

void SimDisk::note_name(UnsyncedName name) {
  directories_[parent_of(name.path)].push_back(std::move(name));
}

// A second name for what `path` names, so that it can come back.
std::string SimDisk::hide(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::string hidden = (hidden_ / std::to_string(++names_hidden_)).string();
  require(::link(path.c_str(), hidden.c_str()) == 0, hidden);
  return hidden;
}

void SimDisk::move(const std::string& from, const std::string& to) {
  const auto moved = [&](const std::string& path) {
    const bool is_inside = path.size() > from.size() && path.starts_with(from + "/");
    return path == from || is_inside ? to + path.substr(from.size()) : path;
  };
  std::map<std::string, std::shared_ptr<File>> files;
  for (auto& [path, file] : files_) files[moved(path)] = std::move(file);
  files_ = std::move(files);
  std::map<std::string, std::vector<UnsyncedName>> directories;
  for (auto& [directory, names] : directories_) {
    if (moved(directory) != directory) {
      for (UnsyncedName& name : names) {
        name.path = moved(name.path);
        name.other = moved(name.other);
      }
    }
    directories[moved(directory)] = std::move(names);
  }
  directories_ = std::move(directories);
}

void SimDisk::exchange_known(const std::string& first, const std::string& second) {
  const std::string aside = (hidden_ / "exchanged").string();
  move(first, aside);
  move(second, first);
  move(aside, second);
}

void SimDisk::forget_names(std::vector<UnsyncedName>& names) {
  for (const UnsyncedName& name : names) {
    if (name.hidden.empty()) continue;
    ::unlink(name.hidden.c_str());
    files_.erase(name.hidden);
  }
  names.clear();
}

// --- The crash.

void SimDisk::restart() {
  const Hold hold(mutex_);
  ruined_.clear();
  if (dead_ && crash_ == Crash::kPowerLoss) {
    lose_names();
    for (auto& [path, file] : files_) {
      if (exists(path)) lose_writes(path, *file);
    }
    files_.clear();
  }
  dead_ = false;
  crash_at_.reset();
  fail_at_.reset();
}

void SimDisk::lose_names() {
  std::vector<UnsyncedName> lost;
  for (auto& [directory, names] : directories_) {
    const auto kept = static_cast<std::ptrdiff_t>(draw(names.size() + 1));
    std::move(names.begin() + kept, names.end(), std::back_inserter(lost));
    names.resize(static_cast<std::size_t>(kept));
    forget_names(names);
  }
  directories_.clear();
  std::sort(lost.begin(), lost.end(),
            [](const UnsyncedName& a, const UnsyncedName& b) { return a.number > b.number; });
  losses_.names += lost.size();
  for (const UnsyncedName& name : lost) undo(name);
}

// A name that another change took away meanwhile, and kept, stays as that left it.
void SimDisk::undo(const UnsyncedName& name) {
  switch (name.change) {
    case NameChange::kCreate:
    case NameChange::kLink:
      ::unlink(name.path.c_str());
      files_.erase(name.path);
      break;
    case NameChange::kDirectory: {
      std::error_code ignored;
      fs::remove_all(name.path, ignored);
      break;
    }
    case NameChange::kRename: {
      // Whoever lived on after the crash may have removed its directory, in vain.
      std::error_code ignored;
      fs::create_directories(fs::path(name.other).parent_path(), ignored);
      if (::rename(name.path.c_str(), name.other.c_str()) == 0) move(name.path, name.other);
      break;
    }
    case NameChange::kExchange:
      ::renameat2(AT_FDCWD, name.path.c_str(), AT_FDCWD, name.other.c_str(), RENAME_EXCHANGE);
      exchange_known(name.path, name.other);
      break;
    case NameChange::kRemove:
      break;
  }
  if (name.hidden.empty()) return;
  if (::rename(name.hidden.c_str(), name.path.c_str()) == 0) move(name.hidden, name.path);
}

void SimDisk::lose_writes(const std::string& path, File& file) {
  std::vector<UnsyncedWrite>& writes = file.writes;
  const std::size_t kept = draw(writes.size() + 1);
  losses_.writes += writes.size() - kept;
  std::string torn;  // The first sectors of the first write that is lost.
  if (kept < writes.size() && writes[kept].bytes > 0 && draw(2) == 0) {
    const UnsyncedWrite& write = writes[kept];
    torn = read_at(path, write.offset, draw(write.bytes));
    const std::uint64_t end = (write.offset + torn.size()) / kSectorBytes * kSectorBytes;
    torn.resize(end > write.offset ? end - write.offset : 0);
  }
  for (std::size_t n = writes.size(); n > kept; --n) {
    const UnsyncedWrite& write = writes[n - 1];
    if (!write.old.empty()) write_at(path, write.offset, write.old);
    cut(path, write.size_before);
  }
  if (!torn.empty()) {
    write_at(path, writes[kept].offset, torn);
    ++losses_.torn;
  }
  if (kept > 0 && draw(4) == 0) garble(path, writes[draw(kept)]);
  for (const Range& range : file.given_up) {
    const std::uint64_t to = std::min(range.to, size_of(path));
    if (range.from >= to) continue;
    write_at(path, range.from, std::string(to - range.from, '\0'));
    ++losses_.writes;
    ruined_.push_back(path);
  }
}

// One sector of what was written holds nothing that anybody wrote.
void SimDisk::garble(const std::string& path, const UnsyncedWrite& write) {
  const std::uint64_t size = size_of(path);
  const std::uint64_t end = std::min(size, write.offset + write.bytes);
  if (end <= write.offset) return;
  const std::uint64_t at = write.offset + draw(end - write.offset);
  const std::uint64_t from = std::max(at / kSectorBytes * kSectorBytes, write.offset);
  std::string bytes(std::min(from / kSectorBytes * kSectorBytes + kSectorBytes, end) - from, '\0');
  for (char& byte : bytes) byte = static_cast<char>(draw(256));
  write_at(path, from, bytes);
  ++losses_.garbled;
}

}  // namespace tenantry::sim
