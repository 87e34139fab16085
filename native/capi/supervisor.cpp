#include "capi/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace race {

using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;
constexpr double grace = 10;  // seconds that a cancelled process has to end

double since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

void write_error(int fd, const char* what) {
  const std::string text = json{{"error", what}}.dump() + '\n';
  if (::write(fd, text.data(), text.size()) < 0) _exit(1);
}

[[noreturn]] void carry_out(const std::function<void(int)>& work, int fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    work(fd);
    _exit(0);
  } catch (const std::bad_alloc&) {
    write_error(fd, "out of memory");
  } catch (const std::exception& e) {
    write_error(fd, e.what());
  }
  _exit(1);
}

std::string signal_text(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace

Ended supervise(const std::function<void(int)>& work, const std::function<void(const json&)>& on_line, double silence,
                const std::atomic<bool>& cancelled) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0)
    throw std::runtime_error(std::string("cannot make a pipe: ") + std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error(std::string("cannot start a process: ") + std::strerror(errno));
  if (child == 0) {
    close(pipe_ends[0]);
    carry_out(work, pipe_ends[1]);
  }
  close(pipe_ends[1]);

  Ended ended;
  std::string text;  // what has come of a line
  auto heard = Clock::now();
  Clock::time_point asked{};
  const auto take = [&](const std::string& one) {
    const json j = json::parse(one, nullptr, false);
    if (!j.is_object()) return;
    if (j.contains("died") || j.contains("hang") || j.contains("error"))
      ended.last_words = j;
    else
      on_line(j);
  };
  for (;;) {
    pollfd wait{pipe_ends[0], POLLIN, 0};
    const int ready = poll(&wait, 1, 50);
    if (ready > 0) {
      char buffer[65536];
      const ssize_t n = read(pipe_ends[0], buffer, sizeof buffer);
      if (n == 0) break;
      if (n > 0) text.append(buffer, static_cast<std::size_t>(n)), heard = Clock::now();
      for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
        take(text.substr(0, end));
    }
    if (cancelled) {
      kill(child, SIGTERM);  // again and again: the first may come before the process listens
      if (asked == Clock::time_point{}) asked = Clock::now();
    }
    if (since(heard) > silence || (asked != Clock::time_point{} && since(asked) > grace)) {
      ended.cause = "gave no sign of life and was killed";
      kill(child, SIGKILL);
      break;
    }
  }
  close(pipe_ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended.cause.empty()) return ended;
  ended.well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFEXITED(status))
    ended.cause = "exit status " + std::to_string(WEXITSTATUS(status));
  else
    ended.cause = signal_text(WTERMSIG(status));
  return ended;
}

}  // namespace race
