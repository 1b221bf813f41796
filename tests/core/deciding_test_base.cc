#include "tests/core/deciding_test_base.h"

#include <algorithm>
#include <stdexcept>
#include <variant>

#include <capnp/message.h>

#include "events/commands.h"
#include "events/kinds.h"
#include "events/tables.h"

namespace tenantry {
namespace {

using events::Value;

std::string to_json(std::string_view text) {
  std::string json(text);
  std::replace(json.begin(), json.end(), '\'', '"');
  return json;
}

std::string print_uuid(const events::Uuid& uuid) {
  std::string text = events::format_uuid(uuid);
  constexpr std::string_view kCounted = "00000000-0000-4000-8000-";
  if (!text.starts_with(kCounted)) return text;
  return "#" + std::to_string(std::stoull(text.substr(kCounted.size()), nullptr, 16));
}

std::string print(const Value& value, events::Timestamp now) {
  if (std::holds_alternative<events::Null>(value)) return "null";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* uuid = std::get_if<events::Uuid>(&value)) return print_uuid(*uuid);
  if (const auto* time = std::get_if<events::Timestamp>(&value)) {
    return "@" + std::to_string((time->micros - now.micros) / 1'000'000);
  }
  return std::get<std::string>(value);
}

std::string print_event(std::string_view bytes, events::Timestamp now) {
  events::EventView event(bytes);
  std::string text = event.kind().name;
  for (const auto& [field, value] : event.fields()) {
    text += " " + field->name + "=" + print(value, now);
  }
  return text;
}

std::string print_entity(const std::optional<EntityName>& entity) {
  if (!entity) return "none";
  const auto& table = events::table_of(entity->kind);
  const Value id = events::id_value(table, entity->id);
  return table.entity_name + " " + print(id, {}) + " " + entity->key;
}

}  // namespace

DecideOutcome DecidingTestBase::decide_line(std::string_view command, std::string_view data,
                                            std::string_view beside) {
  std::string line = "{\"command\":\"" + std::string(command) + "\",\"data\":" + to_json(data);
  if (!beside.empty()) line += "," + to_json(beside);
  const auto parsed = events::parse_command_line(line + "}", {}, /*historic=*/true);
  if (const auto* refusal = std::get_if<events::Refusal>(&parsed)) return *refusal;
  const auto& request = std::get<events::CommandRequest>(parsed);
  return decide(request.command, state_, {request.circumstances, now_, ids_});
}

std::vector<std::string> DecidingTestBase::run(std::string_view command, std::string_view data,
                                               std::string_view beside) {
  DecideOutcome outcome = decide_line(command, data, beside);
  if (const auto* refusal = std::get_if<events::Refusal>(&outcome)) {
    ADD_FAILURE() << command << " " << data << " is refused: " << refusal->code << " "
                  << refusal->field << ": " << refusal->message;
    return {"refused"};
  }
  auto& decision = std::get<Decision>(outcome);
  entity_ = print_entity(decision.entity);
  encoded_ = std::move(decision.events);
  std::vector<std::string> printed;
  for (const events::EncodedEvent& event : encoded_) {
    state_.apply(event, now_);
    printed.push_back(print_event(event, kNow));
  }
  EXPECT_THAT(state_.breaches(), ::testing::IsEmpty()) << command << " " << data;
  return printed;
}

std::string DecidingTestBase::refused(std::string_view command, std::string_view data,
                                      std::string_view beside) {
  const DecideOutcome outcome = decide_line(command, data, beside);
  const auto* refusal = std::get_if<events::Refusal>(&outcome);
  if (refusal == nullptr) return "accepted";
  message_ = refusal->message;
  return refusal->field.empty() ? refusal->code : refusal->code + " " + refusal->field;
}

void DecidingTestBase::given(const std::function<void(events::Event::Builder)>& fill) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<events::Event>();
  fill(event);
  state_.apply(events::encode_canonical(event.asReader()), now_);
}

void DecidingTestBase::given_user(std::int32_t id, const std::string& username) {
  given([&](events::Event::Builder event) {
    auto fact = event.initUserRegistered();
    fact.setId(id);
    fact.setUsername(username);
    fact.setEmail(username + "@example.org");
    fact.setFirstName("");
    fact.setLastName("");
    fact.setPassword("!");
    fact.setIsActive(true);
  });
}

void DecidingTestBase::given_tenant(std::uint64_t number, const std::string& slug,
                                    std::optional<std::int64_t> created_by) {
  const events::Uuid id = uuid(number);
  given([&](events::Event::Builder event) {
    auto fact = event.initTenantCreated();
    fact.setId({id.bytes.data(), id.bytes.size()});
    fact.setName(slug);
    fact.setSlug(slug);
    fact.setContactEmail("a@example.org");
    fact.setContactPhone("");
    fact.setIsActive(true);
    fact.setSettings("{}");
    if (created_by) fact.initCreatedById().setValue(*created_by);
  });
}

void DecidingTestBase::given_member(std::int64_t id, std::uint64_t tenant, std::int32_t user,
                                    const std::string& role, bool is_active) {
  const events::Uuid tenant_id = uuid(tenant);
  const capnp::Data::Reader tenant_data(tenant_id.bytes.data(), tenant_id.bytes.size());
  given([&](events::Event::Builder event) {
    auto fact = event.initMemberAdded();
    fact.setId(id);
    fact.setTenantId(tenant_data);
    fact.setUserId(user);
    fact.setRole(role);
  });
  if (is_active) return;
  given([&](events::Event::Builder event) {
    auto fact = event.initMemberDeactivated();
    fact.setId(id);
    fact.setTenantId(tenant_data);
    fact.setUserId(user);
  });
}

events::Uuid DecidingTestBase::uuid(std::uint64_t number) {
  CountingIds ids;
  events::Uuid uuid;
  for (std::uint64_t i = 0; i < number; ++i) uuid = ids.new_uuid();
  return uuid;
}

std::string DecidingTestBase::column(std::string_view table, const events::Uuid& id,
                                     std::string_view column) const {
  const events::TableInfo& info = *events::find_table(table);
  const events::RowValues row = state_.values(info, id);
  if (row.empty()) return "none";
  return print(row[info.find_column(column).value()], kNow);
}

std::string DecidingTestBase::time(std::int64_t seconds_after_now) {
  return events::format_timestamp({kNow.micros + seconds_after_now * 1'000'000});
}

std::vector<std::string> kinds_of(const std::vector<std::string>& events) {
  std::vector<std::string> kinds;
  kinds.reserve(events.size());
  for (const std::string& event : events) kinds.push_back(event.substr(0, event.find(' ')));
  return kinds;
}

}  // namespace tenantry
