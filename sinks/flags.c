#include "sinks/flags.h"

#include "sinks/judged_json.h"
#include "sinks/segment_file.h"
#include "sinks/zstd_file.h"

#include <stdio.h>
#include <string.h>

struct writing {
    const struct flags *f;
    const struct flags_head *h;
    const struct window *w;
    int zstd_level;
};

/* ---- rows */

static void put_head(struct text_sink *t, const struct flags_head *h)
{
    text_puts(t, "{\"kind\":\"segment\",\"schema\":\"" FLAGS_SCHEMA "\"");
    judged_json_word(t, "sensor", h->sensor);
    text_puts(t, ",\"start\":\"");
    text_time(t, h->start_s * 1000000000, 0);
    text_puts(t, "\",\"end\":\"");
    text_time(t, (h->start_s + h->length_s) * 1000000000, 0);
    text_puts(t, "\"");
    judged_json_sum(t, "window_s", h->length_s);
    judged_json_hex(t, "summary_sha256", h->summary_sha256, sizeof h->summary_sha256);
    judged_json_word(t, "policy", h->policy);
    judged_json_word(t, "policy_hash", h->policy_hash);
    judged_json_word(t, "release", h->release);
    text_puts(t, "}\n");
}

static bool put_end(struct zstd_out *z, const struct flags *f, struct err *e)
{
    uint8_t digest[32];
    if (!zstd_out_sha256(z, digest, e))
        return false;
    struct text_sink *t = zstd_out_text(z);
    static const char *const words[] = {"finding", "judged"};
    text_puts(t, "{\"kind\":\"end\"");
    judged_json_counts(t, "rows", words, (const uint64_t[]){f->n_findings, f->n_servers}, 2);
    judged_json_hex(t, "sha256", digest, sizeof digest);
    text_puts(t, "}\n");
    return zstd_out_line(z, e) && zstd_out_end(z, e);
}

static bool write_rows(void *ctx, int fd, struct err *e)
{
    enum { AHEAD = 8 };
    const struct writing *x = ctx;
    struct zstd_out *z;
    if (!zstd_out_new(&z, fd, x->zstd_level, e))
        return false;
    struct text_sink *t = zstd_out_text(z);
    put_head(t, x->h);
    bool ok = zstd_out_line(z, e);
    for (size_t i = 0; ok && i < x->f->n_findings; i++) {
        if (i + AHEAD < x->f->n_findings) /* in a row of the window: those lie anywhere */
            __builtin_prefetch(x->f->findings[i + AHEAD].example);
        judged_json_finding(t, x->w, &x->f->findings[i]);
        text_puts(t, "\n");
        ok = zstd_out_line(z, e);
    }
    for (size_t i = 0; ok && i < x->f->n_servers; i++) {
        judged_json_judged(t, x->w, &x->f->servers[i]);
        text_puts(t, "\n");
        ok = zstd_out_line(z, e);
    }
    ok = ok && put_end(z, x->f, e);
    zstd_out_free(z);
    return ok;
}

/* ---- files */

void flags_name(const struct segment_head *h, const char *summary_path, char name[static 160])
{
    static const char begin[] = "summary-";
    const char *slash = summary_path != NULL ? strrchr(summary_path, '/') : NULL;
    const char *base = slash != NULL ? slash + 1 : summary_path;
    char made[160];
    if (base == NULL || strncmp(base, begin, sizeof begin - 1) != 0
        || strlen(base) >= sizeof made) {
        segment_name(h, made);
        base = made;
    }
    snprintf(name, 160, "flags-%s", base + sizeof begin - 1);
}

bool flags_write(const struct flags *f, const struct flags_head *h, const struct window *w,
                 const char *dir, const char *name, const struct segment_options *o, struct err *e)
{
    struct writing x = {f, h, w, o->zstd_level};
    struct segment_options replace = *o;
    replace.force = true;
    replace.append = false;
    replace.name = NULL; /* the summary's */
    return segment_place(&(struct segment_content){write_rows, &x}, dir, name, &replace, e)
           || err_in(e, "write flags");
}
