#pragma once

#include <memory>
#include <string>
#include <string_view>

// Compression of one block at a time (zstd). The only file that knows the library.
namespace tenantry {

// Threads: one. The same bytes give the same bytes, as long as the library stays the same.
class BlockCompressor {
 public:
  BlockCompressor();
  BlockCompressor(const BlockCompressor&) = delete;
  BlockCompressor& operator=(const BlockCompressor&) = delete;
  ~BlockCompressor();

  // Empty where that would not be smaller than `raw`. Valid until the next call.
  [[nodiscard]] std::string_view compress(std::string_view raw);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::string out_;
};

// Fills `raw`, whose size says how many bytes there must be. False for bytes that are anything but
// that; `raw` then holds no matter what.
[[nodiscard]] bool decompress_block(std::string_view stored, std::string& raw);

}  // namespace tenantry
