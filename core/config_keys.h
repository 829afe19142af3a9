/* Tables of keys: what reads, dumps and hashes a configuration goes by them. The program's
 * configuration has one, the TLS policy (enrich/tls_policy.c) another. */
#pragma once
#include "core/config.h"
#include "core/config_list.h"
#include "core/config_value.h"

enum key_kind {
    KEY_UINT,
    KEY_BOOL,
    KEY_WORD,
    KEY_SENSOR,
    KEY_PATH,
    KEY_USER,
    KEY_SECRET,
    KEY_LIST
};

struct key {
    const char *name;         /* dotted path */
    size_t at;                /* in the struct that is filled */
    uint8_t kind;             /* enum key_kind */
    bool unhashed;            /* does not change the meaning of a summary */
    uint64_t min, max;        /* KEY_UINT; KEY_WORD: max counts the words */
    const char *const *words; /* KEY_WORD: the value's names */
    const struct key_list *list;
    bool divides_day; /* KEY_UINT: only divisors of 86400 */
};

extern const struct key config_keys[];
extern const unsigned n_config_keys;

/* What a file of one kind may say, and the struct it fills. */
struct key_table {
    const struct key *keys; /* those of one mapping stand together */
    unsigned n;
    size_t size;                                 /* of the struct */
    size_t blame_at;                             /* of the key that is named where `check` fails */
    bool (*check)(const void *c, struct err *e); /* what no single key can tell */
};

/* Reads the YAML file `path` over the struct `c`, strictly, as config_load says. */
MUST_CHECK bool config_load_table(const struct key_table *t, void *c, const char *path,
                                  struct err *e);
/* Writes all keys, or those that are hashed. */
void config_dump_table(const struct key_table *t, const void *c, bool hashed_only,
                       struct text_sink *out);

/* Sets a key that is no list. Error text: "what is wrong; what is allowed". */
MUST_CHECK bool config_key_set(void *c, const struct key *k, struct scalar v, struct err *e);

/* The lists (core/config_lists.c). */
extern const struct key_list config_list_gateways, config_list_networks, config_list_files,
    config_list_suffixes, config_list_hosts, config_list_migrations, config_list_ports,
    config_list_eal;
extern const char *const config_vantage_words[VANTAGE_N];

/* Used by keys and list members alike. */
MUST_CHECK bool config_number(struct scalar v, uint64_t min, uint64_t max, uint64_t *to,
                              struct err *e);
MUST_CHECK bool config_word(struct scalar v, const char *const words[], unsigned n, uint8_t *to,
                            struct err *e);

MUST_CHECK bool config_bool(struct scalar v, bool *to, struct err *e);
/* "NAME" or "NAME:GROUP", each perhaps a number; "" is nobody. */
MUST_CHECK bool config_user(const char *text, char to[static CONFIG_NAME_LEN], struct err *e);

/* Text as a YAML scalar that reads back to the same bytes (valid UTF-8 without NUL): quoted where
 * it must be. */
void config_dump_text(const char *text, struct text_sink *out);
