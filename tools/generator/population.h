#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "events/values.h"
#include "tools/generator/names.h"
#include "tools/generator/slots.h"

// Who and what is alive in a made-up history, as little of it as the next commands depend on. Each
// change is one that a command of the same name makes, and says how many events that command
// causes by the rules of the store.
namespace tenantry::generator {

enum class Role : std::uint8_t { kOwner, kAdmin, kManager, kUser, kReadonly };  // Highest first.
inline constexpr std::size_t kRoles = 5;
[[nodiscard]] std::string_view role_name(Role role);

// How many of each may stand beside a tenant; what more there would be is not made.
inline constexpr std::size_t kDomainsMax = 6;
inline constexpr std::size_t kProteinsMax = 60;

struct User {
  std::int64_t id = 0;
  std::uint64_t person = 0;
  std::uint64_t renaming = 0;  // Which one gave the username; 0: it is the person's.
  MailHost mail = MailHost::public_host(0);
  std::int64_t last_login = 0;
  std::size_t first = 0;  // Places of names.
  std::size_t last = 0;
  std::size_t renamed_first = 0;
  std::size_t renamed_last = 0;
  bool is_active = true;
  bool is_staff = false;
  bool has_preferences = false;
  bool sidebar_collapsed = false;
  std::uint8_t theme = 0;
  std::vector<Slot> tenants;   // Where it is a member.
  std::vector<Slot> created;   // Tenants.
  std::vector<Slot> invited;   // Invitations.
  std::vector<Slot> accepted;  // Invitations.
  std::size_t idle_place = 0;  // Among the idle ones, if it is a member of nothing.
};

struct Member {
  Slot user = kNoSlot;
  Role role = Role::kUser;
  bool is_active = true;
  [[nodiscard]] bool is_active_owner() const { return is_active && role == Role::kOwner; }
};

struct Domain {
  std::int64_t order = 0;  // Of being added.
  std::uint64_t company = 0;
  std::uint64_t place = 0;
  bool is_primary = false;
  bool is_active = true;
};

struct Tenant {
  events::Uuid id;
  std::uint64_t company = 0;       // The first name; its host has the mail.
  std::uint64_t name_company = 0;  // The present name.
  std::uint64_t slug_company = 0;  // The present slug.
  std::uint64_t version = 0;       // Of its stream.
  std::uint64_t hosts = 0;         // Given out so far.
  std::uint64_t edits = 0;         // Counts what changes for the sake of change.
  std::int64_t trial_ends_at = 0;
  bool is_active = true;
  bool is_trial = false;
  bool has_logo = false;
  Slot created_by = kNoSlot;
  std::size_t size_wanted = 0;  // Members.
  std::size_t active_owners = 0;
  std::size_t pending = 0;  // Invitations.
  std::vector<Member> members;
  std::vector<Domain> domains;
  std::vector<Slot> invitations;
};

enum class InvitationStatus : std::uint8_t { kPending, kAccepted, kRevoked, kExpired };

struct Invitation {
  events::Uuid id;
  std::uint64_t token_key = 0;  // The token is made of it.
  Slot tenant = kNoSlot;
  Role role = Role::kUser;
  InvitationStatus status = InvitationStatus::kPending;
  std::uint64_t person = 0;  // Who is meant, and at which address.
  MailHost mail = MailHost::public_host(0);
  Slot user = kNoSlot;  // Who is meant, if it was one already; it may be gone, see `user_id`.
  std::int64_t user_id = 0;
  std::int64_t expires_at = 0;
  std::uint64_t position = 0;  // Of the event that issued it.
  Slot invited_by = kNoSlot;
  Slot accepted_by = kNoSlot;
};

struct Protein {
  std::int64_t id = 0;
  std::uint64_t name = 0;
};

// A command that was made is a command that changed something, so all of this follows from which
// calls were made.
class Population {
 public:
  // `tenants`: how many there will be.
  explicit Population(std::uint64_t tenants) : tenants_wanted_(tenants) {}

  [[nodiscard]] Slots<User>& users() { return users_; }
  [[nodiscard]] Slots<Tenant>& tenants() { return tenants_; }
  [[nodiscard]] Slots<Invitation>& invitations() { return invitations_; }
  [[nodiscard]] std::vector<Protein>& proteins() { return proteins_; }
  [[nodiscard]] const Slots<User>& users() const { return users_; }
  [[nodiscard]] const Slots<Tenant>& tenants() const { return tenants_; }
  [[nodiscard]] const Slots<Invitation>& invitations() const { return invitations_; }
  // Users that are members of nothing.
  [[nodiscard]] const std::vector<Slot>& idle_users() const { return idle_users_; }
  // Pending invitations, by the time at which they expire.
  [[nodiscard]] const std::set<std::pair<std::int64_t, Slot>>& pending() const { return pending_; }

  // The members that a tenant in `slot` grows to: few large ones, many small ones.
  [[nodiscard]] std::size_t size_wanted(Slot slot) const;
  // Whether a tenant takes one more member, all those counted that may still accept.
  [[nodiscard]] static bool has_room(const Tenant& tenant) {
    return tenant.members.size() + tenant.pending < tenant.size_wanted;
  }
  // How many invitations a tenant keeps, and how many may be pending.
  [[nodiscard]] static std::size_t invitations_max(const Tenant& tenant) {
    return 6 + tenant.size_wanted / 4;
  }
  [[nodiscard]] static std::size_t pending_max(const Tenant& tenant) {
    return 3 + tenant.size_wanted / 8;
  }

  // --- Users
  Slot add_user(User user);  // Gives it its id.
  [[nodiscard]] bool is_last_owner_somewhere(Slot user) const;
  [[nodiscard]] std::size_t deletion_events(const User& user) const;
  void delete_user(Slot user);
  // At most so many events; merge_users() says how many.
  [[nodiscard]] static std::size_t merge_events_max(const User& user);
  std::size_t merge_users(Slot user, Slot into);

  // --- Tenants
  Slot add_tenant(Tenant tenant);
  [[nodiscard]] static std::size_t deletion_events(const Tenant& tenant);
  void delete_tenant(Slot tenant);

  // --- Members
  [[nodiscard]] const Member* find_member(Slot tenant, Slot user) const;
  void add_member(Slot tenant, const Member& member);
  void remove_member(Slot tenant, Slot user);
  // Role and activity as in `member`.
  void change_member(Slot tenant, const Member& member);
  // Adds it, or brings the inactive one back with the role.
  std::size_t join(Slot tenant, Slot user, Role role);

  // --- Domains
  std::size_t add_domain(Slot tenant, bool is_primary);
  void set_primary(Slot tenant, std::size_t place);
  std::size_t remove_domain(Slot tenant, std::size_t place);
  std::size_t move_domain(Slot from_tenant, std::size_t place, Slot to_tenant);

  // --- Invitations
  Slot add_invitation(const Invitation& invitation);
  void extend(Slot invitation, std::int64_t expires_at);
  void close(Slot invitation, InvitationStatus status);
  void accept(Slot invitation, Slot user);
  void delete_invitation(Slot invitation);

  [[nodiscard]] std::int64_t take_protein_id() { return ++proteins_added_; }

 private:
  Member& member_at(Slot tenant, Slot user);
  void count_owner(Tenant& tenant, const Member& member, bool comes);
  void make_idle(Slot user);
  void make_busy(Slot user);
  bool hand_over(Tenant& tenant);
  std::size_t merge_memberships(Slot user, Slot into);
  void name_instead(const std::vector<Slot>& invitations, Slot Invitation::*who, Slot heir);

  std::uint64_t tenants_wanted_;
  Slots<User> users_;
  Slots<Tenant> tenants_;
  Slots<Invitation> invitations_;
  std::vector<Protein> proteins_;
  std::vector<Slot> idle_users_;
  std::set<std::pair<std::int64_t, Slot>> pending_;
  std::int64_t users_added_ = 0;
  std::int64_t domains_added_ = 0;
  std::int64_t proteins_added_ = 0;
};

}  // namespace tenantry::generator
