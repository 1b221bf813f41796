@0xea9117f9c0921aa1;
# The events: facts, named in the past tense. A kind's number is its place in the union of Event
# plus one; numbers, ordinals and ids are never reused, names are the contract of every output.
#
# Fields that are named like a column of the event's row set that column. In a patch a text that is
# absent (a null pointer) leaves a column that cannot be NULL as it is, and sets one that can be to
# NULL; a Flag that is `unchanged` leaves its column. `created_at`, `updated_at` and `date_joined`
# come from the event's time, unless the event carries them.

using Cxx = import "/capnp/c++.capnp";
using A = import "annotations.capnp";
using R = import "rows.capnp";
$Cxx.namespace("tenantry::events");

enum Flag @0x9d93fdf4eff8a908 {
  unchanged @0;
  no @1;
  yes @2;
}

struct UserRegistered @0xc441b47d585772c5 $A.on(user) $A.effect(insert) {
  id @0 :Int32;
  username @1 :Text;
  email @2 :Text;
  firstName @3 :Text;
  lastName @4 :Text;
  password @5 :Text $A.secret;
  isActive @6 :Bool;
  isStaff @7 :Bool;
  isSuperuser @8 :Bool;
}
struct UserRenamed @0xd468d8f413ae15f8 $A.on(user) $A.effect(patch) {
  id @0 :Int32;
  username @1 :Text;
}
struct UserProfileChanged @0x954cbd05bc9a0c82 $A.on(user) $A.effect(patch) {
  id @0 :Int32;
  firstName @1 :Text;
  lastName @2 :Text;
  email @3 :Text;
}
struct UserPasswordChanged @0xb03b7c62527dd03c $A.on(user) $A.effect(patch) {
  id @0 :Int32;
  password @1 :Text $A.secret;
}
struct UserFlagsChanged @0xbdf8661f2f0308ed $A.on(user) $A.effect(patch) {
  id @0 :Int32;
  isActive @1 :Flag;
  isStaff @2 :Flag;
  isSuperuser @3 :Flag;
}
struct UserLoggedIn @0xf2a581aed35a4cb5 $A.on(user) $A.effect(patch) {
  id @0 :Int32;
  lastLogin @1 :Int64;
}
struct UserDeleted @0xe26d6f79074349bb $A.on(user) $A.effect(remove) {
  id @0 :Int32;
  username @1 :Text $A.context;
}

struct ProteinAdded @0xb9e02ea49b0d0fe7 $A.on(protein) $A.effect(insert) {
  id @0 :Int64;
  name @1 :Text;
}
struct ProteinRenamed @0xf890e00543550e48 $A.on(protein) $A.effect(patch) {
  id @0 :Int64;
  name @1 :Text;
}
struct ProteinRemoved @0x8906a950dfd34ed7 $A.on(protein) $A.effect(remove) {
  id @0 :Int64;
  name @1 :Text $A.context;
}

struct PreferencesCreated @0xd2394eb170d13e12 $A.on(preferences) $A.effect(insert) {
  id @0 :Int64;
  userId @1 :Int32;
  theme @2 :Text;
  dashboardLayout @3 :Text;
  sidebarCollapsed @4 :Bool;
  quickMenuItems @5 :Text;
  widgetPreferences @6 :Text;
}
struct PreferencesChanged @0xf9f1fdc17996a0ff $A.on(preferences) $A.effect(patch) {
  id @0 :Int64;
  userId @1 :Int32 $A.context;
  theme @2 :Text;
  dashboardLayout @3 :Text;
  sidebarCollapsed @4 :Flag;
  quickMenuItems @5 :Text;
  widgetPreferences @6 :Text;
}
struct PreferencesDeleted @0xd327eb02f9935862 $A.on(preferences) $A.effect(remove) {
  id @0 :Int64;
  userId @1 :Int32 $A.context;
}

struct TenantCreated @0xf77c854fa829e925 $A.on(tenant) $A.effect(insert) {
  id @0 :Data;
  name @1 :Text;
  slug @2 :Text;
  schemaName @3 :Text;
  contactEmail @4 :Text;
  contactPhone @5 :Text;
  isActive @6 :Bool;
  isTrial @7 :Bool;
  trialEndsAt @8 :R.NullableTime;
  settings @9 :Text;
  logo @10 :Text;
  createdById @11 :R.NullableInt;
}
struct TenantRenamed @0xab0dbdc163b5d7b3 $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  name @1 :Text;
}
struct TenantSlugChanged @0xd4418d6f261846be $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  slug @1 :Text;
}
struct TenantSchemaNameChanged @0xe6b1aaa286de408b $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  schemaName @1 :Text;
}
struct TenantDomainNameChanged @0xc5af8f6e3328e3c6 $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  domain @1 :Text;
}
struct TenantContactChanged @0x88722221b985cf1b $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  contactEmail @1 :Text;
  contactPhone @2 :Text;
}
struct TenantLogoChanged @0xd01cd8e10fbb6c8d $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  logo @1 :Text;
}
struct TenantSettingsChanged @0xdc1865b3be3af753 $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  settings @1 :Text;
}
struct TrialStarted @0x96b51bca3b166e84 $A.on(tenant) $A.effect(patch)
    $A.sets([(column = "is_trial", value = "true")]) {
  id @0 :Data;
  trialEndsAt @1 :Int64;
}
struct TrialExtended @0xe0b81fc88fa25f9e $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  trialEndsAt @1 :Int64;
}
struct TrialEnded @0xdfd258d603000bfa $A.on(tenant) $A.effect(patch)
    $A.sets([(column = "is_trial", value = "false")]) {
  id @0 :Data;
}
struct TenantActivated @0x998e9e312fcfc836 $A.on(tenant) $A.effect(patch)
    $A.sets([(column = "is_active", value = "true")]) {
  id @0 :Data;
}
struct TenantDeactivated @0xf95aa25b4cc4acf1 $A.on(tenant) $A.effect(patch)
    $A.sets([(column = "is_active", value = "false")]) {
  id @0 :Data;
}
struct TenantCreatorChanged @0xfd72cf2d595eda2b $A.on(tenant) $A.effect(patch) {
  id @0 :Data;
  createdById @1 :R.NullableInt;
}
struct TenantDeleted @0xc5be6981e0ea42e9 $A.on(tenant) $A.effect(remove) {
  id @0 :Data;
  slug @1 :Text $A.context;
}

struct DomainAdded @0xf87d3ed3bec851e0 $A.on(domain) $A.effect(insert) {
  id @0 :Int64;
  tenantId @1 :Data;
  domain @2 :Text;
  isPrimary @3 :Bool;
  isActive @4 :Bool;
}
struct DomainPrimaryChanged @0xa485de2739452063 $A.on(domain) $A.effect(patch) {
  # One domain became primary or ceased to be; a change of hands is two events.
  id @0 :Int64;
  tenantId @1 :Data $A.context;
  isPrimary @2 :Bool;
}
struct DomainActivated @0xaabdaa2acb3d9100 $A.on(domain) $A.effect(patch)
    $A.sets([(column = "is_active", value = "true")]) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
}
struct DomainDeactivated @0xba021bb57e267395 $A.on(domain) $A.effect(patch)
    $A.sets([(column = "is_active", value = "false")]) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
}
struct DomainMoved @0xcc1b1bd37dcde3fd $A.on(domain) $A.effect(patch) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;                    # The tenant it left.
  toTenantId @2 :Data $A.column("tenant_id");
  isPrimary @3 :Bool;
}
struct DomainRemoved @0xea9d20f233e658fe $A.on(domain) $A.effect(remove) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
  domain @2 :Text $A.context;
}

struct MemberAdded @0xbe2ec55568d7eaf3 $A.on(member) $A.effect(insert)
    $A.sets([(column = "is_active", value = "true")]) {
  id @0 :Int64;
  tenantId @1 :Data;
  userId @2 :Int32;
  role @3 :Text;
}
struct MemberReactivated @0xa357875588f86cef $A.on(member) $A.effect(patch)
    $A.sets([(column = "is_active", value = "true")]) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
  userId @2 :Int32 $A.context;
}
struct MemberRoleChanged @0xb82b0301575d938d $A.on(member) $A.effect(patch) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
  userId @2 :Int32 $A.context;
  role @3 :Text;
}
struct MemberDeactivated @0xaea8fd5c567a1758 $A.on(member) $A.effect(patch)
    $A.sets([(column = "is_active", value = "false")]) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
  userId @2 :Int32 $A.context;
}
struct MemberRemoved @0xd09540e60042dab5 $A.on(member) $A.effect(remove) {
  id @0 :Int64;
  tenantId @1 :Data $A.context;
  userId @2 :Int32 $A.context;
}

struct InvitationIssued @0xe493efb62bdf4919 $A.on(invitation) $A.effect(insert)
    $A.sets([(column = "status", value = "pending")]) {
  id @0 :Data;
  tenantId @1 :Data;
  token @2 :Text $A.secret;
  email @3 :Text;
  role @4 :Text;
  expiresAt @5 :Int64;
  message @6 :Text;
  invitedById @7 :R.NullableInt;
}
struct InvitationExpired @0xa889ab4d51b2352c $A.on(invitation) $A.effect(patch)
    $A.sets([(column = "status", value = "expired")]) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
}
struct InvitationExtended @0x98d762317d25a88d $A.on(invitation) $A.effect(patch) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
  expiresAt @2 :Int64;
}
struct InvitationRevoked @0xcd922f961094b249 $A.on(invitation) $A.effect(patch)
    $A.sets([(column = "status", value = "revoked")]) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
}
struct InvitationAccepted @0xfe7cc9941e1a85ce $A.on(invitation) $A.effect(patch)
    $A.sets([(column = "status", value = "accepted")]) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
  acceptedById @2 :R.NullableInt;
  acceptedAt @3 :R.NullableTime;
}
struct InvitationInviterChanged @0xce458ad55309eb06 $A.on(invitation) $A.effect(patch) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
  invitedById @2 :R.NullableInt;
}
struct InvitationAccepterChanged @0xe6393c2063a8c15a $A.on(invitation) $A.effect(patch) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
  acceptedById @2 :R.NullableInt;
}
struct InvitationDeleted @0xc87dd8b9a9f46b6f $A.on(invitation) $A.effect(remove) {
  id @0 :Data;
  tenantId @1 :Data $A.context;
  email @2 :Text $A.context;
}

# What an import found in a database, one event a row: the row whole, its times included. What was
# before is not known. Ids up to the one that is reserved had been given out there, and never are
# again.
struct UserImported @0xb5b9ebbecc9d2f7a $A.on(user) $A.effect(insert) $A.imported {
  id @0 :Int32;
  password @1 :Text;
  lastLogin @2 :R.NullableTime;
  isSuperuser @3 :Bool;
  username @4 :Text;
  firstName @5 :Text;
  lastName @6 :Text;
  email @7 :Text;
  isStaff @8 :Bool;
  isActive @9 :Bool;
  dateJoined @10 :Int64;
}
struct ProteinImported @0xf4b7488a8f65217a $A.on(protein) $A.effect(insert) $A.imported {
  id @0 :Int64;
  name @1 :Text;
}
struct PreferencesImported @0xa5dae62a699a1871 $A.on(preferences) $A.effect(insert) $A.imported {
  id @0 :Int64;
  theme @1 :Text;
  dashboardLayout @2 :Text;
  sidebarCollapsed @3 :Bool;
  quickMenuItems @4 :Text;
  widgetPreferences @5 :Text;
  createdAt @6 :Int64;
  updatedAt @7 :Int64;
  userId @8 :Int32;
}
struct TenantImported @0xafb824f04cb2c6ed $A.on(tenant) $A.effect(insert) $A.imported {
  id @0 :Data;
  name @1 :Text;
  slug @2 :Text;
  schemaName @3 :Text;
  domain @4 :Text;
  contactEmail @5 :Text;
  contactPhone @6 :Text;
  isActive @7 :Bool;
  isTrial @8 :Bool;
  trialEndsAt @9 :R.NullableTime;
  createdAt @10 :Int64;
  updatedAt @11 :Int64;
  settings @12 :Text;
  logo @13 :Text;
  createdById @14 :R.NullableInt;
}
struct DomainImported @0xb8de425f6e9b8fc7 $A.on(domain) $A.effect(insert) $A.imported {
  id @0 :Int64;
  domain @1 :Text;
  isPrimary @2 :Bool;
  isActive @3 :Bool;
  createdAt @4 :Int64;
  updatedAt @5 :Int64;
  tenantId @6 :Data;
}
struct MemberImported @0xbff1f3ff03cec5de $A.on(member) $A.effect(insert) $A.imported {
  id @0 :Int64;
  role @1 :Text;
  isActive @2 :Bool;
  createdAt @3 :Int64;
  updatedAt @4 :Int64;
  tenantId @5 :Data;
  userId @6 :Int32;
}
struct InvitationImported @0xbb01337c93b641cb $A.on(invitation) $A.effect(insert) $A.imported {
  id @0 :Data;
  token @1 :Text;
  email @2 :Text;
  role @3 :Text;
  status @4 :Text;
  createdAt @5 :Int64;
  expiresAt @6 :Int64;
  acceptedAt @7 :R.NullableTime;
  message @8 :Text;
  acceptedById @9 :R.NullableInt;
  invitedById @10 :R.NullableInt;
  tenantId @11 :Data;
}
struct UserIdsReserved @0x87ea1afa0610a68a $A.on(user) $A.effect(reserve) $A.imported {
  id @0 :Int32;
}
struct ProteinIdsReserved @0xc0d8a86f718a85b6 $A.on(protein) $A.effect(reserve) $A.imported {
  id @0 :Int64;
}
struct PreferencesIdsReserved @0x866acb9a000a91b1
    $A.on(preferences) $A.effect(reserve) $A.imported {
  id @0 :Int64;
}
struct DomainIdsReserved @0xaeae6dcc478c7d0c $A.on(domain) $A.effect(reserve) $A.imported {
  id @0 :Int64;
}
struct MemberIdsReserved @0xdef26bbacaabcfb8 $A.on(member) $A.effect(reserve) $A.imported {
  id @0 :Int64;
}

# What an operator did with the store.
struct StoreRestored @0xd53ac6b900a6ac65 $A.on(store) $A.effect(note) {
  # From a backup; the log goes on from there, in a new incarnation.
  id @0 :Data;
  incarnation @1 :Int64;      # The new one.
  tail @2 :Int64;             # The last position of the backup, and
  takenAt @3 :Int64;          # when that was made.
}
struct ScopeSquashed @0xfeeb53c8f582b34b $A.on(store) $A.effect(note) {
  # Events of a scope have left the log. Hashes are SHA-256, in hexadecimal digits.
  id @0 :Data;
  squashedScope @1 :Text;
  squashedThrough @2 :Int64;  # The last position that has left.
  squashedEvents @3 :Int64;   # How many have left now.
  logBytes @4 :Int64;         # What they took in the log, uncompressed.
  chainHash @5 :Text;         # Of the last of them: proves all of them.
  snapshotDigest @6 :Text;    # Of the entries of the scope's state as they led to it.
  snapshotBytes @7 :Int64;    # Of its file.
  archiveDigest @8 :Text;     # Of the digests of the archive's new files; of none if discarded.
  archiveBytes @9 :Int64;     # Of these files.
  archiveDirectory @10 :Text; # Where they were put; empty for the store's own place.
  historyDiscarded @11 :Bool; # They, and all before them, are in no archive.
}
struct TenantRedacted @0xc5d1e0b7a4f29386 $A.on(store) $A.effect(note) {
  # Events of a tenant have lost what they said; their places, times and hashes stay.
  id @0 :Data;
  tenantId @1 :Data $A.context;
  redactedThrough @2 :Int64;  # No event behind this position.
  redactedEvents @3 :Int64;   # How many, those that had lost it before left out.
  archiveDigest @4 :Text;     # SHA-256 of the digests of the files that hold them now, hexadecimal.
}

struct Event @0x9cd99715be8290b0 {
  # What is stored: the circumstances, and one fact. Absent texts are null pointers.
  actor @0 :Text;
  channel @1 :Text;
  reason @2 :Text;
  correlationId @3 :Text;
  union {
    userRegistered @4 :UserRegistered;
    userRenamed @5 :UserRenamed;
    userProfileChanged @6 :UserProfileChanged;
    userPasswordChanged @7 :UserPasswordChanged;
    userFlagsChanged @8 :UserFlagsChanged;
    userLoggedIn @9 :UserLoggedIn;
    userDeleted @10 :UserDeleted;
    proteinAdded @11 :ProteinAdded;
    proteinRenamed @12 :ProteinRenamed;
    proteinRemoved @13 :ProteinRemoved;
    preferencesCreated @14 :PreferencesCreated;
    preferencesChanged @15 :PreferencesChanged;
    preferencesDeleted @16 :PreferencesDeleted;
    tenantCreated @17 :TenantCreated;
    tenantRenamed @18 :TenantRenamed;
    tenantSlugChanged @19 :TenantSlugChanged;
    tenantSchemaNameChanged @20 :TenantSchemaNameChanged;
    tenantDomainNameChanged @21 :TenantDomainNameChanged;
    tenantContactChanged @22 :TenantContactChanged;
    tenantLogoChanged @23 :TenantLogoChanged;
    tenantSettingsChanged @24 :TenantSettingsChanged;
    trialStarted @25 :TrialStarted;
    trialExtended @26 :TrialExtended;
    trialEnded @27 :TrialEnded;
    tenantActivated @28 :TenantActivated;
    tenantDeactivated @29 :TenantDeactivated;
    tenantCreatorChanged @30 :TenantCreatorChanged;
    tenantDeleted @31 :TenantDeleted;
    domainAdded @32 :DomainAdded;
    domainPrimaryChanged @33 :DomainPrimaryChanged;
    domainActivated @34 :DomainActivated;
    domainDeactivated @35 :DomainDeactivated;
    domainMoved @36 :DomainMoved;
    domainRemoved @37 :DomainRemoved;
    memberAdded @38 :MemberAdded;
    memberReactivated @39 :MemberReactivated;
    memberRoleChanged @40 :MemberRoleChanged;
    memberDeactivated @41 :MemberDeactivated;
    memberRemoved @42 :MemberRemoved;
    invitationIssued @43 :InvitationIssued;
    invitationExpired @44 :InvitationExpired;
    invitationExtended @45 :InvitationExtended;
    invitationRevoked @46 :InvitationRevoked;
    invitationAccepted @47 :InvitationAccepted;
    invitationInviterChanged @48 :InvitationInviterChanged;
    invitationAccepterChanged @49 :InvitationAccepterChanged;
    invitationDeleted @50 :InvitationDeleted;
    userImported @51 :UserImported;
    proteinImported @52 :ProteinImported;
    preferencesImported @53 :PreferencesImported;
    tenantImported @54 :TenantImported;
    domainImported @55 :DomainImported;
    memberImported @56 :MemberImported;
    invitationImported @57 :InvitationImported;
    userIdsReserved @58 :UserIdsReserved;
    proteinIdsReserved @59 :ProteinIdsReserved;
    preferencesIdsReserved @60 :PreferencesIdsReserved;
    domainIdsReserved @61 :DomainIdsReserved;
    memberIdsReserved @62 :MemberIdsReserved;
    storeRestored @63 :StoreRestored;
    scopeSquashed @64 :ScopeSquashed;
    tenantRedacted @65 :TenantRedacted;
  }
}
