/* A run on the made-up ports of live_rig.h, and what its segments and its table tell. */
#pragma once
#include "tests/cli/live_rig.h"

#include <sys/stat.h>

static struct config config;
static struct live_options options;
static char folder[64], table[96];
static uint64_t window_s = 1;
static mode_t folder_mode = 0700; /* once the table of counters stands in it */

enum { TOLD_MAX = 4096, FOREVER = 100000 };

/* What segments tell, added up. */
static struct told {
    unsigned segments, clock_steps, shutdown, hung, started;
    unsigned long long read, missed, no_mbuf, dropped, ok;
    unsigned long long watched_s; /* by the rows of nobody in particular */
    time_t starts[TOLD_MAX];
    bool watched[TOLD_MAX]; /* seconds since the first began */
} told;

static unsigned long long number_in(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* "out":[[0,5],[7,9]]: adds 7, of those no other segment of the window told of. */
static void add_watched(const char *row)
{
    unsigned long long from, to;
    int len;
    time_t start = told.starts[told.segments - 1] - told.starts[0];
    const char *at = strstr(row, "\"out\":[");
    for (at = at != NULL ? at + 7 : ""; sscanf(at, "[%llu,%llu]%n", &from, &to, &len) == 2;
         at += len + (at[len] == ','))
        for (time_t s = start + (time_t)from; s < start + (time_t)to; s++) {
            CHECK(s >= 0 && s < TOLD_MAX, "%lld s after the first window began", (long long)s);
            told.watched_s += !told.watched[s];
            told.watched[s] = true;
        }
}

static time_t start_of(const char *line)
{
    struct tm t = {0};
    const char *at = strstr(line, "\"start\":\"");
    CHECK(at != NULL
              && sscanf(at + 9, "%d-%d-%dT%d:%d:%dZ", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
                        &t.tm_min, &t.tm_sec)
                     == 6,
          "%s", line);
    t.tm_year -= 1900;
    t.tm_mon--;
    return timegm(&t);
}

static int by_time(const void *a, const void *b)
{
    time_t x = *(const time_t *)a, y = *(const time_t *)b;
    return (x > y) - (x < y);
}

/* How many windows there are none of, from the first to the last. */
static unsigned windows_missing(void)
{
    unsigned n = 0;
    qsort(told.starts, told.segments, sizeof *told.starts, by_time);
    for (unsigned i = 1; i < told.segments; i++) {
        time_t apart = told.starts[i] - told.starts[i - 1];
        n += apart > (time_t)window_s ? (unsigned)(apart / (time_t)window_s) - 1 : 0;
    }
    return n;
}

static void read_segments(void)
{
    char command[160];
    size_t size = 0;
    char *line = NULL;
    snprintf(command, sizeof command, "zstd -dcq %s/summary-*.zst", folder);
    FILE *f = popen(command, "r");
    CHECK(f != NULL, "zstd");
    memset(&told, 0, sizeof told);
    while (getline(&line, &size, f) > 0) {
        if (strncmp(line, "{\"kind\":\"segment\"", 17) == 0) {
            CHECK(told.segments < TOLD_MAX, "too many segments");
            told.starts[told.segments++] = start_of(line);
            told.clock_steps += strstr(line, "clock_step") != NULL;
            told.shutdown += strstr(line, "\"shutdown\"") != NULL;
            told.hung += strstr(line, "worker_hung") != NULL;
            told.started += strstr(line, "\"started\"") != NULL;
            told.dropped += number_in(line, "\"windows_dropped\":");
        } else if (strncmp(line, "{\"kind\":\"coverage\"", 18) == 0) {
            if (strstr(line, "\"client\"") == NULL)
                add_watched(line);
        } else if (strncmp(line, "{\"kind\":\"totals\"", 16) == 0) {
            told.read += number_in(line, "\"read\":");
            told.missed += number_in(line, "\"lost_missed\":");
            told.no_mbuf += number_in(line, "\"lost_no_mbuf\":");
            told.ok += number_in(line, "\"ok\":");
        }
    }
    free(line);
    pclose(f);
}

static char *table_text(void)
{
    static char text[65536];
    FILE *f = fopen(table, "r");
    CHECK(f != NULL, "%s", table);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

/* Once each worker has counted packets, and the run says so: on a busy machine the start takes
 * long. What follows waits for what it wants to see, not for times. */
static void *meddle_later(void *meddle)
{
    void (*const *then)(void) = meddle;
    WAIT(atomic_load(&rig_runs) && least_received() > 0 && atomic_load(&rig_said.looks) > 2);
    (*then)();
    if (options.duration_s == 0)
        kill(getpid(), SIGTERM);
    return NULL;
}

static void make_folder(void)
{
    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof folder, "%s/tellscope-live-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder) != NULL, "%s", folder);
}

/* Runs until `seconds` of the machine's time are over, or with 0, until `meddle` has done something
 * meanwhile. Returns the exit status. */
static int run(unsigned seconds, void (*meddle)(void))
{
    static struct judge_options judge;
    pthread_t meddler;
    make_folder();
    snprintf(table, sizeof table, "%s/table", folder);
    CHECK(freopen(table, "w", stdout) != NULL, "%s", table);
    CHECK(chmod(folder, folder_mode) == 0, "%s", folder);
    judge = judge_options_default();
    config.live.window_s = window_s;
    options.config = &config;
    options.dir = folder;
    options.judge = &judge;
    options.api = &fake_api;
    options.json = true;
    options.quiet = true;
    options.user = "";
    options.duration_s = seconds;
    options.max_loss_percent = -1;
    CHECK(meddle == NULL || pthread_create(&meddler, NULL, meddle_later, &meddle) == 0, "thread");
    int status = live_run(&options);
    if (meddle != NULL)
        pthread_join(meddler, NULL);
    fflush(stdout);
    read_segments();
    return status;
}

static void clean(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0, "%s", command);
}

/* Everything received is in a window, and what was lost stands in the segments, if none was
 * dropped. */
static unsigned long long balanced(void)
{
    const char *text = table_text(), *sum = strstr(text, "\"read\":"); /* that of all comes first */
    CHECK(sum != NULL, "%s", text);
    unsigned long long received = number_in(sum, "\"received\":"),
                       read = number_in(sum, "\"read\":");
    CHECK(received > 0 && read == received, "read %llu of %llu", read, received);
    CHECK(strstr(text, "\"unaccounted\":0,") != NULL, "%s", text);
    if (number_in(text, "\"dropped\":") == 0) {
        CHECK(told.read == received, "segments tell of %llu of %llu packets", told.read, received);
        CHECK(told.missed == received / 100, "%llu missed", told.missed);
        CHECK(told.no_mbuf == received / 1000, "%llu without a buffer", told.no_mbuf);
    }
    CHECK(told.ok > 0, "nothing was decoded");
    return received;
}
