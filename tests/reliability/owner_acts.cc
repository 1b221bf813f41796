// Loaded into `tenantry` by the stage `two-writers`: makes the owner of a store do, at a signal,
// what a program could do to lose its locks without noticing.
//   SIGUSR1: forks a child that does nothing, and so keeps what it inherited.
//   SIGUSR2: opens and closes the file that TENANTRY_ACTS_FILE names, which ends all POSIX locks
//            that this process has on it.
// Each then writes a line to the file that TENANTRY_ACTS_NOTE names: the child's pid, or 0.

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace {

const char* g_file = nullptr;
const char* g_note = nullptr;

// Only what a signal handler may call.
void note(pid_t number) {
  std::array<char, 16> line{};
  char* end = std::to_chars(line.data(), line.data() + line.size() - 1, number).ptr;
  *end++ = '\n';
  const int file = ::open(g_note, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || ::write(file, line.data(), static_cast<std::size_t>(end - line.data())) < 0) {
    ::_exit(99);
  }
  ::close(file);
}

void fork_child(int) {
  const pid_t child = ::_Fork();
  if (child == 0) {
    while (true) ::pause();
  }
  note(child);
}

void touch_file(int) {
  const int file = ::open(g_file, O_RDONLY | O_CLOEXEC);
  if (file < 0) ::_exit(99);
  ::close(file);
  note(0);
}

[[gnu::constructor]] void listen_for_signals() {
  g_file = std::getenv("TENANTRY_ACTS_FILE");
  g_note = std::getenv("TENANTRY_ACTS_NOTE");
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = fork_child;
  ::sigaction(SIGUSR1, &action, nullptr);
  action.sa_handler = touch_file;
  ::sigaction(SIGUSR2, &action, nullptr);
}

}  // namespace
