/* Primes that many servers use: RFC 2409, 3526, 5114, 7919, and those that came with Apache's
 * mod_ssl 2.0 and 2.2, Java's DSA parameters and nginx. */
#include "core/answer.h"

static const struct {
    uint64_t id;
    uint16_t bits;
    uint8_t prime;
} known[] = {
    {UINT64_C(0xd4951a18f61f4f64), 768, DH_PRIME_RFC2409_768},
    {UINT64_C(0xa51ed1486326532a), 1024, DH_PRIME_RFC2409_1024},
    {UINT64_C(0x39adc6210768ede3), 1536, DH_PRIME_RFC3526_1536},
    {UINT64_C(0x4c31ad03aeba0b22), 2048, DH_PRIME_RFC3526_2048},
    {UINT64_C(0xf4c269126d47442e), 3072, DH_PRIME_RFC3526_3072},
    {UINT64_C(0xccd92bfdc22aaff2), 4096, DH_PRIME_RFC3526_4096},
    {UINT64_C(0x56e5ddf7d19a24f2), 6144, DH_PRIME_RFC3526_6144},
    {UINT64_C(0x7920d0db80d38e80), 8192, DH_PRIME_RFC3526_8192},
    {UINT64_C(0x21a4e31972207777), 1024, DH_PRIME_RFC5114_1024_160},
    {UINT64_C(0x3c7eef59ea82cdf2), 2048, DH_PRIME_RFC5114_2048_224},
    {UINT64_C(0xabb67e8802e7374f), 2048, DH_PRIME_RFC5114_2048_256},
    {UINT64_C(0xeb95209c26e97dbd), 2048, DH_PRIME_RFC7919_2048},
    {UINT64_C(0xb10795cb5cd6d9e3), 3072, DH_PRIME_RFC7919_3072},
    {UINT64_C(0x64eb6170458e076c), 4096, DH_PRIME_RFC7919_4096},
    {UINT64_C(0x038741ddff72d099), 6144, DH_PRIME_RFC7919_6144},
    {UINT64_C(0x9596d597e625eb3b), 8192, DH_PRIME_RFC7919_8192},
    {UINT64_C(0x912cd135473a6ef5), 512, DH_PRIME_APACHE_512},
    {UINT64_C(0x4b5e214f827d9664), 512, DH_PRIME_APACHE_512},
    {UINT64_C(0xd0b3456b4aa60644), 1024, DH_PRIME_APACHE_1024},
    {UINT64_C(0xb65e4e5f6b6ec5c5), 1024, DH_PRIME_APACHE_1024},
    {UINT64_C(0xefed6f4f37cc69cc), 512, DH_PRIME_JDK_512},
    {UINT64_C(0x196dadec09ba5108), 768, DH_PRIME_JDK_768},
    {UINT64_C(0xa513ec8f357e9a79), 1024, DH_PRIME_JDK_1024},
    {UINT64_C(0x7a0b8eafa8bc5d36), 1024, DH_PRIME_NGINX_1024},
};

enum dh_prime dh_prime_find(uint64_t id, unsigned bits)
{
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id && known[i].bits == bits)
            return (enum dh_prime)known[i].prime;
    return DH_PRIME_UNKNOWN;
}
