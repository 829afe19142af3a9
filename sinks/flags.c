#include "sinks/flags.h"

#include "sinks/rowjson.h"
#include "sinks/segment_file.h"
#include "sinks/zstd_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct writing {
    const struct flags *f;
    const struct flags_head *h;
    const struct window *w;
    int zstd_level;
};

/* ---- members; each after a comma */

static void put_name(struct text_sink *t, const char *name)
{
    text_put(t, ",\"", 2);
    text_puts(t, name);
    text_put(t, "\":", 2);
}

static void put_text(struct text_sink *t, const char *name, const void *p, size_t len)
{
    if (len == 0)
        return;
    put_name(t, name);
    rowjson_string(t, p, len);
}

static void put_word(struct text_sink *t, const char *name, const char *word)
{
    put_text(t, name, word, strlen(word));
}

static void put_sum(struct text_sink *t, const char *name, uint64_t v)
{
    if (v == 0)
        return;
    put_name(t, name);
    text_u64(t, v <= INT64_MAX ? v : (uint64_t)INT64_MAX);
}

static void put_hex(struct text_sink *t, const char *name, const uint8_t *p, size_t n)
{
    put_name(t, name);
    text_puts(t, "\"");
    for (size_t i = 0; i < n; i++)
        text_printf(t, "%02x", p[i]);
    text_puts(t, "\"");
}

/* Members of an object: what begins it is replaced by the first comma. */
static size_t open_object(struct text_sink *t, const char *name)
{
    put_name(t, name);
    return t->len;
}

static void close_object(struct text_sink *t, size_t at)
{
    if (t->failed)
        return;
    if (t->len == at) {
        text_puts(t, "{}");
        return;
    }
    t->p[at] = '{';
    text_puts(t, "}");
}

static void put_counts(struct text_sink *t, const char *name, const char *const words[],
                       const uint64_t counts[], unsigned n)
{
    size_t at = open_object(t, name);
    for (unsigned i = 0; i < n; i++)
        put_sum(t, words[i], counts[i]);
    close_object(t, at);
}

static void put_client(struct text_sink *t, const struct client *c)
{
    static const char *const kinds[] = {[CLIENT_GATEWAY] = "gateway", [CLIENT_HOST] = "host"};
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_client(c, text);
    if (n == 0 || c->kind == CLIENT_NONE)
        return;
    put_word(t, "client_kind", kinds[c->kind]);
    put_text(t, "client", text, n);
}

static void put_server(struct text_sink *t, const struct window *w, const struct service *s,
                       const char *client_type)
{
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_site(w, s->site, text);
    struct addr none = {{0}};
    put_text(t, "site", text, n);
    size_t at = open_object(t, "server");
    put_client(t, &s->device);
    if (!addr_equal(&s->addr, &none))
        put_text(t, "addr", text, addr_text(&s->addr, text));
    put_sum(t, "port", s->port);
    if (s->carrier != TLS_OVER_TCP)
        put_word(t, "carrier", s->carrier == TLS_OVER_QUIC ? "quic" : "dtls");
    put_text(t, "name", s->name.p, s->name.len);
    put_word(t, "name_source", name_source_names[s->name_source]);
    close_object(t, at);
    put_word(t, "client_type", client_type);
}

static void put_clients(struct text_sink *t, const struct client_counts *c)
{
    static const char *const words[] = {"gateways", "hosts", "others"};
    put_counts(t, "clients", words, (const uint64_t[]){c->gateways, c->hosts, c->others}, 3);
}

static void put_times(struct text_sink *t, uint64_t first_ns, uint64_t last_ns)
{
    put_sum(t, "first_ns", first_ns);
    put_sum(t, "last_ns", last_ns);
}

/* ---- rows */

static void put_head(struct text_sink *t, const struct flags_head *h)
{
    text_puts(t, "{\"kind\":\"segment\",\"schema\":\"" FLAGS_SCHEMA "\"");
    put_word(t, "sensor", h->sensor);
    text_puts(t, ",\"start\":\"");
    text_time(t, h->start_s * 1000000000, 0);
    text_puts(t, "\",\"end\":\"");
    text_time(t, (h->start_s + h->length_s) * 1000000000, 0);
    text_puts(t, "\"");
    put_sum(t, "window_s", h->length_s);
    put_hex(t, "summary_sha256", h->summary_sha256, sizeof h->summary_sha256);
    put_word(t, "policy", h->policy);
    put_word(t, "policy_hash", h->policy_hash);
    put_word(t, "release", h->release);
    text_puts(t, "}\n");
}

static void put_finding(struct text_sink *t, const struct window *w, const struct finding *f)
{
    text_puts(t, "{\"kind\":\"finding\"");
    put_server(t, w, &f->server, f->client_type);
    put_word(t, "rule", weakness_names[f->rule]);
    put_word(t, "basis", basis_names[f->basis]);
    put_word(t, "severity", severity_names[f->severity]);
    put_sum(t, "sessions", f->sessions);
    put_clients(t, &f->clients);
    put_times(t, f->first_ns, f->last_ns);
    put_word(t, "detail", f->detail);
    size_t at = open_object(t, "example");
    put_client(t, &f->example);
    if (f->example_hello != 0)
        text_printf(t, ",\"hello\":\"%016" PRIx64 "\"", f->example_hello);
    close_object(t, at);
    text_puts(t, "}\n");
}

static void put_judged(struct text_sink *t, const struct window *w, const struct judged_server *s)
{
    static const char *const words[] = {[JUDGED_WEAK] = "weak",
                                        [JUDGED_CLEAN] = "clean",
                                        [JUDGED_UNKNOWN] = "unknown",
                                        [JUDGED_FAILED] = "failed"};
    text_puts(t, "{\"kind\":\"judged\"");
    put_server(t, w, &s->server, s->client_type);
    put_sum(t, "sessions", s->sessions);
    for (int k = 0; k < JUDGED_N; k++)
        put_sum(t, words[k], s->judged[k]);
    if (s->judged[JUDGED_UNKNOWN] > 0)
        put_counts(t, "unknown_why", unknown_reason_names + 1, s->unknown + 1, UNKNOWN_N - 1);
    put_counts(t, "certificates", cert_state_names, s->certs, CERTS_N);
    if (s->worst > SEVERITY_OFF)
        put_word(t, "worst", severity_names[s->worst]);
    put_clients(t, &s->clients);
    put_times(t, s->first_ns, s->last_ns);
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
    put_counts(t, "rows", words, (const uint64_t[]){f->n_findings, f->n_servers}, 2);
    put_hex(t, "sha256", digest, sizeof digest);
    text_puts(t, "}\n");
    return zstd_out_line(z, e) && zstd_out_end(z, e);
}

static bool write_rows(void *ctx, int fd, struct err *e)
{
    const struct writing *x = ctx;
    struct zstd_out *z;
    if (!zstd_out_new(&z, fd, x->zstd_level, e))
        return false;
    struct text_sink *t = zstd_out_text(z);
    put_head(t, x->h);
    bool ok = zstd_out_line(z, e);
    for (size_t i = 0; ok && i < x->f->n_findings; i++) {
        put_finding(t, x->w, &x->f->findings[i]);
        ok = zstd_out_line(z, e);
    }
    for (size_t i = 0; ok && i < x->f->n_servers; i++) {
        put_judged(t, x->w, &x->f->servers[i]);
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
