#include "core/owner/connection.h"

#include <functional>
#include <string>

#include <capnp/rpc-twoparty.h>
#include <sys/socket.h>

#include "core/error.h"
#include "core/owner/frame_guard.h"

// The library's servers are destroyed by whoever made them, as what they are.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
// NOLINTBEGIN(cppcoreguidelines-virtual-class-destructor)

namespace tenantry::owner {
namespace {

constexpr int kLooksMax = 15;
constexpr auto kEndMax = 5 * kj::SECONDS;  // For calls that nobody waits for any more.

capnp::ReaderOptions limits() {
  capnp::ReaderOptions limits;
  limits.traversalLimitInWords = kMessageWordsMax;
  return limits;
}

// What the owner says at last.
class FarewellServer final : public wire::Caller::Server {
 public:
  explicit FarewellServer(std::function<void()> said) : said_(std::move(said)) {}
  kj::Promise<void> farewell(FarewellContext /*context*/) override {
    said_();
    return kj::READY_NOW;
  }

 private:
  const std::function<void()> said_;
};

}  // namespace

Connection::Connection(FileDescriptor socket, std::chrono::milliseconds look_every)
    : look_every_(look_every.count() * kj::MILLISECONDS) {
  std::promise<void> ready;
  std::future<void> is_ready = ready.get_future();
  thread_ = std::jthread([this, &ready, descriptor = socket.release()] { run(descriptor, ready); });
  is_ready.get();
}

Connection::~Connection() {
  (*stop_)->fulfill();
  thread_.join();
}

std::exception_ptr Connection::fault_of(const kj::Exception& error) const {
  const std::string why =
      silent_ ? std::string("the process that owns the store does not answer any more")
              : std::string("the process that owned the store did not answer: ") +
                    error.getDescription().cStr();
  if (error.getType() != kj::Exception::Type::DISCONNECTED) {
    return std::make_exception_ptr(UnavailableError(why, "try again"));
  }
  return std::make_exception_ptr(OwnerGone(why, !farewell_));
}

void Connection::check_there() const {
  if (lost_) throw OwnerGone("the process that owned the store has ended", false);
}

wire::Caller::Client Connection::caller() {
  return kj::heap<FarewellServer>([this] { farewell_ = true; });
}

void Connection::run(int descriptor, std::promise<void>& ready) {
  try {
    serve(descriptor, ready);
  } catch (const kj::Exception& error) {
    // Only before it is ready: for want of descriptors, or of memory.
    ready.set_exception(std::make_exception_ptr(UnavailableError(
        std::string("cannot reach the owner of the store: ") + error.getDescription().cStr())));
  }
}

void Connection::serve(int descriptor, std::promise<void>& ready) {
  auto io = kj::setupAsyncIo();
  auto stop = kj::newPromiseAndCrossThreadFulfiller<void>();
  stop_.emplace(kj::mv(stop.fulfiller));
  timer_ = &io.provider->getTimer();
  auto stream = io.lowLevelProvider->wrapSocketFd(
      descriptor, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP |
                      kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                      kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
  auto messages = guarded(*stream, Reading::kAlways);
  capnp::TwoPartyVatNetwork network(*messages, capnp::rpc::twoparty::Side::CLIENT, limits());
  auto rpc = capnp::makeRpcClient(network);
  capnp::MallocMessageBuilder message;
  auto owner = message.initRoot<capnp::rpc::twoparty::VatId>();
  owner.setSide(capnp::rpc::twoparty::Side::SERVER);
  wire::Door::Client door = rpc.bootstrap(owner).castAs<wire::Door>();
  door_ = &door;
  kj::TaskSet tasks(*this);
  tasks_ = &tasks;
  auto watching = network.onDisconnect().then([this] { lost_ = true; }).eagerlyEvaluate(nullptr);
  kj::TaskSet pings(*this);
  auto looking = watch(pings, descriptor).eagerlyEvaluate(nullptr);
  executor_.emplace(kj::getCurrentThreadExecutor().addRef());
  ready.set_value();
  stop.promise.wait(io.waitScope);
  tasks.onEmpty().exclusiveJoin(timer_->afterDelay(kEndMax)).wait(io.waitScope);
}

// An owner that is frozen keeps the connection, and would keep its callers. Its looks are counted,
// not timed: this process may have been frozen itself.
kj::Promise<void> Connection::watch(kj::TaskSet& pings, int descriptor) {
  return timer_->afterDelay(look_every_).then([this, &pings, descriptor]() -> kj::Promise<void> {
    if (unanswered_looks_ == 0) {
      pings.add(door_->pingRequest().send().then([this](auto&&) { unanswered_looks_ = 0; }));
    }
    if (++unanswered_looks_ > kLooksMax) {
      silent_ = true;
      ::shutdown(descriptor, SHUT_RDWR);  // What is waited for ends, as if it were gone.
      return kj::READY_NOW;
    }
    return watch(pings, descriptor);
  });
}

}  // namespace tenantry::owner
// NOLINTEND(cppcoreguidelines-virtual-class-destructor)
