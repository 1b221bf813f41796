#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "core/storage.h"
#include "tests/sim/sim_disk.h"

namespace tenantry::sim {

// RocksDB on a simulated disk. Its background work is done by one thread, one job after the other,
// in the order in which it was asked for, and sleeps are short: with settle() after each call that
// may start some, all changes come in the same order every time.
class SimEnv : public rocksdb::EnvWrapper {
 public:
  ~SimEnv() override = default;
  // Waits until nothing is left to do in the background; what failed there is tried once more.
  virtual void settle() = 0;

 protected:
  using EnvWrapper::EnvWrapper;
};

// Borrows `disk`. Must outlive every database on it.
[[nodiscard]] std::unique_ptr<SimEnv> make_sim_env(SimDisk& disk);

// A database on it, which settles after everything that changes it. Borrows `env`.
[[nodiscard]] std::unique_ptr<Storage> open_sim_storage(SimEnv& env, const RocksOptions& options);

}  // namespace tenantry::sim
