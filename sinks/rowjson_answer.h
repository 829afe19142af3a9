/* What a TLS server answered (core/answer.h), as a row's object: what is 0 or empty is left out. */
#pragma once
#include "core/answer.h"
#include "sinks/rowjson_value.h"

/* Writes the object at `p` and returns its end: at most ROWJSON_OFFER_MAX bytes. */
char *rowjson_answer(char *p, const struct answer *a);

/* Reads one into a blob of the window; *id is 0 where the window has no room. */
MUST_CHECK bool rowjson_answer_read(struct window *w, const json_t *v, uint32_t *id, struct err *e);
