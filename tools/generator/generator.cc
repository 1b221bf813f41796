#include "tools/generator/generator.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/error.h"
#include "tools/generator/actions.h"

namespace tenantry::generator {
namespace {

using Action = bool (*)(Stage&);

struct Weighted {
  std::uint32_t weight;
  Action act;
};

// What happens of itself, and how often in a thousand; appointments and tasks come beside it.
constexpr std::array kActions = {
    Weighted{436, record_login},
    Weighted{60, set_preferences},
    Weighted{5, delete_preferences},
    Weighted{30, change_user_profile},
    Weighted{30, change_user_password},
    Weighted{12, set_user_flags},
    Weighted{8, delete_user},
    Weighted{4, merge_users},
    Weighted{80, invite},
    Weighted{10, invite_again},
    Weighted{15, expire_invitations},
    Weighted{15, delete_old_invitation},
    Weighted{40, register_new_colleague},
    Weighted{30, add_member},
    Weighted{45, change_member_role},
    Weighted{25, deactivate_member},
    Weighted{20, reactivate_member},
    Weighted{40, remove_member},
    Weighted{20, change_tenant},
    Weighted{25, change_tenant_settings},
    Weighted{5, start_trial},
    Weighted{3, deactivate_tenant},
    Weighted{2, delete_tenant},
    Weighted{12, add_domain},
    Weighted{6, set_primary_domain},
    Weighted{8, switch_domain},
    Weighted{5, remove_domain},
    Weighted{3, move_domain},
    Weighted{3, add_protein},
    Weighted{2, rename_protein},
    Weighted{1, remove_protein},
};
constexpr std::uint32_t kWeights = 1000;

constexpr std::uint32_t sum_of_weights() {
  std::uint32_t sum = 0;
  for (const Weighted& action : kActions) sum += action.weight;
  return sum;
}
static_assert(sum_of_weights() == kWeights);

constexpr std::array<Action, kWeights> spread_out() {
  std::array<Action, kWeights> spread{};
  std::size_t place = 0;
  for (const Weighted& action : kActions) {
    for (std::uint32_t i = 0; i < action.weight; ++i) spread[place++] = action.act;
  }
  return spread;
}
constexpr std::array<Action, kWeights> kByChance = spread_out();

void check(const char* option, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return;
  throw UsageError("usage",
                   std::string(option) + " is " + std::to_string(value) + ", but must be from " +
                       std::to_string(low) + " to " + std::to_string(high),
                   "tenantry generate --help");
}

}  // namespace

class Generator::Impl {
 public:
  explicit Impl(const GeneratorOptions& options)
      : stage_({options.seed, options.tenants, options.events}), options_(options) {}

  // Whether there was something left to write.
  bool write_next() {
    if (!stage_.fits(1)) return false;
    if (stage_.events() > 0 && stage_.random().below(100) < options_.rejections_percent) {
      write_rejected(stage_);
      return true;
    }
    // What belongs together follows within seconds.
    if (stage_.planned() > 0) {
      stage_.clock().advance_by(stage_.random().between(1, kMinute / 6));
    } else {
      stage_.clock().advance(stage_.random());
    }
    write_accepted();
    return true;
  }

  [[nodiscard]] const Stage& stage() const { return stage_; }

 private:
  // So many should live by now: all from the middle of the history on.
  [[nodiscard]] std::uint64_t tenants_wanted() const {
    const std::uint64_t half = options_.events / 2 + 1;
    if (stage_.events() >= half) return options_.tenants;
    constexpr std::uint64_t kParts = 1024;
    const std::uint64_t parts = stage_.events() * kParts / half;
    return std::max<std::uint64_t>(1, options_.tenants * parts / kParts);
  }

  void write_accepted() {
    constexpr int kTries = 6;
    if (stage_.act_on_tasks() || stage_.act_on_appointments()) return;
    if (tidy_idle_users(stage_)) return;
    const std::size_t tenants = stage_.population().tenants().size();
    if (tenants < tenants_wanted() && (tenants == 0 || stage_.random().percent(60))) {
      found_tenant(stage_);
      return;
    }
    for (int i = 0; i < kTries; ++i) {
      if (kByChance[stage_.random().below(kWeights)](stage_)) return;
    }
    if (!record_login(stage_)) register_user(stage_);
  }

  Stage stage_;
  GeneratorOptions options_;
};

Generator::Generator(const GeneratorOptions& options) {
  check("--tenants", options.tenants, 1, kTenantsMax);
  check("--events", options.events, 1, kEventsMax);
  check("--rejections", options.rejections_percent, 0, kRejectionsMax);
  impl_ = std::make_unique<Impl>(options);
}

Generator::~Generator() = default;

bool Generator::next(GeneratedCommand& command) {
  if (!impl_->write_next()) return false;
  const Stage& stage = impl_->stage();
  command = {stage.line(), stage.command(), stage.last_events(), stage.refusal()};
  return true;
}

std::uint64_t Generator::events() const { return impl_->stage().events(); }

GeneratorCounts Generator::counts() const {
  const Population& population = impl_->stage().population();
  return {population.tenants().size(), population.users().size(), population.invitations().size()};
}

}  // namespace tenantry::generator
