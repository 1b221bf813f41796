#include "tests/sim/sim_sqlite.h"

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <sqlite3.h>
#include <sys/stat.h>

#include "tests/sim/sim_disk.h"

// A file of ours lies before the real one in the memory that SQLite gives.
namespace tenantry::sim {
namespace {

struct SqliteFile {
  sqlite3_file base;  // First: SQLite's handle.
  SimDisk* disk;      // Null for a file of somewhere else.
  std::string* path;
  [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_vfs* real_vfs() {
  static sqlite3_vfs* const real = sqlite3_vfs_find("unix");
  return real;
}

SqliteFile& ours(sqlite3_file* file) { return *reinterpret_cast<SqliteFile*>(file); }

const sqlite3_io_methods& real_methods(sqlite3_file* file) { return *ours(file).real()->pMethods; }

int failure(int error, int otherwise) { return error == ENOSPC ? SQLITE_FULL : otherwise; }

int close_file(sqlite3_file* file) {
  const int result = real_methods(file).xClose(ours(file).real());
  delete ours(file).path;
  ours(file).path = nullptr;
  return result;
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  SqliteFile& own = ours(file);
  if (own.disk == nullptr) return real_methods(file).xWrite(own.real(), bytes, count, offset);
  std::uint64_t allowed = 0;
  const int error = own.disk->write(*own.path, static_cast<std::uint64_t>(offset),
                                    static_cast<std::uint64_t>(count), allowed);
  const int written =
      real_methods(file).xWrite(own.real(), bytes, static_cast<int>(allowed), offset);
  return error == 0 ? written : failure(error, SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  SqliteFile& own = ours(file);
  if (own.disk != nullptr) {
    const int error = own.disk->truncate(*own.path, static_cast<std::uint64_t>(size));
    if (error != 0) return failure(error, SQLITE_IOERR_TRUNCATE);
  }
  return real_methods(file).xTruncate(own.real(), size);
}

int sync_file(sqlite3_file* file, int flags) {
  SqliteFile& own = ours(file);
  if (own.disk == nullptr) return real_methods(file).xSync(own.real(), flags);
  int error = own.disk->sync(*own.path);
  // As the real one does: the first sync of a file that it made is one of its directory, too.
  const std::string directory = std::filesystem::path(*own.path).parent_path().string();
  if (error == 0) error = own.disk->sync_directory(directory);
  return error == 0 ? SQLITE_OK : failure(error, SQLITE_IOERR_FSYNC);
}

// Chunks are set aside, and pages mapped, behind our back: not here.
int control_file(sqlite3_file* file, int operation, void* argument) {
  if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_MMAP_SIZE) return SQLITE_OK;
  return real_methods(file).xFileControl(ours(file).real(), operation, argument);
}

// The rest is the real file's business.
int read_file(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
  return real_methods(file).xRead(ours(file).real(), bytes, count, offset);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real_methods(file).xFileSize(ours(file).real(), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real_methods(file).xLock(ours(file).real(), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real_methods(file).xUnlock(ours(file).real(), level);
}
int check_reserved(sqlite3_file* file, int* reserved) {
  return real_methods(file).xCheckReservedLock(ours(file).real(), reserved);
}
int sector_size(sqlite3_file* file) { return real_methods(file).xSectorSize(ours(file).real()); }
// A power loss tears writes here.
int characteristics(sqlite3_file* /*file*/) { return 0; }
int map_shared(sqlite3_file* file, int region, int bytes, int extend, void volatile** memory) {
  return real_methods(file).xShmMap(ours(file).real(), region, bytes, extend, memory);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return real_methods(file).xShmLock(ours(file).real(), offset, count, flags);
}
void barrier_shared(sqlite3_file* file) { real_methods(file).xShmBarrier(ours(file).real()); }
int unmap_shared(sqlite3_file* file, int deletes) {
  return real_methods(file).xShmUnmap(ours(file).real(), deletes);
}

const sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = barrier_shared,
    .xShmUnmap = unmap_shared,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags,
              int* flags_out) {
  SqliteFile& own = ours(file);
  own.base.pMethods = nullptr;
  SimDisk* disk = SimDisk::active();
  if (name == nullptr || disk == nullptr || !disk->covers(name)) disk = nullptr;
  if (disk != nullptr && (flags & SQLITE_OPEN_CREATE) != 0) {
    struct stat status {};
    if (::stat(name, &status) != 0) {
      const int error = disk->create(name, /*empties=*/false);
      if (error != 0) return failure(error, SQLITE_CANTOPEN);
    }
  }
  const int opened = real_vfs()->xOpen(real_vfs(), name, own.real(), flags, flags_out);
  if (own.real()->pMethods == nullptr) return opened;
  own.disk = disk;
  own.path = new std::string(name == nullptr ? "" : name);
  own.base.pMethods = &kMethods;
  return opened;
}

int delete_file(sqlite3_vfs* /*vfs*/, const char* name, int sync_directory) {
  SimDisk* disk = SimDisk::active();
  if (disk == nullptr || !disk->covers(name)) {
    return real_vfs()->xDelete(real_vfs(), name, sync_directory);
  }
  int error = disk->remove(name);
  if (error == ENOENT) return SQLITE_IOERR_DELETE_NOENT;
  if (error == 0 && sync_directory != 0) {
    error = disk->sync_directory(std::filesystem::path(name).parent_path().string());
  }
  return error == 0 ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

}  // namespace

void put_sqlite_on_sim_disks() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *real_vfs();
    copy.zName = "tenantry-sim";
    copy.szOsFile += static_cast<int>(sizeof(SqliteFile));
    copy.xOpen = open_file;
    copy.xDelete = delete_file;
    return copy;
  }();
  if (sqlite3_vfs_register(&vfs, /*makeDflt=*/1) != SQLITE_OK) {
    throw std::runtime_error("SQLite takes no other file system");
  }
}

}  // namespace tenantry::sim
