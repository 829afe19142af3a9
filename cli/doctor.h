/* What is missing on this host for live capture with a given configuration, and the commands that
 * mend it. Nothing is opened or changed: all is read from /proc, /sys and /dev, and by questions to
 * the kernel that a test can answer instead. */
#pragma once
#include "core/config.h"
#include "core/text.h"

enum doctor_state {
    DOCTOR_OK,
    DOCTOR_WARN, /* works, slower or less exactly */
    DOCTOR_FAIL, /* live capture would not start */
};

struct doctor_line {
    uint8_t state;    /* enum doctor_state */
    const char *name; /* of the check */
    char subject[64]; /* the port or interface it is about; "": the host */
    char found[320];
    char run[400]; /* what mends it; "" where all is well, or no command does */
};

/* A network interface of the kernel. */
struct doctor_link {
    bool exists, up, carrier, ethernet;
    bool gro, lro; /* the kernel or the adapter merges packets */
};

/* Questions whose answers are no files. */
struct doctor_host {
    void (*link)(const char *name, struct doctor_link *l);
    bool (*module)(struct err *e); /* can the module for live ports be loaded */
    bool (*user)(const char *user, bool *is_self, struct err *e); /* can live.user be found */
};
extern const struct doctor_host doctor_host; /* this one */

enum { DOCTOR_LINES_MAX = 256 };

struct doctor {
    const struct config *c;
    const char *file; /* the configuration's; NULL: there is none */
    const char *root; /* in front of /proc, /sys, /dev; "" but for tests */
    const struct doctor_host *host;
    struct doctor_line lines[DOCTOR_LINES_MAX];
    unsigned n, unsaid; /* unsaid: lines that had no room */
    uint64_t caps;      /* of this process, effective */
    bool is_root;
};

/* Fills the lines of `d`, whose first four members the caller has set. */
void doctor_run(struct doctor *d);
/* True where no line failed. */
bool doctor_well(const struct doctor *d);

/* "ok   NAME SUBJECT: found", "FAIL NAME: found; run: COMMAND", a line each; or one JSON object. */
void doctor_text(const struct doctor *d, struct text_sink *out);
void doctor_json(const struct doctor *d, struct text_sink *out);
