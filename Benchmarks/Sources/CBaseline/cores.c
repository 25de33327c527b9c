#define _GNU_SOURCE
#include "CBaseline.h"

#ifdef __linux__
#include <sched.h>

static cpu_set_t all;

bool baseline_use_one_core(void) {
  if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return false;
  int first = 0;
  while (!CPU_ISSET(first, &all)) first++;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  return sched_setaffinity(0, sizeof one, &one) == 0;
}

void baseline_use_all_cores(void) { sched_setaffinity(0, sizeof all, &all); }
#else
bool baseline_use_one_core(void) { return false; }
void baseline_use_all_cores(void) {}
#endif
