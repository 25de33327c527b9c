#ifndef CBUILD_H
#define CBUILD_H

/// The commit that was built, with "-changed" where files differed from it; "unknown" outside a repository.
const char *cbuild_commit(void);

#endif
