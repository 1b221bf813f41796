#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/owner/remote_store.h"
#include "core/owner/server.h"
#include "core/store.h"
#include "events/commands.h"
#include "tests/reliability/linear_script.h"
#include "tests/support/temp_directory.h"
#include "tools/json_builder.h"

// Eight threads on one store: linear_history SEED [CALLS]. In half the histories every other thread
// comes through the socket, as another process would. Prints every call of each, with the moments,
// counted, between which it took effect, and its answer: NDJSON for linear_check.py.
namespace tenantry {
namespace {

constexpr unsigned kThreads = 8;
constexpr std::size_t kUnderWay = 3;  // Answers that a thread may wait for.
constexpr std::array kGroups = {1, 3, 1024};

const char* name_of(ScriptedCall::Kind kind) {
  switch (kind) {
    case ScriptedCall::Kind::kSubmit:
      return "submit";
    case ScriptedCall::Kind::kSubmitLater:
      return "submit_later";
    case ScriptedCall::Kind::kResolveHost:
      return "resolve_host";
    case ScriptedCall::Kind::kResolveUser:
      return "resolve_user";
    case ScriptedCall::Kind::kReadState:
      return "state";
    case ScriptedCall::Kind::kTail:
      return "tail";
  }
  throw std::logic_error("a call of no known kind");
}

void build_answer(tools::JsonBuilder& json, const Answer& answer) {
  json.begin_object();
  if (answer.status != Answer::Status::kAccepted) {
    json.key("code").string(answer.refusal.code);
  } else {
    json.member("first", tools::number_cell(answer.first.value));
    json.member("count", tools::number_cell(answer.count));
    json.member("repeated", answer.repeated);
    if (answer.entity) {
      const auto& table = events::table_of(answer.entity->kind);
      json.key("entity").begin_array();
      json.string(table.entity_name);
      json.string(events::format_entity_id(table, answer.entity->id));
      json.string(answer.entity->key).end_array();
    }
  }
  json.end_object();
}

void build_resolution(tools::JsonBuilder& json, const ResolveOutcome& outcome) {
  json.begin_object();
  if (const auto* refusal = std::get_if<events::Refusal>(&outcome)) {
    json.key("code").string(refusal->code);
  } else {
    const auto& found = std::get<Resolution>(outcome);
    json.member("tenant", found.tenant).key("slug").string(found.slug);
    json.key("name").string(found.name).key("matched").string(found.matched);
  }
  json.end_object();
}

// The position and, by table, every row as an object.
void build_state(tools::JsonBuilder& json, const LogTail& tail, const StateView& state) {
  json.begin_object().member("tail", tools::number_cell(tail.tail.value));
  for (const events::TableInfo& table : events::tables()) {
    json.key(table.name).begin_array();
    state.scan_rows(table, std::nullopt, [&](const StoredRow& stored) {
      const events::RowValues row = events::decode_row(table, stored.bytes);
      json.begin_object();
      for (std::size_t at = 0; at < row.size(); ++at) {
        const events::ColumnInfo& column = table.columns[at];
        json.member(column.name, tools::column_cell(column, row[at], /*reveal=*/true));
      }
      json.end_object();
      return true;
    });
    json.end_array();
  }
  json.end_object();
}

// The moments of all threads, in one order.
class Moments {
 public:
  std::uint64_t next() { return ++last_; }

 private:
  std::atomic<std::uint64_t> last_ = 0;
};

// What one thread does and writes down.
class Client {
 public:
  Client(TenancyStore& store, Moments& moments, unsigned thread)
      : store_(store), moments_(moments), thread_(thread) {}

  void run(const std::vector<ScriptedCall>& calls) {
    for (const ScriptedCall& call : calls) {
      if (call.kind == ScriptedCall::Kind::kSubmitLater) {
        send(call);
        if (under_way_.size() > kUnderWay) receive();
      } else {
        // What stands under way meets the other calls as well, but not those of its own thread.
        if (call.kind != ScriptedCall::Kind::kSubmit) receive_all();
        make(call);
      }
    }
    receive_all();
  }

  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  struct UnderWay {
    ScriptedCall call;
    std::uint64_t called = 0;
    std::future<std::vector<Answer>> answers;
  };

  static std::vector<events::CommandRequest> requests(const ScriptedCall& call) {
    std::vector<events::CommandRequest> requests;
    for (const std::string& line : call.lines) {
      auto parsed = events::parse_command_line(line, {}, /*historic=*/false);
      if (const auto* refusal = std::get_if<events::Refusal>(&parsed))
        throw std::logic_error(line + ": " + refusal->message);
      requests.push_back(std::get<events::CommandRequest>(std::move(parsed)));
    }
    return requests;
  }

  void send(const ScriptedCall& call) {
    auto commands = requests(call);
    UnderWay sent{call, moments_.next(), {}};
    sent.answers = store_.submit_later(std::move(commands), {});
    under_way_.push_back(std::move(sent));
  }
  void receive() {
    UnderWay sent = std::move(under_way_.front());
    under_way_.pop_front();
    const std::vector<Answer> answers = sent.answers.get();
    write_down(sent.call, sent.called, [&](tools::JsonBuilder& json) { build(json, answers); });
  }
  void receive_all() {
    while (!under_way_.empty()) receive();
  }

  void make(const ScriptedCall& call) {
    using Kind = ScriptedCall::Kind;
    const auto commands = requests(call);
    const std::uint64_t called = moments_.next();
    if (call.kind == Kind::kSubmit) {
      const auto answers = store_.submit(commands, {});
      write_down(call, called, [&](tools::JsonBuilder& json) { build(json, answers); });
    } else if (call.kind == Kind::kReadState) {
      tools::JsonBuilder state;
      const RowsAt at = store_.rows_now();
      build_state(state, at.tail, *at.rows);
      write_down(call, called, [&](tools::JsonBuilder& json) { json.value(state.document()); });
    } else if (call.kind == Kind::kTail) {
      const Position tail = store_.tail().tail;
      write_down(call, called,
                 [&](tools::JsonBuilder& json) { json.value(tools::number_cell(tail.value)); });
    } else {
      ResolveQuery query;
      (call.kind == Kind::kResolveHost ? query.host : query.user) = call.name;
      const ResolveOutcome outcome = store_.resolve(query);
      write_down(call, called, [&](tools::JsonBuilder& json) { build_resolution(json, outcome); });
    }
  }

  static void build(tools::JsonBuilder& json, const std::vector<Answer>& answers) {
    json.begin_array();
    for (const Answer& answer : answers) build_answer(json, answer);
    json.end_array();
  }

  template <class BuildAnswer>
  void write_down(const ScriptedCall& call, std::uint64_t called, const BuildAnswer& build_answer) {
    const std::uint64_t answered = moments_.next();
    tools::JsonBuilder json;
    json.begin_object().member("thread", std::int64_t{thread_});
    json.key("kind").string(name_of(call.kind));
    json.member("called", tools::number_cell(called));
    json.member("answered", tools::number_cell(answered));
    if (!call.name.empty()) json.key("name").string(call.name);
    if (!call.lines.empty()) {
      json.key("commands").begin_array();
      for (const std::string& line : call.lines) json.value(tools::JsonText{line});
      json.end_array();
    }
    json.key("answer");
    build_answer(json);
    json.end_object();
    lines_.emplace_back(json.text());
  }

  TenancyStore& store_;
  Moments& moments_;
  const unsigned thread_;
  std::deque<UnderWay> under_way_;
  std::vector<std::string> lines_;
};

void run_history(unsigned seed, std::size_t calls) {
  const TempDirectory directory;
  const auto clock = make_system_clock();
  const auto ids = make_random_ids();
  StoreOptions options;
  options.directory = directory / "store";
  options.group_commands_max = static_cast<std::size_t>(kGroups.at(seed % kGroups.size()));
  init_store(options.directory, *clock, *ids);
  const auto store = open_store(options, *clock, *ids);

  std::optional<owner::Server> server;
  if (seed / kGroups.size() % 2 == 1) {
    server.emplace(*store, owner::ServerOptions{.directory = options.directory});
  }
  std::vector<std::unique_ptr<owner::RemoteStore>> callers;
  const auto store_of = [&](unsigned thread) -> TenancyStore& {
    if (!server || thread % 2 == 0) return *store;
    return *callers.emplace_back(owner::connect_to_owner(options.directory));
  };

  Moments moments;
  std::deque<Client> clients;
  std::vector<std::future<void>> ends;
  std::latch start(kThreads);
  for (unsigned thread = 0; thread < kThreads; ++thread) {
    Client& client = clients.emplace_back(store_of(thread), moments, thread);
    ends.push_back(std::async(std::launch::async, [&client, &start, seed, thread, calls] {
      const auto script = LinearScript(seed, thread).calls(calls);
      start.arrive_and_wait();
      client.run(script);
    }));
  }
  for (auto& end : ends) end.get();
  for (const Client& client : clients) {
    for (const std::string& line : client.lines()) fmt::print("{}\n", line);
  }
}

template <class Number>
Number number_of(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("no number: " + text);
  return number;
}

}  // namespace
}  // namespace tenantry

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  try {
    if (arguments.empty() || arguments.size() > 2) {
      fmt::print(stderr, "usage: linear_history SEED [CALLS OF A THREAD]\n");
      return 2;
    }
    constexpr std::size_t kCalls = 60;
    tenantry::run_history(
        tenantry::number_of<unsigned>(arguments[0]),
        arguments.size() > 1 ? tenantry::number_of<std::size_t>(arguments[1]) : kCalls);
  } catch (const std::exception& error) {
    fmt::print(stderr, "linear_history: {}\n", error.what());
    return 1;
  }
}
