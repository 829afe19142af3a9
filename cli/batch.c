#include "cli/batch.h"

#include "cli/report.h"
#include "cli/stop.h"
#include "core/hash.h"
#include "ingest/capture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_LEN = 64 + 1 + 16 + 1 + 32 }; /* sha256, configuration, release */

/* A line of captures.ndjson. */
struct done {
    char key[KEY_LEN];
    bool damaged;
};

struct batch {
    const struct run_options *o;
    char config_hash[17];
    struct done *done; /* by earlier runs, sorted */
    size_t n_done;
    char **made; /* directories of this run; owned */
    size_t n_made;
    FILE *lines;
};

static void key_of(char key[static KEY_LEN], const char *sha256, const char *config,
                   const char *release)
{
    snprintf(key, KEY_LEN, "%.64s %.16s %.30s", sha256, config, release);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct done *)a)->key, ((const struct done *)b)->key);
}

/* The value of a member that write_line puts before the path: hex digits or a release, nothing that
 * JSON escapes. */
static bool member_of(const char *line, const char *name, char *to, size_t size)
{
    char begin[32];
    snprintf(begin, sizeof begin, "\"%s\":\"", name);
    const char *p = strstr(line, begin);
    if (p == NULL)
        return false;
    p += strlen(begin);
    size_t len = strcspn(p, "\"");
    if (p[len] != '"' || len >= size)
        return false;
    memcpy(to, p, len);
    to[len] = '\0';
    return true;
}

static bool add_done(struct batch *b, size_t *cap, const char *line, struct err *e)
{
    char sha256[65], config[17], release[32];
    size_t len = strlen(line);
    if (len < 2 || strcmp(line + len - 2, "}\n") != 0
        || !member_of(line, "sha256", sha256, sizeof sha256)
        || !member_of(line, "config", config, sizeof config)
        || !member_of(line, "release", release, sizeof release))
        return true; /* the last line where a run was killed: that capture is done again */
    if (b->n_done == *cap) {
        *cap = *cap == 0 ? 256 : *cap * 2;
        void *more = realloc(b->done, *cap * sizeof *b->done);
        if (more == NULL) {
            err_set(e, "out of memory");
            return false;
        }
        b->done = more;
    }
    struct done *d = &b->done[b->n_done++];
    key_of(d->key, sha256, config, release);
    d->damaged = strstr(line, ",\"error\":null,") == NULL; /* in a path the quotes are escaped */
    return true;
}

/* Reads captures.ndjson of an earlier run. Half a line, where that was killed, goes: others follow.
 */
static bool read_done(struct batch *b, const char *path, struct err *e)
{
    FILE *f = fopen(path, "r");
    if (f == NULL && errno == ENOENT)
        return true;
    if (f == NULL) {
        err_set(e, "open %s: %s", path, strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t size = 0, cap = 0;
    ssize_t len;
    off_t whole = 0;
    bool ok = true, half = false;
    while (ok && (len = getline(&line, &size, f)) > 0) {
        half = line[len - 1] != '\n';
        whole += half ? 0 : len;
        ok = add_done(b, &cap, line, e);
    }
    free(line);
    fclose(f);
    if (ok && half && truncate(path, whole) != 0) {
        err_set(e, "cut off half a line of %s: %s", path, strerror(errno));
        ok = false;
    }
    if (b->n_done > 1)
        qsort(b->done, b->n_done, sizeof *b->done, by_key);
    return ok;
}

static void hex_of(const uint8_t digest[32], char hex[static 65])
{
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* SHA-256 of a capture that is not otherwise read. False where it cannot be had: then it is run,
 * and the run says why. */
static bool hash_capture(const char *path, char hex[static 65])
{
    struct capture *c = NULL;
    struct err ignored;
    bool damaged;
    uint8_t digest[32];
    bool ok = capture_open_hashed(&c, path, &damaged, digest, &ignored)
                  ? capture_sha256(c, digest, &ignored)
                  : damaged;
    capture_free(c);
    if (ok)
        hex_of(digest, hex);
    return ok;
}

static void out_dir(const struct batch *b, const char *path, const char *hex, char *dir,
                    size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(dir, size, "%s/%.100s-%.12s", b->o->dir, slash != NULL ? slash + 1 : path, hex);
}

/* What an earlier run wrote of the capture, if its output is still there. */
static const struct done *find_done(const struct batch *b, const char *path)
{
    char hex[65], dir[4400];
    struct done key = {0};
    struct stat st;
    bool again = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (b->n_done == 0 || !again || !hash_capture(path, hex)) /* a pipe can be read only once */
        return NULL;
    key_of(key.key, hex, b->config_hash, TELLSCOPE_VERSION);
    out_dir(b, path, hex, dir, sizeof dir);
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return NULL;
    return bsearch(&key, b->done, b->n_done, sizeof *b->done, by_key);
}

static bool remember_made(struct batch *b, const char *dir, struct err *e)
{
    if ((b->n_made & (b->n_made + 1)) == 0) { /* full at 2^k - 1 */
        char **more = realloc(b->made, 2 * (b->n_made + 1) * sizeof *more);
        if (more != NULL)
            b->made = more;
        if (more == NULL) {
            err_set(e, "out of memory");
            return false;
        }
    }
    char *copy = strdup(dir);
    if (copy == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    b->made[b->n_made++] = copy;
    return true;
}

static bool was_made(const struct batch *b, const char *dir)
{
    for (size_t i = 0; i < b->n_made; i++)
        if (strcmp(b->made[i], dir) == 0)
            return true;
    return false;
}

/* Removes an output directory: the files a run writes, and nothing else. */
static void remove_dir(const char *dir)
{
    char path[4700];
    DIR *d = opendir(dir);
    for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;) {
        const char *name = entry->d_name;
        if (strncmp(name, "summary-", 8) != 0 && strncmp(name, "flags-", 6) != 0
            && strcmp(name, "events.ndjson.zst") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        unlink(path);
    }
    if (d != NULL)
        closedir(d);
    rmdir(dir);
}

static bool write_line(struct batch *b, const struct run_result *r, const char *hex, struct err *e)
{
    const struct run_capture *c = &r->captures[0];
    struct text_sink line = {0};
    text_printf(&line, "{\"sha256\":\"%s\",\"config\":\"%s\",\"release\":\"%s\",\"path\":", hex,
                b->config_hash, TELLSCOPE_VERSION);
    text_json(&line, c->path, strlen(c->path));
    text_printf(&line, ",\"packets\":%llu", (unsigned long long)c->packets);
    if (c->packets > 0) {
        text_puts(&line, ",\"first\":\"");
        text_time(&line, c->first_ns, 9);
        text_puts(&line, "\",\"last\":\"");
        text_time(&line, c->last_ns, 9);
        text_puts(&line, "\"");
    }
    text_printf(&line, ",\"gateways\":%llu,\"error\":", (unsigned long long)r->gateways);
    if (c->error[0] != '\0')
        text_json(&line, c->error, strlen(c->error));
    else
        text_puts(&line, "null");
    if (c->has_offset)
        text_printf(&line, ",\"offset\":%llu", (unsigned long long)c->offset);
    text_printf(&line, ",\"segments\":[%s]}\n", r->segments.p != NULL ? r->segments.p : "");
    bool ok =
        !line.failed && fwrite(line.p, 1, line.len, b->lines) == line.len && fflush(b->lines) == 0;
    if (!ok)
        err_set(e, "write captures.ndjson: %s", strerror(errno));
    text_free(&line);
    return ok;
}

/* The output of a capture appears under its name only when it is whole. */
static bool publish(struct batch *b, const char *aside, struct run_result *r, struct err *e)
{
    char hex[65], dir[4400];
    hex_of(r->captures[0].sha256, hex);
    out_dir(b, r->captures[0].path, hex, dir, sizeof dir);
    if (rename(aside, dir) != 0) {
        if (errno != EEXIST && errno != ENOTEMPTY) {
            err_set(e, "rename %s to %s: %s", aside, dir, strerror(errno));
            return false;
        }
        if (was_made(b, dir)) { /* the same capture twice, by the same name in another folder */
            remove_dir(aside);
            return write_line(b, r, hex, e);
        }
        if (!b->o->force) { /* there already, from the same bytes; other content would be another
                               configuration's */
            remove_dir(aside);
            err_set(e, "%s exists; --force replaces it, --resume skips what is done", dir);
            return false;
        }
        char old[4500];
        snprintf(old, sizeof old, "%s.old-%d", dir, (int)getpid());
        if (rename(dir, old) != 0 || rename(aside, dir) != 0) {
            err_set(e, "replace %s: %s", dir, strerror(errno));
            return false;
        }
        remove_dir(old);
    }
    return remember_made(b, dir, e) && write_line(b, r, hex, e);
}

static bool run_one(struct batch *b, const struct path_item *item, struct batch_result *result,
                    struct err *e)
{
    char aside[4400];
    snprintf(aside, sizeof aside, "%s/.aside-%d", b->o->dir, (int)getpid());
    if (mkdir(aside, 0777) != 0) {
        err_set(e, "make directory %s: %s", aside, strerror(errno));
        return false;
    }
    struct run_options o = *b->o;
    struct run_result r;
    o.dir = aside;
    o.hash = true;
    bool ok = run_captures(&o, item, 1, &r, e);
    result->damaged += r.damaged;
    result->failed += r.failed;
    result->interrupted = result->interrupted || r.interrupted;
    if (ok && judge_wanted(o.judge))
        ok = report_run(o.config, &(struct report_facts){0}, &r, o.judge, false, NULL,
                        &result->fails, e);
    if (ok && r.all != NULL) {
        result->read += window_totals(r.all)->packets.read;
        result->lost += window_totals(r.all)->ledger.lost_packets;
    }
    if (ok && r.failed == 0 && !r.interrupted) {
        ok = publish(b, aside, &r, e);
        result->done += ok;
    } else {
        remove_dir(aside);
    }
    run_free(&r);
    return ok;
}

/* What decides the output of a capture besides its content: the configuration with sensor and
 * window, the policy, filter and events. */
static void hash_options(const struct run_options *o, char hex[static 17])
{
    char config[17], policy[17], all[4096];
    config_hash(o->config, config);
    tls_policy_hash(&o->judge->policy, policy);
    int n = snprintf(all, sizeof all, "%s %s %s %llu %d %u %s", config, policy, o->config->sensor,
                     (unsigned long long)o->config->window_s, o->config->continuous, o->events,
                     o->bpf != NULL ? o->bpf : "");
    size_t len = n < (int)sizeof all ? (size_t)n : sizeof all - 1;
    snprintf(hex, 17, "%016llx", (unsigned long long)hash_bytes(all, len, 0));
}

bool batch_run(const struct run_options *o, const struct paths *paths, bool resume,
               struct batch_result *result, struct err *e)
{
    struct batch b = {.o = o};
    char path[4400];
    *result = (struct batch_result){0};
    hash_options(o, b.config_hash);
    snprintf(path, sizeof path, "%s/captures.ndjson", o->dir);
    bool ok = !resume || read_done(&b, path, e);
    if (ok && (b.lines = fopen(path, resume ? "a" : "w")) == NULL) {
        err_set(e, "open %s: %s", path, strerror(errno));
        ok = false;
    }
    for (size_t i = 0; ok && i < paths->n && !result->interrupted; i++) {
        const struct path_item *item = &paths->items[i];
        const struct done *done = resume && item->error == NULL ? find_done(&b, item->path) : NULL;
        result->skipped += done != NULL;
        result->damaged += done != NULL && done->damaged;
        if (done == NULL)
            ok = run_one(&b, item, result, e);
        result->interrupted = result->interrupted || stop_wanted();
    }
    if (b.lines != NULL && fclose(b.lines) != 0 && ok) {
        err_set(e, "write %s: %s", path, strerror(errno));
        ok = false;
    }
    while (b.n_made > 0)
        free(b.made[--b.n_made]);
    free(b.made);
    free(b.done);
    return ok;
}
