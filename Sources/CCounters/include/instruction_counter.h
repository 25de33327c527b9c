#ifndef INSTRUCTION_COUNTER_H
#define INSTRUCTION_COUNTER_H

#include <stdint.h>

/// Runs `body` in a copy of this process, one machine instruction at a time, and returns how many there were, those of
/// shared libraries included; −1 where the system does not allow it. The process must have one thread. Start and end of
/// the copy count too, so two runs of different sizes give the cost of what they differ in.
int64_t instruction_counter_run(void (*body)(void *), void *context);

#endif
