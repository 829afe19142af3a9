/* How space asks the disk. Tests bring their own. */
#pragma once
#include "sinks/segment.h"
#include "sinks/space.h"

#include <sys/statvfs.h>

struct space_source {
    int (*ask)(void *ctx, int dir, struct statvfs *v); /* as fstatvfs(3) */
    void *ctx;
};

MUST_CHECK bool space_new_from(struct space **s, const struct space_options *o,
                               const struct space_source *source, struct err *e);

/* A file name that segments of a sensor have. */
struct space_file {
    uint64_t start_s, end_s;
    uint32_t nth; /* 1, or of "~2" */
    bool flags;
};

/* Is `name` the very name that a segment, or flags, of `sensor` has? Fills `f`. */
bool space_name_read(const char *name, const char *sensor, struct space_file *f);
/* And back. */
void space_name_write(const struct space_file *f, const char *sensor,
                      char name[static SEGMENT_NAME_SIZE]);
