#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "tests/core/reading_test_base.h"

// Squashes again and again, while others write and read.
namespace tenantry {
namespace {

using std::chrono::steady_clock;
using ::testing::IsEmpty;

constexpr auto kSquashingFor = std::chrono::milliseconds(2500);

// Every event that anybody has read: the next reader must find the same.
class KnownEvents {
 public:
  // Empty, or what is wrong.
  std::string see(const StoredEvent& event, const std::string& words) {
    const std::lock_guard lock(mutex_);
    Known& known = events_.try_emplace(event.position.value, Known{words, {}}).first->second;
    if (known.words != words) return "event " + std::to_string(event.position.value) + " changed";
    if (!known.tenants.empty()) return {};
    const auto view = events::EventView::over(event.payload, events::Origin::kStored);
    known.tenants.insert(event.tenant);
    if (const auto other = view.other_tenant()) known.tenants.insert(*other);
    return {};
  }
  // Up to a position up to which all are known.
  std::vector<std::uint64_t> of_tenant(const events::Uuid& tenant, Position through) {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> found;
    for (const auto& [position, known] : events_) {
      if (position <= through.value && known.tenants.contains(tenant)) found.push_back(position);
    }
    return found;
  }

 private:
  struct Known {
    std::string words;
    std::set<events::Uuid> tenants;
  };
  std::mutex mutex_;
  std::map<std::uint64_t, Known> events_;
};

class SquashThreadsTest : public ReadingTestBase {
 protected:
  // A thread that calls `act` until the squashes are over, and notes what it complains of.
  template <class Act>
  std::jthread again(Act act) {
    return std::jthread([this, act](const std::stop_token& stop) {
      for (std::uint64_t round = 0; !stop.stop_requested(); ++round) {
        std::string wrong;
        try {
          wrong = act(round);
        } catch (const std::exception& error) {
          wrong = std::string("it threw: ") + error.what();
        }
        if (wrong.empty()) continue;
        const std::lock_guard lock(mutex_);
        complaints_.push_back(std::move(wrong));
        return;
      }
    });
  }

  std::string write(const std::string& name, std::uint64_t round) {
    const std::string n = name + std::to_string(round);
    const std::vector<std::string> lines{
        "{'command':'register_user','data':{'username':'" + n + "'}}",
        "{'command':'create_tenant','data':{'name':'T','slug':'" + n +
            "','contact_email':'a@a.io','owner':'" + n + "'}}",
        "{'command':'change_tenant','data':{'tenant':'acme','name':'" + n + "'}}", protein(n)};
    for (const std::string& answer : run_all(lines)) {
      if (answer.find_first_not_of("0123456789-") != std::string::npos) return n + ": " + answer;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }

  // All from `after` on to the end, without a gap, either way.
  std::string read_whole(Position after, bool reverse) {
    LogFilter filter;
    filter.after = after;
    filter.through = store().tail().tail;
    filter.reverse = reverse;
    std::uint64_t next = reverse ? filter.through->value : after.value + 1;
    std::string wrong;
    const auto take = [&](const StoredEvent& event) {
      if (event.position.value != next) {
        wrong = "position " + std::to_string(event.position.value) + " for " + std::to_string(next);
        return false;
      }
      next += reverse ? -1 : 1;
      wrong = known_.see(event, words_of(event));
      return wrong.empty();
    };
    store().read_log(filter, take);
    const std::uint64_t last = reverse ? after.value : filter.through->value + 1;
    if (wrong.empty() && next != last) wrong = "the end is missing, from " + std::to_string(next);
    return wrong;
  }

  std::string read_as_projector(Position after) {
    const Position through = store().tail().tail;
    std::uint64_t next = after.value + 1;
    std::string wrong;
    store().read_after(after, through, [&](const StoredEvent& event) {
      if (event.position.value != next++) wrong = "a projector misses an event";
      if (wrong.empty()) wrong = known_.see(event, words_of(event));
      return wrong.empty();
    });
    if (wrong.empty() && next != through.value + 1) wrong = "a projector misses the end";
    return wrong;
  }

  std::string read_tenant(std::uint64_t round) {
    const Position through = store().tail().tail;
    if (std::string wrong = read_whole({}, false); !wrong.empty()) return wrong;
    LogFilter filter;
    filter.tenant = tenants_.at(round % tenants_.size());
    filter.through = through;
    filter.reverse = round % 2 == 1;
    std::vector<std::uint64_t> found;
    store().read_log(filter, [&](const StoredEvent& event) {
      found.push_back(event.position.value);
      return true;
    });
    if (filter.reverse) std::ranges::reverse(found);
    return found == known_.of_tenant(*filter.tenant, through) ? ""
                                                              : "a tenant's events are missing";
  }

  KnownEvents known_;
  std::vector<events::Uuid> tenants_;
  std::mutex mutex_;
  std::vector<std::string> complaints_;
};

TEST_F(SquashThreadsTest, ReadersMissNothing) {
  run_all(history_of(1, 100));
  std::set<events::Uuid> tenants;
  store().read_log({}, [&](const StoredEvent& event) {
    if (event.tenant != events::Uuid{}) tenants.insert(event.tenant);
    return true;
  });
  tenants_.assign(tenants.begin(), tenants.end());
  ASSERT_FALSE(tenants_.empty());
  int squashes = 0;
  {
    std::vector<std::jthread> threads;
    threads.push_back(again([this](std::uint64_t round) { return write("a", round); }));
    threads.push_back(again([this](std::uint64_t round) { return write("b", round); }));
    threads.push_back(again([this](std::uint64_t round) {
      const std::uint64_t tail = store().tail().tail.value;
      if (round % 3 == 2) return read_as_projector({tail * (round % 7) / 8});
      return read_whole({tail * (round % 5) / 8}, round % 3 == 1);
    }));
    threads.push_back(again([this](std::uint64_t round) { return read_tenant(round); }));
    std::mt19937 random(1);
    const auto end = steady_clock::now() + kSquashingFor;
    while (steady_clock::now() < end) {
      SquashOptions options;
      if (random() % 3 == 0) options.scopes = {events::Scope::TENANTS};
      if (random() % 3 != 0) {  // Some stay, whose index entries go over to a new epoch.
        Position base;
        for (const ScopeStatus& scope : store().status().scopes) base = std::max(base, scope.base);
        const std::uint64_t behind = store().tail().tail.value - base.value;
        options.through = Position{base.value + behind * 3 / 4};
      }
      (void)store().squash(options, {});
      ++squashes;
    }
  }
  EXPECT_THAT(complaints_, IsEmpty());
  EXPECT_GE(squashes, 3);
  RecordProperty("squashes", squashes);
  EXPECT_EQ(read_whole({}, false), "");
  EXPECT_THAT(failed_checks(), IsEmpty());
  reopen();
  EXPECT_EQ(read_whole({}, false), "");
}

}  // namespace
}  // namespace tenantry
