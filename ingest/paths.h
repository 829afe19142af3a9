/* Command-line arguments to captures: files, "-" for standard input, and directories with all below
 * them. */
#pragma once
#include "core/err.h"

struct path_item {
    char *path;  /* as a user would name it: the argument, or the argument, "/" and what is below */
    char *error; /* why it cannot be read ("PATH: reason"); NULL where all is well */
};

/* Of a directory: captures, packed or not; or files packed with gzip or zstd, whatever they hold.
 */
enum paths_kind { PATHS_CAPTURES, PATHS_PACKED };

struct paths {
    struct path_item *items;
    size_t n;
    size_t n_failed;  /* items with an error */
    size_t n_skipped; /* entries of directories that are no captures, or links to directories */
};

/* Expands `args` in their order. What is named explicitly is always taken, whatever it holds; what
 * is missing or unreadable becomes an item with an error, so that the others are still done. A
 * directory gives, sorted bytewise by path, the regular files of `kind` below it, told by how they
 * begin; one that is packed and damaged so early that this cannot be told is a capture. Links to
 * files are followed there, links to directories are not, so a loop cannot be. Memory: PATH_MAX
 * bytes an item at most. Fails only without memory. The caller ends it with paths_free. */
MUST_CHECK bool paths_expand(struct paths *p, char *const args[], size_t n_args,
                             enum paths_kind kind, struct err *e);

/* Harmless on a `p` that is all zero, or after a failed paths_expand. */
void paths_free(struct paths *p);
