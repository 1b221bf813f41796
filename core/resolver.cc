#include "core/resolver.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <tuple>

#include "events/commands.h"
#include "events/rows.capnp.h"
#include "events/text.h"

namespace tenantry {
namespace {

using events::EntityKind;
using events::OwnedRow;
using events::Refusal;
using events::Uuid;

constexpr std::size_t kAnswersMax = 100'000;

const events::TableInfo& table(EntityKind kind) { return events::table_of(kind); }

Refusal refusal(const char* code, const char* field, std::string message) {
  return {false, code, field, std::move(message)};
}

// The tenant as an answer, if it is active.
std::optional<Resolution> active_tenant(const StateView& state, const Uuid& id,
                                        const char* matched) {
  const auto stored = state.row(table(EntityKind::TENANT), {id, id});
  if (!stored) return std::nullopt;
  OwnedRow<events::TenantRow> owned(stored->bytes);
  const auto row = owned.read();
  if (!row.getIsActive()) return std::nullopt;
  return Resolution{id, row.getSlug().cStr(), row.getName().cStr(), matched};
}

// The id of the user that `text` names: a username, or `id:N`.
std::optional<std::int64_t> find_user(const StateView& state, const std::string& text) {
  const auto& users = table(EntityKind::USER);
  if (text.starts_with("id:")) {
    std::int64_t id = 0;
    const auto parsed = std::from_chars(text.data() + 3, text.data() + text.size(), id);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return state.row_by_id(users, events::entity_key(id)) ? std::optional(id) : std::nullopt;
  }
  const auto holder = state.claim_holder(users, claim_on(users, {"username"}), text);
  return holder ? std::optional(events::integer_id(holder->id)) : std::nullopt;
}

bool may_enter(const StateView& state, std::int64_t user, const Uuid& tenant) {
  const auto& members = table(EntityKind::MEMBER);
  const auto& claim = claim_on(members, {"tenant_id", "user_id"});
  if (const auto holder = state.claim_holder(
          members, claim, *claim_value(claim, std::array<events::Value, 2>{tenant, user}))) {
    const auto stored = state.row(members, *holder);
    if (stored && OwnedRow<events::MemberRow>(stored->bytes).read().getIsActive()) return true;
  }
  const auto stored = state.row_by_id(table(EntityKind::USER), events::entity_key(user));
  return stored && OwnedRow<events::UserRow>(stored->bytes).read().getIsSuperuser();
}

ResolveOutcome by_tenant_id(const StateView& state, const std::string& text,
                            const std::optional<std::int64_t>& user) {
  const auto id = events::parse_uuid(text);
  if (!id) return Refusal{true, "invalid_type", "tenant_id", "the tenant id is no UUID"};
  const auto found = active_tenant(state, *id, "tenant_id");
  if (!found) return refusal("not_found", "tenant_id", "no active tenant has this id");
  if (user && !may_enter(state, *user, *id)) {
    return refusal("forbidden", "user",
                   "the user is neither an active member of the tenant nor a superuser");
  }
  return *found;
}

std::optional<Resolution> by_host(const StateView& state, const std::string& given) {
  const std::string host = events::to_ascii_lower(given.substr(0, given.find(':')));
  const auto& domains = table(EntityKind::DOMAIN);
  if (const auto holder = state.claim_holder(domains, claim_on(domains, {"domain"}), host)) {
    const auto stored = state.row(domains, *holder);
    if (stored && OwnedRow<events::DomainRow>(stored->bytes).read().getIsActive()) {
      if (auto found = active_tenant(state, holder->tenant, "domain")) return found;
    }
  }
  const std::string label = host.substr(0, host.find('.'));
  if (label.empty() || label == "www") return std::nullopt;
  const auto& tenants = table(EntityKind::TENANT);
  const auto holder = state.claim_holder(tenants, claim_on(tenants, {"slug"}), label);
  return holder ? active_tenant(state, holder->id, "subdomain") : std::nullopt;
}

// Place in events::roles(), highest first; behind all of them for none of ours.
std::size_t role_rank(std::string_view role) {
  const auto& all = events::roles();
  return static_cast<std::size_t>(std::find(all.begin(), all.end(), role) - all.begin());
}

std::optional<Resolution> by_membership(const StateView& state, std::int64_t user) {
  const auto& members = table(EntityKind::MEMBER);
  using Rank = std::tuple<std::size_t, std::int64_t, std::int64_t>;  // Role, created_at, id.
  std::optional<std::pair<Rank, Resolution>> best;
  state.scan_lookup(members, lookup_on(members, "user_id"), user, user, [&](const RowKey& key) {
    const auto stored = state.row(members, key);
    if (!stored) return true;
    OwnedRow<events::MemberRow> owned(stored->bytes);
    const auto row = owned.read();
    if (!row.getIsActive()) return true;
    const Rank rank{role_rank(row.getRole().cStr()), row.getCreatedAt(), row.getId()};
    if (best && best->first <= rank) return true;
    if (auto tenant = active_tenant(state, key.tenant, "membership"))
      best.emplace(rank, std::move(*tenant));
    return true;
  });
  if (!best) return std::nullopt;
  return best->second;
}

std::string cache_key(const ResolveQuery& query) {
  std::string key;
  for (const auto* part : {&query.tenant_id, &query.host, &query.user}) {
    key += *part ? '+' : '-';
    if (*part) key.append(**part);
    key += '\0';
  }
  return key;
}

}  // namespace

ResolveOutcome resolve_tenant(const StateView& state, const ResolveQuery& query) {
  std::optional<std::int64_t> user;
  if (query.user) {
    user = find_user(state, *query.user);
    if (!user) return refusal("not_found", "user", "there is no such user");
  }
  if (query.tenant_id) return by_tenant_id(state, *query.tenant_id, user);
  if (query.host) {
    if (auto found = by_host(state, *query.host)) return *found;
  }
  if (user) {
    if (auto found = by_membership(state, *user)) return *found;
  }
  return refusal("not_found", query.host ? "host" : "user", "no active tenant matches");
}

std::optional<ResolveOutcome> ResolveCache::find(const ResolveQuery& query) const {
  const std::string key = cache_key(query);
  const std::shared_lock lock(mutex_);
  const auto found = answers_.find(key);
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

void ResolveCache::keep(const ResolveQuery& query, const ResolveOutcome& outcome,
                        std::uint64_t seq) {
  const std::unique_lock lock(mutex_);
  if (seq != seq_) return;  // A commit came between: the answer may be an old one.
  if (answers_.size() >= kAnswersMax) answers_.clear();
  answers_.insert_or_assign(cache_key(query), outcome);
}

void ResolveCache::advance(std::uint64_t seq) {
  const std::unique_lock lock(mutex_);
  if (seq <= seq_) return;
  seq_ = seq;
  answers_.clear();
}

}  // namespace tenantry
