#include "core/owner/wire.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/bytes.h"
#include "core/error.h"
#include "core/owner/remote_store.h"
#include "events/encoding.h"

namespace tenantry::owner {
namespace {

std::string text_of(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

capnp::Text::Reader text_of(const std::string& text) { return {text.c_str(), text.size()}; }

std::string string_of(capnp::Data::Reader data) { return std::string(bytes_of(data)); }

Hash read_hash(capnp::Data::Reader data) {
  Hash hash{};
  if (data.size() != hash.size()) throw events::MalformedError("a hash of another length");
  std::copy(data.begin(), data.end(), hash.begin());
  return hash;
}

std::string_view hash_bytes(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

void write_problem(wire::Problem::Builder to, const std::string& code, const std::string& what,
                   const std::string& hint, int exit_code) {
  to.setCode(text_of(code));
  to.setWhat(text_of(what));
  to.setHint(text_of(hint));
  to.setExitCode(static_cast<std::uint8_t>(exit_code));
}

void write_refusal(wire::Refusal::Builder to, const events::Refusal& refusal) {
  to.setInvalid(refusal.invalid);
  to.setCode(text_of(refusal.code));
  to.setField(text_of(refusal.field));
  to.setMessage(text_of(refusal.message));
}

events::Refusal read_refusal(wire::Refusal::Reader refusal) {
  return {refusal.getInvalid(), text_of(refusal.getCode()), text_of(refusal.getField()),
          text_of(refusal.getMessage())};
}

void write_command(wire::Command::Builder to, const events::CommandRequest& request) {
  const events::Circumstances& about = request.circumstances;
  to.setBytes(data_of(request.command));
  if (about.id) to.setId(data_of(uuid_bytes(*about.id)));
  to.setActor(text_of(about.actor));
  to.setChannel(text_of(about.channel));
  to.setReason(text_of(about.reason));
  to.setCorrelationId(text_of(about.correlation_id));
  if (about.causation_position) {
    to.initCausationPosition().setCausation(*about.causation_position);
  }
  using Kind = events::ExpectedVersion::Kind;
  auto expected = to.initExpectedVersion();
  if (about.expected_version.kind == Kind::kNone) expected.setNoVersion();
  if (about.expected_version.kind == Kind::kExact) {
    expected.setVersion(about.expected_version.version);
  }
  if (about.at) to.initAt().setMicros(about.at->micros);
}

events::CommandRequest read_command(wire::Command::Reader command) {
  using Kind = events::ExpectedVersion::Kind;
  events::CommandRequest request;
  request.command = string_of(command.getBytes());
  events::Circumstances& about = request.circumstances;
  about.id = read_optional_uuid(command.getId());
  about.actor = text_of(command.getActor());
  about.channel = text_of(command.getChannel());
  about.reason = text_of(command.getReason());
  about.correlation_id = text_of(command.getCorrelationId());
  const auto causation = command.getCausationPosition();
  if (causation.isCausation()) about.causation_position = causation.getCausation();
  const auto expected = command.getExpectedVersion();
  if (expected.isNoVersion()) about.expected_version = {Kind::kNone, 0};
  if (expected.isVersion()) about.expected_version = {Kind::kExact, expected.getVersion()};
  const auto at = command.getAt();
  if (at.isMicros()) about.at = events::Timestamp{at.getMicros()};
  return request;
}

template <class Set>
void write_text(const std::optional<std::string>& text, Set&& set) {
  if (text) set(text_of(*text));
}

template <class Texts>
std::vector<std::string> read_texts(const Texts& texts) {
  std::vector<std::string> read;
  for (const auto text : texts) read.push_back(text_of(text));
  return read;
}

}  // namespace

// --- Faults.

void write_fault(wire::Fault::Builder fault, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const OwnerLeaves&) {
    fault.setLeaving();
  } catch (const UsageError& usage) {
    write_problem(fault.initUsage(), usage.code(), usage.what(), usage.hint(), usage.exit_code());
  } catch (const UnavailableError& unavailable) {
    write_problem(fault.initUnavailable(), unavailable.code(), unavailable.what(),
                  unavailable.hint(), 0);
  } catch (const std::bad_alloc&) {
    write_problem(fault.initUnavailable(), "unavailable", "the owner is out of memory", "", 0);
  } catch (const CorruptionError& corruption) {
    fault.setCorruption(corruption.what());
  } catch (const events::MalformedError& malformed) {
    fault.setCorruption(malformed.what());
  } catch (const std::system_error& system) {
    write_problem(fault.initUnavailable(), "unavailable", system.what(), "", 0);
  } catch (const std::exception& bug) {
    assertion_failed(bug.what(), "owner/wire.cc", __LINE__);
  }
}

std::exception_ptr read_fault(wire::Fault::Reader fault) {
  switch (fault.which()) {
    case wire::Fault::NONE:
      return nullptr;
    case wire::Fault::CORRUPTION:
      return std::make_exception_ptr(CorruptionError(text_of(fault.getCorruption())));
    case wire::Fault::UNAVAILABLE: {
      const auto problem = fault.getUnavailable();
      return std::make_exception_ptr(UnavailableError(
          text_of(problem.getWhat()), text_of(problem.getHint()), text_of(problem.getCode())));
    }
    case wire::Fault::USAGE: {
      const auto problem = fault.getUsage();
      return std::make_exception_ptr(UsageError(text_of(problem.getCode()),
                                                text_of(problem.getWhat()),
                                                text_of(problem.getHint()), problem.getExitCode()));
    }
    case wire::Fault::LEAVING:
      return std::make_exception_ptr(
          OwnerGone("the process that owned the store is ending", /*may_be_done=*/false));
  }
  throw events::MalformedError("a fault of no known kind");
}

// --- Commands and answers.

void write_commands(capnp::List<wire::Command>::Builder to,
                    std::span<const events::CommandRequest> commands) {
  for (unsigned int n = 0; n < to.size(); ++n) write_command(to[n], commands[n]);
}

std::vector<events::CommandRequest> read_commands(capnp::List<wire::Command>::Reader commands) {
  std::vector<events::CommandRequest> read;
  read.reserve(commands.size());
  for (const auto command : commands) read.push_back(read_command(command));
  return read;
}

void write_options(wire::SubmitOptions::Builder to, const SubmitOptions& options) {
  to.setStopOnRefusal(options.stop_on_refusal);
  to.setCommitCommandsMax(options.commit_commands_max);
}

SubmitOptions read_options(wire::SubmitOptions::Reader options) {
  return {options.getStopOnRefusal(), options.getCommitCommandsMax(), nullptr};
}

void write_answers(capnp::List<wire::Answer>::Builder to, std::span<const Answer> answers) {
  for (unsigned int n = 0; n < to.size(); ++n) {
    const Answer& answer = answers[n];
    wire::Answer::Builder one = to[n];
    one.setStatus(static_cast<std::uint8_t>(answer.status));
    if (answer.status != Answer::Status::kAccepted) {
      write_refusal(one.initRefusal(), answer.refusal);
    }
    one.setFirst(answer.first.value);
    one.setCount(answer.count);
    if (answer.entity) {
      auto entity = one.initEntity();
      entity.setKind(static_cast<std::uint16_t>(answer.entity->kind));
      entity.setId(data_of(uuid_bytes(answer.entity->id)));
      entity.setKey(text_of(answer.entity->key));
    }
    one.setRepeated(answer.repeated);
    one.setIncarnation(answer.incarnation);
  }
}

std::vector<Answer> read_answers(capnp::List<wire::Answer>::Reader answers) {
  std::vector<Answer> read;
  read.reserve(answers.size());
  for (const auto one : answers) {
    Answer& answer = read.emplace_back();
    answer.status = static_cast<Answer::Status>(one.getStatus());
    if (answer.status != Answer::Status::kAccepted) {
      answer.refusal = read_refusal(one.getRefusal());
    }
    answer.first = {one.getFirst()};
    answer.count = one.getCount();
    if (one.hasEntity()) {
      const auto entity = one.getEntity();
      answer.entity = EntityName{static_cast<events::EntityKind>(entity.getKind()),
                                 read_uuid(entity.getId()), text_of(entity.getKey())};
    }
    answer.repeated = one.getRepeated();
    answer.incarnation = one.getIncarnation();
  }
  return read;
}

void write_tail(wire::Tail::Builder to, const LogTail& tail) {
  to.setPosition(tail.tail.value);
  to.setLastRecorded(tail.last_recorded.micros);
  to.setDigest(data_of(hash_bytes(tail.digest)));
}

LogTail read_tail(wire::Tail::Reader tail) {
  return {{tail.getPosition()}, {tail.getLastRecorded()}, read_hash(tail.getDigest())};
}

// --- Questions.

void write_filter(wire::LogFilter::Builder to, const LogFilter& filter) {
  to.setAfter(filter.after.value);
  to.setThrough(filter.through.value().value);
  if (filter.scope) to.initScope().setOnly(static_cast<std::uint16_t>(*filter.scope));
  if (filter.tenant) to.setTenant(data_of(uuid_bytes(*filter.tenant)));
  if (filter.stream) to.setStream(data_of(uuid_bytes(*filter.stream)));
  if (filter.user) to.initUser().setId(*filter.user);
  write_text(filter.actor, [&](auto text) { to.setActor(text); });
  write_text(filter.channel, [&](auto text) { to.setChannel(text); });
  write_text(filter.correlation_id, [&](auto text) { to.setCorrelationId(text); });
  auto kinds = to.initKinds(static_cast<unsigned int>(filter.kinds.size()));
  unsigned int at = 0;
  for (const std::uint32_t kind : filter.kinds) kinds.set(at++, kind);
  to.setReverse(filter.reverse);
  to.setLiveOnly(filter.live_only);
  to.setWhole(filter.whole);
}

LogFilter read_filter(wire::LogFilter::Reader filter) {
  LogFilter read;
  read.after = {filter.getAfter()};
  read.through = Position{filter.getThrough()};
  if (filter.getScope().isOnly())
    read.scope = static_cast<events::Scope>(filter.getScope().getOnly());
  read.tenant = read_optional_uuid(filter.getTenant());
  read.stream = read_optional_uuid(filter.getStream());
  if (filter.getUser().isId()) read.user = filter.getUser().getId();
  if (filter.hasActor()) read.actor = text_of(filter.getActor());
  if (filter.hasChannel()) read.channel = text_of(filter.getChannel());
  if (filter.hasCorrelationId()) read.correlation_id = text_of(filter.getCorrelationId());
  for (const std::uint32_t kind : filter.getKinds()) read.kinds.insert(kind);
  read.reverse = filter.getReverse();
  read.live_only = filter.getLiveOnly();
  read.whole = filter.getWhole();
  return read;
}

void write_query(wire::ResolveQuery::Builder to, const ResolveQuery& query) {
  write_text(query.tenant_id, [&](auto text) { to.setTenantId(text); });
  write_text(query.host, [&](auto text) { to.setHost(text); });
  write_text(query.user, [&](auto text) { to.setUser(text); });
}

ResolveQuery read_query(wire::ResolveQuery::Reader query) {
  ResolveQuery read;
  if (query.hasTenantId()) read.tenant_id = text_of(query.getTenantId());
  if (query.hasHost()) read.host = text_of(query.getHost());
  if (query.hasUser()) read.user = text_of(query.getUser());
  return read;
}

void write_outcome(wire::Resolution::Builder to, const ResolveOutcome& outcome) {
  if (const auto* refusal = std::get_if<events::Refusal>(&outcome)) {
    return write_refusal(to.initRefusal(), *refusal);
  }
  const auto& found = std::get<Resolution>(outcome);
  to.setTenant(data_of(uuid_bytes(found.tenant)));
  to.setSlug(text_of(found.slug));
  to.setName(text_of(found.name));
  to.setMatched(text_of(found.matched));
}

ResolveOutcome read_outcome(wire::Resolution::Reader outcome) {
  if (outcome.isRefusal()) return read_refusal(outcome.getRefusal());
  return Resolution{read_uuid(outcome.getTenant()), text_of(outcome.getSlug()),
                    text_of(outcome.getName()), text_of(outcome.getMatched())};
}

namespace {

void write_consumer(wire::Consumer::Builder to, const Consumer& consumer) {
  to.setName(text_of(consumer.name));
  to.setCheckpoint(consumer.checkpoint.value);
  to.setNotedAt(consumer.noted_at.micros);
  to.setSchemaVersion(consumer.schema_version);
}

Consumer read_consumer(wire::Consumer::Reader consumer) {
  return {text_of(consumer.getName()),
          {consumer.getCheckpoint()},
          {consumer.getNotedAt()},
          consumer.getSchemaVersion()};
}

}  // namespace

void write_status(wire::Status::Builder to, const StoreStatus& status) {
  write_tail(to.initTail(), status.tail);
  to.setCreatedAt(status.created_at.micros);
  to.setDirectory(text_of(status.directory));
  to.setBytes(status.bytes);
  to.setTerm(status.term);
  to.setBatches(status.batches);
  auto scopes = to.initScopes(static_cast<unsigned int>(status.scopes.size()));
  for (unsigned int n = 0; n < scopes.size(); ++n) {
    scopes[n].setScope(static_cast<std::uint16_t>(status.scopes[n].scope));
    scopes[n].setEvents(status.scopes[n].events);
    scopes[n].setLast(status.scopes[n].last.value);
    scopes[n].setBase(status.scopes[n].base.value);
    scopes[n].setArchived(status.scopes[n].archived);
    scopes[n].setArchiveBytes(status.scopes[n].archive_bytes);
    scopes[n].setDiscarded(status.scopes[n].discarded);
    scopes[n].setLiveBytes(status.scopes[n].live_bytes);
    scopes[n].setSquash(status.scopes[n].squash.value);
    scopes[n].setSquashedAt(status.scopes[n].squashed_at.micros);
  }
  to.setDiscarded(status.discarded.value);
  auto consumers = to.initConsumers(static_cast<unsigned int>(status.consumers.size()));
  for (unsigned int n = 0; n < consumers.size(); ++n) {
    write_consumer(consumers[n], status.consumers[n]);
  }
  auto rows = to.initRows(static_cast<unsigned int>(status.rows.size()));
  for (unsigned int n = 0; n < rows.size(); ++n) {
    rows[n].setName(text_of(status.rows[n].first));
    rows[n].setRows(status.rows[n].second);
  }
  auto repairs = to.initRepairs(static_cast<unsigned int>(status.repairs.size()));
  for (unsigned int n = 0; n < repairs.size(); ++n) {
    const StoreRepair& repair = status.repairs[n];
    repairs[n].setAt(repair.at.micros);
    repairs[n].setTail(repair.tail.value);
    repairs[n].setFile(text_of(repair.file));
    repairs[n].setCutAt(repair.cut_at);
    repairs[n].setCutBytes(repair.cut_bytes);
  }
}

StoreStatus read_status(wire::Status::Reader status) {
  StoreStatus read;
  read.tail = read_tail(status.getTail());
  read.created_at = {status.getCreatedAt()};
  read.directory = text_of(status.getDirectory());
  read.bytes = status.getBytes();
  read.term = status.getTerm();
  read.batches = status.getBatches();
  read.discarded = {status.getDiscarded()};
  for (const auto consumer : status.getConsumers()) {
    read.consumers.push_back(read_consumer(consumer));
  }
  for (const auto scope : status.getScopes()) {
    read.scopes.push_back({static_cast<events::Scope>(scope.getScope()),
                           scope.getEvents(),
                           {scope.getLast()},
                           {scope.getBase()},
                           scope.getArchived(),
                           scope.getArchiveBytes(),
                           scope.getDiscarded(),
                           scope.getLiveBytes(),
                           {scope.getSquash()},
                           {scope.getSquashedAt()}});
  }
  for (const auto table : status.getRows()) {
    read.rows.emplace_back(text_of(table.getName()), table.getRows());
  }
  for (const auto repair : status.getRepairs()) {
    read.repairs.push_back({{repair.getAt()},
                            {repair.getTail()},
                            text_of(repair.getFile()),
                            repair.getCutAt(),
                            repair.getCutBytes()});
  }
  return read;
}

void write_backup(wire::Backup::Builder to, const BackupReport& report) {
  to.setDirectory(text_of(report.directory.string()));
  to.setStoreId(data_of(uuid_bytes(report.identity.store)));
  to.setIncarnation(report.identity.incarnation);
  to.setTail(report.tail.value);
  to.setHeadDigest({report.head_digest.data(), report.head_digest.size()});
  to.setTakenAt(report.taken_at.micros);
  to.setFiles(report.files);
  to.setBytes(report.bytes);
}

BackupReport read_backup(wire::Backup::Reader report) {
  return {text_of(report.getDirectory()),
          {read_uuid(report.getStoreId()), report.getIncarnation()},
          {report.getTail()},
          read_hash(report.getHeadDigest()),
          {report.getTakenAt()},
          report.getFiles(),
          report.getBytes()};
}

void write_beginning(wire::Beginning::Builder to, const Beginning& beginning) {
  to.setDiscarded(beginning.discarded.value);
  to.setCompleteAfter(beginning.complete_after.value);
  auto unknown = to.initUnknown(static_cast<unsigned int>(beginning.unknown.size()));
  unsigned int at = 0;
  for (const auto& [tenant, known] : beginning.unknown) {
    unknown[at].setTenant(data_of(uuid_bytes(tenant)));
    unknown[at++].setKnown(known.value);
  }
  auto points = to.initPoints(static_cast<unsigned int>(beginning.scopes.size()));
  at = 0;
  for (const auto& [scope, point] : beginning.scopes) {
    auto target = points[at++];
    target.setScope(static_cast<std::uint16_t>(scope));
    target.setPosition(point.position.value);
    target.setSeq(point.seq);
    target.setChainHash({point.chain.data(), point.chain.size()});
  }
}

Beginning read_beginning(wire::Beginning::Reader beginning) {
  Beginning read;
  read.discarded = {beginning.getDiscarded()};
  read.complete_after = {beginning.getCompleteAfter()};
  for (const auto unknown : beginning.getUnknown()) {
    read.unknown[read_uuid(unknown.getTenant())] = {unknown.getKnown()};
  }
  for (const auto point : beginning.getPoints()) {
    read.scopes[static_cast<events::Scope>(point.getScope())] = {
        {point.getPosition()}, point.getSeq(), read_hash(point.getChainHash())};
  }
  return read;
}

void write_squash_options(wire::SquashOptions::Builder to, const SquashOptions& options) {
  auto scopes = to.initScopes(static_cast<unsigned int>(options.scopes.size()));
  unsigned int at = 0;
  for (const events::Scope scope : options.scopes) {
    scopes.set(at++, static_cast<std::uint16_t>(scope));
  }
  if (options.through) to.initThrough().setPosition(options.through->value);
  to.setArchive(text_of(options.archive.string()));
  to.setDiscardHistory(options.discard_history);
  auto rebase = to.initRebase(static_cast<unsigned int>(options.rebase.size()));
  at = 0;
  for (const std::string& name : options.rebase) rebase.set(at++, text_of(name));
  if (options.redact) to.setRedact(data_of(uuid_bytes(*options.redact)));
  to.setActor(text_of(options.circumstances.actor));
  to.setChannel(text_of(options.circumstances.channel));
  to.setReason(text_of(options.circumstances.reason));
  to.setCorrelationId(text_of(options.circumstances.correlation_id));
}

SquashOptions read_squash_options(wire::SquashOptions::Reader options) {
  SquashOptions read;
  for (const std::uint16_t scope : options.getScopes()) {
    read.scopes.insert(static_cast<events::Scope>(scope));
  }
  if (options.getThrough().isPosition()) {
    read.through = Position{options.getThrough().getPosition()};
  }
  read.archive = text_of(options.getArchive());
  read.discard_history = options.getDiscardHistory();
  for (const auto name : options.getRebase()) read.rebase.insert(text_of(name));
  if (options.hasRedact()) read.redact = read_uuid(options.getRedact());
  read.circumstances.actor = text_of(options.getActor());
  read.circumstances.channel = text_of(options.getChannel());
  read.circumstances.reason = text_of(options.getReason());
  read.circumstances.correlation_id = text_of(options.getCorrelationId());
  return read;
}

namespace {

void write_redaction(wire::Redaction::Builder to, const RedactionReport& redaction) {
  to.setTenant(data_of(uuid_bytes(redaction.tenant)));
  to.setLast(redaction.last.value);
  to.setEvents(redaction.events);
  to.setEarlier(redaction.earlier);
  to.setShared(redaction.shared);
  to.setPayloads(redaction.payloads);
  to.setSegments(redaction.segments);
  to.setEvent(redaction.event.value);
}

RedactionReport read_redaction(wire::Redaction::Reader redaction) {
  RedactionReport read;
  read.tenant = read_uuid(redaction.getTenant());
  read.last = {redaction.getLast()};
  read.events = redaction.getEvents();
  read.earlier = redaction.getEarlier();
  read.shared = redaction.getShared();
  read.payloads = redaction.getPayloads();
  read.segments = redaction.getSegments();
  read.event = {redaction.getEvent()};
  return read;
}

}  // namespace

void write_squash(wire::Squash::Builder to, const SquashReport& report) {
  auto scopes = to.initScopes(static_cast<unsigned int>(report.scopes.size()));
  for (unsigned int n = 0; n < scopes.size(); ++n) {
    const SquashedScope& from = report.scopes[n];
    auto scope = scopes[n];
    scope.setScope(static_cast<std::uint16_t>(from.scope));
    scope.setAfter(from.after.value);
    scope.setThrough(from.through.value);
    scope.setEvents(from.events);
    auto kinds = scope.initKinds(static_cast<unsigned int>(from.kinds.size()));
    unsigned int at = 0;
    for (const auto& [kind, count] : from.kinds) {
      kinds[at].setKind(kind);
      kinds[at++].setEvents(count);
    }
    scope.setFirstTime(from.first_time.micros);
    scope.setLastTime(from.last_time.micros);
    scope.setLogBytes(from.log_bytes);
    scope.setDiskBytes(from.disk_bytes);
    scope.setUncut(from.uncut);
    scope.setDiscarded(from.discarded);
    scope.setSegments(from.segments);
    scope.setArchiveBytes(from.archive_bytes);
    scope.setArchiveDigest({from.archive_digest.data(), from.archive_digest.size()});
    scope.setSnapshotEntries(from.snapshot_entries);
    scope.setSnapshotBytes(from.snapshot_bytes);
    scope.setSnapshotDigest({from.snapshot_digest.data(), from.snapshot_digest.size()});
    scope.setChainHash({from.chain_hash.data(), from.chain_hash.size()});
  }
  to.setArchive(text_of(report.archive.string()));
  to.setDiscarded(report.discarded);
  to.setTail(report.tail.value);
  to.setBytesBefore(report.bytes_before);
  to.setBytesAfter(report.bytes_after);
  to.setMicros(report.micros);
  auto behind = to.initBehind(static_cast<unsigned int>(report.behind.size()));
  for (unsigned int n = 0; n < behind.size(); ++n) {
    write_consumer(behind[n].initConsumer(), report.behind[n].consumer);
    behind[n].setHolds(report.behind[n].holds);
    behind[n].setOutdated(report.behind[n].outdated);
  }
  if (report.redaction) write_redaction(to.initRedaction(), *report.redaction);
  auto left = to.initLeft(static_cast<unsigned int>(report.left.size()));
  for (unsigned int n = 0; n < left.size(); ++n) left.set(n, text_of(report.left[n].string()));
}

SquashReport read_squash(wire::Squash::Reader report) {
  SquashReport read;
  for (const auto from : report.getScopes()) {
    SquashedScope scope;
    scope.scope = static_cast<events::Scope>(from.getScope());
    scope.after = {from.getAfter()};
    scope.through = {from.getThrough()};
    scope.events = from.getEvents();
    for (const auto kind : from.getKinds()) scope.kinds[kind.getKind()] = kind.getEvents();
    scope.first_time = {from.getFirstTime()};
    scope.last_time = {from.getLastTime()};
    scope.log_bytes = from.getLogBytes();
    scope.disk_bytes = from.getDiskBytes();
    scope.uncut = from.getUncut();
    scope.discarded = from.getDiscarded();
    scope.segments = from.getSegments();
    scope.archive_bytes = from.getArchiveBytes();
    scope.archive_digest = read_hash(from.getArchiveDigest());
    scope.snapshot_entries = from.getSnapshotEntries();
    scope.snapshot_bytes = from.getSnapshotBytes();
    scope.snapshot_digest = read_hash(from.getSnapshotDigest());
    scope.chain_hash = read_hash(from.getChainHash());
    read.scopes.push_back(std::move(scope));
  }
  read.archive = text_of(report.getArchive());
  read.discarded = report.getDiscarded();
  read.tail = {report.getTail()};
  read.bytes_before = report.getBytesBefore();
  read.bytes_after = report.getBytesAfter();
  read.micros = report.getMicros();
  for (const auto behind : report.getBehind()) {
    read.behind.push_back(
        {read_consumer(behind.getConsumer()), behind.getHolds(), behind.getOutdated()});
  }
  if (report.hasRedaction()) read.redaction = read_redaction(report.getRedaction());
  for (const auto left : report.getLeft()) read.left.emplace_back(text_of(left));
  return read;
}

void write_checks(capnp::List<wire::Check>::Builder to, std::span<const CheckResult> checks) {
  for (unsigned int n = 0; n < to.size(); ++n) {
    to[n].setName(text_of(checks[n].name));
    to[n].setPassed(checks[n].passed);
    to[n].setExamined(checks[n].examined);
    auto problems = to[n].initProblems(static_cast<unsigned int>(checks[n].problems.size()));
    for (unsigned int at = 0; at < problems.size(); ++at) {
      problems.set(at, text_of(checks[n].problems[at]));
    }
  }
}

std::vector<CheckResult> read_checks(capnp::List<wire::Check>::Reader checks) {
  std::vector<CheckResult> read;
  for (const auto check : checks) {
    read.push_back({text_of(check.getName()), check.getPassed(), check.getExamined(),
                    read_texts(check.getProblems())});
  }
  return read;
}

// --- Bytes.

capnp::Data::Reader data_of(std::string_view bytes) {
  return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

std::string_view bytes_of(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}

events::Uuid read_uuid(capnp::Data::Reader data) {
  events::Uuid uuid;
  if (data.size() != uuid.bytes.size()) throw events::MalformedError("an id of another length");
  std::copy(data.begin(), data.end(), uuid.bytes.begin());
  return uuid;
}

std::optional<events::Uuid> read_optional_uuid(capnp::Data::Reader data) {
  return data.size() == 0 ? std::nullopt : std::optional(read_uuid(data));
}

std::string_view uuid_bytes(const events::Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()};
}

void append_event(std::string& to, const StoredEvent& event) {
  append_le(to, event.position.value);
  append_le(to, event.scope_seq);
  append_le(to, event.version.value);
  append_le(to, event.recorded_at.micros);
  append_le(to, static_cast<std::uint16_t>(event.scope));
  append_le(to, event.kind);
  append_le(to, event.flags);
  append_uuid(to, event.tenant);
  append_uuid(to, event.stream);
  append_uuid(to, event.actor);
  append_uuid(to, event.command);
  append_le(to, event.index_in_command);
  append_le(to, event.count_in_command);
  append_le(to, event.causation);
  to += hash_bytes(event.chain_hash);
  append_le(to, static_cast<std::uint32_t>(event.payload.size()));
  to += event.payload;
}

void append_row(std::string& to, const StoredRow& row) {
  append_key(to, row.key);
  append_le(to, row.version.value);
  append_le(to, row.last.value);
  append_le(to, static_cast<std::uint32_t>(row.bytes.size()));
  to += row.bytes;
}

void append_key(std::string& to, const RowKey& key) {
  append_uuid(to, key.tenant);
  append_uuid(to, key.id);
}

void append_entry(std::string& to, std::string_view key, std::string_view value) {
  append_le(to, static_cast<std::uint32_t>(key.size()));
  append_le(to, static_cast<std::uint32_t>(value.size()));
  to.append(key).append(value);
}

std::string_view Unpacker::take(std::size_t bytes) {
  if (bytes > rest_.size()) throw events::MalformedError("an answer of the owner is cut short");
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

template <class Integer>
Integer Unpacker::number() {
  return read_le<Integer>(take(sizeof(Integer)), 0);
}

events::Uuid Unpacker::uuid() { return tenantry::read_uuid(take(sizeof(events::Uuid)), 0); }

StoredEvent Unpacker::event() {
  StoredEvent event;
  event.position.value = number<std::uint64_t>();
  event.scope_seq = number<std::uint64_t>();
  event.version.value = number<std::uint64_t>();
  event.recorded_at.micros = number<std::int64_t>();
  event.scope = static_cast<events::Scope>(number<std::uint16_t>());
  event.kind = number<std::uint32_t>();
  event.flags = number<std::uint16_t>();
  event.tenant = uuid();
  event.stream = uuid();
  event.actor = uuid();
  event.command = uuid();
  event.index_in_command = number<std::uint32_t>();
  event.count_in_command = number<std::uint32_t>();
  event.causation = number<std::uint64_t>();
  const std::string_view hash = take(event.chain_hash.size());
  std::copy(hash.begin(), hash.end(), event.chain_hash.begin());
  event.payload = take(number<std::uint32_t>());
  return event;
}

StoredRow Unpacker::row() {
  StoredRow row;
  row.key = key();
  row.version.value = number<std::uint64_t>();
  row.last.value = number<std::uint64_t>();
  row.bytes = take(number<std::uint32_t>());
  return row;
}

std::pair<std::string_view, std::string_view> Unpacker::entry() {
  const auto key_bytes = number<std::uint32_t>();
  const auto value_bytes = number<std::uint32_t>();
  const std::string_view key = take(key_bytes);
  return {key, take(value_bytes)};
}

RowKey Unpacker::key() {
  RowKey key;
  key.tenant = uuid();
  key.id = uuid();
  return key;
}

}  // namespace tenantry::owner
