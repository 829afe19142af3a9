#define _GNU_SOURCE /* strptime, timegm */
#include "sinks/space_source.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIME_LEN = 16, DAY_S = 86400 }; /* of "20180228T120000Z" */

static bool read_time(const char **p, uint64_t *s)
{
    char text[TIME_LEN + 1];
    struct tm tm = {0};
    if (strlen(*p) < TIME_LEN)
        return false;
    memcpy(text, *p, TIME_LEN);
    text[TIME_LEN] = '\0';
    const char *rest = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
    if (rest == NULL || *rest != '\0')
        return false;
    time_t when = timegm(&tm);
    *s = (uint64_t)when;
    *p += TIME_LEN;
    return when >= 0;
}

static bool skip_text(const char **p, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*p, text, n) != 0)
        return false;
    *p += n;
    return true;
}

static uint32_t read_nth(const char **p)
{
    uint32_t nth = 0;
    if (!skip_text(p, "~"))
        return 1;
    for (; **p >= '0' && **p <= '9'; (*p)++) /* may wrap: see below */
        nth = nth * 10 + (uint32_t)(**p - '0');
    return nth;
}

bool space_name_read(const char *name, const char *sensor, struct space_file *f)
{
    const char *p = name;
    char again[SEGMENT_NAME_SIZE];
    *f = (struct space_file){0};
    f->flags = skip_text(&p, "flags-");
    if ((!f->flags && !skip_text(&p, "summary-")) || !skip_text(&p, sensor) || !skip_text(&p, "-")
        || !read_time(&p, &f->start_s) || !skip_text(&p, "-") || !read_time(&p, &f->end_s))
        return false;
    f->nth = read_nth(&p);
    if (f->nth < 1 || f->nth > SEGMENT_SAME_MAX || strcmp(p, ".ndjson.zst") != 0
        || f->end_s <= f->start_s || f->end_s - f->start_s > DAY_S)
        return false;
    space_name_write(f, sensor, again);
    return strcmp(name, again) == 0; /* 61 seconds, "~02", too large a number are nobody's */
}

void space_name_write(const struct space_file *f, const char *sensor,
                      char name[static SEGMENT_NAME_SIZE])
{
    char start[TIME_LEN + 1], end[TIME_LEN + 1], mark[16] = "";
    struct tm tm;
    time_t start_s = (time_t)f->start_s, end_s = (time_t)f->end_s;
    strftime(start, sizeof start, "%Y%m%dT%H%M%SZ", gmtime_r(&start_s, &tm));
    strftime(end, sizeof end, "%Y%m%dT%H%M%SZ", gmtime_r(&end_s, &tm));
    if (f->nth > 1)
        snprintf(mark, sizeof mark, "~%u", f->nth);
    snprintf(name, SEGMENT_NAME_SIZE, "%s-%s-%s-%s%s.ndjson.zst", f->flags ? "flags" : "summary",
             sensor, start, end, mark);
}
