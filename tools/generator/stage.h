#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "events/values.h"
#include "tools/generator/history_clock.h"
#include "tools/generator/population.h"
#include "tools/generator/random_source.h"
#include "tools/json_builder.h"

namespace tenantry::generator {

// Someone who may be gone by the time of use: slots are used again, ids are not.
struct UserHandle {
  Slot slot = kNoSlot;
  std::int64_t id = 0;
};
struct TenantHandle {
  Slot slot = kNoSlot;
  events::Uuid id;
};
struct InvitationHandle {
  Slot slot = kNoSlot;
  events::Uuid id;
};

class Stage;

// What is to be done next, one command after the other, in one go.
struct Task {
  bool (*act)(Stage& stage, const Task& task) = nullptr;
  TenantHandle tenant;
  UserHandle user;
};

// What will have to be done at a time to come.
struct Appointment {
  std::int64_t due = 0;
  std::uint64_t number = 0;  // Tells those of one moment apart.
  bool (*act)(Stage& stage, const Appointment& appointment) = nullptr;
  TenantHandle tenant;
  InvitationHandle invitation;
};

// What an action works with: the dice, the time, who lives, the plans, and the line that it writes.
// An action either writes one command, changes the population accordingly and ends with done(), or
// writes nothing and returns false.
class Stage {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::uint64_t tenants = 1;
    std::uint64_t events = 1;
  };

  explicit Stage(const Options& options);

  [[nodiscard]] RandomSource& random() { return random_; }
  [[nodiscard]] HistoryClock& clock() { return clock_; }
  [[nodiscard]] Population& population() { return population_; }
  [[nodiscard]] const Population& population() const { return population_; }

  [[nodiscard]] std::int64_t now() const { return clock_.now(); }
  [[nodiscard]] std::uint64_t events() const { return events_; }  // So far.
  // Whether a command of so many events can still come.
  [[nodiscard]] bool fits(std::size_t events) const { return events <= events_max_ - events_; }

  // --- Choosing. kNoSlot for nobody.
  [[nodiscard]] Slot pick_tenant();             // The large ones more often.
  [[nodiscard]] Slot pick_any_tenant();         // Each as often as any other.
  [[nodiscard]] Slot pick_member(Slot tenant);  // A user.
  [[nodiscard]] Slot pick_user();
  [[nodiscard]] Slot pick_idle_user();
  // Who would do such a thing: an active owner or admin, if one is met soon.
  [[nodiscard]] Slot pick_manager(Slot tenant);

  [[nodiscard]] UserHandle handle_of_user(Slot slot) const;
  [[nodiscard]] TenantHandle handle_of_tenant(Slot slot) const;
  [[nodiscard]] bool is_alive(const UserHandle& user) const;
  [[nodiscard]] bool is_alive(const TenantHandle& tenant) const;
  [[nodiscard]] bool is_alive(const InvitationHandle& invitation) const;

  // --- Plans
  void plan(const Task& task) { tasks_.push_back(task); }
  void plan_at(std::int64_t due, Appointment appointment);
  [[nodiscard]] std::size_t planned() const { return tasks_.size(); }
  // Does the first thing that can be done of what is planned next, or of what is due.
  bool act_on_tasks();
  bool act_on_appointments();

  // --- Numbers that are given out once
  [[nodiscard]] std::uint64_t take_person() { return persons_++; }
  [[nodiscard]] std::uint64_t take_company() { return companies_++; }
  [[nodiscard]] std::uint64_t take_renaming() { return ++renamings_; }
  [[nodiscard]] std::uint64_t take_protein_name() { return protein_names_++; }

  // --- Writing a command
  void begin(std::string_view command);
  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, std::int64_t value);
  void boolean(std::string_view key, bool value);
  void time(std::string_view key, std::int64_t micros);
  void uuid(std::string_view key, const events::Uuid& value);
  void null(std::string_view key);
  void document(std::string_view key, std::string_view json);
  void begin_object(std::string_view key);
  void end_object();
  void tenant(std::string_view key, Slot slot);  // By slug or id.
  void user(std::string_view key, Slot slot);    // By username or id.
  void address(std::string_view key, std::uint64_t person, MailHost host, bool capital = false);
  void host(std::string_view key, const Domain& domain);
  void company_name(std::string_view key, std::uint64_t company);
  void slug(std::string_view key, std::uint64_t company);
  void protein_name(std::string_view key, std::uint64_t name);
  void username(std::string_view key, const User& user);
  void password(std::string_view key);

  // What else the line says.
  void act_as(Slot user);  // kNoSlot: an operator, or a program.
  void cause(std::uint64_t position) { causation_ = position; }
  void expect_version(std::uint64_t version) { expected_version_ = version; }
  void expect_none() { expects_none_ = true; }

  // Ends the command, which causes `events` events. Returns true, for actions to end with.
  bool done(std::size_t events);
  // Ends the command, which a rule refuses with `code`, a literal.
  bool refused(std::string_view code);

  // The last command, without a line end.
  [[nodiscard]] std::string_view line() const { return line_.text(); }
  [[nodiscard]] std::string_view command() const { return command_; }
  [[nodiscard]] std::size_t last_events() const { return last_events_; }
  [[nodiscard]] std::string_view refusal() const { return refusal_; }

 private:
  struct Later {
    bool operator()(const Appointment& one, const Appointment& other) const {
      return std::pair(one.due, one.number) > std::pair(other.due, other.number);
    }
  };

  void finish();
  void write_correlation();

  RandomSource random_;
  HistoryClock clock_;
  Population population_;
  std::uint64_t events_max_;
  std::uint64_t events_ = 0;
  std::deque<Task> tasks_;
  bool on_task_ = false;           // Acting on a task: part of what went before.
  std::uint64_t correlation_ = 0;  // Of the last command.
  std::priority_queue<Appointment, std::vector<Appointment>, Later> appointments_;
  std::uint64_t appointments_made_ = 0;
  std::uint64_t persons_ = 0;
  std::uint64_t companies_ = 0;
  std::uint64_t renamings_ = 0;
  std::uint64_t protein_names_ = 0;

  tools::JsonBuilder line_;
  std::string scratch_;
  std::string_view command_;
  std::string_view refusal_;
  std::size_t last_events_ = 0;
  std::int64_t actor_ = 0;  // A user's id; 0: none.
  std::uint64_t causation_ = 0;
  std::uint64_t expected_version_ = 0;
  bool expects_none_ = false;
};

// Appends the 64 characters of an invitation's token.
void append_token(std::string& out, std::uint64_t key);

}  // namespace tenantry::generator
