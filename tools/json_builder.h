#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cell.h"

namespace tenantry::tools {

// Puts JSON together, compact, in the order of the calls, which must make a document.
class JsonBuilder {
 public:
  JsonBuilder();
  JsonBuilder(const JsonBuilder&) = delete;
  JsonBuilder& operator=(const JsonBuilder&) = delete;
  ~JsonBuilder();

  JsonBuilder& begin_object();
  JsonBuilder& end_object();
  JsonBuilder& begin_array();
  JsonBuilder& end_array();
  JsonBuilder& key(std::string_view name);
  JsonBuilder& value(const Cell& cell);
  JsonBuilder& string(std::string_view text);
  JsonBuilder& member(std::string_view name, const Cell& cell) { return key(name).value(cell); }

  // What was built; valid until the next call.
  [[nodiscard]] std::string_view text() const;
  [[nodiscard]] JsonText document() const { return {std::string(text())}; }
  void clear();  // Starts anew, keeping the memory.

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// An array of texts.
[[nodiscard]] JsonText texts_json(const std::vector<std::string>& texts);

}  // namespace tenantry::tools
