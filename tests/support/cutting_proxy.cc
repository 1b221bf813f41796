#include "tests/support/cutting_proxy.h"

#include <array>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tenantry {
namespace {

// The value of `key=…` in a URL's options.
std::string option_of(const std::string& url, const std::string& key) {
  const std::size_t at = url.find(key + "=");
  if (at == std::string::npos) throw std::runtime_error("no " + key + " in " + url);
  const std::size_t begin = at + key.size() + 1;
  return url.substr(begin, url.find('&', begin) - begin);
}

int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error("too long: " + path);
  path.copy(address.sun_path, path.size());
  return address;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

CuttingProxy::CuttingProxy(const std::string& server)
    : name_(".s.PGSQL." + option_of(server, "port")) {
  server_path_ = option_of(server, "host") + "/" + name_;
  check(::pipe(wake_), "pipe");
  listener_ = check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const sockaddr_un address = address_of((directory_ / name_).string());
  check(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind");
  check(::listen(listener_, 16), "listen");
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

CuttingProxy::~CuttingProxy() {
  thread_.request_stop();
  ::close(wake_[1]);
  thread_.join();
  ::close(wake_[0]);
  ::close(listener_);
}

std::string CuttingProxy::url_of(const std::string& database) const {
  const std::string host = option_of(database, "host");
  std::string url = database;
  return url.replace(url.find(host), host.size(), directory_.path().string());
}

void CuttingProxy::make(Plan plan) {
  const std::scoped_lock lock(mutex_);
  plan_ = std::move(plan);
  cut_ = false;
}

void CuttingProxy::cut_after(Way way, std::size_t bytes) { make({.way = way, .bytes = bytes}); }

void CuttingProxy::cut_before(const std::string& text) { make({.text = text}); }

void CuttingProxy::cut_after_answer_to(const std::string& text) {
  make({.text = text, .answered = true});
}

// One connection's end is seen before the others are closed: what is used next must not meet that.
bool CuttingProxy::take_cut() {
  std::unique_lock lock(mutex_);
  closed_.wait(lock, [this] { return !closing_; });
  plan_.reset();
  return std::exchange(cut_, false);
}

void CuttingProxy::await_ends() {
  std::unique_lock lock(mutex_);
  closed_.wait(lock, [this] { return open_ == 0; });
}

std::size_t CuttingProxy::take_carried(Way way) {
  const std::scoped_lock lock(mutex_);
  return std::exchange(carried_[static_cast<std::size_t>(way)], 0);
}

void CuttingProxy::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> watched = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      watched.push_back({pair.client, POLLIN, 0});
      watched.push_back({pair.server, POLLIN, 0});
    }
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    const bool is_cut = carry_all(std::span(watched).subspan(2)) == Fate::kCut;
    if (is_cut) close_all();
    if (watched[1].revents != 0) connect();
    const std::scoped_lock lock(mutex_);
    if (is_cut) closing_ = false;
    open_ = pairs_.size();
    closed_.notify_all();
  }
  close_all();
}

CuttingProxy::Fate CuttingProxy::carry_all(std::span<const pollfd> watched) {
  for (auto pair = pairs_.begin(); pair != pairs_.end(); watched = watched.subspan(2)) {
    Fate fate = watched[0].revents == 0 ? Fate::kOpen : carry(Way::kToServer, *pair);
    if (fate == Fate::kOpen && watched[1].revents != 0) fate = carry(Way::kToClient, *pair);
    if (fate == Fate::kCut) return fate;
    if (fate == Fate::kEnded) {
      close_pair(*pair);
      pair = pairs_.erase(pair);
    } else {
      ++pair;
    }
  }
  return Fate::kOpen;
}

void CuttingProxy::close_all() {
  for (const Pair& pair : pairs_) close_pair(pair);
  pairs_.clear();
}

void CuttingProxy::connect() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(server_path_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    pairs_.push_back({client, server});
  } else {
    close_pair({client, server});  // As if nobody listened.
  }
}

CuttingProxy::Fate CuttingProxy::carry(Way way, const Pair& pair) {
  const bool up = way == Way::kToServer;
  std::array<char, 8192> buffer;
  const ssize_t read = ::recv(up ? pair.client : pair.server, buffer.data(), buffer.size(), 0);
  if (read <= 0) return Fate::kEnded;
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(read));
  const bool over = decide(way, bytes);
  const bool sent = send_all(up ? pair.server : pair.client, bytes);
  if (over) return Fate::kCut;
  return sent ? Fate::kOpen : Fate::kEnded;
}

bool CuttingProxy::decide(Way way, std::string_view& bytes) {
  const std::scoped_lock lock(mutex_);
  carried_[static_cast<std::size_t>(way)] += bytes.size();
  if (!plan_) return false;
  if (plan_->way) {
    if (way != *plan_->way) return false;
    if (bytes.size() < plan_->bytes) {
      plan_->bytes -= bytes.size();
      return false;
    }
    bytes = bytes.substr(0, plan_->bytes);
  } else if (!plan_->asked) {
    if (way != Way::kToServer || bytes.find(plan_->text) == std::string_view::npos) return false;
    plan_->asked = plan_->answered;
    if (plan_->answered) return false;
    bytes = {};
  } else {
    if (way != Way::kToClient) return false;
    bytes = {};
  }
  plan_.reset();
  closing_ = true;
  return cut_ = true;
}

void CuttingProxy::close_pair(const Pair& pair) {
  ::close(pair.client);
  ::close(pair.server);
}

}  // namespace tenantry
