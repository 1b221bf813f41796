#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "tools/command.h"
#include "tools/json_builder.h"

namespace tenantry::tools {
namespace {

JsonText scopes_json(const StoreStatus& status) {
  JsonBuilder json;
  json.begin_array();
  for (const ScopeStatus& scope : status.scopes) {
    json.begin_object();
    json.key("scope").string(events::scope_name(scope.scope));
    json.member("events", number_cell(scope.events));
    json.member("last_position", number_cell(scope.last.value));
    json.end_object();
  }
  json.end_array();
  return json.document();
}

JsonText rows_json(const StoreStatus& status) {
  JsonBuilder json;
  json.begin_object();
  for (const auto& [table, rows] : status.rows) json.member(table, number_cell(rows));
  json.end_object();
  return json.document();
}

// Empty for almost every store.
JsonText repairs_json(const StoreStatus& status) {
  JsonBuilder json;
  json.begin_array();
  for (const StoreRepair& repair : status.repairs) {
    json.begin_object();
    json.key("at").string(events::format_timestamp(repair.at));
    json.member("tail", number_cell(repair.tail.value));
    json.key("file").string(repair.file);
    json.member("cut_at", number_cell(repair.cut_at));
    json.member("cut_bytes", number_cell(repair.cut_bytes));
    json.end_object();
  }
  json.end_array();
  return json.document();
}

const char* health_of(const projections::Probe& probe, const StoreStatus& status) {
  if (probe.presence == projections::Presence::kAbsent) return "absent";
  if (!probe.mark) return "not_ours";
  if (probe.mark->store_id != status.identity.store) return "of_another_store";
  if (probe.mark->incarnation != status.identity.incarnation) return "of_another_incarnation";
  if (probe.mark->position > status.tail.tail) return "ahead_of_the_log";
  if (!probe.fits()) return "shape_differs";
  return probe.mark->position == status.tail.tail ? "up_to_date" : "behind";
}

// The read model as far as it can be seen: status never fails because of it.
JsonText read_model_json(const Session& session, const StoreStatus& status) {
  JsonBuilder json;
  json.begin_object();
  try {
    const ReadModelTarget target = session.read_model_target();
    json.key("name").string("sqlite:" + target.sqlite.string());
    if (!std::filesystem::exists(target.sqlite)) {
      json.key("state").string("absent");
    } else {
      const projections::Probe probe = session.open_read_model(true)->probe();
      json.key("state").string(health_of(probe, status));
      if (probe.mark) {
        const std::uint64_t at = probe.mark->position.value;
        const std::uint64_t tail = status.tail.tail.value;
        json.member("checkpoint", number_cell(at));
        json.member("epoch", number_cell(probe.mark->epoch));
        json.member("lag", number_cell(tail > at ? tail - at : 0));
      }
    }
  } catch (const std::runtime_error& error) {
    json.key("state").string("unreadable");
    json.key("why").string(error.what());
  }
  json.end_object();
  return json.document();
}

class StatusCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "status"; }
  [[nodiscard]] std::string_view help() const override {
    return "What the store holds, and how far the read model is.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry status\n"
           "tenantry status -o json --fields tail,read_model";
  }
  void declare(CLI::App& /*app*/) override {}

  [[nodiscard]] ExitCode run(Session& session) override {
    const StoreStatus status = session.store().status();
    const bool empty = status.tail.tail.value == 0;
    print_record(session.out(), session.printing(),
                 {{"store_id"},
                  {"incarnation"},
                  {"directory"},
                  {"created_at"},
                  {"tail"},
                  {"last_recorded_at"},
                  {"log_digest"},
                  {"bytes"},
                  {"term"},
                  {"batches"},
                  {"scopes"},
                  {"rows"},
                  {"repairs"},
                  {"read_model"}},
                 {status.identity.store, number_cell(status.identity.incarnation), status.directory,
                  status.created_at, number_cell(status.tail.tail.value),
                  empty ? Cell(events::Null{}) : Cell(status.tail.last_recorded),
                  events::hex({reinterpret_cast<const char*>(status.tail.digest.data()),
                               status.tail.digest.size()}),
                  number_cell(status.bytes), number_cell(status.term), number_cell(status.batches),
                  scopes_json(status), rows_json(status), repairs_json(status),
                  read_model_json(session, status)});
    return ExitCode::kDone;
  }
};

}  // namespace

std::unique_ptr<Command> make_status_command() { return std::make_unique<StatusCommand>(); }

}  // namespace tenantry::tools
