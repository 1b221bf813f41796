#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/generator/random_source.h"

// The words of a made-up history. People, companies and products are numbered; what belongs to a
// number is made from it when it is written, so that nobody has to keep it. Different numbers give
// different usernames, addresses, slugs and host names.
namespace tenantry::generator {

inline constexpr std::size_t kFirstNames = 64;
inline constexpr std::size_t kLastNames = 64;
[[nodiscard]] std::string_view first_name(std::size_t place);  // Below kFirstNames.
[[nodiscard]] std::string_view last_name(std::size_t place);

// Places of the names of the person `number`.
[[nodiscard]] std::size_t first_name_of(std::uint64_t number);
[[nodiscard]] std::size_t last_name_of(std::uint64_t number);

// Where mail of a person goes: to one of a few hosts for everybody, or to a company's.
class MailHost {
 public:
  static constexpr std::uint64_t kPublicHosts = 4;

  [[nodiscard]] static MailHost public_host(std::uint64_t place) { return MailHost(place); }
  [[nodiscard]] static MailHost company(std::uint64_t number) {
    return MailHost(number + kPublicHosts);
  }
  [[nodiscard]] bool is_public() const { return value_ < kPublicHosts; }
  void append(std::string& out) const;
  bool operator==(const MailHost&) const = default;

 private:
  explicit MailHost(std::uint64_t value) : value_(value) {}
  std::uint64_t value_;
};

// `ana.lopez@north-harbor-foods.example`; the same address with a capital, as people type it, if
// `capital`.
void append_address(std::string& out, std::uint64_t person, MailHost host, bool capital = false);
// `ana.lopez2` for the person `number`; one in eight has the letters of the name itself.
void append_username(std::string& out, std::uint64_t person);
// The username after the `number`-th renaming of all, to a last name: `ana_weber17`.
void append_new_username(std::string& out, std::size_t first, std::size_t last,
                         std::uint64_t number);

void append_company_name(std::string& out, std::uint64_t number);  // North Harbor Foods
void append_slug(std::string& out, std::uint64_t number);          // north-harbor-foods
// The `place`-th host name of a company: app.north-harbor-foods.example
void append_host_name(std::string& out, std::uint64_t company, std::uint64_t place);
void append_protein_name(std::string& out, std::uint64_t number);  // Beef brisket

// One of the things that people say with a command, or with an invitation.
[[nodiscard]] std::string_view draw_reason(RandomSource& random);
[[nodiscard]] std::string_view draw_invitation_message(RandomSource& random);
// Who acts when no user does: `system:billing`, `support:ines`.
[[nodiscard]] std::string_view draw_operator(RandomSource& random);

}  // namespace tenantry::generator
