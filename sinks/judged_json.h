/* Findings and what sessions came to, as JSON: for flags segments and reports. */
#pragma once
#include "core/finding.h"
#include "core/text.h"
#include "summary/window.h"

/* The objects of docs/flags.schema.json, on one line, without its end. `w` tells the names of
 * sites. */
void judged_json_finding(struct text_sink *t, const struct window *w, const struct finding *f);
void judged_json_judged(struct text_sink *t, const struct window *w, const struct judged_server *s);

/* ---- members of an object, each after a comma; empty texts and zeros are left out */

void judged_json_text(struct text_sink *t, const char *name, const void *p, size_t len);
void judged_json_word(struct text_sink *t, const char *name, const char *word);
void judged_json_sum(struct text_sink *t, const char *name, uint64_t v);
void judged_json_hex(struct text_sink *t, const char *name, const uint8_t *p, size_t n);
void judged_json_times(struct text_sink *t, uint64_t first_ns, uint64_t last_ns);
void judged_json_counts(struct text_sink *t, const char *name, const char *const words[],
                        const uint64_t counts[], unsigned n);
void judged_json_clients(struct text_sink *t, const struct client_counts *c);
/* "client_kind" and "client"; nothing where it is not ours. */
void judged_json_client(struct text_sink *t, const struct client *c);
/* "site", "server" and "client_type". */
void judged_json_server(struct text_sink *t, const struct window *w, const struct service *s,
                        const char *client_type);

/* An object as a member: the members written between the two are its own. */
size_t judged_json_open(struct text_sink *t, const char *name);
void judged_json_close(struct text_sink *t, size_t at);
