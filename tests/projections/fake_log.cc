#include "tests/projections/fake_log.h"

#include <algorithm>
#include <map>
#include <set>

#include <capnp/message.h>

#include "events/encoding.h"

namespace tenantry::projections {
namespace {

using events::Event;

capnp::Data::Reader data(const events::Uuid& uuid) {
  return {uuid.bytes.data(), uuid.bytes.size()};
}

}  // namespace

void FakeLog::append(const std::vector<Fill>& command) {
  for (std::uint32_t index = 0; index < command.size(); ++index) {
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<Event>();
    command[index](event);
    Kept kept{events::encode_canonical(event.asReader()), index,
              static_cast<std::uint32_t>(command.size())};
    state_.apply(kept.payload, time_of(Position{events_.size() + 1}));
    events_.push_back(std::move(kept));
  }
}

void FakeLog::register_user(std::int32_t id, const std::string& username) {
  append([&](Event::Builder event) {
    auto fact = event.initUserRegistered();
    fact.setId(id);
    fact.setUsername(username);
    fact.setEmail(username + "@example.org");
    fact.setPassword("pbkdf2_sha256$1$" + username);
    fact.setFirstName("");
    fact.setLastName("Żółć");
    fact.setIsActive(true);
  });
}

void FakeLog::rename_user(std::int32_t id, const std::string& username) {
  append([&](Event::Builder event) {
    auto fact = event.initUserRenamed();
    fact.setId(id);
    fact.setUsername(username);
  });
}

void FakeLog::delete_user(std::int32_t id) {
  append([&](Event::Builder event) { event.initUserDeleted().setId(id); });
}

void FakeLog::create_tenant(std::uint64_t id, const std::string& slug) {
  append([&](Event::Builder event) {
    auto fact = event.initTenantCreated();
    fact.setId(data(number(id)));
    fact.setName("The " + slug);
    fact.setSlug(slug);
    fact.setSchemaName(slug);
    fact.setContactEmail("office@" + slug + ".org");
    fact.setContactPhone("");
    fact.setSettings("{\"motto\": \"ça va\"}");
    fact.setIsActive(true);
  });
}

void FakeLog::change_slug(std::uint64_t id, const std::string& slug) {
  append([&](Event::Builder event) {
    auto fact = event.initTenantSlugChanged();
    fact.setId(data(number(id)));
    fact.setSlug(slug);
  });
}

void FakeLog::add_member(std::int64_t id, std::uint64_t tenant, std::int32_t user) {
  append([&](Event::Builder event) {
    auto fact = event.initMemberAdded();
    fact.setId(id);
    fact.setTenantId(data(number(tenant)));
    fact.setUserId(user);
    fact.setRole("member");
  });
}

void FakeLog::add_domain(std::int64_t id, std::uint64_t tenant, const std::string& host) {
  append([&](Event::Builder event) {
    auto fact = event.initDomainAdded();
    fact.setId(id);
    fact.setTenantId(data(number(tenant)));
    fact.setDomain(host);
    fact.setIsActive(true);
  });
}

void FakeLog::invite(std::uint64_t id, std::uint64_t tenant, const std::string& email) {
  append([&](Event::Builder event) {
    auto fact = event.initInvitationIssued();
    fact.setId(data(number(id)));
    fact.setTenantId(data(number(tenant)));
    fact.setToken("secret-token-" + std::to_string(id));
    fact.setEmail(email);
    fact.setRole("member");
    fact.setExpiresAt(1'900'000'000'000'000);
    fact.setMessage("come");
  });
}

void FakeLog::delete_invitation(std::uint64_t id, std::uint64_t tenant, const std::string& email) {
  append([&](Event::Builder event) {
    auto fact = event.initInvitationDeleted();
    fact.setId(data(number(id)));
    fact.setTenantId(data(number(tenant)));
    fact.setEmail(email);
  });
}

void FakeLog::create_preferences(std::int64_t id, std::int32_t user, const std::string& layout) {
  append([&](Event::Builder event) {
    auto fact = event.initPreferencesCreated();
    fact.setId(id);
    fact.setUserId(user);
    fact.setTheme("dark");
    fact.setDashboardLayout(layout);
    fact.setQuickMenuItems("[]");
    fact.setWidgetPreferences("{}");
  });
}

void FakeLog::fill_every_table() {
  register_user(1, "ann");
  register_user(2, "bob");
  append([](Event::Builder event) {
    auto fact = event.initProteinAdded();
    fact.setId(7);
    fact.setName("p53");
  });
  create_preferences(3, 1, R"({"a": [1, 2.50]})");
  create_tenant(10, "acme");
  create_tenant(11, "globex");
  add_domain(4, 10, "acme.example.org");
  add_member(5, 10, 1);
  add_member(6, 11, 2);
  invite(20, 10, "carl@example.org");
}

namespace {

// Draws commands and remembers just enough to keep them valid.
class RandomCommands {
 public:
  RandomCommands(FakeLog& log, std::mt19937_64& random) : log_(log), random_(random) {}

  void next() {
    switch (draw(9)) {
      case 0:
      case 1:
        log_.register_user(add(users_), fresh("user"));
        break;
      case 2:
        log_.create_tenant(static_cast<std::uint64_t>(add(tenants_)), fresh("tenant"));
        break;
      case 3:
        swap_names();
        break;
      case 4:
        if (!users_.empty()) log_.rename_user(any(users_), fresh("renamed"));
        break;
      case 5:
        join();
        break;
      case 6:
        if (!tenants_.empty()) log_.add_domain(++domains_, tenant(), fresh("host") + ".org");
        break;
      case 7:
        leave();
        break;
      default:
        if (!tenants_.empty()) log_.invite(++invitations_, tenant(), fresh("mail") + "@x.org");
    }
  }

 private:
  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  std::int32_t any(const std::vector<std::int32_t>& from) { return from[draw(from.size())]; }
  std::uint64_t tenant() { return static_cast<std::uint64_t>(any(tenants_)); }
  std::int32_t add(std::vector<std::int32_t>& to) {
    to.push_back(++last_);
    return last_;
  }
  std::string fresh(const std::string& word) { return word + std::to_string(++named_); }

  void swap_names() {  // a -> spare, b -> a's, a -> b's, all in one command.
    if (tenants_.size() < 2) return;
    const auto one = tenant();
    const auto two = tenant();
    if (one == two) return;
    const std::string spare = fresh("spare");
    log_.change_slug(one, spare);
    const std::string other = fresh("other");
    log_.change_slug(two, other);
    log_.change_slug(one, fresh("slug"));
    log_.change_slug(two, spare);
    log_.change_slug(one, other);
  }
  void join() {
    if (tenants_.empty() || users_.empty()) return;
    const auto where = tenant();
    const auto who = any(users_);
    if (!members_.emplace(std::pair(where, who), members_made_ + 1).second) return;
    log_.add_member(++members_made_, where, who);
  }
  void leave() {
    if (members_.empty()) return;
    const auto [pair, id] = *members_.begin();
    members_.erase(members_.begin());
    log_.append([&, membership = id, where = pair.first](Event::Builder event) {
      auto fact = event.initMemberRemoved();
      fact.setId(membership);
      fact.setTenantId(data(FakeLog::number(where)));
    });
  }

  FakeLog& log_;
  std::mt19937_64& random_;
  std::vector<std::int32_t> users_;
  std::vector<std::int32_t> tenants_;
  std::map<std::pair<std::uint64_t, std::int32_t>, std::int64_t> members_;
  // An event takes one of each at most: what an earlier call took is not taken again.
  std::uint64_t taken_ = log_.end().value;
  std::int64_t members_made_ = 1000 + static_cast<std::int64_t>(taken_);
  std::int64_t domains_ = 1000 + static_cast<std::int64_t>(taken_);
  std::uint64_t invitations_ = 100000 + taken_;
  std::int32_t last_ = 1000 + static_cast<std::int32_t>(taken_);
  std::uint64_t named_ = taken_;
};

}  // namespace

void FakeLog::append_random(std::mt19937_64& random, std::size_t commands) {
  RandomCommands draw(*this, random);
  for (std::size_t made = 0; made < commands; ++made) draw.next();
}

void FakeLog::forget_end(std::size_t events) {
  events_.resize(events_.size() - events);
  state_ = fold(end());
}

StateAt FakeLog::state_at() const {
  return [this](Position position) -> const StateView& {
    folded_.push_back(fold(position));
    return folded_.back();
  };
}

LogTail FakeLog::tail() const {
  return {end(), time_of(end()), chain_hash_at(end()).value_or(Hash{})};
}

RowsAt FakeLog::rows_at(Position position, const Progress& /*progress*/) const {
  return {{position, time_of(position), chain_hash_at(position).value()},
          std::make_shared<FakeState>(fold(position))};
}

void FakeLog::read_after(Position after, Position through,
                         const std::function<bool(const StoredEvent&)>& visit) const {
  for (auto place = after.value; place < std::min(through, end()).value; ++place) {
    const Kept& kept = events_[place];
    StoredEvent event;
    event.position = Position{place + 1};
    event.recorded_at = time_of(event.position);
    event.index_in_command = kept.index;
    event.count_in_command = kept.count;
    event.chain_hash = *chain_hash_at(event.position);
    event.payload = kept.payload;
    if (!visit(event)) return;
  }
}

RowsAt FakeLog::rows_now() const { return {tail(), {std::shared_ptr<const StateView>(), &state_}}; }

void FakeLog::fold_rows(Position through, const std::function<bool(const StoredEvent&)>& seen,
                        const std::function<bool(const FoldedRow&)>& visit) const {
  bool goes_on = true;
  read_after({}, through, [&](const StoredEvent& event) { return goes_on = seen(event); });
  const FakeState folded = fold(through);
  for (const events::TableInfo& table : events::tables()) {
    if (!goes_on) return;
    folded.scan_rows(table, std::nullopt, [&](const StoredRow& row) {
      return goes_on = visit(
                 {&table, row.key.id, row.version, row.last, events::decode_row(table, row.bytes)});
    });
  }
}

std::optional<Hash> FakeLog::chain_hash_at(Position position) const {
  if (position > end()) return std::nullopt;
  Hash hash{};
  if (position.value == 0) return hash;
  hash[0] = rewritten_;
  for (std::size_t byte = 0; byte < 8; ++byte) {
    hash[31 - byte] = static_cast<std::uint8_t>(position.value >> (8 * byte));
  }
  return hash;
}

events::Timestamp FakeLog::time_of(Position position) {
  return {1'700'000'000'000'000 + static_cast<std::int64_t>(position.value) * 1'000'001};
}

FakeState FakeLog::fold(Position through) const {
  FakeState state;
  for (std::uint64_t place = 0; place < through.value; ++place) {
    state.apply(events_[place].payload, time_of(Position{place + 1}));
  }
  return state;
}

}  // namespace tenantry::projections
