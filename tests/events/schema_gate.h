#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <capnp/message.h>
#include <capnp/schema.capnp.h>

// Whether bytes that an older schema wrote still mean the same under a newer one.
namespace tenantry::events {

// The compiled declarations of some schemas, by id; files themselves left out.
class SchemaNodes {
 public:
  using Node = capnp::schema::Node;

  void add(Node::Reader node);  // Copies it.
  [[nodiscard]] const std::map<std::uint64_t, Node::Reader>& by_id() const { return by_id_; }

 private:
  std::vector<std::unique_ptr<capnp::MallocMessageBuilder>> messages_;
  std::map<std::uint64_t, Node::Reader> by_id_;
};

// What `capnp compile -o-` wrote.
[[nodiscard]] SchemaNodes read_compiled_schemas(const std::filesystem::path& file);

// File name, perhaps in a folder -> text. Throws kj::Exception for what does not compile.
using SchemaSources = std::map<std::string, std::string>;
[[nodiscard]] SchemaNodes compile_schemas(const SchemaSources& sources);

// What `current` breaks of the promises of `released`, a line each; empty if old bytes can be read
// and say what they said. New fields, kinds, enumerants and tables break nothing; a new claim or
// lookup of a table does whose rows are in the stores already.
[[nodiscard]] std::vector<std::string> broken_promises(const SchemaNodes& released,
                                                       const SchemaNodes& current);

}  // namespace tenantry::events
