/* Certificates: whatever the bytes, what is said of them is a blob that reads back to the same, and
 * the same each time. */
#include "enrich/cert.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t blob[CERT_BLOB_MAX], again[CERT_BLOB_MAX];
    static struct cert c, d;
    static struct cert_label label;
    if (size > 40000)
        return 0;
    size_t n = cert_facts(data, size, blob);
    if (n > sizeof blob || !cert_read(blob, n, &c) || cert_write(&c, again) != n
        || memcmp(again, blob, n) != 0)
        abort();
    bool whole = cert_describe(data, size, &d, &label);
    if (cert_write(&d, again) != n || memcmp(again, blob, n) != 0
        || whole == (bool)(d.flags & CERT_UNREADABLE))
        abort();
    if (strnlen(label.serial, sizeof label.serial) == sizeof label.serial)
        abort();
    if (cert_read(data, size, &c)
        && (cert_write(&c, again) != size || memcmp(again, data, size) != 0))
        abort(); /* the reader is as strict as the writer */
    return 0;
}
