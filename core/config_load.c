/* YAML in: libyaml's tree, which knows the line of every node, is walked along the table of keys.
 *
 * libcyaml binds trees to structs too, but version 1.3 takes -1 and "3k" for numbers, any word for
 * true, and forgets the place of a value that our own checks refuse. */
#include "core/config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { FILE_MAX_BYTES = 256 * 1024, BRACKETS_MAX = 64 };

struct load {
    const struct key_table *t;
    void *c;          /* what it fills; NULL: a list is read */
    const char *root; /* its key, the list, and what was read */
    const struct key_list *list;
    uint8_t *elements;
    size_t n;
    const char *path, *text;
    size_t len; /* of text */
    yaml_document_t *doc;
    const yaml_node_t *blamed; /* where the key at t->blame_at was set, or NULL */
    struct err *e;
};

/* Puts the place in front of the error. */
static bool fail_mark(const struct load *l, yaml_mark_t at)
{
    return err_in(l->e, "%s:%zu:%zu", l->path, at.line + 1, at.column + 1);
}

/* Puts the place and the key in front of the error. */
static bool fail_at(const struct load *l, const yaml_node_t *at, const char *key)
{
    if (key[0] != '\0')
        (void)err_in(l->e, "%s", key);
    return fail_mark(l, at->start_mark);
}

static bool fail_type(const struct load *l, const yaml_node_t *at, const char *key,
                      const char *want)
{
    static const char *const names[] = {[YAML_NO_NODE] = "nothing",
                                        [YAML_SCALAR_NODE] = "a single value",
                                        [YAML_SEQUENCE_NODE] = "a list",
                                        [YAML_MAPPING_NODE] = "a mapping"};
    err_set(l->e, "%s stands here; %s belongs here", names[at->type], want);
    return fail_at(l, at, key);
}

static bool scalar_of(const struct load *l, const yaml_node_t *node, const char *key,
                      struct scalar *v)
{
    if (node->type != YAML_SCALAR_NODE)
        return fail_type(l, node, key, "a single value");
    if (strcmp((const char *)node->tag, YAML_STR_TAG) != 0
        || memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL) {
        err_set(l->e, "a tag or a NUL byte; plain and quoted text only");
        return fail_at(l, node, key);
    }
    v->text = (const char *)node->data.scalar.value;
    v->plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return true;
}

/* A mapping's key, and that none before it is the same. */
static bool key_of(const struct load *l, const yaml_node_t *map, const yaml_node_pair_t *pair,
                   const char *where, const char **name)
{
    const yaml_node_t *node = yaml_document_get_node(l->doc, pair->key);
    struct scalar v;
    if (!scalar_of(l, node, where, &v))
        return false;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *before = yaml_document_get_node(l->doc, p->key);
        if (strcmp((const char *)before->data.scalar.value, v.text) == 0) {
            err_set(l->e, "the key \"%.60s\" is there twice; first in line %zu", v.text,
                    before->start_mark.line + 1);
            return fail_at(l, node, where);
        }
    }
    *name = v.text;
    return true;
}

static bool fail_unknown(const struct load *l, const yaml_node_pair_t *pair, const char *name,
                         const char *where, const char *known)
{
    err_set(l->e, "unknown key \"%.60s\"%s%s; known: %s", name, where[0] != '\0' ? " in " : "",
            where, known);
    return fail_at(l, yaml_document_get_node(l->doc, pair->key), "");
}

static bool is_member(const struct key_list *list, const char *name)
{
    for (unsigned i = 0; list->members[i] != NULL; i++)
        if (strcmp(list->members[i], name) == 0)
            return true;
    return false;
}

static bool fail_member(const struct load *l, const yaml_node_pair_t *pair, const char *name,
                        const char *where, const struct key_list *list)
{
    char known[320];
    size_t at = 0;
    for (unsigned i = 0; list->members[i] != NULL && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i > 0 ? ", " : "",
                               list->members[i]);
    return fail_unknown(l, pair, name, where, known);
}

static bool load_element(const struct load *l, const yaml_node_t *node, const struct key_list *list,
                         const char *where, void *element)
{
    struct scalar v;
    memset(element, 0, list->size);
    if (list->init != NULL)
        list->init(element);
    if (list->members == NULL)
        return scalar_of(l, node, where, &v)
               && (list->set(element, NULL, v, l->e) || fail_at(l, node, where));
    if (node->type != YAML_MAPPING_NODE)
        return fail_type(l, node, where, "a mapping");
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *value = yaml_document_get_node(l->doc, pair->value);
        const char *name;
        char key[160];
        if (!key_of(l, node, pair, where, &name))
            return false;
        snprintf(key, sizeof key, "%s.%.60s", where, name);
        if (!is_member(list, name))
            return fail_member(l, pair, name, where, list);
        if (!scalar_of(l, value, key, &v))
            return false;
        if (!list->set(element, name, v, l->e))
            return fail_at(l, value, key);
    }
    return list->whole == NULL || list->whole(element, l->e) || fail_at(l, node, where);
}

static bool load_list(const struct load *l, const yaml_node_t *node, const struct key *k)
{
    const struct key_list *list = k->list;
    if (node->type != YAML_SEQUENCE_NODE)
        return fail_type(l, node, k->name, "a list");
    unsigned n = 0;
    const yaml_node_item_t *item = node->data.sequence.items.start;
    for (; item < node->data.sequence.items.top; item++, n++) {
        const yaml_node_t *element = yaml_document_get_node(l->doc, *item);
        char where[80];
        snprintf(where, sizeof where, "%s[%u]", k->name, n);
        if (n == list->max) {
            err_set(l->e, "the list is too long; at most %u", list->max);
            return fail_at(l, element, k->name);
        }
        if (!load_element(l, element, list, where, (char *)l->c + k->at + n * list->size))
            return false;
        if (list->fits != NULL && !list->fits((char *)l->c + k->at, n, l->e))
            return fail_at(l, element, where);
    }
    memset((char *)l->c + k->at + n * list->size, 0, (list->max - n) * list->size);
    memcpy((char *)l->c + list->n_at, &n, sizeof n);
    return true;
}

static bool load_value(struct load *l, const yaml_node_t *node, const struct key *k)
{
    struct scalar v;
    if (k->kind == KEY_LIST)
        return load_list(l, node, k);
    if (k->at == l->t->blame_at)
        l->blamed = node;
    return scalar_of(l, node, k->name, &v)
           && (config_key_set(l->c, k, v, l->e) || fail_at(l, node, k->name));
}

/* Of the key `name` inside the mapping `where`: the row of the table, and whether it is a mapping
 * itself. */
static const struct key *find_key(const struct key_table *t, const char *where, const char *name,
                                  bool *is_mapping)
{
    size_t where_len = strlen(where), len = strlen(name);
    for (unsigned i = 0; i < t->n; i++) {
        const char *at = t->keys[i].name;
        if (where_len > 0) {
            if (strncmp(at, where, where_len) != 0 || at[where_len] != '.')
                continue;
            at += where_len + 1;
        }
        if (strncmp(at, name, len) == 0 && (at[len] == '\0' || at[len] == '.')) {
            *is_mapping = at[len] == '.';
            return &t->keys[i];
        }
    }
    return NULL;
}

/* The keys known inside the mapping `where`, for an error text. */
static void known_keys(const struct key_table *t, const char *where, char *to, size_t size)
{
    size_t where_len = strlen(where), at = 0;
    const char *last = "";
    size_t last_len = 0;
    for (unsigned i = 0; i < t->n; i++) {
        const char *name = t->keys[i].name;
        if (where_len > 0) {
            if (strncmp(name, where, where_len) != 0 || name[where_len] != '.')
                continue;
            name += where_len + 1;
        }
        size_t len = strcspn(name, ".");
        if ((len == last_len && memcmp(name, last, len) == 0) || at + len + 3 > size)
            continue;
        at += (size_t)snprintf(to + at, size - at, "%s%.*s", at > 0 ? ", " : "", (int)len, name);
        last = name;
        last_len = len;
    }
}

/* The table is two levels deep, and so is this. */
static bool load_mapping(struct load *l, const yaml_node_t *node, const char *where)
{
    if (node->type != YAML_MAPPING_NODE)
        return fail_type(l, node, where, "a mapping");
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *value = yaml_document_get_node(l->doc, pair->value);
        const char *name;
        bool is_mapping;
        if (!key_of(l, node, pair, where, &name))
            return false;
        const struct key *k = strchr(name, '.') == NULL && name[0] != '\0'
                                  ? find_key(l->t, where, name, &is_mapping)
                                  : NULL;
        if (k == NULL) {
            char known[320] = "";
            known_keys(l->t, where, known, sizeof known);
            return fail_unknown(l, pair, name, where, known);
        }
        bool ok = is_mapping ? load_mapping(l, value, name) : load_value(l, value, k);
        if (!ok)
            return false;
    }
    return true;
}

/* A file of one list. */
static bool load_root(struct load *l, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return fail_type(l, node, "", "a mapping");
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *value = yaml_document_get_node(l->doc, pair->value);
        const char *name;
        if (!key_of(l, node, pair, "", &name))
            return false;
        if (strcmp(name, l->root) != 0)
            return fail_unknown(l, pair, name, "", l->root);
        if (value->type != YAML_SEQUENCE_NODE)
            return fail_type(l, value, name, "a list");
        const yaml_node_item_t *items = value->data.sequence.items.start;
        size_t n = (size_t)(value->data.sequence.items.top - items);
        if (n > l->list->max) {
            err_set(l->e, "the list is too long; at most %u", l->list->max);
            return fail_at(l, value, name);
        }
        l->elements = calloc(n > 0 ? n : 1, l->list->size);
        if (l->elements == NULL) {
            err_set(l->e, "out of memory");
            return fail_at(l, value, name);
        }
        for (; l->n < n; l->n++) {
            char where[80];
            snprintf(where, sizeof where, "%s[%zu]", name, l->n);
            if (!load_element(l, yaml_document_get_node(l->doc, items[l->n]), l->list, where,
                              l->elements + l->n * l->list->size))
                return false;
        }
    }
    return true;
}

static yaml_mark_t mark_of(const struct load *l, size_t offset)
{
    yaml_mark_t at = {0};
    for (size_t i = 0; i < offset && i < l->len; i++) {
        at.line += l->text[i] == '\n';
        at.column = l->text[i] == '\n' ? 0 : at.column + 1;
    }
    return at;
}

/* libyaml takes time that grows with the square of open brackets: minutes for a file of nothing
 * else. */
static bool brackets_few(const struct load *l)
{
    unsigned open = 0;
    for (size_t i = 0; i < l->len; i++) {
        char c = l->text[i];
        if (c == '[' || c == '{')
            open++;
        else if ((c == ']' || c == '}') && open > 0)
            open--;
        if (open > BRACKETS_MAX) {
            err_set(l->e, "too many open brackets; at most %d", BRACKETS_MAX);
            return fail_mark(l, mark_of(l, i));
        }
    }
    return true;
}

static bool fail_yaml(const struct load *l, const yaml_parser_t *p)
{
    if (p->error == YAML_MEMORY_ERROR) {
        err_set(l->e, "out of memory");
        return err_in(l->e, "%s", l->path);
    }
    err_set(l->e, "no YAML: %s", p->problem != NULL ? p->problem : "unreadable");
    yaml_mark_t at = p->problem_mark;
    if (p->error == YAML_READER_ERROR) /* which knows only the byte */
        at = mark_of(l, p->problem_offset);
    return fail_mark(l, at);
}

/* One document, or none: then nothing changes. */
static bool load_stream(struct load *l, yaml_parser_t *parser)
{
    yaml_document_t doc;
    if (!yaml_parser_load(parser, &doc))
        return fail_yaml(l, parser);
    l->doc = &doc;
    const yaml_node_t *root = yaml_document_get_root_node(&doc);
    bool ok = root == NULL || (l->c != NULL ? load_mapping(l, root, "") : load_root(l, root));
    if (ok && l->c != NULL && l->t->check != NULL && !l->t->check(l->c, l->e))
        ok = l->blamed != NULL ? fail_at(l, l->blamed, "") : err_in(l->e, "%s", l->path);
    yaml_document_delete(&doc);
    if (!ok || root == NULL)
        return ok;

    if (!yaml_parser_load(parser, &doc))
        return fail_yaml(l, parser);
    root = yaml_document_get_root_node(&doc);
    if (root != NULL) {
        err_set(l->e, "a second document; one only");
        ok = fail_mark(l, root->start_mark);
    }
    yaml_document_delete(&doc);
    return ok;
}

static bool read_file(const char *path, char **text, size_t *len, struct err *e)
{
    char *p = NULL;
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        err_set(e, "%s", strerror(errno));
        goto fail;
    }
    p = malloc(FILE_MAX_BYTES + 1);
    if (p == NULL) {
        err_set(e, "out of memory");
        goto fail;
    }
    *len = fread(p, 1, FILE_MAX_BYTES + 1, f);
    if (ferror(f)) {
        err_set(e, "%s", strerror(errno));
        goto fail;
    }
    if (*len > FILE_MAX_BYTES) {
        err_set(e, "too large for a configuration; at most %d bytes", FILE_MAX_BYTES);
        goto fail;
    }
    fclose(f);
    *text = p;
    return true;
fail:
    if (f != NULL)
        fclose(f);
    free(p);
    return err_in(e, "%s", path);
}

/* What `l` wants, out of the file l->path. */
static bool load_file(struct load *l)
{
    char *text = NULL; /* gcc cannot see that read_file fills both */
    size_t len = 0;
    yaml_parser_t parser;
    if (!read_file(l->path, &text, &len, l->e))
        return false;
    if (!yaml_parser_initialize(&parser)) {
        free(text);
        err_set(l->e, "out of memory");
        return err_in(l->e, "%s", l->path);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    l->text = text;
    l->len = len;
    bool ok = brackets_few(l) && load_stream(l, &parser);
    yaml_parser_delete(&parser);
    free(text);
    return ok;
}

bool config_load_table(const struct key_table *t, void *c, const char *path, struct err *e)
{
    void *read = malloc(t->size);
    if (read == NULL) {
        err_set(e, "out of memory");
        return err_in(e, "%s", path);
    }
    memcpy(read, c, t->size);
    bool ok = load_file(&(struct load){.t = t, .c = read, .path = path, .e = e});
    if (ok)
        memcpy(c, read, t->size);
    free(read);
    return ok;
}

bool config_list_load(const char *path, const char *root, const struct key_list *list,
                      void **elements, size_t *n, struct err *e)
{
    struct load l = {.root = root, .list = list, .path = path, .e = e};
    if (!load_file(&l)) {
        free(l.elements);
        return false;
    }
    *elements = l.elements;
    *n = l.n;
    return true;
}
