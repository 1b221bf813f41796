#include "tools/generator/stage.h"

#include <array>
#include <string>
#include <utility>

namespace tenantry::generator {
namespace {

constexpr std::size_t kTokenCharacters = 64;

// Other arguments give another history, and other ids for it.
std::uint64_t seed_of(const Stage::Options& options) {
  return spread(spread(spread(options.seed) ^ options.tenants) ^ options.events);
}

}  // namespace

void append_token(std::string& out, std::uint64_t key) {
  constexpr std::string_view kAlphabet =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
  for (std::size_t i = 0; i < kTokenCharacters; ++i) {
    if (i % 10 == 0) key = spread(key);
    out += kAlphabet[(key >> (6 * (i % 10))) & 63];
  }
}

Stage::Stage(const Options& options)
    : random_(seed_of(options)),
      clock_(options.events),
      population_(options.tenants),
      events_max_(options.events) {}

// --- Choosing

Slot Stage::pick_tenant() {
  constexpr int kTries = 8;
  const Slot places = population_.tenants().places();
  for (int i = 0; places > 0 && i < kTries; ++i) {
    const Slot slot = random_.zipf_below(places);
    if (population_.tenants().has(slot)) return slot;
  }
  return kNoSlot;
}

Slot Stage::pick_any_tenant() {
  constexpr int kTries = 8;
  const Slot places = population_.tenants().places();
  for (int i = 0; places > 0 && i < kTries; ++i) {
    const Slot slot = random_.below(places);
    if (population_.tenants().has(slot)) return slot;
  }
  return kNoSlot;
}

Slot Stage::pick_member(Slot tenant) {
  const auto& members = population_.tenants()[tenant].members;
  return members.empty() ? kNoSlot : members[random_.below(members.size())].user;
}

Slot Stage::pick_idle_user() {
  const auto& idle = population_.idle_users();
  return idle.empty() ? kNoSlot : idle[random_.below(idle.size())];
}

Slot Stage::pick_user() {
  const Slot tenant = pick_tenant();
  const Slot member = tenant == kNoSlot ? kNoSlot : pick_member(tenant);
  return member != kNoSlot ? member : pick_idle_user();
}

Slot Stage::pick_manager(Slot tenant) {
  constexpr int kTries = 6;
  const auto& members = population_.tenants()[tenant].members;
  for (int i = 0; !members.empty() && i < kTries; ++i) {
    const Member& member = members[random_.below(members.size())];
    if (member.is_active && member.role <= Role::kAdmin) return member.user;
  }
  return kNoSlot;
}

UserHandle Stage::handle_of_user(Slot slot) const { return {slot, population_.users()[slot].id}; }

TenantHandle Stage::handle_of_tenant(Slot slot) const {
  return {slot, population_.tenants()[slot].id};
}

bool Stage::is_alive(const UserHandle& user) const {
  return population_.users().has(user.slot) && population_.users()[user.slot].id == user.id;
}

bool Stage::is_alive(const TenantHandle& tenant) const {
  return population_.tenants().has(tenant.slot) &&
         population_.tenants()[tenant.slot].id == tenant.id;
}

bool Stage::is_alive(const InvitationHandle& invitation) const {
  return population_.invitations().has(invitation.slot) &&
         population_.invitations()[invitation.slot].id == invitation.id;
}

// --- Plans

void Stage::plan_at(std::int64_t due, Appointment appointment) {
  appointment.due = due;
  appointment.number = ++appointments_made_;
  appointments_.push(appointment);
}

bool Stage::act_on_tasks() {
  bool acted = false;
  while (!acted && !tasks_.empty()) {
    const Task task = tasks_.front();
    tasks_.pop_front();
    on_task_ = true;
    acted = task.act(*this, task);
    on_task_ = false;
  }
  return acted;
}

bool Stage::act_on_appointments() {
  while (!appointments_.empty() && appointments_.top().due <= now()) {
    const Appointment appointment = appointments_.top();
    appointments_.pop();
    if (appointment.act(*this, appointment)) return true;
  }
  return false;
}

// --- Writing

void Stage::begin(std::string_view command) {
  line_.clear();
  command_ = command;
  refusal_ = {};
  actor_ = 0;
  causation_ = 0;
  expected_version_ = 0;
  expects_none_ = false;
  line_.begin_object().key("command").string(command).key("data").begin_object();
}

void Stage::text(std::string_view key, std::string_view value) { line_.key(key).string(value); }
void Stage::number(std::string_view key, std::int64_t value) { line_.member(key, value); }
void Stage::boolean(std::string_view key, bool value) { line_.member(key, value); }
void Stage::time(std::string_view key, std::int64_t micros) {
  line_.member(key, events::Timestamp{micros});
}
void Stage::uuid(std::string_view key, const events::Uuid& value) { line_.member(key, value); }
void Stage::null(std::string_view key) { line_.member(key, events::Null{}); }
void Stage::document(std::string_view key, std::string_view json) {
  line_.member(key, tools::JsonText{std::string(json)});
}
void Stage::begin_object(std::string_view key) { line_.key(key).begin_object(); }
void Stage::end_object() { line_.end_object(); }

void Stage::tenant(std::string_view key, Slot slot) {
  const Tenant& tenant = population_.tenants()[slot];
  random_.percent(30) ? uuid(key, tenant.id) : slug(key, tenant.slug_company);
}

void Stage::user(std::string_view key, Slot slot) {
  const User& user = population_.users()[slot];
  random_.percent(25) ? number(key, user.id) : username(key, user);
}

void Stage::address(std::string_view key, std::uint64_t person, MailHost host, bool capital) {
  scratch_.clear();
  append_address(scratch_, person, host, capital);
  text(key, scratch_);
}

void Stage::host(std::string_view key, const Domain& domain) {
  scratch_.clear();
  append_host_name(scratch_, domain.company, domain.place);
  text(key, scratch_);
}

void Stage::company_name(std::string_view key, std::uint64_t company) {
  scratch_.clear();
  append_company_name(scratch_, company);
  text(key, scratch_);
}

void Stage::slug(std::string_view key, std::uint64_t company) {
  scratch_.clear();
  append_slug(scratch_, company);
  text(key, scratch_);
}

void Stage::protein_name(std::string_view key, std::uint64_t name) {
  scratch_.clear();
  append_protein_name(scratch_, name);
  text(key, scratch_);
}

void Stage::username(std::string_view key, const User& user) {
  scratch_.clear();
  if (user.renaming == 0) {
    append_username(scratch_, user.person);
  } else {
    append_new_username(scratch_, user.renamed_first, user.renamed_last, user.renaming);
  }
  text(key, scratch_);
}

// As Django stores it: a salt of 22 characters and 32 bytes in base64.
void Stage::password(std::string_view key) {
  scratch_ = "pbkdf2_sha256$600000$";
  random_.append_url_safe(scratch_, 22);
  scratch_ += '$';
  random_.append_url_safe(scratch_, 43);
  scratch_ += '=';
  text(key, scratch_);
}

// The id is taken now: the command may remove the user.
void Stage::act_as(Slot user) { actor_ = user == kNoSlot ? 0 : population_.users()[user].id; }

void Stage::write_correlation() {
  if (!on_task_ && !random_.percent(25) && tasks_.empty()) return;
  if (!on_task_) correlation_ = random_.bits();
  scratch_ = on_task_ || !tasks_.empty() ? "setup-" : "request-";
  scratch_ += std::to_string(correlation_);
  text("correlation_id", scratch_);
}

void Stage::finish() {
  line_.end_object();
  uuid("id", random_.uuid());
  if (actor_ != 0) {
    scratch_ = "user:" + std::to_string(actor_);
    text("actor", scratch_);
    text("channel", random_.percent(80) ? "api" : "admin");
  } else {
    text("actor", draw_operator(random_));
    text("channel", random_.percent(70) ? "command" : "deploy");
  }
  if (random_.percent(30)) text("reason", draw_reason(random_));
  write_correlation();
  if (causation_ > 0) number("causation_position", static_cast<std::int64_t>(causation_));
  if (expected_version_ > 0) {
    number("expected_version", static_cast<std::int64_t>(expected_version_));
  }
  if (expects_none_) text("expected_version", "none");
  time("at", now());
  line_.end_object();
}

bool Stage::done(std::size_t events) {
  finish();
  last_events_ = events;
  events_ += events;
  return true;
}

bool Stage::refused(std::string_view code) {
  finish();
  last_events_ = 0;
  refusal_ = code;
  return true;
}

}  // namespace tenantry::generator
