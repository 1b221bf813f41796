#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace tenantry::generator {

// The place of something that lives; used again once it is gone.
using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = ~Slot{0};

// Things that come and go, each in a place of its own. Lifetime: a reference dies when something is
// added.
template <class T>
class Slots {
 public:
  // The place that add() will take next.
  [[nodiscard]] Slot next() const {
    return free_.empty() ? static_cast<Slot>(places_.size()) : free_.back();
  }
  Slot add(T thing) {
    const Slot slot = next();
    if (free_.empty()) {
      places_.emplace_back(std::move(thing));
    } else {
      free_.pop_back();
      places_[slot].emplace(std::move(thing));
    }
    return slot;
  }
  void remove(Slot slot) {
    places_[slot].reset();
    free_.push_back(slot);
  }
  [[nodiscard]] bool has(Slot slot) const { return slot < places_.size() && places_[slot]; }
  [[nodiscard]] T& operator[](Slot slot) { return *places_[slot]; }
  [[nodiscard]] const T& operator[](Slot slot) const { return *places_[slot]; }
  // Places, also empty ones.
  [[nodiscard]] Slot places() const { return static_cast<Slot>(places_.size()); }
  [[nodiscard]] std::size_t size() const { return places_.size() - free_.size(); }

 private:
  std::vector<std::optional<T>> places_;
  std::vector<Slot> free_;
};

}  // namespace tenantry::generator
