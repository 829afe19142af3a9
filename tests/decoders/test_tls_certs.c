/* Certificates seen lately. */
#include "decoders/tls_certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/guard.h"

static struct tls_certs certs;
static uint8_t der[TLS_CERTS_BYTES + 1];

static void make(unsigned i, uint32_t len)
{
    memset(der, 0x30, len);
    memcpy(der + 12, &i, sizeof i);
}

/* By all that there is of it, from its first bytes on. */
static void test_find(void **state)
{
    (void)state;
    memset(&certs, 0, sizeof certs);
    enum { LEN = 900 };
    make(1, LEN);
    assert_int_equal(tls_certs_find(&certs, der, LEN, LEN), 0);
    tls_certs_keep(&certs, der, LEN, 7, 1);
    uint32_t at = tls_certs_find(&certs, der, LEN, LEN);
    assert_int_not_equal(at, 0);
    assert_int_equal(certs.seen[at].id, 7);
    for (uint32_t n = 0; n <= LEN; n++)
        assert_int_equal(tls_certs_find(&certs, guard_copy(der, n), n, LEN),
                         n < TLS_CERTS_TELL ? 0 : at);
    assert_int_equal(tls_certs_find(&certs, der, LEN - 1, LEN - 1), 0);
    for (uint32_t i = 0; i < LEN; i += 13) {
        der[i] ^= 1;
        assert_int_equal(tls_certs_find(&certs, der, LEN, LEN), 0);
        der[i] ^= 1;
    }
}

/* What messages of this batch borrowed stays, until the next one. */
static void test_batch(void **state)
{
    (void)state;
    memset(&certs, 0, sizeof certs);
    make(0, 500);
    tls_certs_keep(&certs, der, 500, 100, 5);
    uint32_t at = tls_certs_find(&certs, der, 500, 500);
    certs.seen[at].batch = 5;
    for (unsigned i = 1; i <= 1000; i++) {
        make(i, 500);
        tls_certs_keep(&certs, der, 500, i, 5);
    }
    assert_int_equal(certs.seen[at].id, 100);
    for (unsigned i = 1; i < 1000; i++) {
        make(i, 500);
        tls_certs_keep(&certs, der, 500, i, 6);
    }
    assert_int_not_equal(certs.seen[at].id, 100);
}

/* What arrives somewhere stays; of the rest the newest. Those too long or too short are not kept.
 */
static void test_keep(void **state)
{
    (void)state;
    memset(&certs, 0, sizeof certs);
    make(0, 500);
    tls_certs_keep(&certs, der, 500, 100, 1);
    uint32_t at = tls_certs_find(&certs, der, 500, 500);
    certs.seen[at].users = 1;
    for (unsigned i = 1; i < 1000; i++) {
        make(i, 500);
        tls_certs_keep(&certs, der, 500, i, 1);
    }
    make(0, 500);
    assert_int_equal(tls_certs_find(&certs, der, 500, 500), at);
    assert_int_equal(certs.seen[at].id, 100);
    const uint32_t lens[] = {TLS_CERTS_TELL - 1, TLS_CERTS_BYTES + 1};
    for (int i = 0; i < 2; i++) {
        make(2000, TLS_CERTS_TELL - 1);
        tls_certs_keep(&certs, der, lens[i], 1, 1);
        assert_int_equal(tls_certs_find(&certs, der, lens[i], lens[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
