#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include <poll.h>

#include "tests/support/temp_directory.h"

namespace tenantry {

// Stands between a client and the PostgreSQL server of the tests, on a Unix socket of its own, and
// cuts all connections at a chosen moment, once; it takes new ones afterwards.
//
// Threads: any; the bytes are carried by a thread of its own.
class CuttingProxy {
 public:
  enum class Way : std::uint8_t { kToServer, kToClient };

  // `server` is the URL of a database, as PostgresDatabase has it.
  explicit CuttingProxy(const std::string& server);
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy();

  // That database, by way of this proxy.
  [[nodiscard]] std::string url_of(const std::string& database) const;

  // Cuts once so many bytes more have gone this way, over all connections together.
  void cut_after(Way way, std::size_t bytes);
  // Cuts when a client sends this text: before the server has it, or when the server has answered
  // and before the client knows. The text arrives in one piece.
  void cut_before(const std::string& text);
  void cut_after_answer_to(const std::string& text);
  // Whether it came to that. The proxy cuts no more until it is told anew.
  bool take_cut();
  // The server has ended all sessions: waits until their clients can know.
  void await_ends();
  // Bytes that went this way since the last call.
  std::size_t take_carried(Way way);

 private:
  struct Pair {
    int client;
    int server;
  };
  struct Plan {
    std::optional<Way> way = {};
    std::size_t bytes = 0;
    std::string text = {};
    bool answered = false;  // The server answers first.
    bool asked = false;     // The text has been sent.
  };
  enum class Fate : std::uint8_t { kOpen, kEnded, kCut };

  void make(Plan plan);
  void run(const std::stop_token& stop);
  // What the sockets of each pair, client and server, have ready; kCut when all is over.
  Fate carry_all(std::span<const pollfd> watched);
  void close_all();
  void connect();
  Fate carry(Way way, const Pair& pair);
  // How much of `bytes` is let through; true when it is all over then.
  bool decide(Way way, std::string_view& bytes);
  static void close_pair(const Pair& pair);

  TempDirectory directory_;
  std::string server_path_;
  std::string name_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::list<Pair> pairs_;  // Of the thread.
  std::mutex mutex_;       // Guards the next five.
  std::optional<Plan> plan_;
  bool cut_ = false;
  bool closing_ = false;  // It was cut, and not all connections are closed yet.
  std::size_t open_ = 0;  // Connections.
  std::array<std::size_t, 2> carried_{};
  std::condition_variable closed_;
  std::jthread thread_;
};

}  // namespace tenantry
