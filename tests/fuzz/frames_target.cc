#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/owner/socket.h"
#include "core/store.h"
#include "core/store_lock.h"
#include "events/commands.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/targets.h"
#include "tests/support/temp_directory.h"

namespace tenantry::fuzz {
namespace {

namespace fs = std::filesystem;
using owner::connect_in;
using owner::connect_to_owner;

constexpr int kPatienceMillis = 20'000;

// A store and its owner, for as long as this process lives.
class Owned {
 public:
  Owned() {
    StoreOptions options;
    options.directory = directory_ / "store";
    init_store(options.directory, *clock_, *ids_);
    store_ = open_store(options, *clock_, *ids_);
    server_.emplace(*store_, owner::ServerOptions{.directory = options.directory});
  }
  [[nodiscard]] fs::path place() const { return directory_ / "store"; }
  [[nodiscard]] fs::path elsewhere() const { return directory_ / "recorded"; }

 private:
  const TempDirectory directory_;
  const std::unique_ptr<Clock> clock_ = make_system_clock();
  const std::unique_ptr<IdSource> ids_ = make_random_ids();
  std::unique_ptr<TenancyStore> store_;
  std::optional<owner::Server> server_;
};

Owned& owned() {
  static Owned one;
  return one;
}

bool readable(int socket) {
  pollfd watched{socket, POLLIN, 0};
  int found = 0;
  while ((found = ::poll(&watched, 1, kPatienceMillis)) < 0 && errno == EINTR) {
  }
  return found == 1;
}

// Whoever has no room for more reads nothing either, and will close.
void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN) return;
    std::array<char, 4096> answer{};
    require(readable(socket), "an owner reads, answers or closes");
    if (::read(socket, answer.data(), answer.size()) <= 0) return;
  }
}

// Between a caller and the owner: keeps what the caller sends.
class Recorder {
 public:
  explicit Recorder(const Owned& owner) : owner_(owner) {
    fs::create_directory(owner.elsewhere());
    fs::create_hard_link(owner.place() / StoreLock::kFileName,
                         owner.elsewhere() / StoreLock::kFileName);
    listener_.emplace(owner.elsewhere());
    thread_ = std::jthread([this] { relay(); });
  }
  std::string end() {
    thread_.join();
    listener_.reset();
    fs::remove_all(owner_.elsewhere());
    return sent_;
  }

 private:
  void relay() {
    require(readable(listener_->descriptor()), "the caller comes");
    const FileDescriptor caller(
        ::accept4(listener_->descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const FileDescriptor to = connect_in(owner_.place()).value();
    std::array<pollfd, 2> ends{{{caller.get(), POLLIN, 0}, {to.get(), POLLIN, 0}}};
    std::array<char, 65536> bytes{};
    while (::poll(ends.data(), ends.size(), kPatienceMillis) > 0) {
      for (std::size_t from = 0; from < ends.size(); ++from) {
        if (ends[from].revents == 0) continue;
        const ssize_t count = ::read(ends[from].fd, bytes.data(), bytes.size());
        if (count <= 0) return;
        const std::string_view read(bytes.data(), static_cast<std::size_t>(count));
        if (from == 0) sent_ += read;
        send_all(ends[1 - from].fd, read);
      }
    }
  }

  const Owned& owner_;
  std::optional<owner::Listener> listener_;
  std::string sent_;
  std::jthread thread_;
};

std::string recorded(const std::function<void(TenancyStore&)>& talk) {
  Recorder recorder(owned());
  talk(*connect_to_owner(owned().elsewhere()));
  return recorder.end();
}

events::CommandRequest request(const char* line) {
  return std::get<events::CommandRequest>(events::parse_command_line(line, {}, false));
}

}  // namespace

std::vector<std::string> frames_seeds() {
  const auto command = request(R"({"command":"register_user","data":{"username":"ann"}})");
  const std::vector<std::function<void(TenancyStore&)>> talks = {
      [](TenancyStore&) {},
      [](TenancyStore& store) { (void)store.tail(); },
      [&](TenancyStore& store) {
        (void)store.submit({&command, 1}, {});
      },
      [&](TenancyStore& store) {
        (void)store.rehearse()->submit({&command, 1}, {});
      },
      [](TenancyStore& store) { store.read_log({}, [](const StoredEvent&) { return true; }); },
      [](TenancyStore& store) { (void)store.resolve({.host = "acme.example"}); },
      [](TenancyStore& store) { (void)store.status(); },
      [](TenancyStore& store) { (void)store.verify(VerifyDepth::kQuick, {}); },
      [](TenancyStore& store) { (void)store.await_tail({}, std::chrono::milliseconds(0)); },
      [](TenancyStore& store) {
        const RowsAt at = store.rows_now();
        const events::TableInfo& table = events::tables().front();
        at.rows->scan_rows(table, std::nullopt, [](const StoredRow&) { return true; });
        (void)at.rows->row(table, {});
        (void)at.rows->row_by_id(table, {});
        (void)at.rows->largest_id(table);
        (void)at.rows->stream_version(table, {});
        (void)at.rows->claim_holder(table, table.claims.front(), "x");
      },
  };
  std::vector<std::string> seeds;
  for (const auto& talk : talks) seeds.push_back(recorded(talk));
  return seeds;
}

void run_frames(std::string_view input) {
  static const auto other = connect_to_owner(owned().place());
  {
    const FileDescriptor socket = connect_in(owned().place()).value();
    send_all(socket.get(), input);
    ::shutdown(socket.get(), SHUT_WR);
    std::array<char, 65536> answer{};
    do {
      require(readable(socket.get()), "an owner closes once its caller has");
    } while (::read(socket.get(), answer.data(), answer.size()) > 0);
  }
  (void)other->tail();  // Whoever else is there hears nothing of it.
}

}  // namespace tenantry::fuzz
