#include "core/cpus.h"

#include <ctype.h>
#include <string.h>

/* A number below CPUS_MAX at `*p`, which moves behind it. */
static bool number(const char **p, unsigned *n)
{
    if (!isdigit((unsigned char)**p))
        return false;
    for (*n = 0; isdigit((unsigned char)**p); ++*p) {
        *n = *n * 10 + (unsigned)(**p - '0');
        if (*n >= CPUS_MAX)
            return false;
    }
    return true;
}

/* "4" or "4-7". */
static bool range(const char **p, unsigned *first, unsigned *last)
{
    if (!number(p, first))
        return false;
    *last = *first;
    if (**p != '-')
        return true;
    ++*p;
    return number(p, last) && *last >= *first;
}

bool cpus_parse(const char *text, struct cpus *c, struct err *e)
{
    struct cpus list = {0};
    bool seen[CPUS_MAX] = {false};
    size_t len = strcspn(text, "\n");
    const char *p = text, *end = text + len;
    bool ok = end[0] == '\0' || end[1] == '\0';
    while (ok && p < end) {
        unsigned first, last;
        ok = range(&p, &first, &last) && (p == end || (*p == ',' && p + 1 < end));
        for (; ok && first <= last; first++) {
            ok = !seen[first];
            seen[first] = true;
            list.at[list.n] = (uint16_t)first;
            list.n += ok;
        }
        p += p < end;
    }
    if (!ok) {
        err_set(e, "\"%.70s\" is no list of CPUs; as \"2,4-5\", each below %d and only once", text,
                CPUS_MAX);
        return false;
    }
    *c = list;
    return true;
}

bool cpus_has(const struct cpus *c, unsigned cpu)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->at[i] == cpu)
            return true;
    return false;
}
