#include "projections/digest.h"

#include <openssl/evp.h>

#include "core/error.h"

namespace tenantry::projections {
namespace {

using events::ColumnInfo;

void append_measured(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

struct TextAppender {
  std::string& out;
  void operator()(events::Null) const { out += '-'; }
  void operator()(bool value) const { out += value ? "1:t" : "1:f"; }
  void operator()(std::int64_t value) const { append_measured(out, std::to_string(value)); }
  void operator()(events::Timestamp value) const {
    const std::size_t start = out.size();
    events::append_timestamp(out += "27:", value);
    const std::size_t printed = out.size() - start - 3;
    if (printed != 27) out.replace(start, 2, std::to_string(printed));  // Out of a damaged row.
  }
  void operator()(const events::Uuid& value) const {
    append_measured(out, events::format_uuid(value));
  }
  void operator()(const std::string& value) const { append_measured(out, value); }
};

void append_row_text(std::string& out, const events::TableInfo& table,
                     const events::RowValues& row) {
  TENANTRY_ASSERT(row.size() == table.columns.size());
  for (std::size_t place = 0; place < row.size(); ++place) {
    const ColumnInfo& column = table.columns[place];
    if (column.application_owned) continue;
    const bool null = std::holds_alternative<events::Null>(row[place]);
    if (!null && !events::is_of_type(column.type, row[place])) out += '!';
    std::visit(TextAppender{out}, row[place]);
  }
}

}  // namespace

// OpenSSL's digest, fetched once: a look-up by name for every row would cost as much as the hash.
struct TableDigest::Hasher {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::string text;

  Hasher() { TENANTRY_ASSERT(algorithm != nullptr && context != nullptr); }
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  ~Hasher() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }

  std::array<unsigned char, 32> hash(std::string_view bytes) {
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    TENANTRY_ASSERT(EVP_DigestInit_ex2(context, algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context, digest.data(), &size) == 1 && size == 32);
    return digest;
  }
};

std::string TableFingerprint::hex() const {
  std::string text = std::to_string(rows);
  for (const std::uint64_t lane : lanes) text += "," + std::to_string(lane);
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  TENANTRY_ASSERT(
      EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return events::hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

TableDigest::TableDigest(const events::TableInfo& table)
    : table_(&table), hasher_(std::make_unique<Hasher>()) {}
TableDigest::TableDigest(TableDigest&&) noexcept = default;
TableDigest& TableDigest::operator=(TableDigest&&) noexcept = default;
TableDigest::~TableDigest() = default;

std::array<std::uint32_t, 8> TableDigest::hash_row(const events::RowValues& row) {
  hasher_->text.clear();
  append_row_text(hasher_->text, *table_, row);
  const auto digest = hasher_->hash(hasher_->text);
  std::array<std::uint32_t, 8> words{};
  for (std::size_t place = 0; place < digest.size(); ++place) {
    words[place / 4] = words[place / 4] << 8U | digest[place];
  }
  return words;
}

void TableDigest::add(const events::RowValues& row) {
  const auto words = hash_row(row);
  for (std::size_t lane = 0; lane < words.size(); ++lane) sums_.lanes[lane] += words[lane];
  ++sums_.rows;
}

void TableDigest::remove(const events::RowValues& row) {
  TENANTRY_ASSERT(sums_.rows > 0);
  const auto words = hash_row(row);
  for (std::size_t lane = 0; lane < words.size(); ++lane) sums_.lanes[lane] -= words[lane];
  --sums_.rows;
}

std::string canonical_row_text(const events::TableInfo& table, const events::RowValues& row) {
  std::string text;
  append_row_text(text, table, row);
  return text;
}

}  // namespace tenantry::projections
