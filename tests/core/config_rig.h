/* What tests of the configuration share: texts written to a file and read, dumps compared. */
#pragma once
#include "core/config.h"
#include "core/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/tellscope-config-XXXXXX";

static inline void write_file(const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static inline bool load_text(struct config *c, const char *text, struct err *e)
{
    write_file(text, strlen(text));
    e->text[0] = '\0';
    return config_load(c, path, e);
}

static inline char *dump_of(const struct config *c)
{
    struct text_sink t = {0};
    config_dump(c, &t);
    assert_false(t.failed);
    return t.p;
}

static inline void assert_same(const struct config *a, const struct config *b)
{
    char *x = dump_of(a), *y = dump_of(b);
    assert_string_equal(x, y);
    free(x);
    free(y);
}

/* A configuration that is refused, and the text behind the file's name. */
struct refusal {
    const char *yaml, *want;
};

static inline void assert_refused(const struct refusal rows[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct config before = config_default(), c = before;
        struct err e;
        char want[700];
        bool ok = load_text(&c, rows[i].yaml, &e);
        snprintf(want, sizeof want, "%s:%s", path, rows[i].want);
        if (ok || strncmp(e.text, want, strlen(want)) != 0)
            fail_msg("%s\n gives: %s\n wants: %s", rows[i].yaml, ok ? "ok" : e.text, want);
        assert_same(&before, &c); /* untouched */
    }
}

static inline bool rig_begin(void)
{
    int fd = mkstemp(path);
    return fd >= 0 && close(fd) == 0;
}

static inline void rig_end(void)
{
    unlink(path);
}
