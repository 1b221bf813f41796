#include "tests/sim/squash_watch.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/catalogue.h"
#include "core/hash.h"
#include "events/kinds.h"
#include "events/store_events.h"

namespace tenantry::sim {
namespace {

namespace fs = std::filesystem;

std::vector<std::uint64_t> positions(const TenancyStore& store, const LogFilter& filter) {
  std::vector<std::uint64_t> found;
  store.read_log(filter, [&](const StoredEvent& event) {
    found.push_back(event.position.value);
    return true;
  });
  return found;
}

// What the log says of squashes.
struct Told {
  std::uint64_t through = 0;
  std::uint64_t events = 0;  // Of all of them.
  std::string chain;
};

std::map<events::Scope, Told> read_told(const TenancyStore& store) {
  std::map<events::Scope, Told> told;
  LogFilter filter;
  filter.kinds = {events::find_kind("ScopeSquashed")->number};
  store.read_log(filter, [&](const StoredEvent& event) {
    const auto view = events::EventView::over(event.payload, events::Origin::kStored);
    const events::Squashed squashed = events::read_squashed(view);
    Told& scope = told[squashed.scope];
    scope.through = squashed.through;
    scope.chain = squashed.chain_hash;
    scope.events += squashed.events;
    return true;
  });
  return told;
}

// Each part of the list is a file, and each file is a part of the list.
void compare_files(const fs::path& directory, const std::set<std::string>& listed,
                   std::vector<std::string>& wrong) {
  std::set<std::string> found;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!listed.contains(name)) wrong.push_back("nothing refers to the file " + name);
    found.insert(name);
  }
  for (const std::string& name : listed) {
    if (!found.contains(name)) wrong.push_back("the archive lacks " + name);
  }
}

}  // namespace

void SquashWatch::begun(const SquashReport& plan) {
  any_ = true;
  const std::vector<Bases> before = possible_;
  for (Bases bases : before) {
    for (const SquashedScope& scope : plan.scopes) {
      if (scope.events > 0) bases[scope.scope] = scope.through;
    }
    if (std::ranges::find(possible_, bases) == possible_.end()) {
      possible_.push_back(std::move(bases));
    }
  }
}

void SquashWatch::done(const SquashReport& report) {
  std::erase_if(possible_, [&](const Bases& bases) {
    return std::ranges::any_of(report.scopes, [&](const SquashedScope& scope) {
      const auto base = bases.find(scope.scope);
      return scope.through != (base == bases.end() ? Position{} : base->second);
    });
  });
}

std::vector<std::string> SquashWatch::check(const TenancyStore& store, const StorageReader& storage,
                                            const fs::path& archive, const fs::path& elsewhere) {
  std::vector<std::string> wrong;
  const Catalogue catalogue = read_catalogue(storage);
  if (catalogue.job) wrong.emplace_back("a squash is still under way");
  std::map<events::Scope, Told> told = read_told(store);
  Bases bases;
  std::set<std::string> here;
  std::set<std::string> there;
  for (const auto& [scope, of_scope] : catalogue.scopes) {
    const ScopePoint& base = of_scope.base.base;
    if (base.seq > 0) bases[scope] = base.position;
    const Told says = told[scope];
    if (says.through != base.position.value || says.events != base.seq ||
        (base.seq > 0 && says.chain != hex(base.chain))) {
      wrong.push_back(fmt::format("scope {} begins behind {} (event {}), the log says {} ({})",
                                  events::scope_name(scope), base.position.value, base.seq,
                                  says.through, says.events));
    }
    told.erase(scope);
    for (const ArchiveSegment& segment : of_scope.segments) {
      (segment.directory.empty() ? here : there).insert(segment.name);
    }
    for (const Snapshot& snapshot : of_scope.snapshots) here.insert(snapshot.name);
  }
  if (!told.empty()) wrong.emplace_back("the log tells of a squash that nothing else knows of");
  compare_files(archive, here, wrong);
  compare_files(elsewhere, there, wrong);
  if (std::ranges::find(possible_, bases) == possible_.end()) {
    wrong.emplace_back("a squash is done in part, or undone");
  }
  possible_ = {bases};
  return wrong;
}

std::vector<std::string> compare_filters(const TenancyStore& store) {
  std::map<events::Uuid, std::vector<std::uint64_t>> streams;
  std::set<events::Uuid> tenants;
  store.read_log({}, [&](const StoredEvent& event) {
    streams[event.stream].push_back(event.position.value);
    if (event.tenant != events::Uuid{}) tenants.insert(event.tenant);
    return true;
  });
  std::vector<std::string> wrong;
  for (const auto& [stream, expected] : streams) {
    LogFilter filter;
    filter.stream = stream;
    if (positions(store, filter) != expected) {
      wrong.push_back(fmt::format("stream {} is not read whole", events::format_uuid(stream)));
    }
  }
  for (const events::Uuid& tenant : tenants) {
    LogFilter filter;
    filter.tenant = tenant;
    const std::vector<std::uint64_t> forwards = positions(store, filter);
    filter.reverse = true;
    std::vector<std::uint64_t> back = positions(store, filter);
    std::ranges::reverse(back);
    if (forwards.empty() || forwards != back) {
      wrong.push_back(fmt::format("tenant {} is not read alike both ways: {} events and {}",
                                  events::format_uuid(tenant), forwards.size(), back.size()));
    }
  }
  return wrong;
}

}  // namespace tenantry::sim
