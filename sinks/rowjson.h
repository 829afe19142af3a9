/* Rows as JSON, and back, driven by the field tables of summary/rows.h: they know field types, not
 * fields.
 *
 * Strings are byte strings: printable ASCII stands for itself, byte b >= 0x80 and control bytes are
 * written as U+00bb, byte 0 as U+0100. Numbers stop at 2^63 - 1. A name with a dot ("dns.queries")
 * is a member of an object ("dns"). */
#pragma once
#include "core/text.h"
#include "summary/window.h"

enum {
    ROWJSON_FIELDS_MAX = 80, /* of a row or of the totals */
    ROWJSON_LINE_MAX = 4 << 20,
    ROWJSON_PART_MAX = 1 << 20, /* a totals row longer than this goes on in a further row */
};

/* ---- writing */

enum {
    ROWJSON_NAME_MAX = 32,
    ROWJSON_WORDS_MAX = 1024,
    ROWJSON_WHO_MAX = 80,
    ROWJSON_SITE_MAX = 6 * ROWJSON_WHO_MAX + 2,
    ROWJSON_CLIENT_MAX = ROWJSON_SITE_MAX + ROWJSON_WHO_MAX + 64,
};

/* A field as the writer needs it, so that nothing is looked up or measured for a row. */
struct rowjson_field {
    const struct field *field;
    const struct rowjson_word *words; /* how its numbers are written: its names, else in decimal */
    /* The number it is: (the aligned word of the row at `word` >> shift) & mask. What is no number
     * has mask and number 0. */
    uint64_t mask,
        absent; /* what the number is when there is nothing, or perhaps nothing, to tell */
    uint16_t word, at;
    uint8_t shift;
    uint8_t type;  /* enum field_type */
    uint8_t group; /* whose object it is in; 0: none */
    uint8_t len;
    char name[ROWJSON_NAME_MAX + 1]; /* as a member begins: `,"queries":` */
};
struct rowjson_word {
    char text[23]; /* in quotes */
    uint8_t len;
};

/* The fields of one object, keys and values. */
struct rowjson_plan {
    struct rowjson_field fields[ROWJSON_FIELDS_MAX];
    unsigned n, n_keys;
    unsigned head_len;
    char head[ROWJSON_NAME_MAX]; /* of a row: `{"kind":"peer"` */
};

struct rowjson_writer {
    struct window *w;      /* borrowed */
    struct text_sink *out; /* borrowed */
    bool numbers;       /* distinct counts as numbers: the totals object, not the segment's row */
    enum row_kind kind; /* of the row being written */
    uint8_t group;      /* whose object is open; 0: none */
    /* Sorted rows repeat their site and client: the members as they were written last. */
    uint64_t site;
    unsigned site_len;
    char site_text[ROWJSON_SITE_MAX];
    struct client client;
    unsigned client_len;
    char client_text[ROWJSON_CLIENT_MAX];
    struct rowjson_plan plans[ROW_KIND_N], totals;
    unsigned n_words;
    struct rowjson_word words[ROWJSON_WORDS_MAX];
};

void rowjson_writer_init(struct rowjson_writer *r, struct window *w, struct text_sink *out);

/* One line, with its newline. The kind is row_types[kind].name, but "host" for a host's ROW_CLIENT.
 */
void rowjson_row(struct rowjson_writer *r, enum row_kind kind, const void *row);
/* The same for what a full table turned away: `{"kind":"other","of":"peer",...}`, without keys. */
void rowjson_other(struct rowjson_writer *r, enum row_kind kind, const void *row);

/* Members of the totals object, `"packets":{...},...`. With a budget of bytes they may need several
 * calls: the first writes all but the tallies that exceed it, later ones go on. Starts from a
 * zeroed cursor; returns whether more is to come. The text ends within an object. */
struct rowjson_cursor {
    unsigned part;
    size_t next[TALLY_N]; /* tallies of each family written so far */
};
bool rowjson_totals(struct rowjson_writer *r, struct rowjson_cursor *c, size_t budget);

/* A JSON string of any bytes; see the top. */
void rowjson_string(struct text_sink *out, const void *p, size_t len);

/* Text of a site or client for people and rows: "home-7", "vlan:100", "id:8f00000000000001";
 * "mac:ac:ca:54:00:00:01". Returns its length; 0: none. */
size_t rowjson_site(const struct window *w, uint64_t site, char text[static ROWJSON_WHO_MAX]);
size_t rowjson_client(const struct client *c, char text[static ROWJSON_WHO_MAX]);

/* ---- reading */

struct json_t; /* jansson's */

struct rowjson_reader {
    struct window *w;             /* rows are added to it */
    uint64_t start_s, length_s;   /* of the segment that is read */
    struct distinct_block *block; /* owned: one sketch at a time */
    alignas(16) uint8_t row[1024],
        before[1024]; /* this row and, for the order, the one before it */
    enum row_kind kind_before;
    bool has_before;
    unsigned other_next;   /* the least kind the next `other` row may be of */
    bool nameless;         /* the window had no room for a name of this row */
    uint64_t strings_lost; /* of the window when reading began */
    struct totals totals;  /* what the totals rows held */
};
MUST_CHECK bool rowjson_reader_init(struct rowjson_reader *r, struct window *w, uint64_t start_s,
                                    uint64_t length_s, struct err *e);
void rowjson_reader_free(struct rowjson_reader *r);

/* Parses one line into an object with a "kind"; *kind points into it. NULL, and `e` set, where that
 * fails. End it with rowjson_drop. */
struct json_t *rowjson_parse(const void *line, size_t len, const char **kind, struct err *e);
void rowjson_drop(struct json_t *row);

/* Finds what `kind` names. For "gateway" and "host" *client_kind tells them apart, else it is
 * CLIENT_NONE. */
MUST_CHECK bool rowjson_kind_find(const char *kind, enum row_kind *found, uint8_t *client_kind);

/* Each checks a whole row (types, ranges, unknown members, its place in the order) and adds it to
 * the window. */
MUST_CHECK bool rowjson_read_row(struct rowjson_reader *r, enum row_kind kind, uint8_t client_kind,
                                 struct json_t *row, struct err *e);
MUST_CHECK bool rowjson_read_other(struct rowjson_reader *r, struct json_t *row, struct err *e);
MUST_CHECK bool rowjson_read_totals(struct rowjson_reader *r, struct json_t *row, struct err *e);

/* Reads V_SUM and V_COUNTS fields of `fields` (ending with F_END) from the members of `object` into
 * `base`; any other member is refused. */
MUST_CHECK bool rowjson_read_sums(const struct field *fields, struct json_t *object, void *base,
                                  struct err *e);
/* Writes them: members of an object that was begun, after a comma where one is due. */
void rowjson_sums(struct rowjson_writer *r, const struct field *fields, const void *base);
