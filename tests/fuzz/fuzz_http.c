/* A request head, or a status line, of any bytes. */
#include "decoders/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(truth)                                                                             \
    do {                                                                                           \
        if (!(truth))                                                                              \
            abort();                                                                               \
    } while (0)

static void check_view(struct bytes b, const uint8_t *start, size_t len)
{
    REQUIRE((b.p == NULL) == (b.len == 0));
    REQUIRE(b.p == NULL || (b.p >= start && b.p + b.len <= start + len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1); /* exact size: ASan sees an over-read of one */
    memcpy(exact, data, size);
    struct http_request r, before, again;
    memset(&r, 0x5a, sizeof r);
    before = again = r;

    enum outcome o = http_request_decode(cur_of(exact, size, size + 1), &r);
    REQUIRE(o == OUT_OK || o == OUT_TRUNCATED || o == OUT_MALFORMED);
    enum outcome whole = http_request_decode(cur_of(exact, size, size), &again);
    REQUIRE(whole
            == (o == OUT_TRUNCATED ? OUT_MALFORMED : o)); /* nothing was cut: blame the message */
    if (o == OUT_OK) {
        REQUIRE(memcmp(&r, &again, sizeof r) == 0);
        REQUIRE(r.head_len <= size && r.head_len <= 8192 && exact[r.head_len - 1] == '\n');
        REQUIRE(r.call <= HTTP_VERSIONS && (r.call != HTTP_OTHER || !r.has_mac));
        check_view(r.host, exact, r.head_len);
        check_view(r.user_agent, exact, r.head_len);
        check_view(r.product, exact, r.head_len);
        check_view(r.hw, exact, r.head_len);
        /* One byte less, and the head is not whole. */
        o = http_request_decode(cur_of(exact, r.head_len - 1, size), &again);
        REQUIRE(o == OUT_TRUNCATED);
    } else {
        REQUIRE(memcmp(&r, &before, sizeof r) == 0); /* a failed decode must not write */
    }
    unsigned status = http_status(cur_of(exact, size, size));
    REQUIRE(status == 0 || (status >= 100 && status <= 599 && size >= 13));
    http_plausible_request(cur_of(exact, size, size + 1));
    free(exact);
    return 0;
}
