@0xb73d44a836668a32;
# What the schemas of rows, events and commands say about themselves. Everything else (table
# descriptors, JSON, command-line options, validation, row changes, uniqueness claims) is derived
# from these annotations by reflection.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("tenantry::events");

enum Scope @0xdb8797919b37b9d0 {
  # The application a table belongs to. The numbers stand in keys and are never reused.
  system @0;
  auth @1;
  core @2;
  tenants @3;
}

enum EntityKind @0xa1089de3845a8d36 {
  # What a stream or a row is about. The numbers stand in keys and are never reused; up to 63.
  none @0;
  user @1;
  protein @2;
  preferences @3;
  tenant @4;
  domain @5;
  member @6;
  invitation @7;
  store @8;              # The store itself: what was done with it, and no row of any table.
}

enum SqlType @0x9ba1f8d342b5b4e4 {
  # The type of a column in the contract and, with it, the type of its field in a row:
  integer @0;      # Int32, or NullableInt
  bigint @1;       # Int64
  boolean @2;      # Bool
  varchar @3;      # Text of at most `length` characters; a null pointer is SQL NULL
  text @4;         # Text
  timestamptz @5;  # Int64, microseconds since 1970 UTC, or NullableTime
  uuid @6;         # Data of 16 bytes
  jsonb @7;        # Text, spelled as jsonb prints it
}

struct Table @0xe3a9c20b63339b18 {
  name @0 :Text;         # In SQL.
  scope @1 :Scope;
  entity @2 :EntityKind;
  integerIds @3 :Bool;   # Ids come from a counter: one more than the largest ever used.
  key @4 :List(Text);    # Columns whose values people know a row by, e.g. slug, username.
}

struct Column @0xe8813ffc04561442 {
  type @0 :SqlType;
  length @1 :UInt16;     # varchar only, in characters.
  nullable @2 :Bool;
}

enum Stamp @0x91d4c5e4106ad415 {
  created @0;            # Set to the event's time by the event that inserts the row.
  updated @1;            # Set to the event's time by every event that changes the row.
}

struct Claim @0xcc1aa48e48a6bdb9 {
  # A uniqueness rule: no two rows may claim the same value. Kept as a key of the state.
  number @0 :UInt8;           # 0..63, stands in keys, never reused.
  columns @1 :List(Text);
  fold @2 :Bool;              # Compared without regard to ASCII case.
  whereColumn @3 :Text;       # If set: only rows whose column has this value claim.
  whereValue @4 :Text;
  code @5 :Text;              # Rejection code when taken.
}

struct Lookup @0xee277dc790eee32d {
  # A way to find rows that is not unique: by a referenced row, in the order of a column, or by a
  # text without regard to ASCII case. A text is looked up by a 64-bit hash, so readers compare; an
  # empty one is not.
  number @0 :UInt8;           # 0..47, stands in keys, never reused.
  column @1 :Text;
  whereColumn @2 :Text;
  whereValue @3 :Text;
}

annotation table @0xcaed2e38bef26598 (struct) :Table;
annotation claims @0xbec627a7c30ddd53 (struct) :List(Claim);
annotation lookups @0xbfdbacec45ccf6c5 (struct) :List(Lookup);
annotation sql @0xf43c101f8cf414b9 (field) :Column;
# Table whose `id` the column holds.
annotation references @0x9606eed44bf56c5a (field) :Text;
annotation secret @0xa3451eb5aad8a377 (field) :Void;              # Masked in every output.
# The application may change it; outside drift and digests.
annotation applicationOwned @0xc4155740917b7f33 (field) :Void;
annotation stamp @0x8cdfa650f17a6033 (field) :Stamp;
# The tenant that the row belongs to.
annotation owner @0xe04332aea589cf70 (field) :Void;

enum Effect @0x83608503db001163 {
  insert @0;
  patch @1;
  remove @2;
  reserve @3;   # No row: the id, and every smaller one, is taken.
  note @4;      # No row: it happened.
}

struct Constant @0xf5d5f1d153da807f {
  column @0 :Text;
  value @1 :Text;             # As JSON spells it, text without quotes.
}

annotation effect @0x856304607fbe8cd6 (struct) :Effect;           # What the event does to its row.
# The row's kind; on commands: what the command speaks of.
annotation on @0x81a260e3676aee46 (struct) :EntityKind;
# The event repeats what a database held, whatever the rules say: its row may claim what another row
# claims.
annotation imported @0x818f5728343663d2 (struct) :Void;
# Columns that the event sets without carrying a value.
annotation sets @0x8a1dbc3f281c808e (struct) :List(Constant);
# The column a field of an event sets, where the names differ.
annotation column @0xad31723ea852f876 (field) :Text;
# Told for readers; sets no column.
annotation context @0xcf8f7e3383ef94a3 (field) :Void;

enum Syntax @0xa63b4e669f3b3488 {
  # Of a command's text field, beyond valid UTF-8 and the length of its column.
  free @0;
  username @1;
  email @2;
  slug @3;          # Lower-cased before it is checked.
  host @4;          # Lower-cased before it is checked.
  role @5;
  theme @6;
  passwordHash @7;
  jsonObject @8;
  jsonArray @9;
  token @10;
}

annotation required @0xf83af648975480e7 (field) :Void;
annotation syntax @0xe4e09be558c98051 (field) :Syntax;
# `table.column` whose length a command's text has, where it is not
annotation of @0xa85a961f0bcd8ce1 (field) :Text;
                                                   # the column of the same name of the command's
                                                   # table.
annotation help @0xf859c8de96c76d51 (*) :Text;                    # One line for people.
# What a command must obey, a line each.
annotation rules @0xa9235845e5d44370 (struct) :List(Text);
