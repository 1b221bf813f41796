#include "tools/squash_report.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "core/consumers.h"
#include "core/hash.h"
#include "events/kinds.h"
#include "events/tables.h"
#include "events/text.h"
#include "tools/json_builder.h"

namespace tenantry::tools {
namespace {

// What is only known once it is done does not widen the table of a plan.
std::vector<Column> scope_report_columns(const SquashReport& report, bool is_plan) {
  return {{"scope"},
          {"after"},
          {"through"},
          {"events"},
          {"first_time", true},
          {"last_time", true},
          {"log_bytes"},
          {"disk_bytes"},
          {"uncut", !is_plan},
          {"discarded_events", !report.discarded},
          {"segments", is_plan},
          {"archive_bytes", is_plan},
          {"snapshot_entries", is_plan},
          {"snapshot_bytes", is_plan},
          {"kinds", true},
          {"depends_on", true},
          {"archive", true},
          {"chain_hash", true},
          {"snapshot_digest", true},
          {"archive_digest", true},
          {"held_by", true},
          {"rebased", true},
          {"dry_run", true}};
}

std::string kind_name(std::uint32_t number) { return events::find_kind(number)->name; }

JsonText kinds_json(const SquashedScope& scope) {
  JsonBuilder json;
  json.begin_object();
  for (const auto& [kind, count] : scope.kinds) json.member(kind_name(kind), number_cell(count));
  json.end_object();
  return json.document();
}

std::vector<std::string> kind_notes(const SquashedScope& scope) {
  std::uint64_t most = 0;
  for (const auto& [kind, count] : scope.kinds) most = std::max(most, count);
  const std::size_t width = fmt::formatted_size("{}", most);
  std::vector<std::string> notes;
  for (const auto& [kind, count] : scope.kinds) {
    notes.push_back(fmt::format("{:>{}} {}", count, width, kind_name(kind)));
  }
  return notes;
}

std::vector<std::string> dependencies(events::Scope scope) {
  std::vector<std::string> names;
  for (const events::ScopeInfo& info : events::scopes()) {
    if (info.scope != scope) continue;
    for (const events::Scope needed : info.depends_on) {
      names.emplace_back(events::scope_name(needed));
    }
  }
  return names;
}

// Those that hold a squash back, or that it does not wait for.
std::vector<std::string> consumers(const SquashReport& report, bool that_hold) {
  std::vector<std::string> names;
  for (const BehindConsumer& behind : report.behind) {
    if (behind.holds == that_hold) names.push_back(behind.consumer.name);
  }
  return names;
}

std::vector<Cell> scope_cells(const SquashReport& report, const SquashedScope& scope,
                              bool is_plan) {
  const bool any = scope.events > 0;
  const auto digest = [&](const Hash& hash) {
    return is_plan || hash == Hash{} ? Cell(events::Null{}) : Cell(hex(hash));
  };
  const auto once_done = [&](std::uint64_t number) {
    return is_plan ? Cell(events::Null{}) : number_cell(number);
  };
  return {std::string(events::scope_name(scope.scope)),
          number_cell(scope.after.value),
          number_cell(scope.through.value),
          number_cell(scope.events),
          any ? Cell(scope.first_time) : Cell(events::Null{}),
          any ? Cell(scope.last_time) : Cell(events::Null{}),
          number_cell(scope.log_bytes),
          number_cell(scope.disk_bytes),
          number_cell(scope.uncut),
          number_cell(scope.discarded),
          once_done(scope.segments),
          once_done(scope.archive_bytes),
          once_done(scope.snapshot_entries),
          once_done(scope.snapshot_bytes),
          kinds_json(scope),
          texts_json(dependencies(scope.scope)),
          report.discarded ? Cell(events::Null{}) : Cell(report.archive.string()),
          any ? digest(scope.chain_hash) : Cell(events::Null{}),
          digest(scope.snapshot_digest),
          any ? digest(scope.archive_digest) : Cell(events::Null{}),
          texts_json(consumers(report, /*that_hold=*/true)),
          texts_json(consumers(report, /*that_hold=*/false)),
          is_plan};
}

std::uint64_t events_of(const SquashReport& report) {
  std::uint64_t events = 0;
  for (const SquashedScope& scope : report.scopes) events += scope.events;
  return events;
}

// Of the archive that there was.
std::uint64_t discarded_of(const SquashReport& report) {
  std::uint64_t events = 0;
  for (const SquashedScope& scope : report.scopes) events += scope.discarded;
  return events;
}

std::string uncut_summary(const SquashReport& report) {
  std::uint64_t uncut = 0;
  for (const SquashedScope& scope : report.scopes) uncut += scope.uncut;
  if (uncut == 0) return {};
  return fmt::format(
      "; {} up to the point would stay, since what was written at once stays together", uncut);
}

std::string uncut_lines(const SquashReport& report) {
  std::string lines;
  for (const SquashedScope& scope : report.scopes) {
    if (scope.uncut == 0) continue;
    lines += fmt::format(
        "- {}: {} events up to the point that was asked for stay, since what was written at once "
        "stays together\n",
        events::scope_name(scope.scope), scope.uncut);
  }
  return lines;
}

std::string discarded_lines(const SquashReport& report, bool is_plan) {
  std::string lines;
  for (const SquashedScope& scope : report.scopes) {
    if (scope.discarded == 0) continue;
    lines += fmt::format("- {}: {} archived events, up to position {}, {} discarded\n",
                         events::scope_name(scope.scope), scope.discarded, scope.after.value,
                         is_plan ? "would be" : "are");
  }
  return lines;
}

std::string lines_about(const events::Circumstances& by) {
  std::string lines;
  if (!by.actor.empty()) lines += fmt::format("- By: {}\n", events::printable(by.actor));
  if (!by.reason.empty()) lines += fmt::format("- Reason: {}\n", events::printable(by.reason));
  return lines;
}

std::string mebibytes_of(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::string redaction_summary(const SquashReport& report, bool is_plan) {
  const RedactionReport& redaction = *report.redaction;
  const std::uint64_t squashed = events_of(report);
  std::string text;
  if (redaction.events == 0) {
    text = is_plan ? "dry run: there is nothing to redact" : "there was nothing to redact";
  } else if (is_plan) {
    text = fmt::format(
        "dry run: {} events would be redacted, {} squashed before; nothing was "
        "changed",
        redaction.events, squashed);
  } else {
    text = fmt::format("{} events redacted, read again and proved, {} squashed before; {:.1f} s",
                       redaction.events, squashed, static_cast<double>(report.micros) / 1'000'000);
  }
  if (redaction.shared > 0) {
    text +=
        fmt::format("; {} kept what they say, for they are another tenant's too", redaction.shared);
  }
  return text;
}

const char* markdown_title(const SquashReport& report, bool is_plan) {
  if (report.redaction) return is_plan ? "Plan of a redaction" : "Redaction";
  return is_plan ? "Plan of a squash" : "Squash";
}

std::string redaction_markdown(const RedactionReport& redaction) {
  return fmt::format(
      "\n| tenant | through | events | redacted earlier | kept | payload bytes | files written "
      "anew "
      "| event |\n|---|--:|--:|--:|--:|--:|--:|--:|\n| {} | {} | {} | {} | {} | {} | {} | {} |\n",
      events::format_uuid(redaction.tenant), redaction.last.value, redaction.events,
      redaction.earlier, redaction.shared, redaction.payloads, redaction.segments,
      redaction.event.value);
}

const char* forgotten(bool is_plan) {
  return is_plan ? "is not waited for, and would be forgotten" : "is not waited for, and forgotten";
}

std::string outdated_line(const BehindConsumer& behind, bool is_plan) {
  const Consumer& consumer = behind.consumer;
  const std::string why = fmt::format("it shows rows of schema version {}, not {}",
                                      shown_version(consumer), events::kSchemaVersion);
  if (!behind.holds) {
    return fmt::format("{} {}: {}", consumer.name, forgotten(is_plan), why);
  }
  return fmt::format(
      "nothing goes for {}: {}, and filled anew from the events it would have to read them again; "
      "`tenantry rebuild` fills it anew, `--rebase {}` does not wait for it",
      consumer.name, why, consumer.name);
}

std::string plan_summary(const SquashReport& report) {
  const std::uint64_t events = events_of(report);
  const std::uint64_t discarded = discarded_of(report);
  const std::string where =
      report.discarded ? "and be kept nowhere" : "into " + report.archive.string();
  std::string plan = events == 0 ? "dry run: nothing has to leave the log"
                                 : fmt::format("dry run: {} events would go {}", events, where);
  if (discarded > 0) plan += fmt::format("; {} archived events would be discarded", discarded);
  if (events + discarded > 0) plan += "; nothing was changed";
  return plan + uncut_summary(report);
}

}  // namespace

void print_squash(Session& session, const SquashReport& report, bool is_plan) {
  Printer printer(session.out(), session.printing(), scope_report_columns(report, is_plan));
  for (const SquashedScope& scope : report.scopes) {
    printer.row(scope_cells(report, scope, is_plan),
                is_plan ? kind_notes(scope) : std::vector<std::string>{});
  }
  printer.finish();
}

void print_redaction(Session& session, const SquashReport& report, bool is_plan) {
  const RedactionReport& redaction = report.redaction.value();
  const std::vector<Column> columns = {{"tenant_id"},        {"through"},      {"events"},
                                       {"redacted_earlier"}, {"kept"},         {"payload_bytes"},
                                       {"segments"},         {"event", false}, {"dry_run", true}};
  Printer printer(session.out(), session.printing(), columns);
  const auto place = [](Position position) {
    return position.value == 0 ? Cell(events::Null{}) : number_cell(position.value);
  };
  printer.row({uuid_cell(redaction.tenant), place(redaction.last), number_cell(redaction.events),
               number_cell(redaction.earlier), number_cell(redaction.shared),
               number_cell(redaction.payloads),
               is_plan ? Cell(events::Null{}) : number_cell(redaction.segments),
               place(redaction.event), is_plan});
  printer.finish();
}

std::string squash_summary(const SquashReport& report, bool is_plan) {
  if (report.redaction) return redaction_summary(report, is_plan);
  if (is_plan) return plan_summary(report);
  const std::uint64_t events = events_of(report);
  const std::uint64_t discarded = discarded_of(report);
  std::string text = "nothing had to leave the log";
  if (events > 0) {
    text = fmt::format("{} events {}", events,
                       report.discarded
                           ? "were proved to lead to the snapshot, and are gone"
                           : "went into " + report.archive.string() + ", read again and proved");
  }
  if (discarded > 0) text += fmt::format("; {} archived events are discarded", discarded);
  if (events + discarded == 0) return text;
  return fmt::format("{}; the store takes {}, before {}; {:.1f} s", text,
                     mebibytes_of(report.bytes_after), mebibytes_of(report.bytes_before),
                     static_cast<double>(report.micros) / 1'000'000);
}

std::vector<std::string> behind_lines(const SquashReport& report, bool is_plan) {
  std::vector<std::string> lines;
  for (const auto& file : report.left) {
    lines.push_back(
        fmt::format("{} {} what {}, and this store needs it no more; "
                    "backups and copies of the store may: remove it when none does",
                    file.string(), is_plan ? "would still hold" : "holds",
                    report.redaction ? "was redacted" : "was discarded"));
  }
  for (const BehindConsumer& behind : report.behind) {
    const Consumer& consumer = behind.consumer;
    if (behind.outdated) {
      lines.push_back(outdated_line(behind, is_plan));
      continue;
    }
    lines.push_back(
        behind.holds
            ? fmt::format("{} has come to position {} (noted {}): {}; "
                          "`tenantry project` brings it on, `--rebase {}` does not wait for it",
                          consumer.name, consumer.checkpoint.value,
                          events::format_timestamp(consumer.noted_at),
                          report.redaction ? "the redaction is refused until it has come further"
                                           : "nothing behind it goes",
                          consumer.name)
            : fmt::format("{} {}: it has come to position {}", consumer.name, forgotten(is_plan),
                          consumer.checkpoint.value));
  }
  return lines;
}

std::string squash_markdown(const events::Uuid& store, const SquashReport& report,
                            const events::Circumstances& by, events::Timestamp now, bool is_plan) {
  std::string summary = squash_summary(report, is_plan);
  summary.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(summary.front())));
  std::string text = fmt::format(
      "# {} of store {}\n\n{}.\n\n- Written: {}\n{}- End of the log when it began: position {}\n"
      "- Archive: {}\n- Bytes of the store: {}{}\n",
      markdown_title(report, is_plan), events::format_uuid(store), summary,
      events::format_timestamp(now), is_plan ? "" : lines_about(by), report.tail.value,
      report.discarded ? "none: history is not kept" : report.archive.string(), report.bytes_before,
      is_plan ? "" : fmt::format(" before, {} after", report.bytes_after));
  text += uncut_lines(report);
  text += discarded_lines(report, is_plan);
  for (const std::string& line : behind_lines(report, is_plan)) text += "- " + line + "\n";
  if (report.redaction) text += redaction_markdown(*report.redaction);
  if (report.scopes.empty()) return text;
  if (report.redaction) text += is_plan ? "\nTo be squashed before:\n" : "\nSquashed before:\n";
  text +=
      "\n| scope | depends on | after | through | events | from | to | log bytes | disk bytes "
      "| archive bytes | snapshot entries | snapshot bytes |\n"
      "|---|---|--:|--:|--:|---|---|--:|--:|--:|--:|--:|\n";
  // Of a plan what is only known once it is done stays empty.
  const auto once_done = [&](std::uint64_t number) {
    return is_plan ? std::string() : std::to_string(number);
  };
  for (const SquashedScope& scope : report.scopes) {
    const bool any = scope.events > 0;
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                        events::scope_name(scope.scope), fmt::join(dependencies(scope.scope), ", "),
                        scope.after.value, scope.through.value, scope.events,
                        any ? events::format_timestamp(scope.first_time) : "",
                        any ? events::format_timestamp(scope.last_time) : "", scope.log_bytes,
                        scope.disk_bytes, once_done(scope.archive_bytes),
                        once_done(scope.snapshot_entries), once_done(scope.snapshot_bytes));
  }
  for (const SquashedScope& scope : report.scopes) {
    if (scope.events == 0) continue;
    text +=
        fmt::format("\n## {}\n\n| events | kind |\n|--:|---|\n", events::scope_name(scope.scope));
    for (const auto& [kind, count] : scope.kinds) {
      text += fmt::format("| {} | {} |\n", count, kind_name(kind));
    }
    if (is_plan) continue;
    text += fmt::format(
        "\n- Chain hash of the last event that left: `{}`\n- Digest of the snapshot: `{}`\n"
        "- Digest of the archive's files: `{}`\n",
        hex(scope.chain_hash), hex(scope.snapshot_digest), hex(scope.archive_digest));
  }
  return text;
}

}  // namespace tenantry::tools
