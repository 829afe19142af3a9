/* Files of rows that are whole or absent, shared by summaries, flags and batches. */
#pragma once
#include "sinks/segment.h"

struct segment_content {
    bool (*write)(void *ctx, int fd, struct err *e);
    void *ctx;
};

/* Writes `c` as DIR/NAME: aside, fsync, rename, as segment_write says. */
MUST_CHECK bool segment_place(const struct segment_content *c, const char *dir, const char *name,
                              const struct segment_options *o, struct err *e);

/* Brings a file or (directory) a folder's entries to the disk. */
MUST_CHECK bool segment_file_sync(const char *path, bool directory, struct err *e);
MUST_CHECK bool segment_file_name(const char *aside, const char *path, struct err *e);
