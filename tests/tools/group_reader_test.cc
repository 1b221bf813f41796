#include "tools/group_reader.h"

#include <array>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"

namespace tenantry::tools {
namespace {

using ::testing::ElementsAre;

constexpr const char* kNoCommand = "{}\n";

std::string protein(const std::string& name) {
  return R"({"command":"add_protein","data":{"name":")" + name + "\"}}\n";
}

// The reading end of a pipe that takes a few lines without anybody reading.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    end();
    ::close(ends_[0]);
  }
  void write(const std::string& text) const {
    EXPECT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  [[nodiscard]] int descriptor() const { return ends_[0]; }

 private:
  std::array<int, 2> ends_{};
};

class GroupReaderTest : public ::testing::Test {
 protected:
  GroupReader reader(GroupReader::Options options = {}) {
    options.interrupt = interrupt_.get_token();
    return {{{input_.descriptor(), {}}}, std::move(options)};
  }
  // How many lines each group has, until there is none.
  static std::vector<std::size_t> sizes(GroupReader& reader) {
    std::vector<std::size_t> sizes;
    while (const auto group = reader.next()) sizes.push_back(group->entries.size());
    return sizes;
  }

  Pipe input_;
  std::stop_source interrupt_;
};

TEST_F(GroupReaderTest, GroupsAreFullUntilTheLast) {
  for (const char* name : {"a", "b", "c", "d", "e"}) input_.write(protein(name));
  input_.end();
  GroupReader reader = this->reader({.commands_max = 2});
  EXPECT_THAT(sizes(reader), ElementsAre(2, 2, 1));
  EXPECT_FALSE(reader.interrupted());
}

TEST_F(GroupReaderTest, BytesFillAGroupToo) {
  for (const char* name : {"a", "b", "c"}) input_.write(protein(name));
  input_.end();
  GroupReader reader = this->reader({.bytes_max = protein("a").size()});
  EXPECT_THAT(sizes(reader), ElementsAre(2, 1)) << "a line end counts for nothing";
}

TEST_F(GroupReaderTest, WhatHasArrivedDoesNotWaitForMore) {
  GroupReader reader = this->reader();
  for (const char* name : {"a", "b"}) {
    input_.write(protein(name));
    const auto group = reader.next();
    ASSERT_TRUE(group);
    EXPECT_EQ(group->requests.size(), 1U);
  }
}

TEST_F(GroupReaderTest, LinesThatAreNoCommandsHaveTheirAnswerInTheirPlace) {
  input_.write("\n" + protein("a") + kNoCommand + protein("b"));
  input_.end();
  GroupReader reader = this->reader();
  const auto group = reader.next();
  ASSERT_TRUE(group);
  ASSERT_EQ(group->entries.size(), 3U);
  EXPECT_EQ(group->requests.size(), 2U);
  EXPECT_FALSE(group->entries[0].answer);
  ASSERT_TRUE(group->entries[1].answer);
  EXPECT_EQ(group->entries[1].answer->refusal.code, "missing_field");
  EXPECT_EQ(group->entries[2].line.number, 4U) << "empty lines count";
}

TEST_F(GroupReaderTest, NothingIsReadAfterARefusalThatEndsIt) {
  input_.write(protein("a") + kNoCommand + protein("b"));  // And the input stays open.
  GroupReader reader = this->reader({.ends_at_refusal = true});
  EXPECT_THAT(sizes(reader), ElementsAre(2));
  EXPECT_FALSE(reader.interrupted());
}

TEST_F(GroupReaderTest, InterruptEndsTheWaitForInput) {
  GroupReader reader = this->reader();
  std::jthread other([this] { interrupt_.request_stop(); });
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.interrupted());
}

TEST_F(GroupReaderTest, InterruptThrowsAwayWhatWasRead) {
  for (const char* name : {"a", "b", "c"}) input_.write(protein(name));
  input_.end();
  GroupReader reader = this->reader({.commands_max = 1});
  ASSERT_TRUE(reader.next());
  interrupt_.request_stop();
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.interrupted());
}

TEST_F(GroupReaderTest, InterruptAfterTheEndIsNone) {
  input_.write(protein("a"));
  input_.end();
  GroupReader reader = this->reader();
  EXPECT_THAT(sizes(reader), ElementsAre(1));
  interrupt_.request_stop();
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.interrupted());
}

// Returning is what is tested: the thread waits for input, or for room.
TEST_F(GroupReaderTest, GoesWhileTheThreadWaits) {
  { const GroupReader waits_for_input = reader(); }
  for (const char* name : {"a", "b", "c"}) input_.write(protein(name));
  GroupReader waits_for_room = reader({.commands_max = 1});
  EXPECT_TRUE(waits_for_room.next());
}

TEST_F(GroupReaderTest, SourcesFollowEachOtherAndCountTheirLines) {
  Pipe second;
  input_.write(protein("a") + protein("b"));
  second.write(protein("c"));
  input_.end();
  second.end();
  GroupReader reader({{input_.descriptor(), "one"}, {second.descriptor(), "two"}}, {});
  const auto group = reader.next();
  ASSERT_TRUE(group);
  ASSERT_EQ(group->entries.size(), 3U);
  EXPECT_EQ(group->entries[1].line.file, "one");
  EXPECT_EQ(group->entries[1].line.number, 2U);
  EXPECT_EQ(group->entries[2].line.file, "two");
  EXPECT_EQ(group->entries[2].line.number, 1U);
  EXPECT_EQ(group->bytes_read, 3 * protein("a").size());
}

TEST_F(GroupReaderTest, WhatReadingThrowsComesAfterWhatWasReadBefore) {
  const int directory = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  input_.write(protein("a"));
  input_.end();
  GroupReader reader({{input_.descriptor(), {}}, {directory, {}}}, {});
  EXPECT_TRUE(reader.next());
  EXPECT_THROW((void)reader.next(), UnavailableError);
  ::close(directory);
}

}  // namespace
}  // namespace tenantry::tools
