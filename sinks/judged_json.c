#include "sinks/judged_json.h"

#include "sinks/rowjson_put.h"

/* ---- members. As in rowjson_put.h they are written at `p`, without looking for room: flags have
 * as many rows as segments, and the longest is far shorter than what begin() makes room for. */

#define MEMBER                                                                                     \
    static inline __attribute__((always_inline)) char * /* so that lengths of names are constants  \
                                                         */

MEMBER put_name(char *p, const char *name)
{
    p = put_text(p, ",\"");
    return put_text(put_text(p, name), "\":");
}

MEMBER put_bytes(char *p, const char *name, const void *bytes, size_t len)
{
    return len == 0 ? p : rowjson_put_string(put_name(p, name), bytes, len);
}

MEMBER put_string(char *p, const char *name, const char *string)
{
    return put_bytes(p, name, string, strlen(string));
}

MEMBER put_sum(char *p, const char *name, uint64_t v)
{
    return v == 0 ? p : put_number(put_name(p, name), v);
}

/* The end of an object whose members begin at `at`: what begins it replaces the first comma. */
static char *put_object_end(char *p, char *at)
{
    if (p == at)
        return put_text(p, "{}");
    *at = '{';
    return put_char(p, '}');
}

static char *put_sums(char *p, const char *name, const char *const words[], const uint64_t counts[],
                      unsigned n)
{
    char *at = p = put_name(p, name);
    for (unsigned i = 0; i < n; i++)
        p = put_sum(p, words[i], counts[i]);
    return put_object_end(p, at);
}

static char *put_client(char *p, const struct client *c)
{
    static const char *const kinds[] = {[CLIENT_GATEWAY] = "gateway", [CLIENT_HOST] = "host"};
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_client(c, text);
    if (n == 0 || c->kind == CLIENT_NONE)
        return p;
    p = put_string(p, "client_kind", kinds[c->kind]);
    return put_bytes(p, "client", text, n);
}

static char *put_server(char *p, const struct window *w, const struct service *s,
                        const char *client_type)
{
    char text[ROWJSON_WHO_MAX];
    size_t n = rowjson_site(w, s->site, text);
    struct addr none = {{0}};
    p = put_bytes(p, "site", text, n);
    char *at = p = put_name(p, "server");
    p = put_client(p, &s->device);
    if (!addr_equal(&s->addr, &none))
        p = put_bytes(p, "addr", text, addr_text(&s->addr, text));
    p = put_sum(p, "port", s->port);
    if (s->carrier != TLS_OVER_TCP)
        p = put_string(p, "carrier", s->carrier == TLS_OVER_QUIC ? "quic" : "dtls");
    p = put_bytes(p, "name", s->name.p, s->name.len);
    p = put_string(p, "name_source", name_source_names[s->name_source]);
    p = put_object_end(p, at);
    return put_string(p, "client_type", client_type);
}

static char *put_clients(char *p, const struct client_counts *c)
{
    static const char *const words[] = {"gateways", "hosts", "others"};
    return put_sums(p, "clients", words, (const uint64_t[]){c->gateways, c->hosts, c->others}, 3);
}

static char *put_times(char *p, uint64_t first_ns, uint64_t last_ns)
{
    return put_sum(put_sum(p, "first_ns", first_ns), "last_ns", last_ns);
}

/* ---- the same in a text */

/* Room for a row, and `len` bytes more as a string. NULL: memory is out. */
static char *begin(struct text_sink *t, size_t len)
{
    text_reserve(t, ROWJSON_STRING_BYTES(len) + ROWJSON_ROOM);
    return rowjson_begin(t);
}

static void end(struct text_sink *t, char *p)
{
    *p = '\0';
    rowjson_end(t, p);
}

void judged_json_text(struct text_sink *t, const char *name, const void *bytes, size_t len)
{
    char *p = begin(t, len);
    if (p != NULL)
        end(t, put_bytes(p, name, bytes, len));
}

void judged_json_word(struct text_sink *t, const char *name, const char *word)
{
    judged_json_text(t, name, word, strlen(word));
}

void judged_json_sum(struct text_sink *t, const char *name, uint64_t v)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_sum(p, name, v));
}

void judged_json_hex(struct text_sink *t, const char *name, const uint8_t *bytes, size_t n)
{
    char *p = begin(t, n);
    if (p == NULL)
        return;
    p = put_char(put_name(p, name), '"');
    for (size_t i = 0; i < n; i++)
        p = digits_byte(p, bytes[i]);
    end(t, put_char(p, '"'));
}

size_t judged_json_open(struct text_sink *t, const char *name)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_name(p, name));
    return t->len;
}

void judged_json_close(struct text_sink *t, size_t at)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_object_end(p, t->p + at));
}

void judged_json_counts(struct text_sink *t, const char *name, const char *const words[],
                        const uint64_t counts[], unsigned n)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_sums(p, name, words, counts, n));
}

void judged_json_client(struct text_sink *t, const struct client *c)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_client(p, c));
}

void judged_json_server(struct text_sink *t, const struct window *w, const struct service *s,
                        const char *client_type)
{
    char *p = begin(t, s->name.len);
    if (p != NULL)
        end(t, put_server(p, w, s, client_type));
}

void judged_json_clients(struct text_sink *t, const struct client_counts *c)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_clients(p, c));
}

void judged_json_times(struct text_sink *t, uint64_t first_ns, uint64_t last_ns)
{
    char *p = begin(t, 0);
    if (p != NULL)
        end(t, put_times(p, first_ns, last_ns));
}

/* ---- whole objects */

void judged_json_finding(struct text_sink *t, const struct window *w, const struct finding *f)
{
    char *p = begin(t, f->server->name.len);
    if (p == NULL)
        return;
    p = put_text(p, "{\"kind\":\"finding\"");
    p = put_server(p, w, f->server, f->client_type);
    p = put_string(p, "rule", weakness_names[f->rule]);
    p = put_string(p, "basis", basis_names[f->basis]);
    p = put_string(p, "severity", severity_names[f->severity]);
    p = put_sum(p, "sessions", f->sessions);
    p = put_clients(p, &f->clients);
    p = put_times(p, f->first_ns, f->last_ns);
    p = put_string(p, "detail", f->detail);
    char *at = p = put_name(p, "example");
    if (f->example != NULL)
        p = put_client(p, f->example);
    if (f->example_hello != 0)
        p = put_hex(put_name(p, "hello"), "", f->example_hello, 8);
    p = put_object_end(p, at);
    end(t, put_char(p, '}'));
}

void judged_json_judged(struct text_sink *t, const struct window *w, const struct judged_server *s)
{
    static const char *const words[] = {[JUDGED_WEAK] = "weak",
                                        [JUDGED_CLEAN] = "clean",
                                        [JUDGED_UNKNOWN] = "unknown",
                                        [JUDGED_FAILED] = "failed"};
    char *p = begin(t, s->server->name.len);
    if (p == NULL)
        return;
    p = put_text(p, "{\"kind\":\"judged\"");
    p = put_server(p, w, s->server, s->client_type);
    p = put_sum(p, "sessions", s->sessions);
    for (int k = 0; k < JUDGED_N; k++)
        p = put_sum(p, words[k], s->judged[k]);
    if (s->judged[JUDGED_UNKNOWN] > 0 && s->unknown != NULL)
        p = put_sums(p, "unknown_why", unknown_reason_names + 1, s->unknown + 1, UNKNOWN_N - 1);
    p = put_sums(p, "certificates", cert_state_names, s->certs, CERTS_N);
    if (s->worst > SEVERITY_OFF)
        p = put_string(p, "worst", severity_names[s->worst]);
    p = put_clients(p, &s->clients);
    p = put_times(p, s->first_ns, s->last_ns);
    end(t, put_char(p, '}'));
}
