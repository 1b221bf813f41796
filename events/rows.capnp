@0x9eb779c9b54e0717;
# The rows of the read model, one struct a table, fields in the order of the table. A column's name
# is its
# field's in snake_case.

using Cxx = import "/capnp/c++.capnp";
using A = import "annotations.capnp";
$Cxx.namespace("tenantry::events");

struct NullableInt @0xb13028cf9b4e6c2c {  # A null pointer is SQL NULL.
  value @0 :Int64;
}

struct NullableTime @0xc90c24a0025c87d4 {  # A null pointer is SQL NULL.
  micros @0 :Int64;
}

struct UserRow @0xae00bf4090181f47
    $A.table(name = "auth_user", scope = auth, entity = user, integerIds = true, key = ["username"])
    $A.claims([(number = 1, columns = ["username"], code = "username_taken")])
    $A.lookups([(number = 6, column = "email")]) {
  id @0 :Int32 $A.sql(type = integer);
  password @1 :Text $A.sql(type = varchar, length = 128) $A.secret $A.applicationOwned;
  lastLogin @2 :NullableTime $A.sql(type = timestamptz, nullable = true) $A.applicationOwned;
  isSuperuser @3 :Bool $A.sql(type = boolean);
  username @4 :Text $A.sql(type = varchar, length = 150);
  firstName @5 :Text $A.sql(type = varchar, length = 150);
  lastName @6 :Text $A.sql(type = varchar, length = 150);
  email @7 :Text $A.sql(type = varchar, length = 254);
  isStaff @8 :Bool $A.sql(type = boolean);
  isActive @9 :Bool $A.sql(type = boolean);
  dateJoined @10 :Int64 $A.sql(type = timestamptz) $A.stamp(created);
}

struct ProteinRow @0xb841a64c8d63ed24
   
    $A.table(name = "core_protein", scope = core, entity = protein, integerIds = true,
                key = ["name"])
    $A.claims([(number = 2, columns = ["name"], code = "protein_taken")]) {
  id @0 :Int64 $A.sql(type = bigint);
  name @1 :Text $A.sql(type = varchar, length = 50);
}

struct PreferencesRow @0x873ff0481320c717
   
    $A.table(name = "core_userpreferences", scope = core, entity = preferences, integerIds = true,
                key = ["user_id"])
    $A.claims([(number = 3, columns = ["user_id"], code = "id_taken")]) {
  id @0 :Int64 $A.sql(type = bigint);
  theme @1 :Text $A.sql(type = varchar, length = 20);
  dashboardLayout @2 :Text $A.sql(type = jsonb);
  sidebarCollapsed @3 :Bool $A.sql(type = boolean);
  quickMenuItems @4 :Text $A.sql(type = jsonb);
  widgetPreferences @5 :Text $A.sql(type = jsonb);
  createdAt @6 :Int64 $A.sql(type = timestamptz) $A.stamp(created);
  updatedAt @7 :Int64 $A.sql(type = timestamptz) $A.stamp(updated);
  userId @8 :Int32 $A.sql(type = integer) $A.references("auth_user");
}

struct TenantRow @0xffad09ad48702db9
    $A.table(name = "tenants_tenant", scope = tenants, entity = tenant, key = ["slug"])
    $A.claims([(number = 4, columns = ["slug"], code = "slug_taken"),
               (number = 5, columns = ["schema_name"], code = "schema_name_taken")])
    $A.lookups([(number = 1, column = "created_by_id")]) {
  id @0 :Data $A.sql(type = uuid) $A.owner;
  name @1 :Text $A.sql(type = varchar, length = 255);
  slug @2 :Text $A.sql(type = varchar, length = 100);
  schemaName @3 :Text $A.sql(type = varchar, length = 63, nullable = true);
  domain @4 :Text $A.sql(type = varchar, length = 255, nullable = true);
  contactEmail @5 :Text $A.sql(type = varchar, length = 254);
  contactPhone @6 :Text $A.sql(type = varchar, length = 20);
  isActive @7 :Bool $A.sql(type = boolean);
  isTrial @8 :Bool $A.sql(type = boolean);
  trialEndsAt @9 :NullableTime $A.sql(type = timestamptz, nullable = true);
  createdAt @10 :Int64 $A.sql(type = timestamptz) $A.stamp(created);
  updatedAt @11 :Int64 $A.sql(type = timestamptz) $A.stamp(updated);
  settings @12 :Text $A.sql(type = jsonb);
  logo @13 :Text $A.sql(type = varchar, length = 100, nullable = true);
  createdById @14 :NullableInt $A.sql(type = integer, nullable = true) $A.references("auth_user");
}

struct MemberRow @0xfdbd509046778039
   
    $A.table(name = "tenants_tenant_user", scope = tenants, entity = member, integerIds = true,
                key = ["tenant_id", "user_id"])
    $A.claims([(number = 6, columns = ["tenant_id", "user_id"], code = "already_member")])
    $A.lookups([(number = 2, column = "user_id")]) {
  id @0 :Int64 $A.sql(type = bigint);
  role @1 :Text $A.sql(type = varchar, length = 20);
  isActive @2 :Bool $A.sql(type = boolean);
  createdAt @3 :Int64 $A.sql(type = timestamptz) $A.stamp(created);
  updatedAt @4 :Int64 $A.sql(type = timestamptz) $A.stamp(updated);
  tenantId @5 :Data $A.sql(type = uuid) $A.references("tenants_tenant") $A.owner;
  userId @6 :Int32 $A.sql(type = integer) $A.references("auth_user");
}

struct DomainRow @0xba1c02fdd800dbb7
   
    $A.table(name = "tenants_tenantdomain", scope = tenants, entity = domain, integerIds = true,
                key = ["domain"])
    $A.claims([(number = 7, columns = ["domain"], code = "domain_taken")]) {
  id @0 :Int64 $A.sql(type = bigint);
  domain @1 :Text $A.sql(type = varchar, length = 253);
  isPrimary @2 :Bool $A.sql(type = boolean);
  isActive @3 :Bool $A.sql(type = boolean);
  createdAt @4 :Int64 $A.sql(type = timestamptz) $A.stamp(created);
  updatedAt @5 :Int64 $A.sql(type = timestamptz) $A.stamp(updated);
  tenantId @6 :Data $A.sql(type = uuid) $A.references("tenants_tenant") $A.owner;
}

struct InvitationRow @0xec8b1187a5f32b6d
    $A.table(name = "tenants_invitation", scope = tenants, entity = invitation, key = ["email"])
    $A.claims([(number = 8, columns = ["token"], code = "token_taken"),
               (number = 9, columns = ["tenant_id", "email"], fold = true,
                whereColumn = "status", whereValue = "pending",
                code = "pending_invitation_exists")])
    $A.lookups([(number = 3, column = "accepted_by_id"),
                (number = 4, column = "invited_by_id"),
                (number = 5, column = "expires_at",
                 whereColumn = "status", whereValue = "pending")]) {
  id @0 :Data $A.sql(type = uuid);
  token @1 :Text $A.sql(type = varchar, length = 64) $A.secret;
  email @2 :Text $A.sql(type = varchar, length = 254);
  role @3 :Text $A.sql(type = varchar, length = 20);
  status @4 :Text $A.sql(type = varchar, length = 20);
  createdAt @5 :Int64 $A.sql(type = timestamptz) $A.stamp(created);
  expiresAt @6 :Int64 $A.sql(type = timestamptz);
  acceptedAt @7 :NullableTime $A.sql(type = timestamptz, nullable = true);
  message @8 :Text $A.sql(type = text);
  acceptedById @9 :NullableInt $A.sql(type = integer, nullable = true) $A.references("auth_user");
  invitedById @10 :NullableInt $A.sql(type = integer, nullable = true) $A.references("auth_user");
  tenantId @11 :Data $A.sql(type = uuid) $A.references("tenants_tenant") $A.owner;
}

struct StoreRow @0x84f0f71b5e05e212
    $A.table(name = "store", scope = system, entity = store) {
  # No table has such rows: what an operator does with a store is told in these words.
  id @0 :Data $A.sql(type = uuid);
  incarnation @1 :Int64 $A.sql(type = bigint);
  tail @2 :Int64 $A.sql(type = bigint);
  takenAt @3 :Int64 $A.sql(type = timestamptz);
  squashedScope @4 :Text $A.sql(type = varchar, length = 50);
  squashedThrough @5 :Int64 $A.sql(type = bigint);
  squashedEvents @6 :Int64 $A.sql(type = bigint);
  logBytes @7 :Int64 $A.sql(type = bigint);
  chainHash @8 :Text $A.sql(type = varchar, length = 64);
  snapshotDigest @9 :Text $A.sql(type = varchar, length = 64);
  snapshotBytes @10 :Int64 $A.sql(type = bigint);
  archiveDigest @11 :Text $A.sql(type = varchar, length = 64);
  archiveBytes @12 :Int64 $A.sql(type = bigint);
  archiveDirectory @13 :Text $A.sql(type = text);
  historyDiscarded @14 :Bool $A.sql(type = boolean);
  tenantId @15 :Data $A.sql(type = uuid) $A.owner;
  redactedThrough @16 :Int64 $A.sql(type = bigint);
  redactedEvents @17 :Int64 $A.sql(type = bigint);
}

struct Rows @0x8f08fdd91f030d97 {
  # Every table, once; the order is that in which rows can be loaded so that references find their
  # target.
  union {
    user @0 :UserRow;
    protein @1 :ProteinRow;
    preferences @2 :PreferencesRow;
    tenant @3 :TenantRow;
    domain @4 :DomainRow;
    member @5 :MemberRow;
    invitation @6 :InvitationRow;
  }
}
