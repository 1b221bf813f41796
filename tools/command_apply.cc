#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "tools/answer_output.h"
#include "tools/command.h"
#include "tools/command_defaults.h"
#include "tools/group_reader.h"
#include "tools/visibility.h"

namespace tenantry::tools {
namespace {

struct ApplyOptions {
  std::vector<std::string> files;
  std::vector<std::string> defaults;
  std::uint64_t batch = 1024;
  bool historic = false;
  bool stop_on_error = false;
  bool quiet_accepted = false;
  bool dry_run = false;
  std::string wait;  // A read model; empty: for none.
  std::uint64_t wait_seconds = kWaitSeconds;
};

// An open input; standard input stays open.
class Input {
 public:
  explicit Input(const std::string& name) : name_(name) {
    if (name == "-") {
      descriptor_ = STDIN_FILENO;
      return;
    }
    descriptor_ = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
      const std::string why = std::generic_category().message(errno);
      throw UsageError("no_such_file", "cannot open " + name + ": " + why,
                       "tenantry apply FILE, or - for standard input");
    }
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  Input(Input&& other) noexcept
      : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  Input& operator=(Input&&) = delete;
  ~Input() {
    if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  // Bytes of a file; 0 for what has no size.
  [[nodiscard]] std::uint64_t size() const {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  std::string name_;
  int descriptor_ = -1;
};

// Commands that are handed to the store at once: several commits, of which one is written while the
// next is decided.
std::size_t group_commands_max(std::size_t batch) {
  constexpr std::size_t kCommits = 4;
  return batch > std::numeric_limits<std::size_t>::max() / kCommits ? batch : kCommits * batch;
}

std::vector<GroupReader::Source> sources_of(const std::vector<Input>& inputs) {
  std::vector<GroupReader::Source> sources;
  sources.reserve(inputs.size());
  for (const Input& input : inputs) {
    sources.push_back({input.descriptor(), inputs.size() > 1 ? input.name() : std::string()});
  }
  return sources;
}

// Submits and answers, group by group.
class Applier {
 public:
  Applier(Session& session, const ApplyOptions& options) : session_(session), options_(options) {
    PrintOptions printing = session.printing();
    // Answers are NDJSON, on a terminal too, unless something else is asked for.
    const auto requested = requested_format(session.options());
    printing.format = requested.value_or(Format::kNdjson);
    if (printing.format != Format::kNdjson || !printing.fields.empty()) {
      printer_.emplace(session.out(), printing, answer_columns(true));
    }
    if (!options.wait.empty()) visibility_.emplace(session, options.wait, options.wait_seconds);
  }

  void apply(GroupReader& reader, ProgressMeter& meter, std::uint64_t bytes_total) {
    while (const auto group = reader.next()) {
      if (!answer(*group)) return;
      meter.update(bytes_total > 0 ? group->bytes_read : answered_, bytes_total);
    }
    if (reader.interrupted()) worst_ = worse_of(worst_, ExitCode::kInterrupted);
  }

  ExitCode finish() {
    if (printer_) printer_->finish();
    session_.out().flush();
    return worst_;
  }

  [[nodiscard]] std::string summary(double seconds) const {
    std::string text = fmt::format("{} accepted", accepted_);
    if (repeated_ > 0) text += fmt::format(" ({} of them known already)", repeated_);
    text += fmt::format(", {} rejected, {} invalid in {:.1f} s", rejected_, invalid_, seconds);
    if (options_.dry_run) text += "; dry run, nothing was written";
    if (worst_ == ExitCode::kInterrupted) text += "; interrupted";
    return text;
  }

 private:
  static Position last_position(const std::vector<Answer>& answers) {
    Position last;
    for (const Answer& answer : answers) {
      if (answer.count > 0) last = std::max(last, Position{answer.first.value + answer.count - 1});
    }
    return last;
  }

  // Returns whether to go on.
  bool answer(const CommandGroup& group) {
    TenancyStore& store = session_.store();
    SubmitOptions submit{.stop_on_refusal = options_.stop_on_error,
                         .commit_commands_max = options_.batch};
    std::vector<Answer> answers;
    submit.answered = &answers;
    try {
      if (!group.requests.empty()) {
        if (options_.dry_run && !rehearsal_) rehearsal_ = store.rehearse();
        answers = rehearsal_ ? rehearsal_->submit(group.requests, submit)
                             : store.submit(group.requests, submit);
        if (visibility_) visibility_->await(last_position(answers));
      }
    } catch (const std::exception&) {
      print(group, answers);  // What is durable is answered, whatever came after.
      throw;
    }
    return print(group, answers);
  }

  // Returns whether to go on.
  bool print(const CommandGroup& group, const std::vector<Answer>& answers) {
    bool go_on = true;
    std::size_t next = 0;
    for (const CommandGroup::Entry& entry : group.entries) {
      if (!entry.answer && next == answers.size()) break;  // The store came no further.
      const Answer& answer = entry.answer ? *entry.answer : answers[next++];
      print(entry.line, answer);
      go_on = !options_.stop_on_error || answer.status == Answer::Status::kAccepted;
      if (!go_on) break;
    }
    if (printer_) printer_->flush();
    session_.out().flush();
    return go_on;
  }

  void print(const AnsweredLine& line, const Answer& answer) {
    ++answered_;
    count(answer);
    if (options_.quiet_accepted && answer.status == Answer::Status::kAccepted) return;
    if (printer_) {
      printer_->row(answer_cells(&line, answer));
      return;
    }
    json_.clear();
    build_answer(json_, &line, answer);
    session_.out().write(json_.text());
    session_.out().write("\n");
  }

  void count(const Answer& answer) {
    switch (answer.status) {
      case Answer::Status::kAccepted:
        ++accepted_;
        if (answer.repeated) ++repeated_;
        return;
      case Answer::Status::kRejected:
        ++rejected_;
        break;
      case Answer::Status::kInvalid:
        ++invalid_;
        break;
    }
    worst_ = worse_of(worst_, exit_code_of(answer.refusal));
  }

  Session& session_;
  const ApplyOptions& options_;
  std::optional<Printer> printer_;        // None for plain NDJSON.
  std::unique_ptr<Rehearsal> rehearsal_;  // For a dry run.
  std::optional<Visibility> visibility_;  // To wait for.
  JsonBuilder json_;
  std::uint64_t answered_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t repeated_ = 0;  // Of the accepted.
  std::uint64_t rejected_ = 0;
  std::uint64_t invalid_ = 0;
  ExitCode worst_ = ExitCode::kDone;
};

class ApplyCommand final : public Command {
 public:
  [[nodiscard]] std::string_view name() const override { return "apply"; }
  [[nodiscard]] Opens opens() const override { return Opens::kToWrite; }
  [[nodiscard]] std::string_view help() const override {
    return "Apply commands, one JSON object a line; one answer a line, in order, when durable.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry apply commands.ndjson\n"
           "generate-commands | tenantry apply --defaults actor=system:sync,channel=import\n"
           "tenantry apply --dry-run --quiet-accepted commands.ndjson\n"
           "tenantry apply --wait default commands.ndjson\n"
           "echo '{\"command\":\"activate_tenant\",\"data\":{\"tenant\":\"acme\"}}' | tenantry "
           "apply";
  }

  void declare(CLI::App& app) override {
    app.add_option("FILE", options_.files, "files of commands; - or none: standard input");
    app.add_option("--defaults", options_.defaults,
                   "for lines that do not say: actor=…,channel=…,reason=…,correlation_id=…")
        ->type_name("KEY=VALUE,…")
        ->take_all();
    add_count(app, "--batch", options_.batch, "commands in one commit at most (default 1024)");
    app.add_flag("--historic", options_.historic, "allow `at`, the time to record, in lines");
    app.add_flag("--stop-on-error", options_.stop_on_error,
                 "apply nothing after the first line that is refused");
    app.add_flag("--quiet-accepted", options_.quiet_accepted, "print refusals only");
    auto* const dry_run =
        app.add_flag("--dry-run", options_.dry_run, "answer without writing anything");
    declare_wait(app, options_.wait, options_.wait_seconds, dry_run);
  }

  [[nodiscard]] ExitCode run(Session& session) override {
    if (options_.files.empty()) options_.files.emplace_back("-");
    std::vector<Input> inputs;
    std::uint64_t bytes_total = 0;
    bool sizes_known = true;
    for (const std::string& file : options_.files) {
      inputs.emplace_back(file);
      bytes_total += inputs.back().size();
      sizes_known = sizes_known && inputs.back().size() > 0;
    }
    (void)session.store();  // Before a line is read: a missing store is no fault of the input.
    Applier applier(session, options_);
    GroupReader reader(sources_of(inputs), {.defaults = parse_defaults(options_.defaults),
                                            .commands_max = group_commands_max(options_.batch),
                                            .historic = options_.historic,
                                            .ends_at_refusal = options_.stop_on_error,
                                            .interrupt = session.interrupt().token()});
    const auto started = std::chrono::steady_clock::now();
    try {
      ProgressMeter meter(session.progress_mode(true), "apply", sizes_known ? "bytes" : "lines");
      applier.apply(reader, meter, sizes_known ? bytes_total : 0);
    } catch (const ClosedPipe&) {
      return ExitCode::kInterrupted;  // Nobody heard the last answers, and lines may be left.
    }
    const ExitCode code = applier.finish();
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started);
    session.remark(applier.summary(seconds.count()));
    return code;
  }

 private:
  ApplyOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_apply_command() { return std::make_unique<ApplyCommand>(); }

}  // namespace tenantry::tools
