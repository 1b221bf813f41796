#include "core/ack_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/error.h"
#include "core/file_ops.h"

namespace tenantry {
namespace {

constexpr std::string_view kMagic = "TACK";
constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kIncarnationAt = 8;
constexpr std::size_t kTermAt = 16;
constexpr std::size_t kBatchSeqAt = 24;
constexpr std::size_t kTailAt = 32;
constexpr std::size_t kHeadDigestAt = 40;
constexpr std::size_t kFlagsAt = 56;
constexpr std::uint64_t kClosedFlag = 1;
constexpr std::chrono::milliseconds kSyncInterval{100};

template <typename Integer>
void put(std::string& bytes, std::size_t at, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[at + i] = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

template <typename Integer>
Integer take(std::string_view bytes, std::size_t at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= static_cast<Integer>(Integer{static_cast<unsigned char>(bytes[at + i])} << (8 * i));
  }
  return value;
}

std::uint32_t checksum(std::string_view slot) {
  constexpr std::string_view kZeros("\0\0\0\0", 4);
  const std::uint32_t start = crc32c_extend(crc32c(slot.substr(0, kCrcAt)), kZeros);
  return crc32c_extend(start, slot.substr(kIncarnationAt));
}

std::string encode(const Ack& ack) {
  std::string slot(AckFile::kSlotBytes, '\0');
  kMagic.copy(slot.data(), kMagic.size());
  put(slot, kIncarnationAt, ack.incarnation);
  put(slot, kTermAt, ack.term);
  put(slot, kBatchSeqAt, ack.batch_seq);
  put(slot, kTailAt, ack.tail);
  std::copy(ack.head_digest.begin(), ack.head_digest.end(), slot.begin() + kHeadDigestAt);
  put(slot, kFlagsAt, ack.closed ? kClosedFlag : 0);
  put(slot, kCrcAt, checksum(slot));
  return slot;
}

std::optional<Ack> decode(std::string_view slot) {
  if (slot.size() != AckFile::kSlotBytes || !slot.starts_with(kMagic)) return std::nullopt;
  if (take<std::uint32_t>(slot, kCrcAt) != checksum(slot)) return std::nullopt;
  Ack ack;
  ack.incarnation = take<std::uint64_t>(slot, kIncarnationAt);
  ack.term = take<std::uint64_t>(slot, kTermAt);
  ack.batch_seq = take<std::uint64_t>(slot, kBatchSeqAt);
  ack.tail = take<std::uint64_t>(slot, kTailAt);
  const std::string_view digest = slot.substr(kHeadDigestAt, ack.head_digest.size());
  std::copy(digest.begin(), digest.end(), ack.head_digest.begin());
  ack.closed = (take<std::uint64_t>(slot, kFlagsAt) & kClosedFlag) != 0;
  return ack;
}

bool newer(const Ack& left, const Ack& right) {
  const auto age = [](const Ack& ack) {
    return std::tie(ack.incarnation, ack.term, ack.batch_seq, ack.closed);
  };
  return age(left) > age(right);
}

struct Newest {
  Ack ack;
  std::size_t slot = 0;
};

std::optional<Newest> newest_of(std::string_view file) {
  std::optional<Newest> newest;
  for (std::size_t slot = 0; slot < 2 && file.size() >= (slot + 1) * AckFile::kSlotBytes; ++slot) {
    const auto ack = decode(file.substr(slot * AckFile::kSlotBytes, AckFile::kSlotBytes));
    if (ack && (!newest || newer(*ack, newest->ack))) newest = Newest{*ack, slot};
  }
  return newest;
}

}  // namespace

std::optional<Ack> AckFile::read(const std::filesystem::path& path) {
  const std::optional<std::string> file = read_file(path);
  if (!file) return std::nullopt;
  const std::optional<Newest> newest = newest_of(*file);
  if (!newest) throw CorruptionError(fmt::format("{}: no valid slot", path.string()));
  return newest->ack;
}

class AckFile::Writer {
 public:
  Writer(std::filesystem::path path, Ack current, std::function<int(int)> sync,
         std::function<bool()> write_now)
      : path_(std::move(path)),
        sync_(sync ? std::move(sync) : ::fdatasync),
        write_now_(std::move(write_now)) {
    current.closed = false;
    prepare(current);
    if (!write_now_) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  void note(const Ack& ack) {
    {
      const std::lock_guard lock(mutex_);
      if (!newer(ack, noted_)) return;
      noted_ = ack;
      if (!std::exchange(pending_, true)) changed_.notify_one();
    }
    if (write_now_ && write_now_()) write_pending();
  }

  // Afterwards everything noted is written, and the caller is the only one who writes.
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    write_pending();
  }

  // Called by the thread, or by anyone after stop().
  void write(const Ack& ack) {
    const std::size_t slot = 1 - durable_slot_;
    int error = write_fully(file_.get(), encode(ack), slot * kSlotBytes);
    if (error == 0 && sync_(file_.get()) != 0) error = errno;
    if (error == 0) {
      durable_slot_ = slot;
      return;
    }
    const std::lock_guard lock(mutex_);
    if (!error_.empty()) return;
    error_ =
        fmt::format("cannot write {}: {}", path_.string(), std::generic_category().message(error));
  }

  [[nodiscard]] std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  // After a torn write the newest slot may be either, so the place of the next write comes from the
  // file, and a file of another length is replaced as a whole.
  void prepare(const Ack& current) {
    const std::string old = read_file(path_).value_or("");
    noted_ = current;
    if (old.size() != kFileBytes) {
      write_file_durably(path_, encode(current) + std::string(kSlotBytes, '\0'));
      file_ = open_file(path_, O_RDWR);
      return;
    }
    file_ = open_file(path_, O_RDWR);
    const std::optional<Newest> newest = newest_of(old);
    durable_slot_ = newest ? newest->slot : 0;
    write(current);
    // A term without a batch is used again, so the last owner's slot may be the newer one: it goes
    // too.
    if (newest && !newer(current, newest->ack)) write(current);
    if (!error_.empty()) throw UnavailableError(error_);
  }

  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return pending_; })) {
      lock.unlock();
      write_pending();
      lock.lock();
      // Notes that come meanwhile share the next sync; only stop() cuts the pause short.
      changed_.wait_for(lock, stop, kSyncInterval, [] { return false; });
    }
  }

  // By the thread, or when there is none.
  void write_pending() {
    Ack ack;
    {
      const std::lock_guard lock(mutex_);
      if (!std::exchange(pending_, false)) return;
      ack = noted_;
    }
    write(ack);
  }

  const std::filesystem::path path_;
  const std::function<int(int)> sync_;
  const std::function<bool()> write_now_;
  FileDescriptor file_;
  std::size_t durable_slot_ = 0;  // The slot that must not be touched now.

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Ack noted_;             // Guarded by mutex_, as all below.
  bool pending_ = false;  // `noted_` is not written yet.
  std::string error_;

  std::jthread thread_;  // Last: it uses everything above.
};

AckFile::AckFile(std::filesystem::path path, Ack current, std::function<int(int)> sync,
                 std::function<bool()> write_now)
    : writer_(std::make_unique<Writer>(std::move(path), current, std::move(sync),
                                       std::move(write_now))) {}

AckFile::~AckFile() { writer_->stop(); }

void AckFile::note(const Ack& ack) { writer_->note(ack); }

void AckFile::close(const Ack& ack) {
  writer_->stop();
  Ack last = ack;
  last.closed = true;
  writer_->write(last);
  if (const std::string error = writer_->error(); !error.empty()) throw UnavailableError(error);
}

std::string AckFile::error() const { return writer_->error(); }

}  // namespace tenantry
