#pragma once

namespace tenantry::sim {

// From here on SQLite tells SimDisk::active() of what it changes below the disk's root. It locks,
// reads and shares memory as ever. Once for a process.
void put_sqlite_on_sim_disks();

}  // namespace tenantry::sim
