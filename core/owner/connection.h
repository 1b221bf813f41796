#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include <kj/async-io.h>
#include <kj/exception.h>

#include "core/file_ops.h"
#include "core/owner/remote_store.h"
#include "core/owner/wire.h"

// A caller's way to an owner.
namespace tenantry::owner {

// What a call came to; made by the connection's thread, read by the caller's.
template <class Result>
struct Reply {
  std::optional<Result> result;
  std::exception_ptr fault;

  Result take() {
    if (fault) std::rethrow_exception(fault);
    return std::move(*result);
  }
};

// The connection, with a thread of its own: whoever calls has what it wants done there. It looks
// every `look_every` whether the owner is alive; one that has not answered fifteen looks is frozen,
// and given up.
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): nobody has it as its base.
class Connection final : private kj::TaskSet::ErrorHandler {
 public:
  // Throws UnavailableError when there is no thread or descriptor to be had.
  Connection(FileDescriptor socket, std::chrono::milliseconds look_every);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // Waits a little for what nobody waits for any more.
  ~Connection();

  // Calls `send` there, which gives a promise for a Result; waits for it. Throws what fault_of()
  // gives.
  template <class Result, class Send>
  Result wait(Send&& send) const {
    try {
      return (*executor_)->executeSync(std::forward<Send>(send));
    } catch (const kj::Exception& error) {
      std::rethrow_exception(fault_of(error));
    }
  }
  // Why a call was not answered. Any thread may ask.
  [[nodiscard]] std::exception_ptr fault_of(const kj::Exception& error) const;
  // Before a call: nothing is sent to who is gone. Throws OwnerGone.
  void check_there() const;

  // There only.
  void keep(kj::Promise<void> promise) { tasks_->add(kj::mv(promise)); }  // Until it is done.
  [[nodiscard]] wire::Caller::Client caller();
  [[nodiscard]] wire::Door::Client& door() const { return *door_; }
  [[nodiscard]] kj::Timer& timer() const { return *timer_; }

 private:
  void run(int descriptor, std::promise<void>& ready);
  void serve(int descriptor, std::promise<void>& ready);
  kj::Promise<void> watch(kj::TaskSet& pings, int descriptor);
  void taskFailed(kj::Exception&& /*error*/) override {}  // Whoever asked was told.

  const kj::Duration look_every_;
  std::atomic<bool> lost_ = false;      // Nobody is at the other end.
  std::atomic<bool> silent_ = false;    // Somebody is, and did not answer for long.
  std::atomic<bool> farewell_ = false;  // What is not answered by now was not done.
  std::optional<kj::Own<const kj::Executor>> executor_;
  std::optional<kj::Own<kj::CrossThreadPromiseFulfiller<void>>> stop_;
  wire::Door::Client* door_ = nullptr;
  kj::Timer* timer_ = nullptr;
  int unanswered_looks_ = 0;  // Since a ping was sent that is not answered yet; 0: all are.
  kj::TaskSet* tasks_ = nullptr;
  std::jthread thread_;  // Last: it uses everything above.
};

// A capability: made, used and dropped by the connection's thread alone.
template <class Client>
class Held {
 public:
  Held(std::shared_ptr<Connection> connection, Client client)
      : connection_(std::move(connection)), client_(kj::heap<Client>(kj::mv(client))) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() noexcept {
    try {
      connection_->wait<void>([this] { client_ = nullptr; });
    } catch (const std::runtime_error&) {
      (void)client_;  // Its connection is gone, and all that belonged to it.
    }
  }

  [[nodiscard]] const std::shared_ptr<Connection>& connection() const { return connection_; }
  [[nodiscard]] Client& client() const { return *client_; }  // There only.

  // Sends what `make` makes of the capability, and reads the response there, unless it is a fault.
  template <class Result, class Make, class Read>
  Result call(Make&& make, Read&& read) const {
    connection_->check_there();
    return connection_
        ->wait<Reply<Result>>([&] {
          return make(*client_).send().then([&read](auto&& response) {
            Reply<Result> reply;
            reply.fault = read_fault(response.getFault());
            if (!reply.fault) reply.result.emplace(read(response));
            return reply;
          });
        })
        .take();
  }

  // The same, but gives back at once.
  template <class Result, class Make, class Read>
  std::future<Reply<Result>> begin(Make&& make, Read read) const {
    auto promise = std::make_shared<std::promise<Reply<Result>>>();
    std::future<Reply<Result>> reply = promise->get_future();
    connection_->check_there();
    connection_->wait<void>([&] {
      connection_->keep(
          make(*client_)
              .send()
              .then([promise, read](auto&& response) {
                Reply<Result> one;
                one.fault = read_fault(response.getFault());
                if (!one.fault) one.result.emplace(read(response));
                promise->set_value(std::move(one));
              })
              .catch_([promise, connection = connection_.get()](kj::Exception&& error) {
                promise->set_exception(connection->fault_of(error));
              }));
    });
    return reply;
  }

 private:
  const std::shared_ptr<Connection> connection_;
  mutable kj::Own<Client> client_;
};

}  // namespace tenantry::owner
