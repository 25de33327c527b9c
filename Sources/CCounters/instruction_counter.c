// Counts by PTRACE_SINGLESTEP: needs no tool, no hardware counters (which virtual machines often lack) and no debug
// information, and a few hundred events take a second. The same build on the same processor gives the same number.
#include "instruction_counter.h"

#if defined(__linux__)

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

static int64_t step_to_end(pid_t process) {
  int64_t steps = 0;
  while (ptrace(PTRACE_SINGLESTEP, process, 0, 0) == 0) {
    const int status = wait_for(process);
    if (!WIFSTOPPED(status)) return -1;
    if (WSTOPSIG(status) == SIGUSR1) return steps;
    if (WSTOPSIG(status) != SIGTRAP) return -1;
    steps++;
  }
  return -1;
}

int64_t instruction_counter_run(void (*body)(void *), void *context) {
  const pid_t process = fork();
  if (process < 0) return -1;
  if (process == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(1);
    raise(SIGSTOP);
    body(context);
    raise(SIGUSR1);
    _exit(0);
  }
  const int status = wait_for(process);
  const int64_t steps = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP ? step_to_end(process) : -1;
  if (!WIFEXITED(status)) {
    kill(process, SIGKILL);
    wait_for(process);
  }
  return steps;
}

#else

int64_t instruction_counter_run(void (*body)(void *), void *context) {
  (void)body;
  (void)context;
  return -1;
}

#endif
