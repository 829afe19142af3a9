/* A ClientHello or ServerHello of any bytes: its JA4, if it has one, looks like one; remembered and
 * worked out anew it is the same; the order of extensions changes nothing in it that the decoder's
 * own view does not. A hello told by those before it is as decoded. Input: u8 carrier, the body. */
#include "decoders/fingerprint.h"
#include "decoders/tls_known.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_check(const char text[static FINGERPRINT_JA4_LEN], enum tls_carrier carrier)
{
    for (int i = 0; i < FINGERPRINT_JA4_LEN; i++) {
        bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        bool digit = text[i] >= '0' && text[i] <= '9';
        bool good = i == 0               ? text[i] == "tqd"[carrier]
                    : i == 3             ? text[i] == 'd' || text[i] == 'i'
                    : i >= 4 && i < 8    ? digit
                    : i == 10 || i == 23 ? text[i] == '_'
                    : i > 10             ? hex
                                         : text[i] > ' ' && text[i] < 0x7f;
        if (!good)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fingerprints *kept;
    static struct tls_client_hello h;
    struct fingerprints *fresh;
    struct err e;
    char text[2][FINGERPRINT_JA4_LEN];
    uint8_t md5[2][FINGERPRINT_JA3_LEN];
    bool usable;
    if (size < 1 || (kept == NULL && !fingerprint_new(&kept, true, &e))
        || !fingerprint_new(&fresh, true, &e))
        return 0;
    enum tls_carrier carrier = (enum tls_carrier)(data[0] % TLS_CARRIER_N);
    size--;
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(exact, data + 1, size);
    struct cur body = cur_of(exact, size, size);
    (void)tls_client_hello_decode(body, &h, &usable);
    static struct tls_known before;
    static struct tls_client_hello told;
    bool told_usable;
    (void)tls_known_decode(&before, body, &told, &told_usable);
    if (usable != told_usable
        || (usable
            && (h.id != told.id || h.more != told.more || h.blob_len != told.blob_len
                || h.max_version != told.max_version || h.sni.len != told.sni.len
                || h.resumption_offered != told.resumption_offered || h.ech != told.ech
                || h.alpn.len != told.alpn.len || memcmp(h.blob, told.blob, h.blob_len) != 0)))
        abort();
    if (!usable || carrier == TLS_OVER_DTLS) /* whose hellos this decoder does not know */
        h = (struct tls_client_hello){.more = MORE_ODD};
    bool known = fingerprint_ja4(kept, &h, body, carrier, text[0]);
    bool worked_out = fingerprint_ja4(fresh, &h, body, carrier, text[1]);
    if (known != worked_out || (known && memcmp(text[0], text[1], sizeof text[0]) != 0))
        abort();
    if (known)
        text_check(text[0], carrier);
    known = fingerprint_ja3(kept, body, carrier, md5[0]);
    worked_out = fingerprint_ja3(fresh, body, carrier, md5[1]);
    if (known != worked_out || (known && memcmp(md5[0], md5[1], sizeof md5[0]) != 0))
        abort();
    known = fingerprint_ja3s(kept, body, md5[0]);
    worked_out = fingerprint_ja3s(fresh, body, md5[1]);
    if (known != worked_out || (known && memcmp(md5[0], md5[1], sizeof md5[0]) != 0))
        abort();
    free(exact);
    fingerprint_free(fresh);
    return 0;
}
