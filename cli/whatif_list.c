#include "cli/whatif_part.h"
#include "core/tls_names.h"
#include "sinks/rowjson.h"

#include <inttypes.h>
#include <stdio.h>

/* One line, as texts in the order of the heads; "" where there is none. */
enum {
    COL_SITE,
    COL_KIND,
    COL_CLIENT,
    COL_KNOWN_AS,
    COL_TOLD,
    COL_SERVER,
    COL_PORT,
    COL_NAME,
    COL_NAME_SOURCE,
    COL_TYPE,
    COL_RESULT,
    COL_REASON,
    COL_SESSIONS,
    COL_FIRST,
    COL_LAST,
    COL_DAYS,
    COL_FAILING,
    COL_REPLACEMENT,
    COL_N
};
static const struct {
    const char *name;
    bool number;
} columns[COL_N] = {
    [COL_SITE] = {"site", false},
    [COL_KIND] = {"client_kind", false},
    [COL_CLIENT] = {"client", false},
    [COL_KNOWN_AS] = {"known_as", false},
    [COL_TOLD] = {"told_macs", true},
    [COL_SERVER] = {"server", false},
    [COL_PORT] = {"port", true},
    [COL_NAME] = {"name", false},
    [COL_NAME_SOURCE] = {"name_source", false},
    [COL_TYPE] = {"client_type", false},
    [COL_RESULT] = {"result", false},
    [COL_REASON] = {"reason", false},
    [COL_SESSIONS] = {"sessions", true},
    [COL_FIRST] = {"first_seen", false},
    [COL_LAST] = {"last_seen", false},
    [COL_DAYS] = {"days_seen", true},
    [COL_FAILING] = {"failing_today", false},
    [COL_REPLACEMENT] = {"on_replacement", false},
};
static const char *const replacement_words[] = {[REPLACEMENT_NONE] = "",
                                                [REPLACEMENT_NO] = "no",
                                                [REPLACEMENT_YES] = "yes",
                                                [REPLACEMENT_OTHER] = "as_another_type"};

enum { CELL_MAX = 320 };
struct line {
    char text[COL_N][CELL_MAX];
    size_t len[COL_N];
};

static void set(struct line *l, int column, const char *text)
{
    l->len[column] = (size_t)snprintf(l->text[column], CELL_MAX, "%s", text);
    if (l->len[column] >= CELL_MAX)
        l->len[column] = CELL_MAX - 1;
}

static void set_number(struct line *l, int column, uint64_t v)
{
    l->len[column] = (size_t)snprintf(l->text[column], CELL_MAX, "%" PRIu64, v);
}

static void set_time(struct line *l, int column, uint64_t ns)
{
    struct text_sink t = {0};
    text_time(&t, ns, 0);
    set(l, column, t.p != NULL ? t.p : "");
    text_free(&t);
}

static void set_who(struct line *to, const struct whatif_print *p, const struct whatif_line *l)
{
    static const char *const kinds[] = {
        [CLIENT_NONE] = "other", [CLIENT_GATEWAY] = "gateway", [CLIENT_HOST] = "host"};
    struct client c;
    struct addr outside;
    char text[ROWJSON_WHO_MAX];
    tls_item_client(l->item, &c, &outside);
    rowjson_site(p->w, c.site, text);
    set(to, COL_SITE, text);
    set(to, COL_KIND, kinds[c.kind]);
    if (c.by != BY_NONE)
        rowjson_client(&c, text);
    else
        addr_text(&outside, text);
    set(to, COL_CLIENT, text);
    text[0] = '\0';
    if (l->identity == IDENTITY_ONE)
        mac_text(l->mac, text);
    set(to, COL_KNOWN_AS, l->identity == IDENTITY_AMBIGUOUS ? "ambiguous" : text);
    set_number(to, COL_TOLD, l->told);
}

static void fill(struct line *to, const struct whatif_print *p, const struct whatif_line *l)
{
    struct service s;
    char text[ROWJSON_WHO_MAX], type[CLIENT_TYPE_MAX];
    set_who(to, p, l);
    tls_item_service(l->item, &s);
    if (s.device.by != BY_NONE)
        rowjson_client(&s.device, text);
    else
        addr_text(&s.addr, text);
    set(to, COL_SERVER, text);
    set_number(to, COL_PORT, s.port);
    to->len[COL_NAME] = s.name.len < CELL_MAX ? s.name.len : CELL_MAX;
    if (s.name.len > 0)
        memcpy(to->text[COL_NAME], s.name.p, to->len[COL_NAME]);
    set(to, COL_NAME_SOURCE, name_source_names[s.name_source]);
    tls_item_type(l->item, type);
    set(to, COL_TYPE, type);
    set(to, COL_RESULT, whatif_result_names[l->answer.result]);
    set(to, COL_REASON, whatif_reason_names[l->answer.reason]);
    set_number(to, COL_SESSIONS, l->sessions);
    set_time(to, COL_FIRST, l->first_ns);
    set_time(to, COL_LAST, l->last_ns);
    set_number(to, COL_DAYS, l->days);
    set(to, COL_FAILING, l->established == 0 && l->failed > 0 ? "true" : "false");
    set(to, COL_REPLACEMENT, replacement_words[l->on_replacement]);
}

/* RFC 4180; control bytes as \xNN, and nothing that a spreadsheet would take for a formula. */
static void put_csv_cell(struct text_sink *out, const char *p, size_t len)
{
    bool formula = len > 0 && memchr("=+-@\t\r", p[0], 6) != NULL;
    text_puts(out, formula ? "\"'" : "\"");
    for (size_t i = 0; i < len; i++) {
        uint8_t b = (uint8_t)p[i];
        if (b == '"')
            text_puts(out, "\"\"");
        else if (b < 0x20 || b >= 0x7f)
            text_printf(out, "\\x%02x", b);
        else
            text_put(out, p + i, 1);
    }
    text_puts(out, "\"");
}

void whatif_csv(const struct whatif_print *p, enum whatif_result result, struct text_sink *out)
{
    struct line line;
    for (int c = 0; c < COL_N; c++)
        text_printf(out, c > 0 ? ",%s" : "%s", columns[c].name);
    text_puts(out, "\r\n");
    for (size_t i = 0; i < p->f->n; i++) {
        const struct whatif_line *l = &p->f->lines[i];
        if (l->answer.result != result || !whatif_wanted(p, l))
            continue;
        fill(&line, p, l);
        for (int c = 0; c < COL_N; c++) {
            text_puts(out, c > 0 ? "," : "");
            if (columns[c].number)
                text_put(out, line.text[c], line.len[c]);
            else
                put_csv_cell(out, line.text[c], line.len[c]);
        }
        text_puts(out, "\r\n");
    }
}

void whatif_json(const struct whatif_print *p, enum whatif_result result, struct text_sink *out)
{
    struct line line;
    for (size_t i = 0; i < p->f->n; i++) {
        const struct whatif_line *l = &p->f->lines[i];
        const char *begin = "{";
        if (l->answer.result != result || !whatif_wanted(p, l))
            continue;
        fill(&line, p, l);
        for (int c = 0; c < COL_N; c++) {
            if (line.len[c] == 0)
                continue;
            text_printf(out, "%s\"%s\":", begin, columns[c].name);
            if (columns[c].number || c == COL_FAILING)
                text_put(out, line.text[c], line.len[c]);
            else
                rowjson_string(out, line.text[c], line.len[c]);
            begin = ",";
        }
        text_puts(out, "}\n");
    }
}
