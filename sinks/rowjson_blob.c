#include "sinks/rowjson_blob.h"

#include "sinks/rowjson_answer.h"
#include "sinks/rowjson_cert.h"
#include "sinks/rowjson_offer.h"
#include "sinks/rowjson_put.h"

char *rowjson_blob(char *p, enum blob_kind kind, struct bytes blob)
{
    union {
        struct offer offer;
        struct answer answer;
        struct cert cert;
    } u;
    if (kind == BLOB_OFFER && offer_read(blob.p, blob.len, &u.offer))
        return rowjson_offer(p, &u.offer);
    if (kind == BLOB_ANSWER && answer_read(blob.p, blob.len, &u.answer))
        return rowjson_answer(p, &u.answer);
    if (kind == BLOB_CERT && cert_read(blob.p, blob.len, &u.cert))
        return rowjson_cert(p, &u.cert);
    return put_text(p, "{}");
}

bool rowjson_blob_read(struct window *w, unsigned kind, const json_t *v, uint32_t *id,
                       struct err *e)
{
    if (!json_is_object(v)) {
        err_set(e, "no object");
        return false;
    }
    switch ((enum blob_kind)kind) {
    case BLOB_ANSWER:
        return rowjson_answer_read(w, v, id, e);
    case BLOB_CERT:
        return rowjson_cert_read(w, v, id, e);
    default:
        return rowjson_offer_read(w, v, id, e);
    }
}
