/* Blobs of rows as objects, and back: each kind by what core/ says of it. */
#pragma once
#include "sinks/rowjson.h"

#include "sinks/rowjson_value.h"

/* Writes the object that `blob` stands for at `p`, and returns the end; an empty one where it is
 * none of `kind`, which no window holds. At most ROWJSON_OFFER_MAX or ROWJSON_CERT_MAX bytes. */
char *rowjson_blob(char *p, enum blob_kind kind, struct bytes blob);

/* Reads an object into a blob of the window; *id is 0 where the window has no room. */
MUST_CHECK bool rowjson_blob_read(struct window *w, unsigned kind, const json_t *v, uint32_t *id,
                                  struct err *e);
