/* The one table of configuration keys: what reads, dumps and hashes the configuration goes by it.
 * For core/config*.c only. */
#pragma once
#include "core/config.h"
#include "core/config_list.h"
#include "core/config_value.h"

enum key_kind { KEY_UINT, KEY_BOOL, KEY_WORD, KEY_SENSOR, KEY_PATH, KEY_SECRET, KEY_LIST };

struct key {
    const char *name;         /* dotted path */
    size_t at;                /* in struct config */
    uint8_t kind;             /* enum key_kind */
    bool unhashed;            /* does not change the meaning of a summary */
    uint64_t min, max;        /* KEY_UINT; KEY_WORD: max counts the words */
    const char *const *words; /* KEY_WORD: the value's names */
    const struct key_list *list;
};

extern const struct key config_keys[];
extern const unsigned n_config_keys;

/* Sets a key that is no list. Error text: "what is wrong; what is allowed". */
MUST_CHECK bool config_key_set(struct config *c, const struct key *k, struct scalar v,
                               struct err *e);

/* The lists (core/config_lists.c). */
extern const struct key_list config_list_gateways, config_list_networks, config_list_files,
    config_list_suffixes, config_list_hosts;
extern const char *const config_vantage_words[VANTAGE_N];

/* Used by keys and list members alike. */
MUST_CHECK bool config_number(struct scalar v, uint64_t min, uint64_t max, uint64_t *to,
                              struct err *e);
MUST_CHECK bool config_word(struct scalar v, const char *const words[], unsigned n, uint8_t *to,
                            struct err *e);

/* Text as a YAML scalar that reads back to the same bytes (valid UTF-8 without NUL): quoted where
 * it must be. */
void config_dump_text(const char *text, struct text_sink *out);
