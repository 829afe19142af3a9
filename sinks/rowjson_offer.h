/* What a ClientHello offers (core/offer.h), as a row's object: lists of code points in the client's
 * order, those that are empty left out. */
#pragma once
#include "core/offer.h"
#include "sinks/rowjson.h"

#include "sinks/rowjson_value.h"

/* Writes the object at `p`, in at most ROWJSON_OFFER_MAX bytes; returns its end. */
char *rowjson_offer(char *p, const struct offer *o);

/* Reads it into a blob of the window; *id is 0 where the window has no room. */
MUST_CHECK bool rowjson_offer_read(struct window *w, const json_t *v, uint32_t *id, struct err *e);
