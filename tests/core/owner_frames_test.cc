#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/owner/connection.h"
#include "core/owner/frame_guard.h"
#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/owner/socket.h"
#include "core/version.h"
#include "tests/core/store_test_base.h"

namespace tenantry::owner {
namespace {

using ::testing::HasSubstr;

// A message of segments of so many words each, as it travels.
std::string message(const std::vector<std::uint32_t>& lengths) {
  std::string bytes;
  append_le(bytes, static_cast<std::uint32_t>(lengths.size() - 1));
  for (const std::uint32_t words : lengths) append_le(bytes, words);
  if (lengths.size() % 2 == 0) append_le(bytes, std::uint32_t{0xffffffff});  // Fills up the word.
  for (const std::uint32_t words : lengths) bytes.append(std::size_t{words} * 8, '\xff');
  return bytes;
}

std::string numbers(const std::vector<std::uint32_t>& all) {
  std::string bytes;
  for (const std::uint32_t number : all) append_le(bytes, number);
  return bytes;
}

// What a guard says that is given so many bytes at a time.
std::string judged(const std::string& bytes, std::size_t at_a_time) {
  FrameGuard guard;
  for (std::size_t at = 0; at < bytes.size(); at += at_a_time) {
    const std::string piece = bytes.substr(at, at_a_time);
    if (std::string wrong = guard.take(piece.data(), piece.size()); !wrong.empty()) return wrong;
  }
  return {};
}

TEST(FrameGuardTest, MessagesPassHoweverTheyAreCut) {
  const std::string stream = message({3}) + message({1, 2}) + message({0, 0, 5}) +
                             message(std::vector<std::uint32_t>(FrameGuard::kSegmentsMax, 1));
  for (const std::size_t piece : {1, 3, 4, 7, 8, 64, 100'000}) {
    EXPECT_EQ(judged(stream, piece), "") << piece;
    EXPECT_THAT(judged(stream + numbers({0xffffffff}), piece), HasSubstr("segments")) << piece;
  }
}

TEST(FrameGuardTest, WhatIsNoMessageDoesNot) {
  for (const std::size_t piece : {1, 1000}) {
    EXPECT_THAT(judged(numbers({FrameGuard::kSegmentsMax}), piece), HasSubstr("513 segments"));
    EXPECT_THAT(judged(numbers({0, 0xffffffff}), piece), HasSubstr("words"));
    EXPECT_THAT(judged(numbers({1, kMessageWordsMax, 1, 0}), piece), HasSubstr("words"));
    EXPECT_THAT(judged(numbers({0, 0}), piece), HasSubstr("without anything"));
    EXPECT_THAT(judged(numbers({1, 0, 0, 0}), piece), HasSubstr("without anything"));
  }
}

class OwnerFramesTest : public StoreTestBase {
 protected:
  OwnerFramesTest() { serve({}); }
  ~OwnerFramesTest() override {
    remote_.reset();
    server_.reset();
  }

  void serve(ServerOptions options) {
    remote_.reset();
    server_.reset();
    options.directory = directory();
    options.warn = [this](const std::string& text) {
      const std::lock_guard lock(mutex_);
      warnings_.push_back(text);
    };
    server_.emplace(store(), std::move(options));
    remote_ = connect_to_owner(directory());
  }
  // Sends bytes, and reads until the other end closes. False when it does not for a minute.
  bool is_let_go(const std::string& bytes) {
    const FileDescriptor socket = connect_in(directory()).value();
    EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    std::array<char, 4096> answer{};
    pollfd watched{socket.get(), POLLIN, 0};
    while (::poll(&watched, 1, 60'000) == 1) {
      if (::read(socket.get(), answer.data(), answer.size()) <= 0) return true;
    }
    return false;
  }
  std::vector<std::string> warnings() {
    const std::lock_guard lock(mutex_);
    return warnings_;
  }

  std::optional<Server> server_;
  std::unique_ptr<RemoteStore> remote_;

 private:
  std::mutex mutex_;
  std::vector<std::string> warnings_;  // Guarded by mutex_.
};

TEST_F(OwnerFramesTest, WhatIsNoMessageEndsItsConnectionAndNothingElse) {
  const std::vector<std::string> bad = {
      numbers({0xffffffff, 0xffffffff}),  // Cap'n Proto 0.9.2 by itself writes beyond a block.
      numbers({511, 0xffffffff}),
      numbers({0, 0}),
      "GET / HTTP/1.1\r\nHost: tenantry\r\n\r\n",
  };
  for (const std::string& bytes : bad) {
    EXPECT_TRUE(is_let_go(bytes)) << testing::PrintToString(bytes);
  }
  ASSERT_EQ(warnings().size(), bad.size());
  for (const std::string& text : warnings()) EXPECT_THAT(text, HasSubstr("a caller was let go"));
  EXPECT_EQ(remote_->tail().tail, Position{0});
}

TEST_F(OwnerFramesTest, AMessageThatSaysNothingEndsItsConnectionAlone) {
  EXPECT_TRUE(is_let_go(message({1})));     // A pointer that leads nowhere.
  EXPECT_TRUE(is_let_go(message({4, 4})));  // The same, in more segments.
  EXPECT_EQ(remote_->tail().tail, Position{0});
}

// A question that has an answer, as it travels.
std::string question(std::uint32_t number) {
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initBootstrap().setQuestionId(number);
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asChars();
  return {bytes.begin(), bytes.size()};
}

TEST_F(OwnerFramesTest, WhoReadsNoAnswersIsAskedNoMore) {
  constexpr std::size_t kBytesMax = std::size_t{16} << 20;
  const FileDescriptor socket = connect_in(directory()).value();
  pollfd watched{socket.get(), POLLOUT, 0};
  std::size_t sent = 0;
  for (std::uint32_t number = 0; ::poll(&watched, 1, 1000) == 1; ++number) {
    const std::string bytes = question(number);
    const ssize_t taken = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(taken, 0);
    sent += static_cast<std::size_t>(taken);
    ASSERT_LT(sent, kBytesMax) << "answers are queued without a bound";
    if (static_cast<std::size_t>(taken) < bytes.size()) break;
  }
  EXPECT_EQ(remote_->tail().tail, Position{0});  // Others are served.
  // Once it reads, it is answered.
  watched.events = POLLIN;
  std::array<char, 65536> answers{};
  std::size_t read = 0;
  while (read < sent / 2 && ::poll(&watched, 1, 10'000) == 1) {
    const ssize_t count = ::read(socket.get(), answers.data(), answers.size());
    ASSERT_GT(count, 0);
    read += static_cast<std::size_t>(count);
  }
  EXPECT_GE(read, sent / 2);
}

TEST_F(OwnerFramesTest, WhoDoesNotSayWhatItIsIsLetGo) {
  ServerOptions impatient;
  impatient.greeting_max = std::chrono::milliseconds(100);
  serve(std::move(impatient));
  EXPECT_TRUE(is_let_go(""));
  EXPECT_THAT(warnings(), testing::ElementsAre(HasSubstr("did not say what it is")));
  EXPECT_EQ(remote_->tail().tail, Position{0});
}

// A caller that is to be told when the owner ends, and gives the owner's own door for itself.
TEST_F(OwnerFramesTest, WhoGivesTheOwnersDoorForItselfHoldsNothing) {
  {
    const Connection caller(connect_in(directory()).value(), std::chrono::seconds(1));
    caller.wait<void>([&caller] {
      auto request = caller.door().greetRequest();
      request.setVersion(kSoftwareVersion);
      request.setCaller(caller.door().castAs<wire::Caller>());
      return request.send().ignoreResult();
    });
  }
  EXPECT_EQ(remote_->tail().tail, Position{0});
  remote_.reset();
  server_.reset();
}

}  // namespace
}  // namespace tenantry::owner
