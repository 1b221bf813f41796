#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/owner/owner.capnp.h"
#include "core/tenancy_store.h"

// What passes between an owner and its callers, from and to the types of tenancy_store.h. Readers
// throw events::MalformedError for what no writer here wrote.
namespace tenantry::owner {

// Of the commands of one call, in bytes. Leaves room for what stands beside them.
inline constexpr std::size_t kCommandsBytesMax = std::size_t{64} << 20;

// The owner takes no more calls; it did nothing for this one.
struct OwnerLeaves : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "the owner leaves"; }
};

// Puts what was thrown there, with its type and all of its words. A fault of no known type is a
// bug, and ends the process.
void write_fault(wire::Fault::Builder fault, const std::exception_ptr& error);
// What was thrown there, to be thrown here; nullptr for none. For OwnerLeaves it is an OwnerGone,
// which did nothing.
[[nodiscard]] std::exception_ptr read_fault(wire::Fault::Reader fault);

void write_commands(capnp::List<wire::Command>::Builder to,
                    std::span<const events::CommandRequest> commands);
[[nodiscard]] std::vector<events::CommandRequest> read_commands(
    capnp::List<wire::Command>::Reader commands);

void write_options(wire::SubmitOptions::Builder to, const SubmitOptions& options);
[[nodiscard]] SubmitOptions read_options(wire::SubmitOptions::Reader options);

void write_answers(capnp::List<wire::Answer>::Builder to, std::span<const Answer> answers);
[[nodiscard]] std::vector<Answer> read_answers(capnp::List<wire::Answer>::Reader answers);

void write_tail(wire::Tail::Builder to, const LogTail& tail);
[[nodiscard]] LogTail read_tail(wire::Tail::Reader tail);

// `through` is set.
void write_filter(wire::LogFilter::Builder to, const LogFilter& filter);
[[nodiscard]] LogFilter read_filter(wire::LogFilter::Reader filter);

void write_query(wire::ResolveQuery::Builder to, const ResolveQuery& query);
[[nodiscard]] ResolveQuery read_query(wire::ResolveQuery::Reader query);
void write_outcome(wire::Resolution::Builder to, const ResolveOutcome& outcome);
[[nodiscard]] ResolveOutcome read_outcome(wire::Resolution::Reader outcome);

void write_status(wire::Status::Builder to, const StoreStatus& status);
// Without the identity, which the greeting gave.
[[nodiscard]] StoreStatus read_status(wire::Status::Reader status);

void write_backup(wire::Backup::Builder to, const BackupReport& report);
[[nodiscard]] BackupReport read_backup(wire::Backup::Reader report);

void write_beginning(wire::Beginning::Builder to, const Beginning& beginning);
[[nodiscard]] Beginning read_beginning(wire::Beginning::Reader beginning);

void write_squash_options(wire::SquashOptions::Builder to, const SquashOptions& options);
[[nodiscard]] SquashOptions read_squash_options(wire::SquashOptions::Reader options);
void write_squash(wire::Squash::Builder to, const SquashReport& report);
[[nodiscard]] SquashReport read_squash(wire::Squash::Reader report);

void write_checks(capnp::List<wire::Check>::Builder to, std::span<const CheckResult> checks);
[[nodiscard]] std::vector<CheckResult> read_checks(capnp::List<wire::Check>::Reader checks);

[[nodiscard]] capnp::Data::Reader data_of(std::string_view bytes);
[[nodiscard]] std::string_view bytes_of(capnp::Data::Reader data);
[[nodiscard]] events::Uuid read_uuid(capnp::Data::Reader data);
// None for no bytes.
[[nodiscard]] std::optional<events::Uuid> read_optional_uuid(capnp::Data::Reader data);
[[nodiscard]] std::string_view uuid_bytes(const events::Uuid& uuid);

// Events, rows and keys travel packed one behind the other: there are many of them, and one answer
// is a piece of them.
struct Piece {
  std::string bytes;
  bool ended = true;  // Nothing comes behind it.
};
// Of a log, which was looked through to `reached`.
struct LogPiece {
  std::string events;
  Position reached;
  bool ended = true;
};
void append_event(std::string& to, const StoredEvent& event);
void append_row(std::string& to, const StoredRow& row);
void append_key(std::string& to, const RowKey& key);
void append_entry(std::string& to, std::string_view key, std::string_view value);

// Takes apart what was packed. Borrows `bytes`, into which payloads point.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool more() const { return !rest_.empty(); }
  [[nodiscard]] StoredEvent event();
  [[nodiscard]] StoredRow row();
  [[nodiscard]] RowKey key();
  // A key and a value.
  [[nodiscard]] std::pair<std::string_view, std::string_view> entry();

 private:
  template <class Integer>
  Integer number();
  std::string_view take(std::size_t bytes);
  events::Uuid uuid();

  std::string_view rest_;
};

}  // namespace tenantry::owner
