#include "core/block_codec.h"

#include <zstd.h>

#include "core/error.h"

namespace tenantry {
namespace {

constexpr int kCompressionLevel = 3;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

void set_parameter(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
  TENANTRY_ASSERT(ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) == 0);
}

}  // namespace

// Kept from block to block: making one costs more than a block.
struct BlockCompressor::Context {
  std::unique_ptr<ZSTD_CCtx, FreeContext> zstd{ZSTD_createCCtx()};
};

BlockCompressor::BlockCompressor() : context_(std::make_unique<Context>()) {
  ZSTD_CCtx* const zstd = context_->zstd.get();
  TENANTRY_ASSERT(zstd != nullptr);
  set_parameter(zstd, ZSTD_c_compressionLevel, kCompressionLevel);
  set_parameter(zstd, ZSTD_c_checksumFlag, 0);  // Whoever keeps the block has a checksum of it.
}

BlockCompressor::~BlockCompressor() = default;

std::string_view BlockCompressor::compress(std::string_view raw) {
  const std::size_t room = ZSTD_compressBound(raw.size());
  if (out_.size() < room) out_.resize(room);
  const std::size_t bytes =
      ZSTD_compress2(context_->zstd.get(), out_.data(), out_.size(), raw.data(), raw.size());
  TENANTRY_ASSERT(ZSTD_isError(bytes) == 0);
  return bytes < raw.size() ? std::string_view(out_).substr(0, bytes) : std::string_view();
}

bool decompress_block(std::string_view stored, std::string& raw) {
  // One frame and nothing behind it; empty frames before it would be read over.
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != raw.size() ||
      ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) {
    return false;
  }
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> zstd(ZSTD_createDCtx());
  TENANTRY_ASSERT(zstd != nullptr);
  return ZSTD_decompressDCtx(zstd.get(), raw.data(), raw.size(), stored.data(), stored.size()) ==
         raw.size();
}

}  // namespace tenantry
