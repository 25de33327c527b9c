#ifndef CBUILD_H
#define CBUILD_H

/// The commit that was built, with "-changed" where files differed from it; "unknown" outside a repository. An incremental
/// build keeps the one that SwiftPM saw when it last read the manifest.
const char *cbuild_commit(void);

#endif
