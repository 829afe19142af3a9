/* What a TLS client is: a file maps hello ids, JA4 and User-Agents to names. For readers: summaries
 * hold only what was seen, so that better knowledge can be applied to old ones.
 *
 * The file is YAML, read as strictly as the configuration: one list `client_types` of entries with
 *     hello: 605ae1f75429c0e2        or, of these three one an entry
 *     ja4: t13d1516h2_8daaf6152771_* (a pattern as of fnmatch(3))
 *     user_agent: "TelldusCenter*"  (likewise)
 *     name: curl                     what it is called
 *     version: "7.88.1 (OpenSSL)"    may be left out
 *     source: how this is known
 * The first entry that fits holds: hello before ja4 before user_agent. */
#pragma once
#include "summary/window.h"

enum {
    CLIENT_TYPES_MAX = 8192,
    CLIENT_TYPE_TEXT_MAX = 48, /* name and version with a blank between, and NUL */
};

struct client_types;

/* The caller ends it with client_types_free. */
MUST_CHECK bool client_types_load(struct client_types **t, const char *path, struct err *e);
void client_types_free(struct client_types *t);

/* The type of a hello by its id or its JA4, or of a User-Agent: a number from 1, equal for entries
 * of one name and version (and one way of knowing); 0: unknown. */
unsigned client_types_of_hello(const struct client_types *t, uint64_t hello, struct bytes ja4);
unsigned client_types_of_agent(const struct client_types *t, struct bytes user_agent);

/* "curl 7.88.1 (OpenSSL)"; of 0 "". Types by User-Agent have " (User-Agent)" behind them: another
 * program of the same device may have said it. */
const char *client_types_text(const struct client_types *t, unsigned type);

/* The types of the sessions of a window: by their hellos, and where those are unknown by the
 * User-Agents that the client told in clear HTTP, if all that are known name one type. */
struct client_typing;

/* Borrows `t` (NULL: nothing is known) and `w`; ended with client_typing_free. */
MUST_CHECK bool client_typing_new(struct client_typing **c, const struct client_types *t,
                                  struct window *w, struct err *e);
void client_typing_free(struct client_typing *c);
unsigned client_typing_of(struct client_typing *c, const struct row_tls *row);
