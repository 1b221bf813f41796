#include <cerrno>
#include <chrono>
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
#include "tools/line_reader.h"

namespace tenantry::tools {
namespace {

constexpr std::size_t kGroupBytesMax = std::size_t{8} << 20;

struct ApplyOptions {
  std::vector<std::string> files;
  std::vector<std::string> defaults;
  std::uint64_t batch = 1024;
  bool historic = false;
  bool stop_on_error = false;
  bool quiet_accepted = false;
  bool dry_run = false;
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

// Reads, submits and answers, group by group.
class Applier {
 public:
  Applier(Session& session, const ApplyOptions& options)
      : session_(session), options_(options), defaults_(parse_defaults(options.defaults)) {
    PrintOptions printing = session.printing();
    // Answers are NDJSON, on a terminal too, unless something else is asked for.
    const auto requested = requested_format(session.options());
    printing.format = requested.value_or(Format::kNdjson);
    if (printing.format != Format::kNdjson || !printing.fields.empty()) {
      printer_.emplace(session.out(), printing, answer_columns(true));
    }
  }

  // Returns whether to go on with the next input.
  bool read(const Input& input, bool named, ProgressMeter& meter, std::uint64_t bytes_total) {
    LineReader reader(input.descriptor(), session_.interrupt().descriptor());
    AnsweredLine line;
    if (named) line.file = input.name();
    const std::uint64_t bytes_before = bytes_;
    while (!stopped_) {
      const auto result = reader.next(entries_.empty());
      bytes_ = bytes_before + reader.bytes_read();
      if (result == LineReader::Result::kLine) {
        ++line.number;
        take(reader, line);
        if (is_full()) answer_group();
      } else {
        if (result == LineReader::Result::kInterrupted) throw_away_group();
        answer_group();
        if (result == LineReader::Result::kEnd) break;
      }
      if (session_.interrupt().requested()) throw_away_group();
      meter.update(bytes_total > 0 ? bytes_ : answered_, bytes_total);
    }
    return !stopped_;
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
  // A line in the group: a command, or the answer it already has.
  struct Entry {
    AnsweredLine line;
    std::optional<Answer> answer;
  };

  void take(const LineReader& reader, const AnsweredLine& line) {
    if (reader.too_long()) {
      add_refusal(line, {.invalid = true,
                         .code = "too_large",
                         .field = {},
                         .message = fmt::format("a line must have at most {} bytes",
                                                events::kLineBytesMax)});
      return;
    }
    const std::string_view text = reader.line();
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
    auto parsed = events::parse_command_line(text, defaults_, options_.historic);
    if (auto* refusal = std::get_if<events::Refusal>(&parsed)) {
      add_refusal(line, std::move(*refusal));
      return;
    }
    group_bytes_ += text.size();
    requests_.push_back(std::get<events::CommandRequest>(std::move(parsed)));
    entries_.push_back({line, std::nullopt});
  }

  void add_refusal(const AnsweredLine& line, events::Refusal refusal) {
    entries_.push_back({line, refused(std::move(refusal))});
    ends_after_group_ = options_.stop_on_error;
  }

  [[nodiscard]] bool is_full() const {
    return entries_.size() >= options_.batch || group_bytes_ >= kGroupBytesMax || ends_after_group_;
  }

  void throw_away_group() {
    worst_ = worse_of(worst_, ExitCode::kInterrupted);
    entries_.clear();
    requests_.clear();
    stopped_ = true;
  }

  void answer_group() {
    if (entries_.empty()) return;
    TenancyStore& store = session_.store();
    const SubmitOptions submit{.stop_on_refusal = options_.stop_on_error};
    std::vector<Answer> answers;
    if (!requests_.empty()) {
      answers =
          options_.dry_run ? store.rehearse(requests_, submit) : store.submit(requests_, submit);
    }
    std::size_t next = 0;
    for (const Entry& entry : entries_) {
      if (!entry.answer && next == answers.size()) break;  // The store stopped here.
      const Answer& answer = entry.answer ? *entry.answer : answers[next++];
      print(entry.line, answer);
      if (options_.stop_on_error && answer.status != Answer::Status::kAccepted) stopped_ = true;
      if (stopped_) break;
    }
    entries_.clear();
    requests_.clear();
    group_bytes_ = 0;
    if (printer_) printer_->flush();
    session_.out().flush();
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
  events::CommandDefaults defaults_;
  std::optional<Printer> printer_;  // None for plain NDJSON.
  JsonBuilder json_;
  std::vector<Entry> entries_;
  std::vector<events::CommandRequest> requests_;
  std::size_t group_bytes_ = 0;
  bool ends_after_group_ = false;
  bool stopped_ = false;
  std::uint64_t bytes_ = 0;
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
  [[nodiscard]] bool writes() const override { return true; }
  [[nodiscard]] std::string_view help() const override {
    return "Apply commands, one JSON object a line; one answer a line, in order, when durable.";
  }
  [[nodiscard]] std::string_view examples() const override {
    return "tenantry apply commands.ndjson\n"
           "generate-commands | tenantry apply --defaults actor=system:sync,channel=import\n"
           "tenantry apply --dry-run --quiet-accepted commands.ndjson\n"
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
    app.add_flag("--dry-run", options_.dry_run, "answer without writing anything");
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
    const auto started = std::chrono::steady_clock::now();
    try {
      ProgressMeter meter(session.progress_mode(true), "apply", sizes_known ? "bytes" : "lines");
      for (const Input& input : inputs) {
        if (!applier.read(input, inputs.size() > 1, meter, sizes_known ? bytes_total : 0)) break;
      }
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
