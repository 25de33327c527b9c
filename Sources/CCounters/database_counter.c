// What a database costs, independent of the clock and of the machine: every connection is watched from its opening on,
// without the program's knowledge.
#include "database_counter.h"

#if defined(__APPLE__)

bool database_counter_start(void) { return false; }
int64_t database_counter_thread(void) { return 0; }

#else

#include <sqlite3.h>
#include <stddef.h>

static _Thread_local int64_t steps;

static int finished(unsigned type, void *context, void *statement, void *time) {
  (void)type, (void)context, (void)time;
  steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
  return 0;
}

static int watch(sqlite3 *database, char **error, const void *api) {
  (void)error, (void)api;
  return sqlite3_trace_v2(database, SQLITE_TRACE_PROFILE, finished, NULL);
}

bool database_counter_start(void) { return sqlite3_auto_extension((void (*)(void))watch) == SQLITE_OK; }
int64_t database_counter_thread(void) { return steps; }

#endif
