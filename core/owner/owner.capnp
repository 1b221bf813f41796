@0xd2a1c7b98e4f6053;
# What a process asks of another one that owns the store it wants. Both are of one version, which
# greet() makes sure of: nothing here is kept, and nothing stays compatible with anything.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("tenantry::owner::wire");

interface Door {
  # What everybody gets who connects.
  greet @0 (version :Text, caller :Caller, writes :Bool) -> (owner :Owner, greeting :Greeting);
  # Without an owner if the versions differ, or the process is leaving.
  ping @1 ();
  # Answered at once: who does not is frozen.
}

interface Caller {
  farewell @0 ();
  # The owner ends: what is not answered by now was not done, and never will be.
}

struct Greeting {
  version @0 :Text;
  process @1 :Int64;
  lockDevice @2 :UInt64;     # Of the file that says who owns the store: a copied store has another.
  lockInode @3 :UInt64;
  storeId @4 :Data;
  incarnation @5 :UInt64;
  readOnly @6 :Bool;
  leaving @7 :Bool;          # It lets nobody in any more.
}

interface Owner {
  submit @0 (commands :List(Command), options :SubmitOptions)
      -> (answers :List(Answer), fault :Fault);
  # With a fault, the answers are those that are durable all the same.
  rehearse @1 () -> (rehearsal :Rehearsal, fault :Fault);
  tail @2 () -> (tail :Tail, fault :Fault);
  awaitTail @3 (beyond :UInt64, millis :UInt32) -> (tail :Tail, fault :Fault);
  # Answers once the log reaches beyond that position, or after that time.
  readLog @4 (filter :LogFilter)
      -> (events :Data, reached :UInt64, ended :Bool, fault :Fault);
  # As many events as make a good answer, or as are found in a while; the caller goes on from the
  # position that was reached.
  positionAt @5 (time :Int64) -> (position :UInt64, fault :Fault);
  chainHashAt @6 (position :UInt64) -> (hash :Data, fault :Fault);
  # No bytes where the log does not reach it.
  resolve @7 (queries :List(ResolveQuery)) -> (outcomes :List(Resolution), fault :Fault);
  status @8 () -> (status :Status, fault :Fault);
  verify @9 (full :Bool) -> (verification :Verification, fault :Fault);
  look @10 () -> (view :View, tail :Tail, fault :Fault);
  backUp @11 (directory :Text) -> (backup :BackingUp, fault :Fault);
  # `directory`: absolute.
  squash @12 (options :SquashOptions, plan :Bool) -> (squash :Squashing, fault :Fault);
  readBeginning @13 (through :UInt64, skip :UInt64, entries :Bool)
      -> (beginning :Beginning, entries :Data, ended :Bool, fault :Fault);
  # Behind the first `skip` entries; with `entries` false none of them.
  noteConsumer @14 (name :Text, checkpoint :UInt64, filledAnew :Bool) -> (fault :Fault);
  forgetConsumer @15 (name :Text) -> (found :Bool, fault :Fault);
}

interface Rehearsal {
  submit @0 (commands :List(Command), options :SubmitOptions)
      -> (answers :List(Answer), fault :Fault);
}

interface View {
  # The rows at one moment. Ends when it is dropped.
  row @0 (table :UInt32, tenant :Data, id :Data) -> (rows :Data, fault :Fault);
  rowById @1 (table :UInt32, id :Data) -> (rows :Data, fault :Fault);
  claimHolders @2 (table :UInt32, claim :UInt32, value :Data) -> (keys :Data, fault :Fault);
  scanRows @3 (table :UInt32, tenant :Data, after :Data)
      -> (rows :Data, ended :Bool, fault :Fault);
  # `tenant`: none for all; `after`: a key, none for the first.
  scanLookup @4 (table :UInt32, lookup :UInt32, first :Int64, last :Int64, skip :UInt64)
      -> (keys :Data, ended :Bool, fault :Fault);
  largestId @5 (table :UInt32) -> (id :Int64, fault :Fault);
  streamVersion @6 (table :UInt32, id :Data) -> (version :UInt64, fault :Fault);
}

interface Verification {
  # Under way until it is dropped.
  wait @0 (millis :UInt32)
      -> (done :UInt64, total :UInt64, ended :Bool, checks :List(Check), fault :Fault);
}

interface BackingUp {
  # Under way until it is dropped; then nothing is left of it, unless it has ended.
  wait @0 (millis :UInt32)
      -> (done :UInt64, total :UInt64, ended :Bool, report :Backup, fault :Fault);
}

interface Squashing {
  # Under way until it is dropped; then it is as if it had not been begun, unless it was published.
  wait @0 (millis :UInt32)
      -> (done :UInt64, total :UInt64, ended :Bool, report :Squash, fault :Fault);
}

struct SquashOptions {
  scopes @0 :List(UInt16);
  through :union { tail @1 :Void; position @2 :UInt64; }
  archive @3 :Text;            # Absolute; empty for inside the store.
  discardHistory @4 :Bool;
  rebase @9 :List(Text);
  redact @10 :Data;            # Of a tenant; none for no redaction.
  actor @5 :Text;
  channel @6 :Text;
  reason @7 :Text;
  correlationId @8 :Text;
}

struct Squash {
  scopes @0 :List(Scope);
  archive @1 :Text;
  discarded @2 :Bool;
  tail @3 :UInt64;
  bytesBefore @4 :UInt64;
  bytesAfter @5 :UInt64;
  micros @6 :UInt64;
  behind @7 :List(Behind);
  redaction @8 :Redaction;     # Null for none.
  left @9 :List(Text);

  struct Behind {
    consumer @0 :Consumer;
    holds @1 :Bool;
    outdated @2 :Bool;
  }
  struct Scope {
    scope @0 :UInt16;
    after @1 :UInt64;
    through @2 :UInt64;
    events @3 :UInt64;
    kinds @4 :List(Kind);
    firstTime @5 :Int64;
    lastTime @6 :Int64;
    logBytes @7 :UInt64;
    diskBytes @8 :UInt64;
    uncut @16 :UInt64;
    discarded @17 :UInt64;
    segments @9 :UInt64;
    archiveBytes @10 :UInt64;
    archiveDigest @11 :Data;
    snapshotEntries @12 :UInt64;
    snapshotBytes @13 :UInt64;
    snapshotDigest @14 :Data;
    chainHash @15 :Data;
  }
  struct Kind {
    kind @0 :UInt32;
    events @1 :UInt64;
  }
}

struct Redaction {
  tenant @0 :Data;
  last @1 :UInt64;
  events @2 :UInt64;
  earlier @3 :UInt64;
  shared @4 :UInt64;
  payloads @5 :UInt64;
  segments @6 :UInt64;
  event @7 :UInt64;
}

struct Backup {
  directory @0 :Text;
  storeId @1 :Data;
  incarnation @2 :UInt64;
  tail @3 :UInt64;
  headDigest @4 :Data;
  takenAt @5 :Int64;
  files @6 :UInt64;
  bytes @7 :UInt64;
}

struct Fault {
  union {
    none @0 :Void;
    corruption @1 :Text;
    unavailable @2 :Problem;
    usage @3 :Problem;
    leaving @4 :Void;          # The owner takes no more calls, and did nothing for this one.
  }
}

struct Problem {
  code @0 :Text;
  what @1 :Text;
  hint @2 :Text;
  exitCode @3 :UInt8;
}

struct Command {
  bytes @0 :Data;
  id @1 :Data;                 # None, or 16 bytes.
  actor @2 :Text;
  channel @3 :Text;
  reason @4 :Text;
  correlationId @5 :Text;
  causationPosition :union { noCausation @6 :Void; causation @7 :UInt64; }
  expectedVersion :union { anyVersion @8 :Void; noVersion @9 :Void; version @10 :UInt64; }
  at :union { now @11 :Void; micros @12 :Int64; }
}

struct SubmitOptions {
  stopOnRefusal @0 :Bool;
  commitCommandsMax @1 :UInt64;
}

struct Refusal {
  invalid @0 :Bool;
  code @1 :Text;
  field @2 :Text;
  message @3 :Text;
}

struct Answer {
  status @0 :UInt8;
  refusal @1 :Refusal;
  first @2 :UInt64;
  count @3 :UInt32;
  entity @4 :Entity;           # Null for none.
  repeated @5 :Bool;
  incarnation @6 :UInt64;
}

struct Entity {
  kind @0 :UInt16;
  id @1 :Data;
  key @2 :Text;
}

struct Tail {
  position @0 :UInt64;
  lastRecorded @1 :Int64;
  digest @2 :Data;
}

struct LogFilter {
  after @0 :UInt64;
  through @1 :UInt64;
  scope :union { anyScope @2 :Void; only @3 :UInt16; }
  tenant @4 :Data;             # None, or 16 bytes.
  stream @5 :Data;
  user :union { anyUser @6 :Void; id @7 :Int64; }
  actor @8 :Text;              # Null for none, as are the next two.
  channel @9 :Text;
  correlationId @10 :Text;
  kinds @11 :List(UInt32);
  reverse @12 :Bool;
  liveOnly @13 :Bool;
  whole @14 :Bool;
}

struct ResolveQuery {
  tenantId @0 :Text;           # Null for none, as are the next two.
  host @1 :Text;
  user @2 :Text;
}

struct Consumer {
  name @0 :Text;
  checkpoint @1 :UInt64;
  notedAt @2 :Int64;
  schemaVersion @3 :UInt32;
}

struct Beginning {
  points @0 :List(Point);
  unknown @1 :List(Unknown);
  discarded @2 :UInt64;
  completeAfter @3 :UInt64;

  struct Unknown {
    tenant @0 :Data;
    known @1 :UInt64;          # From this position on.
  }
}

struct Point {
  scope @0 :UInt16;
  position @1 :UInt64;
  seq @2 :UInt64;
  chainHash @3 :Data;
}

struct Resolution {
  union {
    refusal @0 :Refusal;
    tenant @1 :Data;
  }
  slug @2 :Text;
  name @3 :Text;
  matched @4 :Text;
}

struct Status {
  tail @0 :Tail;
  createdAt @1 :Int64;
  directory @2 :Text;
  bytes @3 :UInt64;
  term @4 :UInt64;
  batches @5 :UInt64;
  scopes @6 :List(Scope);
  rows @7 :List(Table);
  repairs @8 :List(Repair);
  discarded @9 :UInt64;
  consumers @10 :List(Consumer);

  struct Scope {
    scope @0 :UInt16;
    events @1 :UInt64;
    last @2 :UInt64;
    base @3 :UInt64;
    archived @4 :UInt64;
    archiveBytes @5 :UInt64;
    discarded @6 :UInt64;
    liveBytes @7 :UInt64;
    squash @8 :UInt64;
    squashedAt @9 :Int64;
  }
  struct Table {
    name @0 :Text;
    rows @1 :UInt64;
  }
  struct Repair {
    at @0 :Int64;
    tail @1 :UInt64;
    file @2 :Text;
    cutAt @3 :UInt64;
    cutBytes @4 :UInt64;
  }
}

struct Check {
  name @0 :Text;
  passed @1 :Bool;
  examined @2 :UInt64;
  problems @3 :List(Text);
}
