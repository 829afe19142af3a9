/* The facts of a certificate (core/cert.h), as a row's object: what is empty is left out. */
#pragma once
#include "core/cert.h"
#include "sinks/rowjson_value.h"

/* Writes the object at `p` and returns its end: at most ROWJSON_CERT_MAX bytes. */
char *rowjson_cert(char *p, const struct cert *c);

/* Reads one into a blob of the window; *id is 0 where the window has no room. */
MUST_CHECK bool rowjson_cert_read(struct window *w, const json_t *v, uint32_t *id, struct err *e);
