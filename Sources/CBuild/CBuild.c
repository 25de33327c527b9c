#include "CBuild.h"

#ifndef CBUILD_COMMIT
#define CBUILD_COMMIT "unknown"
#endif

const char *cbuild_commit(void) { return CBUILD_COMMIT; }
