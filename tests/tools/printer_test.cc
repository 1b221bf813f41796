#include "tools/printer.h"

#include <array>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"

namespace tenantry::tools {
namespace {

class PrinterTest : public ::testing::Test {
 protected:
  PrinterTest() { EXPECT_EQ(::pipe(pipe_.data()), 0); }
  ~PrinterTest() override {
    for (const int end : pipe_) ::close(end);
  }

  std::string print(PrintOptions options, const std::vector<Cell>& cells) {
    OutputStream out(pipe_[1]);
    Printer printer(out, std::move(options), {{"id"}, {"text"}, {"more", true}});
    printer.row(cells);
    printer.finish();
    std::string text(4096, '\0');
    text.resize(static_cast<std::size_t>(::read(pipe_[0], text.data(), text.size())));
    return text;
  }

  std::array<int, 2> pipe_{};
};

const std::vector<Cell> kCells = {std::int64_t{7}, std::string("a,\"b\""), JsonText{"[1, 2]"}};

TEST_F(PrinterTest, NdjsonEmbedsDocuments) {
  EXPECT_EQ(print({.format = Format::kNdjson}, kCells),
            "{\"id\":7,\"text\":\"a,\\\"b\\\"\",\"more\":[1, 2]}\n");
}

TEST_F(PrinterTest, JsonIsAList) {
  EXPECT_EQ(print({.format = Format::kJson}, {std::int64_t{7}, events::Null{}, events::Null{}}),
            "[{\"id\":7,\"text\":null,\"more\":null}]\n");
}

TEST_F(PrinterTest, CsvQuotes) {
  EXPECT_EQ(print({.format = Format::kCsv}, kCells),
            "id,text,more\n7,\"a,\"\"b\"\"\",\"[1, 2]\"\n");
}

TEST_F(PrinterTest, TableLeavesWideColumnsOut) {
  EXPECT_EQ(print({.format = Format::kTable}, kCells), "id  text\n 7  a,\"b\"\n");
}

TEST_F(PrinterTest, TableShowsControlCharacters) {
  const std::string text = print({.format = Format::kTable},
                                 {std::int64_t{7}, std::string("a\x1b[2J\nb"), JsonText{""}});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(PrinterTest, FieldsChooseAndOrder) {
  EXPECT_EQ(print({.format = Format::kCsv, .fields = {"more", "id"}}, kCells),
            "more,id\n\"[1, 2]\",7\n");
  EXPECT_THROW((void)print({.format = Format::kCsv, .fields = {"none"}}, kCells), UsageError);
}

TEST(CellTest, SecretsKeepAShortBeginning) {
  EXPECT_EQ(mask_secret("pbkdf2_sha256$1$x"), "pbkdf2…");
  EXPECT_EQ(mask_secret("!abc"), "!a…");
  EXPECT_EQ(mask_secret(""), "…");
}

}  // namespace
}  // namespace tenantry::tools
