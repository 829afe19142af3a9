/* Lists in YAML files, read as strictly as the configuration: those of the configuration itself,
 * and files beside it that hold one list. */
#pragma once
#include "core/err.h"
#include "core/text.h"

/* A scalar as YAML gave it. `plain`: not quoted, so it may be a number or a truth value. */
struct scalar {
    const char *text;
    bool plain;
};

/* A list of scalars, or of mappings of scalars. */
struct key_list {
    size_t n_at; /* of the `unsigned` that counts the elements in struct config */
    size_t size; /* of an element */
    unsigned max;
    const char *const
        *members; /* keys of an element, NULL behind the last; NULL: elements are scalars */
    void (*init)(void *element); /* puts defaults into a zeroed element; may be NULL */
    /* Sets one of the members of a zeroed element (`key` NULL: the scalar itself). */
    bool (*set)(void *element, const char *key, struct scalar v, struct err *e);
    bool (*whole)(const void *element, struct err *e); /* is anything missing; may be NULL */
    /* does element `last` go with those before it; may be NULL, and is not asked by
     * config_list_load */
    bool (*fits)(const void *elements, unsigned last, struct err *e);
    void (*dump)(const void *element, struct text_sink *out); /* of the configuration's lists */
};

/* Reads the file `path`, a mapping whose only key `root` holds `list`. On success the caller owns
 * `*elements` (free(3)), `*n` of list->size bytes, in the order of the file. Error text:
 * "FILE:LINE:COLUMN: KEY: what is wrong; what is allowed" ("FILE: ..." where it cannot be read). */
MUST_CHECK bool config_list_load(const char *path, const char *root, const struct key_list *list,
                                 void **elements, size_t *n, struct err *e);
