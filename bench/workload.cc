#include "bench/workload.h"

#include <random>
#include <stdexcept>
#include <utility>
#include <variant>

#include <capnp/message.h>
#include <fmt/format.h>

#include "events/encoding.h"
#include "events/events.capnp.h"

namespace tenantry::bench {
namespace {

constexpr std::size_t kActors = 500;
constexpr std::size_t kDomainsPerTenant = 20;
constexpr std::uint64_t kTenantIds = 0x7e7a;  // The high half of tenants' ids.

events::CommandRequest parse(const std::string& line) {
  auto parsed = events::parse_command_line(line, {}, /*historic=*/false);
  if (const auto* refusal = std::get_if<events::Refusal>(&parsed)) {
    throw std::logic_error(fmt::format("a command of the workload: {}", refusal->message));
  }
  return std::get<events::CommandRequest>(std::move(parsed));
}

std::string tenant_id(std::size_t number) {
  return events::format_uuid(uuid_from(kTenantIds, number));
}

std::string add_domain(std::size_t tenant, std::size_t number) {
  return fmt::format(R"({{"command":"add_domain","data":{{"tenant":"{}","domain":"{}"}}}})",
                     tenant_id(tenant), domain_name(number));
}

std::string register_user(std::size_t number) {
  return fmt::format(R"({{"command":"register_user",)"
                     R"("data":{{"username":"user{0}","email":"user{0}@example.com"}}}})",
                     number);
}

}  // namespace

std::string tenant_slug(std::size_t number) { return fmt::format("tenant{}", number); }

std::string domain_name(std::size_t number) { return fmt::format("host{}.example.com", number); }

events::Uuid uuid_from(std::uint64_t high, std::uint64_t low) {
  events::Uuid uuid;
  for (std::size_t i = 0; i < 8; ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    uuid.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0fU) | 0x40U);  // Version 4,
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3fU) | 0x80U);  // RFC 4122.
  return uuid;
}

events::EncodedEvent domain_added_event() {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<events::Event>();
  event.setActor("actor7");
  auto fact = event.initDomainAdded();
  fact.setId(7);
  const events::Uuid tenant = uuid_from(kTenantIds, 7);
  fact.setTenantId({tenant.bytes.data(), tenant.bytes.size()});
  fact.setDomain(domain_name(7));
  fact.setIsActive(true);
  return events::encode_canonical(event.asReader());
}

std::vector<events::CommandRequest> make_tenants(std::size_t count) {
  std::vector<events::CommandRequest> commands;
  for (std::size_t n = 0; n < count; ++n) {
    commands.push_back(parse(fmt::format(
        R"({{"command":"create_tenant","data":{{"id":"{}","name":"Tenant {}","slug":"{}",)"
        R"("contact_email":"office@example.com","domain":"{}.example.org"}}}})",
        tenant_id(n), n, tenant_slug(n), tenant_slug(n))));
  }
  return commands;
}

std::vector<events::CommandRequest> draw_commands(const WorkloadOptions& options,
                                                  std::size_t count) {
  std::mt19937_64 random(options.seed);
  std::vector<events::CommandRequest> commands;
  commands.reserve(count);
  for (std::size_t n = options.first; n < options.first + count; ++n) {
    const std::uint64_t drawn = random();
    const std::size_t tenant = options.mix == Mix::kImportDomains
                                   ? n / kDomainsPerTenant % options.tenants
                                   : static_cast<std::size_t>(drawn) % options.tenants;
    events::CommandRequest command =
        parse(options.mix == Mix::kImportUsers ? register_user(n) : add_domain(tenant, n));
    events::Circumstances& circumstances = command.circumstances;
    circumstances.actor =
        options.mix == Mix::kRandom ? fmt::format("actor{}", drawn % kActors) : "importer";
    circumstances.expected_version.kind = events::ExpectedVersion::Kind::kNone;
    if (options.with_ids) circumstances.id = uuid_from(random(), random());
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace tenantry::bench
