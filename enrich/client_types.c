#include "enrich/client_types.h"

#include "core/config_list.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>

enum { PATTERN_MAX = 256, SOURCE_MAX = 256, JA4_LEN = 36, MEMO = 4096 };

struct entry {
    uint64_t hello;
    char ja4[PATTERN_MAX], user_agent[PATTERN_MAX];
    char name[CLIENT_TYPE_TEXT_MAX], version[CLIENT_TYPE_TEXT_MAX];
    char source[SOURCE_MAX];
    unsigned type; /* the number of the first entry of this name and version */
    char text[CLIENT_TYPE_TEXT_MAX], agent_text[CLIENT_TYPE_TEXT_MAX + 16];
};

struct client_types {
    struct entry *entries;
    size_t n;
};

/* ---- reading */

static bool text_set(char *to, size_t size, const char *text, struct err *e)
{
    size_t len = strlen(text);
    bool ok = len > 0 && len < size;
    for (size_t i = 0; ok && i < len; i++)
        ok = (uint8_t)text[i] >= 0x20 && text[i] != 0x7f;
    if (!ok) {
        err_set(e, "\"%.60s\" does not fit; 1 to %zu bytes without control characters", text,
                size - 1);
        return false;
    }
    memcpy(to, text, len);
    return true;
}

static bool hello_set(uint64_t *to, const char *text, struct err *e)
{
    char *end = NULL;
    bool ok = strlen(text) == 16 && text[strspn(text, "0123456789abcdef")] == '\0';
    *to = ok ? strtoull(text, &end, 16) : 0;
    if (*to == 0)
        err_set(e, "\"%.40s\" is no hello id; 16 hexadecimal digits, in quotes if all are decimal",
                text);
    return *to != 0;
}

/* A whole JA4, or a pattern of the characters of one. */
static bool ja4_set(char to[static PATTERN_MAX], const char *text, struct err *e)
{
    bool pattern = strpbrk(text, "*?[") != NULL;
    size_t len = strlen(text);
    bool ok = len > 0 && len < PATTERN_MAX && (pattern || len == JA4_LEN);
    for (size_t i = 0; ok && i < len; i++)
        ok = isalnum((unsigned char)text[i]) || text[i] == '_'
             || (pattern && strchr("*?[]!-", text[i]) != NULL);
    if (ok && !pattern)
        ok = text[10] == '_' && text[23] == '_';
    if (!ok) {
        err_set(e, "\"%.60s\" is no JA4; as t13d1516h2_8daaf6152771_e5627efa2ab1, or with * and ?",
                text);
        return false;
    }
    memcpy(to, text, len);
    return true;
}

static bool entry_set(void *element, const char *key, struct scalar v, struct err *e)
{
    struct entry *t = element;
    bool matcher =
        strcmp(key, "hello") == 0 || strcmp(key, "ja4") == 0 || strcmp(key, "user_agent") == 0;
    if (matcher && (t->hello != 0 || t->ja4[0] != '\0' || t->user_agent[0] != '\0')) {
        err_set(e, "an entry has one of hello, ja4 and user_agent; begin another with \"- \"");
        return false;
    }
    if (strcmp(key, "hello") == 0)
        return hello_set(&t->hello, v.text, e);
    if (strcmp(key, "ja4") == 0)
        return ja4_set(t->ja4, v.text, e);
    if (strcmp(key, "user_agent") == 0)
        return text_set(t->user_agent, sizeof t->user_agent, v.text, e);
    if (strcmp(key, "name") == 0)
        return text_set(t->name, sizeof t->name, v.text, e);
    if (strcmp(key, "version") == 0)
        return text_set(t->version, sizeof t->version, v.text, e);
    return text_set(t->source, sizeof t->source, v.text, e);
}

static bool entry_whole(const void *element, struct err *e)
{
    const struct entry *t = element;
    const char *missing = t->hello == 0 && t->ja4[0] == '\0' && t->user_agent[0] == '\0'
                              ? "hello, ja4 or user_agent"
                          : t->name[0] == '\0'   ? "name"
                          : t->source[0] == '\0' ? "source"
                                                 : NULL;
    if (missing != NULL)
        err_set(e, "the key %s is missing", missing);
    else if (strlen(t->name) + strlen(t->version) + 2 > CLIENT_TYPE_TEXT_MAX)
        err_set(e, "name and version are too long; together at most %d bytes",
                CLIENT_TYPE_TEXT_MAX - 2);
    else
        return true;
    return false;
}

static const struct key_list entries = {
    .size = sizeof(struct entry),
    .max = CLIENT_TYPES_MAX,
    .members =
        (const char *const[]){"hello", "ja4", "user_agent", "name", "version", "source", NULL},
    .set = entry_set,
    .whole = entry_whole,
};

static void number(struct client_types *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct entry *entry = &t->entries[i];
        strcpy(entry->text, entry->name); /* they fit: entry_whole saw to that */
        if (entry->version[0] != '\0')
            strcat(strcat(entry->text, " "), entry->version);
        strcat(strcpy(entry->agent_text, entry->text), " (User-Agent)");
        size_t first = 0;
        while (strcmp(t->entries[first].text, entry->text) != 0)
            first++;
        entry->type = (unsigned)first + 1;
    }
}

bool client_types_load(struct client_types **out, const char *path, struct err *e)
{
    void *read;
    struct client_types *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    if (!config_list_load(path, "client_types", &entries, &read, &t->n, e)) {
        free(t);
        return false;
    }
    t->entries = read;
    number(t);
    *out = t;
    return true;
}

void client_types_free(struct client_types *t)
{
    if (t == NULL)
        return;
    free(t->entries);
    free(t);
}

/* ---- asking */

unsigned client_types_of_hello(const struct client_types *t, uint64_t hello, struct bytes ja4)
{
    char text[PATTERN_MAX];
    for (size_t i = 0; hello != 0 && i < t->n; i++)
        if (t->entries[i].hello == hello)
            return t->entries[i].type;
    if (ja4.len == 0 || ja4.len >= sizeof text)
        return 0;
    memcpy(text, ja4.p, ja4.len);
    text[ja4.len] = '\0';
    for (size_t i = 0; i < t->n; i++)
        if (t->entries[i].ja4[0] != '\0' && fnmatch(t->entries[i].ja4, text, 0) == 0)
            return t->entries[i].type;
    return 0;
}

unsigned client_types_of_agent(const struct client_types *t, struct bytes user_agent)
{
    char text[1024];
    if (user_agent.len == 0 || user_agent.len >= sizeof text)
        return 0;
    memcpy(text, user_agent.p, user_agent.len);
    text[user_agent.len] = '\0';
    for (size_t i = 0; i < t->n; i++)
        if (t->entries[i].user_agent[0] != '\0' && fnmatch(t->entries[i].user_agent, text, 0) == 0)
            return t->entries[i].type + (unsigned)t->n;
    return 0;
}

const char *client_types_text(const struct client_types *t, unsigned type)
{
    if (t == NULL || type == 0 || type > 2 * t->n)
        return "";
    return type <= t->n ? t->entries[type - 1].text : t->entries[type - 1 - t->n].agent_text;
}

/* ---- the sessions of a window */

/* What a client's User-Agents say; 0: not one type. */
struct agent {
    struct client client;
    unsigned type;
};

struct client_typing {
    const struct client_types *types;
    const struct window *w;
    struct agent *agents; /* sorted by client */
    size_t n;
    struct memo {
        uint64_t hello;
        uint32_t ja4; /* string of the window */
        unsigned type;
        bool used;
    } memo[MEMO]; /* hellos are few, and their sessions many */
};

static int by_client(const void *a, const void *b)
{
    return memcmp(&((const struct agent *)a)->client, &((const struct agent *)b)->client,
                  sizeof(struct client));
}

static void agents_read(struct client_typing *c, void *const rows[], size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct row_binding *b = rows[i];
        unsigned type = b->key.kind == BIND_USER_AGENT
                            ? client_types_of_agent(c->types, window_string(c->w, b->key.value))
                            : 0;
        if (type != 0)
            c->agents[c->n++] = (struct agent){b->key.client, type};
    }
    qsort(c->agents, c->n, sizeof *c->agents, by_client);
    for (size_t i = 0; i < c->n; i++) {
        struct agent *last = kept > 0 ? &c->agents[kept - 1] : NULL;
        if (last == NULL || by_client(last, &c->agents[i]) != 0)
            c->agents[kept++] = c->agents[i];
        else if (last->type != c->agents[i].type)
            last->type = 0;
    }
    c->n = kept;
}

bool client_typing_new(struct client_typing **out, const struct client_types *t, struct window *w,
                       struct err *e)
{
    size_t n;
    void *const *rows = window_rows(w, ROW_BINDING, &n);
    struct client_typing *c = calloc(1, sizeof *c);
    if (c == NULL || (c->agents = calloc(n > 0 ? n : 1, sizeof *c->agents)) == NULL) {
        free(c);
        err_set(e, "out of memory");
        return false;
    }
    c->types = t;
    c->w = w;
    if (t != NULL)
        agents_read(c, rows, n);
    *out = c;
    return true;
}

void client_typing_free(struct client_typing *c)
{
    if (c == NULL)
        return;
    free(c->agents);
    free(c);
}

static unsigned of_hello(struct client_typing *c, const struct row_tls *row)
{
    struct memo *m =
        &c->memo[(row->key.hello ^ row->key.ja4 * UINT64_C(0x9e3779b97f4a7c15) >> 40) % MEMO];
    if (!m->used || m->hello != row->key.hello || m->ja4 != row->key.ja4)
        *m = (struct memo){
            row->key.hello, row->key.ja4,
            client_types_of_hello(c->types, row->key.hello, window_string(c->w, row->key.ja4)),
            true};
    return m->type;
}

unsigned client_typing_of(struct client_typing *c, const struct row_tls *row)
{
    if (c->types == NULL || row->key.hello == 0)
        return 0;
    unsigned type = of_hello(c, row);
    if (type != 0 || row->key.role != ROLE_CLIENT || c->n == 0)
        return type;
    const struct agent want = {.client = row->key.client},
                       *found = bsearch(&want, c->agents, c->n, sizeof *c->agents, by_client);
    return found != NULL ? found->type : 0;
}
