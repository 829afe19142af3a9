#include "sinks/judged_json.h"

#include "sinks/rowjson.h"

#include <inttypes.h>
#include <string.h>

/* ---- members; each after a comma */

static void put_name(struct text_sink *t, const char *name)
{
    text_put(t, ",\"", 2);
    text_puts(t, name);
    text_put(t, "\":", 2);
}

void judged_json_text(struct text_sink *t, const char *name, const void *p, size_t len)
{
    if (len == 0)
        return;
    put_name(t, name);
    rowjson_string(t, p, len);
}

void judged_json_word(struct text_sink *t, const char *name, const char *word)
{
    judged_json_text(t, name, word, strlen(word));
}

void judged_json_sum(struct text_sink *t, const char *name, uint64_t v)
{
    if (v == 0)
        return;
    put_name(t, name);
    text_u64(t, v <= INT64_MAX ? v : (uint64_t)INT64_MAX);
}

void judged_json_hex(struct text_sink *t, const char *name, const uint8_t *p, size_t n)
{
    put_name(t, name);
    text_puts(t, "\"");
    for (size_t i = 0; i < n; i++)
        text_printf(t, "%02x", p[i]);
    text_puts(t, "\"");
}

/* Members of an object: what begins it is replaced by the first comma. */
size_t judged_json_open(struct text_sink *t, const char *name)
{
    put_name(t, name);
    return t->len;
}

void judged_json_close(struct text_sink *t, size_t at)
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

void judged_json_counts(struct text_sink *t, const char *name, const char *const words[],
                        const uint64_t counts[], unsigned n)
{
    size_t at = judged_json_open(t, name);
    for (unsigned i = 0; i < n; i++)
        judged_json_sum(t, words[i], counts[i]);
    judged_json_close(t, at);
}

void judged_json_client(struct text_sink *t, const struct client *c)
{
    static const char *const kinds[] = {[CLIENT_GATEWAY] = "gateway", [CLIENT_HOST] = "host"};
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_client(c, text);
    if (n == 0 || c->kind == CLIENT_NONE)
        return;
    judged_json_word(t, "client_kind", kinds[c->kind]);
    judged_json_text(t, "client", text, n);
}

void judged_json_server(struct text_sink *t, const struct window *w, const struct service *s,
                        const char *client_type)
{
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_site(w, s->site, text);
    struct addr none = {{0}};
    judged_json_text(t, "site", text, n);
    size_t at = judged_json_open(t, "server");
    judged_json_client(t, &s->device);
    if (!addr_equal(&s->addr, &none))
        judged_json_text(t, "addr", text, addr_text(&s->addr, text));
    judged_json_sum(t, "port", s->port);
    if (s->carrier != TLS_OVER_TCP)
        judged_json_word(t, "carrier", s->carrier == TLS_OVER_QUIC ? "quic" : "dtls");
    judged_json_text(t, "name", s->name.p, s->name.len);
    judged_json_word(t, "name_source", name_source_names[s->name_source]);
    judged_json_close(t, at);
    judged_json_word(t, "client_type", client_type);
}

void judged_json_clients(struct text_sink *t, const struct client_counts *c)
{
    static const char *const words[] = {"gateways", "hosts", "others"};
    judged_json_counts(t, "clients", words, (const uint64_t[]){c->gateways, c->hosts, c->others},
                       3);
}

void judged_json_times(struct text_sink *t, uint64_t first_ns, uint64_t last_ns)
{
    judged_json_sum(t, "first_ns", first_ns);
    judged_json_sum(t, "last_ns", last_ns);
}

void judged_json_finding(struct text_sink *t, const struct window *w, const struct finding *f)
{
    text_puts(t, "{\"kind\":\"finding\"");
    judged_json_server(t, w, &f->server, f->client_type);
    judged_json_word(t, "rule", weakness_names[f->rule]);
    judged_json_word(t, "basis", basis_names[f->basis]);
    judged_json_word(t, "severity", severity_names[f->severity]);
    judged_json_sum(t, "sessions", f->sessions);
    judged_json_clients(t, &f->clients);
    judged_json_times(t, f->first_ns, f->last_ns);
    judged_json_word(t, "detail", f->detail);
    size_t at = judged_json_open(t, "example");
    judged_json_client(t, &f->example);
    if (f->example_hello != 0)
        text_printf(t, ",\"hello\":\"%016" PRIx64 "\"", f->example_hello);
    judged_json_close(t, at);
    text_puts(t, "}");
}

void judged_json_judged(struct text_sink *t, const struct window *w, const struct judged_server *s)
{
    static const char *const words[] = {[JUDGED_WEAK] = "weak",
                                        [JUDGED_CLEAN] = "clean",
                                        [JUDGED_UNKNOWN] = "unknown",
                                        [JUDGED_FAILED] = "failed"};
    text_puts(t, "{\"kind\":\"judged\"");
    judged_json_server(t, w, &s->server, s->client_type);
    judged_json_sum(t, "sessions", s->sessions);
    for (int k = 0; k < JUDGED_N; k++)
        judged_json_sum(t, words[k], s->judged[k]);
    if (s->judged[JUDGED_UNKNOWN] > 0)
        judged_json_counts(t, "unknown_why", unknown_reason_names + 1, s->unknown + 1,
                           UNKNOWN_N - 1);
    judged_json_counts(t, "certificates", cert_state_names, s->certs, CERTS_N);
    if (s->worst > SEVERITY_OFF)
        judged_json_word(t, "worst", severity_names[s->worst]);
    judged_json_clients(t, &s->clients);
    judged_json_times(t, s->first_ns, s->last_ns);
    text_puts(t, "}");
}
