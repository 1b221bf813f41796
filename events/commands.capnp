@0xe9d911109d360df0;
# The commands: requests to change something, with the fields in the order in which they are
# checked. A command's name is its field's in Command, a field's JSON key its name, both in
# snake_case. An absent field is a null pointer. Text fields obey the length of the column of the
# same name.

using Cxx = import "/capnp/c++.capnp";
using A = import "annotations.capnp";
$Cxx.namespace("tenantry::events");

# Fields that may be absent; a text needs no wrapper unless null means something else than absent.
struct OptionalBool @0x9eeb62a1725bf111 {
  value @0 :Bool;
}
struct OptionalInt @0xd4b3d517d9deddac {
  value @0 :Int64;
}
struct OptionalTime @0xb4da90313cebaf1e {
  micros @0 :Int64;
}
struct NullableText @0xa660070ba417f2d2 {
  union {
    null @0 :Void;
    value @1 :Text;
  }
}
struct ClearableTime @0xe6cc47f8648634bf {
  union {
    null @0 :Void;
    micros @1 :Int64;
  }
}

# References: an id, or the name that people know the entity by.
struct UserRef @0x90f8266774d8d2cd {
  union {
    id @0 :Int64;
    username @1 :Text;
  }
}
struct TenantRef @0xee88e10ed212c0be {
  union {
    id @0 :Data;
    slug @1 :Text;        # Lower-cased.
  }
}
struct DomainRef @0x8b87cd79a5e57867 {
  host @0 :Text;          # Lower-cased.
}
struct InvitationRef @0x8b0fda3a40cdf7f4 {
  union {
    id @0 :Data;
    token @1 :Text;
  }
}
struct ProteinRef @0xbb1416a9ef528bb2 {
  union {
    id @0 :Int64;
    name @1 :Text;
  }
}
struct ClearableUserRef @0x9d1b192e328de7a0 {
  union {
    null @0 :Void;
    user @1 :UserRef;
  }
}

struct RegisterUser @0xfe8b238f700afb5d $A.on(user) $A.help("Register a user.")
    $A.rules(["username: unique, case-sensitive, letters, digits and @.+-_",
              "password: an encoded hash as Django stores it; an unusable one if absent"]) {
  id @0 :OptionalInt $A.help("one more than the largest ever used, unless given");
  username @1 :Text $A.required $A.syntax(username);
  email @2 :Text $A.syntax(email);
  firstName @3 :Text;
  lastName @4 :Text;
  password @5 :Text $A.syntax(passwordHash) $A.secret;
  isActive @6 :OptionalBool $A.help("default true");
  isStaff @7 :OptionalBool $A.help("default false");
  isSuperuser @8 :OptionalBool $A.help("default false");
}
struct ChangeUserProfile @0xf125addef8f8f253 $A.on(user)
    $A.help("Change a user's name, e-mail or username.") {
  user @0 :UserRef $A.required;
  username @1 :Text $A.syntax(username);
  email @2 :Text $A.syntax(email);
  firstName @3 :Text;
  lastName @4 :Text;
}
struct ChangeUserPassword @0xb650d58d146ceadd $A.on(user)
    $A.help("Replace a user's password hash.") {
  user @0 :UserRef $A.required;
  password @1 :Text $A.required $A.syntax(passwordHash) $A.secret;
}
struct SetUserFlags @0x80e614ad7febc0e7 $A.on(user)
    $A.help("Set a user's active, staff and superuser flags.") {
  user @0 :UserRef $A.required;
  isActive @1 :OptionalBool;
  isStaff @2 :OptionalBool;
  isSuperuser @3 :OptionalBool;
}
struct RecordLogin @0x910095cf7b17d05f $A.on(user) $A.help("Record that a user logged in.") {
  user @0 :UserRef $A.required;
  time @1 :OptionalTime $A.help("default now");
}
struct DeleteUser @0xfcf070d64888f5d9 $A.on(user)
    $A.help("Delete a user, its memberships and preferences; references become null.")
    $A.rules(["the last active owner of a tenant stays unless `force` is given"]) {
  user @0 :UserRef $A.required;
  force @1 :OptionalBool;
}
struct MergeUsers @0xb5bd3410fa3aaebb $A.on(user)
    $A.help("Merge one user into another and delete the first.")
   
        $A.rules(["memberships go over: the higher role and an active one win",
                  "preferences go over if `into` has none"]) {
  user @0 :UserRef $A.required $A.help("the one that goes");
  into @1 :UserRef $A.required $A.help("the one that stays");
}

struct CreateTenant @0xc0c5cc636ad4b5b5 $A.on(tenant)
    $A.help("Create a tenant, with an owner and a first domain if they are given.")
    $A.rules(["slug: unique; lower-cased; letters a-z, digits, - and _",
              "schema_name: the slug with - as _ unless given; null for none",
              "settings: an object; colours in settings.theme are #RRGGBB or null"]) {
  id @0 :Data $A.help("a UUID; random unless given");
  name @1 :Text $A.required;
  slug @2 :Text $A.required $A.syntax(slug);
  schemaName @3 :NullableText;
  contactEmail @4 :Text $A.required $A.syntax(email);
  contactPhone @5 :Text;
  isActive @6 :OptionalBool $A.help("default true");
  isTrial @7 :OptionalBool $A.help("default false");
  trialEndsAt @8 :ClearableTime;
  settings @9 :Text $A.syntax(jsonObject) $A.help("default {}");
  logo @10 :NullableText $A.help("a path");
  createdBy @11 :ClearableUserRef;
  owner @12 :UserRef $A.help("becomes a member with role owner");
  domain @13 :Text $A.syntax(host) $A.of("tenants_tenantdomain.domain")
      $A.help("a host name to add");
}
struct ChangeTenant @0x8bc9dc42f9587b42 $A.on(tenant)
    $A.help("Change a tenant's name, slug, contact, logo or schema name.") {
  tenant @0 :TenantRef $A.required;
  name @1 :Text;
  slug @2 :Text $A.syntax(slug);
  domain @3 :NullableText $A.help("the free-text column, not a host name");
  contactEmail @4 :Text $A.syntax(email);
  contactPhone @5 :Text;
  logo @6 :NullableText $A.help("a path");
  schemaName @7 :NullableText;
}
struct ChangeTenantSettings @0x8f96163a7c3083ca $A.on(tenant)
    $A.help("Merge into a tenant's settings (RFC 7396) or replace them.")
    $A.rules(["exactly one of merge and replace"]) {
  tenant @0 :TenantRef $A.required;
  merge @1 :Text $A.syntax(jsonObject) $A.of("tenants_tenant.settings");
  replace @2 :Text $A.syntax(jsonObject) $A.of("tenants_tenant.settings");
}
struct StartTrial @0xee81f92842d82636 $A.on(tenant) $A.help("Start a trial.") {
  tenant @0 :TenantRef $A.required;
  endsAt @1 :OptionalTime $A.required $A.help("in the future");
}
struct ExtendTrial @0xfd360bade749f6bc $A.on(tenant) $A.help("Extend a running trial.") {
  tenant @0 :TenantRef $A.required;
  endsAt @1 :OptionalTime $A.required $A.help("in the future, not before the present end");
}
struct EndTrial @0xab309f5638d76567 $A.on(tenant) $A.help("End a trial; its date stays.") {
  tenant @0 :TenantRef $A.required;
}
struct ActivateTenant @0xd94bf3aac2939ff4 $A.on(tenant) $A.help("Activate a tenant.") {
  tenant @0 :TenantRef $A.required;
}
struct DeactivateTenant @0xfba032bfd9148e12 $A.on(tenant) $A.help("Deactivate a tenant.") {
  tenant @0 :TenantRef $A.required;
}
struct DeleteTenant @0xe5ceca81079bb754 $A.on(tenant)
    $A.help("Delete a tenant with its domains, memberships and invitations.") {
  tenant @0 :TenantRef $A.required;
  confirm @1 :Text $A.required $A.of("tenants_tenant.slug") $A.help("the tenant's slug");
}

struct AddDomain @0xf248e054a0ca9c9f $A.on(domain) $A.help("Add a host name to a tenant.")
    $A.rules(["the first one becomes primary; a new primary one demotes the other"]) {
  id @0 :OptionalInt $A.help("one more than the largest ever used, unless given");
  tenant @1 :TenantRef $A.required;
  domain @2 :Text $A.required $A.syntax(host);
  isPrimary @3 :OptionalBool;
  isActive @4 :OptionalBool $A.help("default true");
}
struct SetPrimaryDomain @0xc7d7b2290f5c1771 $A.on(domain)
    $A.help("Make a domain its tenant's primary one.") {
  domain @0 :DomainRef $A.required;
  tenant @1 :TenantRef $A.help("if given, the domain must be its");
}
struct ActivateDomain @0xbd8d6c5bb119cdd9 $A.on(domain) $A.help("Activate a domain.") {
  domain @0 :DomainRef $A.required;
  tenant @1 :TenantRef $A.help("if given, the domain must be its");
}
struct DeactivateDomain @0xca60251e4950f619 $A.on(domain) $A.help("Deactivate a domain.") {
  domain @0 :DomainRef $A.required;
  tenant @1 :TenantRef $A.help("if given, the domain must be its");
}
struct RemoveDomain @0x9d36d232053be926 $A.on(domain)
    $A.help("Remove a domain; the oldest active one takes over as primary.") {
  domain @0 :DomainRef $A.required;
  tenant @1 :TenantRef $A.help("if given, the domain must be its");
}
struct MoveDomain @0xb616f12d1aa9648e $A.on(domain) $A.help("Move a domain to another tenant.") {
  domain @0 :DomainRef $A.required;
  fromTenant @1 :TenantRef $A.required;
  toTenant @2 :TenantRef $A.required;
}

struct AddMember @0xbee715861ff675fc $A.on(member)
    $A.help("Make a user a member of a tenant; an inactive member is reactivated with the role.") {
  id @0 :OptionalInt $A.help("one more than the largest ever used, unless given");
  tenant @1 :TenantRef $A.required;
  user @2 :UserRef $A.required;
  role @3 :Text $A.syntax(role) $A.help("default user");
}
struct ChangeMemberRole @0xcac13e6891287135 $A.on(member) $A.help("Change a member's role.")
    $A.rules(["a tenant that has an active owner keeps one unless `force` is given"]) {
  tenant @0 :TenantRef $A.required;
  user @1 :UserRef $A.required;
  role @2 :Text $A.required $A.syntax(role);
  force @3 :OptionalBool;
}
struct DeactivateMember @0xad0b3bad5efeb371 $A.on(member) $A.help("Deactivate a membership.")
    $A.rules(["a tenant that has an active owner keeps one unless `force` is given"]) {
  tenant @0 :TenantRef $A.required;
  user @1 :UserRef $A.required;
  force @2 :OptionalBool;
}
struct RemoveMember @0xbf1c28cc77656687 $A.on(member) $A.help("Remove a membership.")
    $A.rules(["a tenant that has an active owner keeps one unless `force` is given"]) {
  tenant @0 :TenantRef $A.required;
  user @1 :UserRef $A.required;
  force @2 :OptionalBool;
}
struct ReactivateMember @0xb70c867ce90ed55e $A.on(member) $A.help("Reactivate a membership.") {
  tenant @0 :TenantRef $A.required;
  user @1 :UserRef $A.required;
}

struct Invite @0x9b7e38bffae4172a $A.on(invitation) $A.help("Invite an e-mail address to a tenant.")
    $A.rules(["one pending invitation per tenant and e-mail; a lapsed one is expired first",
              "token: 64 url-safe characters from the system's random source unless given"]) {
  id @0 :Data $A.help("a UUID; random unless given");
  tenant @1 :TenantRef $A.required;
  email @2 :Text $A.required $A.syntax(email);
  role @3 :Text $A.syntax(role) $A.help("default user");
  message @4 :Text;
  token @5 :Text $A.syntax(token) $A.secret;
  expiresAt @6 :OptionalTime $A.help("7 days from now unless given; in the future");
  invitedBy @7 :ClearableUserRef;
}
struct ExtendInvitation @0xca612268b641ab51 $A.on(invitation)
    $A.help("Extend a pending invitation.") {
  invitation @0 :InvitationRef $A.required;
  expiresAt @1 :OptionalTime $A.help("7 days from now unless given; not before the present one");
}
struct RevokeInvitation @0x89d12c85b6552fc2 $A.on(invitation)
    $A.help("Revoke an invitation that is not accepted.") {
  invitation @0 :InvitationRef $A.required;
}
struct DeleteInvitation @0xc631030e92f51d67 $A.on(invitation) $A.help("Delete an invitation.") {
  invitation @0 :InvitationRef $A.required;
}
struct AcceptInvitation @0xfec2caf761a2b55f $A.on(invitation)
    $A.help("Accept an invitation as an existing user or a new one.")
   
        $A.rules(["exactly one of user and new_user",
                  "the e-mail must match unless `any_email` is given"]) {
  invitation @0 :InvitationRef $A.required;
  user @1 :UserRef;
  newUser @2 :RegisterUser
      $A.help("the fields of register_user; email defaults to the invitation's");
  anyEmail @3 :OptionalBool;
}
struct ExpireInvitations @0xacbdaacaa5a25ed8 $A.on(none)
    $A.help("Expire all pending invitations that have lapsed.") {
  tenant @0 :TenantRef;
  time @1 :OptionalTime $A.help("default now, never later");
}

struct SetPreferences @0xc9b295d0b752111f $A.on(preferences)
    $A.help("Set a user's preferences; created on first use.") {
  id @0 :OptionalInt $A.help("on first use: one more than the largest ever used, unless given");
  user @1 :UserRef $A.required;
  theme @2 :Text $A.syntax(theme) $A.help("light, dark or auto");
  dashboardLayout @3 :Text $A.syntax(jsonObject);
  sidebarCollapsed @4 :OptionalBool;
  quickMenuItems @5 :Text $A.syntax(jsonArray);
  widgetPreferences @6 :Text $A.syntax(jsonObject);
}
struct DeletePreferences @0xfb3665e261f514bd $A.on(preferences)
    $A.help("Delete a user's preferences.") {
  user @0 :UserRef $A.required;
}

struct AddProtein @0xdef80d2cdf58e367 $A.on(protein) $A.help("Add a protein.") {
  id @0 :OptionalInt $A.help("one more than the largest ever used, unless given");
  name @1 :Text $A.required;
}
struct RenameProtein @0x97742cdb4d82ec2b $A.on(protein) $A.help("Rename a protein.") {
  protein @0 :ProteinRef $A.required;
  name @1 :Text $A.required;
}
struct RemoveProtein @0xe7bdbf5137d37d70 $A.on(protein) $A.help("Remove a protein.") {
  protein @0 :ProteinRef $A.required;
}

struct Command @0xd2c7d622e532cd21 {
  # What a client asks for. The circumstances (actor, channel, …) travel beside it: see
  # Circumstances.
  union {
    registerUser @0 :RegisterUser;
    changeUserProfile @1 :ChangeUserProfile;
    changeUserPassword @2 :ChangeUserPassword;
    setUserFlags @3 :SetUserFlags;
    recordLogin @4 :RecordLogin;
    deleteUser @5 :DeleteUser;
    mergeUsers @6 :MergeUsers;
    createTenant @7 :CreateTenant;
    changeTenant @8 :ChangeTenant;
    changeTenantSettings @9 :ChangeTenantSettings;
    startTrial @10 :StartTrial;
    extendTrial @11 :ExtendTrial;
    endTrial @12 :EndTrial;
    activateTenant @13 :ActivateTenant;
    deactivateTenant @14 :DeactivateTenant;
    deleteTenant @15 :DeleteTenant;
    addDomain @16 :AddDomain;
    setPrimaryDomain @17 :SetPrimaryDomain;
    activateDomain @18 :ActivateDomain;
    deactivateDomain @19 :DeactivateDomain;
    removeDomain @20 :RemoveDomain;
    moveDomain @21 :MoveDomain;
    addMember @22 :AddMember;
    changeMemberRole @23 :ChangeMemberRole;
    deactivateMember @24 :DeactivateMember;
    reactivateMember @25 :ReactivateMember;
    removeMember @26 :RemoveMember;
    invite @27 :Invite;
    extendInvitation @28 :ExtendInvitation;
    revokeInvitation @29 :RevokeInvitation;
    deleteInvitation @30 :DeleteInvitation;
    acceptInvitation @31 :AcceptInvitation;
    expireInvitations @32 :ExpireInvitations;
    setPreferences @33 :SetPreferences;
    deletePreferences @34 :DeletePreferences;
    addProtein @35 :AddProtein;
    renameProtein @36 :RenameProtein;
    removeProtein @37 :RemoveProtein;
  }
}
