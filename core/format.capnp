@0x8aa45ec97326f796;
# What the store keeps beside events and rows: see LOG_FORMAT.md. Canonical segments, like
# everything else.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("tenantry::format");

struct StoreInfo @0xfa8289fc734c2645 {
  # Key `store`: written once, by init.
  storeId @0 :Data;          # 16 bytes.
  hashKey @1 :Data;          # 32 random bytes: the key of every keyed hash.
  createdAt @2 :Int64;       # Microseconds since 1970 UTC.
  madeBy @3 :Text;           # Software and version.
}

struct FormatInfo @0xce7f6d8496d3203b {
  # Key `format` and the file FORMAT: readable by every version.
  magic @0 :UInt64;
  major @1 :UInt16;
  minor @2 :UInt16;
  requiredFeatures @3 :UInt64;
  optionalFeatures @4 :UInt64;
  minRocksdb @5 :Text;
}

struct ScopeHead @0xd63a6ecfbe745b58 {
  scope @0 :UInt16;
  seq @1 :UInt64;            # Events of the scope.
  lastPosition @2 :UInt64;
  chainHash @3 :Data;        # Of its last event; 32 bytes.
  epoch @4 :UInt32;          # Of its index entries.
}

struct Counter @0x8950978ce54cfcf7 {
  # How many entries there are of one kind, and the sum of their hashes.
  family @0 :UInt8;
  scope @1 :UInt16;
  kind @2 :UInt8;
  epoch @3 :UInt32;
  rows @4 :UInt64;
  low @5 :UInt64;
  high @6 :UInt64;
}

struct Head @0x89acfc518321784d {
  # Key `head`: written with every commit.
  incarnation @0 :UInt64;
  term @1 :UInt64;
  batchSeq @2 :UInt64;
  tail @3 :UInt64;
  lastRecordedAt @4 :Int64;
  scopes @5 :List(ScopeHead);    # By scope.
  counters @6 :List(Counter);    # By family, scope, kind, epoch.
  markPosition @7 :UInt64;       # The last time mark of the index.
  markTime @8 :Int64;
}

struct CommandEntry @0xb759af6fba213a23 {
  # An accepted command with an id.
  commandId @0 :Data;
  requestHash @1 :Data;      # 16 bytes, keyed.
  acceptedAt @2 :Int64;
  firstPosition @3 :UInt64;  # 0 when it caused no event.
  count @4 :UInt32;
  entityKind @5 :UInt16;
  entityId @6 :Data;
  entityKey @7 :Text;
}

struct CommandTable @0x83d1b8544482ceda {
  entries @0 :List(CommandEntry);
  term @1 :UInt64;           # Of a batch without events; elsewhere the block says it.
}

struct Repair @0xe1c56a0f93d27b48 {
  # Keys `repair/<n>`: a last write, left garbled by a crash, was cut off.
  repairedAt @0 :Int64;      # Microseconds since 1970 UTC.
  tail @1 :UInt64;           # The end of the log afterwards.
  batchSeq @2 :UInt64;
  file @3 :Text;             # Of the write-ahead log.
  cutAt @4 :UInt64;          # Whole bytes of the file; from there on,
  cutBytes @5 :UInt64;       # so many were left out.
  madeBy @6 :Text;           # Software and version.
}

struct BackupInfo @0xfd7298c0652398c6 {
  # The file BACKUP of a backup, with the SHA-256 of these bytes behind them.
  formatMajor @0 :UInt16;    # Of the store.
  formatMinor @1 :UInt16;
  storeId @2 :Data;
  incarnation @3 :UInt64;
  tail @4 :UInt64;
  headDigest @5 :Data;       # 32 bytes.
  term @6 :UInt64;           # Of the last commit.
  batchSeq @7 :UInt64;
  takenAt @8 :Int64;         # Microseconds since 1970 UTC.
  madeBy @9 :Text;           # Software and version.
  files @10 :List(File);     # Of the database, by name.
  archive @11 :List(File);   # Of the store's own sealed files, by name.
  requiredFeatures @12 :UInt64;  # Of the store's format.

  struct File {
    name @0 :Text;
    bytes @1 :UInt64;
  }
}

struct BatchImage @0xc8cd5273e0147ec0 {
  # One commit, self-contained: what a replica needs. At most 900 KiB, or one command of up to 64
  # MiB.
  incarnation @0 :UInt64;
  term @1 :UInt64;
  seq @2 :UInt64;
  first @3 :UInt64;          # Position of the first event; the tail when there is none.
  events @4 :UInt32;
  before @5 :Data;           # Head digest that it follows, and the one that it makes.
  after @6 :Data;
  commands @7 :CommandTable;
  records @8 :Data;          # Records as in blocks, in the order of positions.
}

struct SegmentStart @0xe74a1c0063848bb7 {
  # On the first page of a segment.
  kind @0 :UInt16;           # 1 events, 2 state.
  scope @1 :UInt16;
  storeId @2 :Data;
  seq @3 :UInt64;            # Of events: the place of the first. Of a state: the events it follows.
  chainHash @4 :Data;        # Of the event before the first; of the last that the state follows.
  position @5 :UInt64;       # Of a state.
}

struct SegmentEnd @0x8ecfaef0c75bf008 {
  entries @0 :UInt64;
  rawBytes @1 :UInt64;       # Of the entries.
  lastSeq @2 :UInt64;
  chainHash @3 :Data;        # Of the last event; 32 bytes.
  first @4 :UInt64;          # Positions and times of the first and the last event.
  last @5 :UInt64;
  firstTime @6 :Int64;
  lastTime @7 :Int64;
  contentDigest @8 :Data;    # SHA-256 of the entries, uncompressed.
}

struct SegmentFooter @0xddbee8d3830a0b42 {
  end @0 :SegmentEnd;
  blocks @1 :List(Block);    # One after the other as in the file; null for none.

  struct Block {
    rawBytes @0 :UInt32;     # Uncompressed; stored.
    storedBytes @1 :UInt32;
    entries @2 :UInt32;
    first @3 :UInt64;        # Of events: positions and times of the first and the last.
    last @4 :UInt64;
    firstTime @5 :Int64;
    lastTime @6 :Int64;
    filter @7 :Data;         # Of events: Bloom filter of ids.
  }
}

struct ScopePoint @0xe363011405dfc479 {
  # The end of the first events of a scope.
  position @0 :UInt64;       # Of the last of them; 0 for none.
  seq @1 :UInt64;            # How many they are.
  chainHash @2 :Data;        # Of the last of them; 32 bytes.
}

struct ScopeBase @0xc9d116e62a22cea3 {
  # Keys `base/<scope>`: where a scope's log begins.
  base @0 :ScopePoint;       # What a squash removed from the log.
  discarded @1 :ScopePoint;  # What of it is in no archive either.
  firstEpoch @2 :UInt32;     # Index entries of older epochs are no more.
  closedEpochs @3 :List(Epoch);  # The others that nothing is added to, oldest first.
  removed @4 :List(Counter); # Answers, and index entries of the epochs, of blocks that are gone.

  struct Epoch {
    epoch @0 :UInt32;
    last @1 :UInt64;         # Of the scope's positions, the last that is indexed under it.
  }
}

struct ArchiveSegment @0x8f11126a20733a17 {
  # Keys `segment/<scope>/<first seq>`: a sealed file of events.
  before @0 :ScopePoint;     # What lies before the first event, and
  through @1 :ScopePoint;    # what the last one ends.
  firstTime @2 :Int64;
  lastTime @3 :Int64;
  contentDigest @4 :Data;    # SHA-256 of the records.
  fileDigest @5 :Data;       # SHA-256 of the file.
  rawBytes @6 :UInt64;
  fileBytes @7 :UInt64;
  directory @8 :Text;        # Absolute; empty for the store's own.
  name @9 :Text;
}

struct Snapshot @0xd0f31df81bf3fc8e {
  # Keys `snapshot/<scope>/<seq>`: the state of a scope in a sealed file.
  at @0 :ScopePoint;
  entries @1 :UInt64;
  contentDigest @2 :Data;    # SHA-256 of the entries.
  fileDigest @3 :Data;
  rawBytes @4 :UInt64;
  fileBytes @5 :UInt64;
  previous @6 :Data;         # Content digest of the scope's snapshot before it; none for the first.
  name @7 :Text;
}

struct Redaction @0xa9c3f4417be05d62 {
  # Keys `redaction/<scope>/<tenant>`: payloads were taken from its events.
  tenant @0 :Data;           # 16 bytes.
  through @1 :UInt64;        # Position of the last that lost it.
  base @2 :ScopePoint;       # Where the scope's log began then.
  event @3 :UInt64;          # Position of TenantRedacted.
}

struct SquashJob @0xb403c67a372df653 {
  # Key `squash`: one that is under way, or whose removed blocks are not all gone.
  directory @0 :Text;        # Of the archive; empty for the store's own.
  published @1 :Bool;
  scopes @2 :List(UInt16);
  redacts @4 :Bool;          # Values that rows had before are to leave the disk.
  files @3 :List(Text);      # Elsewhere, in that directory or absolute: its own, if not listed.
}

struct Consumer @0xe1d2d5d4066832a9 {
  # Keys `consumer/<name>`: a reader of the log, which squashes wait for.
  name @0 :Text;
  checkpoint @1 :UInt64;
  notedAt @2 :Int64;         # Microseconds since 1970 UTC.
  schemaVersion @3 :UInt32;  # Of its rows; 0: not noted.
}
