#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "events/json.h"
#include "events/text.h"
#include "tools/answer_output.h"
#include "tools/command.h"
#include "tools/command_fields.h"
#include "tools/error_report.h"
#include "tools/near_matches.h"
#include "tools/visibility.h"

namespace tenantry::tools {
namespace {

using events::CommandInfo;
using events::Json;
using events::JsonObject;
using events::Refusal;

// Options about the command rather than of it: keys of the line.
struct LineOptions {
  std::string command_id;
  std::string actor;
  std::string channel;
  std::string reason;
  std::string correlation_id;
  std::string expected_version;
  std::string at;
  std::string causation_position;
};

// An unset variable of a script must not take away an id, a condition or a time.
CLI::Validator given() {
  return {[](const std::string& text) {
            return text.empty() ? std::string("must not be empty") : std::string();
          },
          ""};
}

class DoCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "do"; }
  [[nodiscard]] Opens opens() const override { return Opens::kToWrite; }
  [[nodiscard]] std::string_view help() const override {
    return "Carry out one command, its fields given as options.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry do create_tenant --slug acme --name Acme --contact-email it@acme.example\n"
           "tenantry do add_member --tenant acme --user ann --role owner --actor user:17\n"
           "tenantry do change_tenant --tenant acme --null logo --reason 'logo withdrawn'\n"
           "tenantry do delete_user --user id:17 --dry-run\n"
           "tenantry do --list\n"
           "tenantry do create_tenant --help";
  }

  void declare(CLI::App& app) override {
    app.add_flag("--list", list_, "list the commands");
    app.add_option("--null", nulls_, "set a field to null")->type_name("FIELD")->take_all();
    app.add_option("--command-id", line_.command_id,
                   "the command's own id: repeating it gives the first answer again")
        ->check(given())
        ->type_name("UUID");
    app.add_option("--actor", line_.actor, "who asks: user:17, system:deploy")->type_name("TEXT");
    app.add_option("--channel", line_.channel, "api, admin, command, …")->type_name("TEXT");
    app.add_option("--reason", line_.reason, "why")->type_name("TEXT");
    app.add_option("--correlation-id", line_.correlation_id, "what belongs together")
        ->type_name("TEXT");
    app.add_option("--causation-position", line_.causation_position, "the event that caused it")
        ->check(given())
        ->type_name("POSITION");
    app.add_option("--expected-version", line_.expected_version,
                   "refuse unless the entity has this version; none: unless it does not exist")
        ->check(given())
        ->type_name("N|none");
    app.add_flag("--historic", historic_, "allow --at");
    app.add_option("--at", line_.at, "the time to record")->check(given())->type_name("TIME");
    auto* const dry_run = app.add_flag("--dry-run", dry_run_, "answer without writing anything");
    declare_wait(app, wait_, wait_seconds_, dry_run);
    app.require_subcommand(0, 1);
    // The commands are many: made only for whoever asks for them.
    app.preparse_callback([this, &app](std::size_t /*arguments*/) { declare_commands(app); });
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (list_) return print_list(session);
    if (chosen_ == nullptr) {
      throw UsageError("usage", "do which command?", "tenantry do --list");
    }
    auto line = make_line(session);
    if (auto* refusal = std::get_if<Refusal>(&line)) throw CommandRefused{std::move(*refusal)};
    auto parsed = events::parse_command_line(std::get<std::string>(line), {}, historic_);
    if (auto* refusal = std::get_if<Refusal>(&parsed)) throw CommandRefused{std::move(*refusal)};
    const std::vector<events::CommandRequest> requests = {
        std::get<events::CommandRequest>(std::move(parsed))};
    std::optional<Visibility> visibility;
    if (!wait_.empty()) visibility.emplace(session, wait_, wait_seconds_);
    std::vector<Answer> answers = dry_run_ ? session.store().rehearse()->submit(requests, {})
                                           : session.store().submit(requests, {});
    Answer& answer = answers.at(0);
    if (answer.status != Answer::Status::kAccepted) throw CommandRefused{std::move(answer.refusal)};
    const Position last{answer.first.value + answer.count - 1};
    try {
      if (visibility && answer.count > 0) visibility->await(last);
    } catch (const std::runtime_error&) {
      print(session, answer);  // It is durable all the same.
      throw;
    }
    print(session, answer);
    session.interrupt().check();
    if (dry_run_) session.remark("dry run: nothing was written");
    return ExitCode::kDone;
  }

 private:
  struct FieldOption {
    const events::CommandField* field = nullptr;
    std::string value;
    CLI::Option* option = nullptr;
  };

  void declare_commands(CLI::App& app) {
    for (const CommandInfo& info : events::commands()) {
      CLI::App* const sub = app.add_subcommand(info.name, info.help);
      sub->preparse_callback([this, sub, &info](std::size_t /*arguments*/) {
        chosen_ = &info;
        std::string description = info.help;
        for (const std::string& rule : info.rules) description += "\n- " + rule;
        sub->description(description);
        sub->footer(example_of(info));
        declare_fields(*sub, info);
      });
    }
  }

  void declare_fields(CLI::App& app, const CommandInfo& info) {
    for (const events::CommandField& field : info.fields) {
      FieldOption& option = fields_.emplace_back(FieldOption{&field, {}, nullptr});
      option.option = app.add_option(option_name(field.name), option.value, field_help(field));
      option.option->type_name(std::string(events::field_type_name(field.type)));
      if (field.type == events::FieldType::kBoolean) {
        option.option->expected(0, 1)->default_str("true")->option_text("[true|false]");
      }
    }
  }

  static ExitCode print_list(Session& session) {
    Printer printer(session.out(), session.printing(), {{"command"}, {"help"}});
    for (const CommandInfo& info : events::commands()) printer.row({info.name, info.help});
    printer.finish();
    return ExitCode::kDone;
  }

  // The line of NDJSON that says the same, so that there is one way to read commands.
  std::variant<std::string, Refusal> make_line(const Session& session) {
    auto data = make_data(session);
    if (auto* refusal = std::get_if<Refusal>(&data)) return std::move(*refusal);
    JsonObject line = {{"command", Json(chosen_->name)},
                       {"data", Json(std::get<JsonObject>(std::move(data)))}};
    const auto add = [&line](const char* key, const std::string& text) {
      if (!text.empty()) line.emplace_back(key, Json(text));
    };
    add("id", line_.command_id);
    add("actor", line_.actor);
    add("channel", line_.channel);
    add("reason", line_.reason);
    add("correlation_id", line_.correlation_id);
    add_number("expected_version", line_.expected_version, line);
    add_number("causation_position", line_.causation_position, line);
    const auto at = events::parse_time_argument(line_.at, session.now());
    add("at", at ? events::format_timestamp(*at) : line_.at);
    for (const auto& [key, value] : line) {
      if (value.string() != nullptr && !events::is_storable_text(*value.string())) {
        return Refusal{true, "invalid_text", key, key + " must be valid UTF-8"};
      }
    }
    return to_text(Json(std::move(line)));
  }

  static void add_number(const char* key, const std::string& text, JsonObject& line) {
    if (text.empty()) return;
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos &&
                        (text.size() == 1 || !text.starts_with('0'));
    line.emplace_back(key, digits ? Json(events::JsonNumber{text}) : Json(text));
  }

  static std::variant<std::string, Refusal> to_text(const Json& line) {
    auto text = events::to_jsonb_text(line);
    if (auto* error = std::get_if<events::JsonError>(&text)) {
      return Refusal{true, "invalid_json", {}, error->message};
    }
    return std::get<std::string>(std::move(text));
  }

  std::variant<JsonObject, Refusal> make_data(const Session& session) {
    JsonObject data;
    for (const FieldOption& option : fields_) {
      if (option.option->count() == 0) continue;
      auto value = field_value(*option.field, option.value, session.now());
      if (auto* refusal = std::get_if<Refusal>(&value)) return std::move(*refusal);
      data.emplace_back(option.field->name, std::get<Json>(std::move(value)));
    }
    for (std::string name : nulls_) {
      std::ranges::replace(name, '-', '_');
      const bool known = std::ranges::any_of(chosen_->fields,
                                             [&](const auto& field) { return field.name == name; });
      if (!known) {
        std::vector<std::string> names;
        for (const auto& field : chosen_->fields) names.push_back(field.name);
        throw UsageError("unknown_field", chosen_->name + " has no field \"" + name + "\"",
                         did_you_mean(name, names));
      }
      data.emplace_back(name, Json());
    }
    return data;
  }

  static void print(Session& session, const Answer& answer) {
    PrintOptions printing = session.printing();
    const bool json = printing.format == Format::kJson || printing.format == Format::kNdjson;
    if (!json || !printing.fields.empty()) {
      print_record(session.out(), printing, answer_columns(false), answer_cells(nullptr, answer));
      return;
    }
    JsonBuilder builder;
    build_answer(builder, nullptr, answer);
    session.out().write(builder.text());
    session.out().write("\n");
    session.out().flush();
  }

  bool list_ = false;
  bool historic_ = false;
  bool dry_run_ = false;
  std::string wait_;  // A read model; empty: for none.
  std::uint64_t wait_seconds_ = kWaitSeconds;
  std::vector<std::string> nulls_;
  LineOptions line_;
  const CommandInfo* chosen_ = nullptr;
  std::deque<FieldOption> fields_;  // Options are bound to its elements.
};

}  // namespace

std::unique_ptr<Command> make_do_command() { return std::make_unique<DoCommand>(); }

}  // namespace tenantry::tools
