#include "tools/line_reader.h"

#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "events/commands.h"

namespace tenantry::tools {
namespace {

using ::testing::ElementsAre;
using Result = LineReader::Result;

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() {
    EXPECT_EQ(::pipe(input_), 0);
    EXPECT_EQ(::pipe(interrupt_), 0);
  }
  ~LineReaderTest() override {
    for (const int end : {input_[0], interrupt_[0], interrupt_[1]}) ::close(end);
    end_input();
  }
  void write(const std::string& text) {
    std::size_t written = 0;
    while (written < text.size()) {
      const ssize_t count = ::write(input_[1], text.data() + written, text.size() - written);
      ASSERT_GT(count, 0);
      written += static_cast<std::size_t>(count);
    }
  }
  void end_input() {
    if (input_[1] >= 0) ::close(input_[1]);
    input_[1] = -1;
  }
  std::vector<std::string> rest() {
    std::vector<std::string> lines;
    while (reader_.next(true) == Result::kLine) {
      lines.push_back(reader_.too_long() ? "(too long)" : std::string(reader_.line()));
    }
    return lines;
  }

  int input_[2]{};
  int interrupt_[2]{};
  LineReader reader_{input_[0], interrupt_[0]};
};

TEST_F(LineReaderTest, LastLineNeedsNoLineEnd) {
  write("one\n\nthree");
  end_input();
  EXPECT_THAT(rest(), ElementsAre("one", "", "three"));
}

TEST_F(LineReaderTest, DoesNotWaitUnlessTold) {
  write("one\ntw");
  EXPECT_EQ(reader_.next(false), Result::kLine);
  EXPECT_EQ(reader_.next(false), Result::kNothingYet);
  write("o\n");
  EXPECT_EQ(reader_.next(false), Result::kLine);
  EXPECT_EQ(reader_.line(), "two");
}

TEST_F(LineReaderTest, LongestLineIsTakenAndALongerOneIsSkipped) {
  std::jthread writer([this] {
    write(std::string(events::kLineBytesMax, 'a') + "\n");
    write(std::string(3 * events::kLineBytesMax, 'b') + "\nnext\n");
    write(std::string(events::kLineBytesMax + 1, 'c'));
    end_input();
  });
  EXPECT_THAT(rest(), ElementsAre(std::string(events::kLineBytesMax, 'a'), "(too long)", "next",
                                  "(too long)"));
}

TEST_F(LineReaderTest, InterruptEndsTheWait) {
  ASSERT_EQ(::write(interrupt_[1], "x", 1), 1);
  EXPECT_EQ(reader_.next(true), Result::kInterrupted);
}

}  // namespace
}  // namespace tenantry::tools
