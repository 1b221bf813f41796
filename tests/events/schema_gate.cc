#include "tests/events/schema_gate.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include <capnp/any.h>
#include <capnp/schema-loader.h>
#include <capnp/schema-parser.h>
#include <capnp/serialize.h>
#include <fmt/format.h>
#include <kj/filesystem.h>
#include <kj/time.h>

#include "events/annotation_reader.h"
#include "events/annotations.capnp.h"

namespace tenantry::events {
namespace {

using capnp::schema::Field;
using capnp::schema::Node;
using Breaches = std::vector<std::string>;

// The few lines of Cap'n Proto's own c++.capnp that the schemas use.
constexpr const char* kCxxSchema =
    "@0xbdf87d7bb8304e81;\n"
    "annotation namespace @0xb9c6f99ebf805f2c (file) :Text;\n";

// They speak of commands, which are not kept, or to people. All others say what stored bytes mean.
constexpr std::array kFreeAnnotations = {annotation::help, annotation::rules, annotation::required,
                                         annotation::syntax, annotation::of};

// Numbers stand behind the first bits of a key (core/LOG_FORMAT.md).
constexpr unsigned kClaimsMax = 64;
constexpr unsigned kLookupsMax = 48;

template <class Reader>
bool same(Reader a, Reader b) {
  return capnp::AnyStruct::Reader(a) == capnp::AnyStruct::Reader(b);
}

std::string short_name(Node::Reader node) {
  return to_string(node.getDisplayName()).substr(node.getDisplayNamePrefixLength());
}

// --- claims and lookups: those of a table that may have rows stay as they are --------------------

template <class Entry>
typename capnp::List<Entry>::Reader listed(Node::Reader node, std::uint64_t id) {
  const auto found = find_annotation(node.getAnnotations(), id);
  if (!found) return {};
  return found->getValue().getList().template getAs<capnp::List<Entry>>();
}

template <class Entry>
bool lists(typename capnp::List<Entry>::Reader entries, typename Entry::Reader wanted) {
  for (const auto entry : entries) {
    if (same<typename Entry::Reader>(entry, wanted)) return true;
  }
  return false;
}

template <class Entry>
void compare_numbered(Node::Reader released, Node::Reader current, std::uint64_t id,
                      std::string_view what, Breaches& breaches) {
  const auto was = listed<Entry>(released, id);
  const auto is = listed<Entry>(current, id);
  for (const auto entry : was) {
    if (!lists<Entry>(is, entry))
      breaches.push_back(fmt::format("{}: {} {} is gone or changed", short_name(released), what,
                                     entry.getNumber()));
  }
  for (const auto entry : is) {
    if (!lists<Entry>(was, entry))
      breaches.push_back(fmt::format("{}: no store has keys of {} {}", short_name(released), what,
                                     entry.getNumber()));
  }
}

// Numbers stand in keys without a table beside them.
template <class Entry>
void check_numbers(const SchemaNodes& current, std::uint64_t id, std::string_view what,
                   unsigned numbers_max, Breaches& breaches) {
  std::set<std::uint8_t> taken;
  for (const auto& [node_id, node] : current.by_id()) {
    for (const auto entry : listed<Entry>(node, id)) {
      const bool fresh = taken.insert(entry.getNumber()).second;
      if (!fresh || entry.getNumber() >= numbers_max)
        breaches.push_back(fmt::format("{}: {} {} is used twice or too large", short_name(node),
                                       what, entry.getNumber()));
    }
  }
}

// --- annotations
// ----------------------------------------------------------------------------------

bool is_compared_whole(std::uint64_t id) {
  return id != annotation::claims && id != annotation::lookups &&
         std::ranges::find(kFreeAnnotations, id) == kFreeAnnotations.end();
}

std::string annotation_name(const SchemaNodes& nodes, std::uint64_t id) {
  const auto found = nodes.by_id().find(id);
  return found == nodes.by_id().end() ? fmt::format("{:#x}", id) : short_name(found->second);
}

// Compares what a declaration or field says of itself.
void compare_annotations(const std::string& name, Annotations released, Annotations current,
                         const SchemaNodes& nodes, Breaches& breaches) {
  for (const auto annotation : released) {
    if (!is_compared_whole(annotation.getId())) continue;
    const auto now = find_annotation(current, annotation.getId());
    if (!now || !same(annotation.getValue(), now->getValue()))
      breaches.push_back(fmt::format("{}: ${} is gone or changed", name,
                                     annotation_name(nodes, annotation.getId())));
  }
  for (const auto annotation : current) {
    if (is_compared_whole(annotation.getId()) && !find_annotation(released, annotation.getId()))
      breaches.push_back(
          fmt::format("{}: ${} is new", name, annotation_name(nodes, annotation.getId())));
  }
}

// --- structs and enums
// ----------------------------------------------------------------------------

// Groups have no ordinal of their own and are known by their name.
bool is_counterpart(Field::Reader a, Field::Reader b) {
  if (a.getOrdinal().which() != b.getOrdinal().which()) return false;
  if (a.getOrdinal().isExplicit())
    return a.getOrdinal().getExplicit() == b.getOrdinal().getExplicit();
  return a.getName() == b.getName();
}

std::optional<Field::Reader> counterpart(Field::Reader field, Node::Reader current) {
  for (const auto candidate : current.getStruct().getFields()) {
    if (is_counterpart(field, candidate)) return candidate;
  }
  return std::nullopt;
}

void compare_slots(const std::string& name, Field::Reader released, Field::Reader current,
                   Breaches& breaches) {
  if (released.which() != current.which()) {
    breaches.push_back(name + ": between a field and a group");
  } else if (released.isGroup()) {
    if (released.getGroup().getTypeId() != current.getGroup().getTypeId())
      breaches.push_back(name + ": another group");
  } else {
    const auto was = released.getSlot();
    const auto is = current.getSlot();
    if (was.getOffset() != is.getOffset()) breaches.push_back(name + ": its place changed");
    if (!same(was.getType(), is.getType())) breaches.push_back(name + ": its type changed");
    if (!same(was.getDefaultValue(), is.getDefaultValue()))
      breaches.push_back(name + ": its default changed");
  }
}

void compare_fields(Node::Reader released, Node::Reader current, const SchemaNodes& nodes,
                    Breaches& breaches) {
  for (const auto field : released.getStruct().getFields()) {
    const std::string name = short_name(released) + "." + to_string(field.getName());
    const auto now = counterpart(field, current);
    if (!now) {
      breaches.push_back(name + ": gone");
      continue;
    }
    if (field.getName() != now->getName())
      breaches.push_back(fmt::format("{}: now called {}", name, to_string(now->getName())));
    if (field.getDiscriminantValue() != now->getDiscriminantValue())
      breaches.push_back(name + ": its place in the union changed");
    compare_slots(name, field, *now, breaches);
    compare_annotations(name, field.getAnnotations(), now->getAnnotations(), nodes, breaches);
  }
}

void compare_structs(Node::Reader released, Node::Reader current, const SchemaNodes& nodes,
                     Breaches& breaches) {
  const auto was = released.getStruct();
  if (was.getDiscriminantCount() > 0 &&
      was.getDiscriminantOffset() != current.getStruct().getDiscriminantOffset())
    breaches.push_back(short_name(released) + ": the place of its union's tag changed");
  compare_fields(released, current, nodes, breaches);
  compare_numbered<Claim>(released, current, annotation::claims, "claim", breaches);
  compare_numbered<Lookup>(released, current, annotation::lookups, "lookup", breaches);
}

void compare_enums(Node::Reader released, Node::Reader current, Breaches& breaches) {
  const auto was = released.getEnum().getEnumerants();
  const auto is = current.getEnum().getEnumerants();
  for (unsigned number = 0; number < was.size(); ++number) {
    if (number >= is.size() || was[number].getName() != is[number].getName())
      breaches.push_back(fmt::format("{}.{}: gone or renamed", short_name(released),
                                     to_string(was[number].getName())));
  }
}

void compare_nodes(Node::Reader released, Node::Reader current, const SchemaNodes& nodes,
                   Breaches& breaches) {
  const std::string name = short_name(released);
  if (name != short_name(current))
    breaches.push_back(fmt::format("{}: now called {}", name, short_name(current)));
  if (released.which() != current.which()) {
    breaches.push_back(name + ": a declaration of another sort");
    return;
  }
  compare_annotations(name, released.getAnnotations(), current.getAnnotations(), nodes, breaches);
  if (released.isStruct()) compare_structs(released, current, nodes, breaches);
  if (released.isEnum()) compare_enums(released, current, breaches);
  if (released.isAnnotation() &&
      !same(released.getAnnotation().getType(), current.getAnnotation().getType()))
    breaches.push_back(name + ": its type changed");
}

// What Cap'n Proto itself holds to be incompatible.
void load_both(const SchemaNodes& released, const SchemaNodes& current, Breaches& breaches) {
  capnp::SchemaLoader loader;
  for (const SchemaNodes* nodes : {&released, &current}) {
    for (const auto& [id, node] : nodes->by_id()) {
      try {
        loader.load(node);
      } catch (const kj::Exception& error) {
        breaches.push_back(short_name(node) + ": " + error.getDescription().cStr());
      }
    }
  }
}

void add_with_groups(capnp::Schema schema, SchemaNodes& nodes) {
  nodes.add(schema.getProto());
  if (!schema.getProto().isStruct()) return;
  for (const auto field : schema.asStruct().getFields()) {
    if (field.getProto().isGroup()) add_with_groups(field.getType().asStruct(), nodes);
  }
}

void add_nested(capnp::ParsedSchema parent, SchemaNodes& nodes) {
  for (const capnp::ParsedSchema nested : parent.getAllNested()) {
    add_with_groups(nested, nodes);
    add_nested(nested, nodes);
  }
}

}  // namespace

void SchemaNodes::add(Node::Reader node) {
  auto message = std::make_unique<capnp::MallocMessageBuilder>();
  message->setRoot(node);
  by_id_.insert_or_assign(node.getId(), message->getRoot<Node>().asReader());
  messages_.push_back(std::move(message));
}

SchemaNodes read_compiled_schemas(const std::filesystem::path& file) {
  std::ifstream input(file, std::ios::binary);
  if (!input) throw std::runtime_error("cannot read " + file.string());
  const std::string bytes{std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::copy_n(bytes.begin(), words.asBytes().size(), words.asBytes().begin());
  capnp::FlatArrayMessageReader message(words);
  const auto request = message.getRoot<capnp::schema::CodeGeneratorRequest>();

  std::set<std::uint64_t> ours;  // Scopes: the files asked for, and what is declared in them.
  for (const auto requested : request.getRequestedFiles()) ours.insert(requested.getId());
  SchemaNodes nodes;
  for (std::size_t known = 0; known != ours.size();) {
    known = ours.size();
    for (const auto node : request.getNodes()) {
      if (ours.contains(node.getScopeId()) && ours.insert(node.getId()).second) nodes.add(node);
    }
  }
  return nodes;
}

SchemaNodes compile_schemas(const SchemaSources& sources) {
  const auto directory = kj::newInMemoryDirectory(kj::nullClock());
  constexpr auto kMode = kj::WriteMode::CREATE | kj::WriteMode::CREATE_PARENT;
  directory->openFile(kj::Path({"capnp", "c++.capnp"}), kMode)->writeAll(kCxxSchema);
  for (const auto& [name, text] : sources)
    directory->openFile(kj::Path::parse(name.c_str()), kMode)->writeAll(text.c_str());

  const kj::ReadableDirectory* imports[] = {directory.get()};
  capnp::SchemaParser parser;
  SchemaNodes nodes;
  for (const auto& [name, text] : sources)
    add_nested(parser.parseFromDirectory(*directory, kj::Path::parse(name.c_str()), imports),
               nodes);
  return nodes;
}

std::vector<std::string> broken_promises(const SchemaNodes& released, const SchemaNodes& current) {
  Breaches breaches;
  load_both(released, current, breaches);
  for (const auto& [id, node] : released.by_id()) {
    const auto found = current.by_id().find(id);
    if (found == current.by_id().end()) {
      breaches.push_back(fmt::format("{}: {:#x} is gone", short_name(node), id));
    } else {
      compare_nodes(node, found->second, current, breaches);
    }
  }
  check_numbers<Claim>(current, annotation::claims, "claim", kClaimsMax, breaches);
  check_numbers<Lookup>(current, annotation::lookups, "lookup", kLookupsMax, breaches);
  return breaches;
}

}  // namespace tenantry::events
