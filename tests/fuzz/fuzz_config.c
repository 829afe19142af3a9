/* A configuration file of any bytes: loaded or refused with a place; what was loaded reads back
 * from its dump to the same. */
#define _GNU_SOURCE /* memfd_create */
#include "core/config.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load_bytes(struct config *c, const void *p, size_t len, struct err *e)
{
    static int fd = -1;
    char path[32];
    if (fd < 0)
        fd = memfd_create("config", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, p, len, 0) != (ssize_t)len)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    e->text[0] = '\0';
    return config_load(c, path, e);
}

static char *dump_of(const struct config *c)
{
    struct text_sink t = {0};
    config_dump(c, &t);
    if (t.failed)
        abort();
    return t.p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config c, before, back;
    struct err e;
    c = before = config_default();
    if (!load_bytes(&c, data, size, &e)) {
        unsigned line, column;
        if (sscanf(e.text, "/proc/self/fd/%*d:%u:%u: ", &line, &column) != 2 || line == 0
            || column == 0)
            abort(); /* every refusal names its place */
        if (memcmp(&c, &before, sizeof c) != 0)
            abort();
        return 0;
    }
    char *text = dump_of(&c);
    back = config_default();
    if (!load_bytes(&back, text, strlen(text), &e))
        abort();
    char *again = dump_of(&back);
    if (strcmp(text, again) != 0 || memcmp(c.files, back.files, sizeof c.files) != 0
        || memcmp(c.rules, back.rules, sizeof c.rules) != 0
        || memcmp(&c.limits, &back.limits, sizeof c.limits) != 0
        || memcmp(&c.live, &back.live, sizeof c.live) != 0)
        abort();
    free(text);
    free(again);
    return 0;
}
