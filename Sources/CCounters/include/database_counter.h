#ifndef DATABASE_COUNTER_H
#define DATABASE_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/// Counts the steps of every SQLite connection that is opened from now on; false where the system's SQLite cannot be
/// watched (Apple's).
bool database_counter_start(void);

/// Steps of SQLite's virtual machine, in statements that the calling thread has finished so far: a few for each row that
/// is read, whether or not it is handed over.
int64_t database_counter_thread(void);

#endif
