#include "cli/order.h"

#include "ingest/capture.h"

#include <stdlib.h>
#include <sys/stat.h>

struct place {
    uint64_t first_ns;
    const char *path; /* NULL: not looked into */
    size_t i;
};

static bool reads_once(const char *path)
{
    struct stat st;
    return strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
}

static uint64_t first_of(const char *path)
{
    struct capture *c;
    struct err ignored;
    struct pkt p;
    bool damaged;
    if (!capture_open(&c, path, &damaged, &ignored))
        return 0;
    struct source s = capture_source(c);
    int n = s.rx(s.ctx, &p, 1, &ignored); /* 0: a signal came, and what follows is not read */
    uint64_t ns = n > 0 ? p.ts_ns : 0;
    capture_free(c);
    return ns;
}

static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->first_ns != y->first_ns)
        return x->first_ns < y->first_ns ? -1 : 1;
    int paths = x->path != NULL && y->path != NULL ? strcmp(x->path, y->path) : 0;
    return paths != 0 ? paths : (x->i > y->i) - (x->i < y->i);
}

bool order_by_time(const struct path_item items[], size_t n, size_t order[], struct err *e)
{
    struct place *places = calloc(n > 0 ? n : 1, sizeof *places);
    if (places == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const char *path = items[i].path;
        places[i] = (struct place){.first_ns = UINT64_MAX, .i = i};
        if (reads_once(path))
            continue;
        places[i].path = path;
        places[i].first_ns = items[i].error == NULL ? first_of(path) : 0;
    }
    qsort(places, n, sizeof *places, by_time);
    for (size_t i = 0; i < n; i++)
        order[i] = places[i].i;
    free(places);
    return true;
}
